"""PyTorch modules, through PyTorch's own exporters."""
from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import os
import pathlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ._errors import Error, Status


def from_torch(module: Any, example_inputs: Any, *, names: Sequence[str] | None = None,
               opset: int | None = None, exporter: str = "auto") -> bytes:
    """What `torch.onnx` makes of a PyTorch module, for `convert`, `quantize` and `validate`:

        octet.convert(octet.from_torch(module, torch.zeros(1, 3, 224, 224)), "model.octet")

    `module`: a `torch.nn.Module` (exported as in eval mode), quantised or not, or an
    `ExportedProgram`.
    `example_inputs`: a tensor or array, or several as a tuple. Their shapes become the model's.
    `names`: of the inputs; otherwise the exporter names them.
    `exporter`: "export" is the one by `torch.export`, which needs onnxscript; "script" the older one
    by TorchScript; "auto" the first that works.

    Modules of FX graph mode quantisation (`torch.ao.nn.quantized`) need "script", those of PT2E
    "export".
    """
    order = {"auto": ("export", "script"), "export": ("export",), "script": ("script",)}
    if exporter not in order:
        raise Error(Status.INVALID_ARGUMENT,
                    f'exporter: "{exporter}" is none of "auto", "export" and "script"')
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError as error:
        raise Error(Status.UNSUPPORTED, f"PyTorch is not installed: {error}") from None
    given = example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    inputs = tuple(torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in given)
    reasons = []
    for kind in order[exporter]:
        with tempfile.TemporaryDirectory() as folder, _evaluating(module), torch.no_grad():
            path = pathlib.Path(folder) / "model.onnx"
            try:
                _export(torch, module, inputs, path, kind, names, opset)
                return path.read_bytes()
            except Exception as error:  # whatever an exporter throws
                text = " ".join(str(error).split())
                reasons.append(f"{kind}: {type(error).__name__}: {text[:400]}")
    raise Error(Status.UNSUPPORTED, "PyTorch cannot export it. " + " ".join(reasons))


def _export(torch: Any, module: Any, inputs: tuple[Any, ...], path: pathlib.Path, kind: str,
            names: Sequence[str] | None, opset: int | None) -> None:
    options: dict[str, Any] = {"input_names": list(names) if names else None,
                               "opset_version": opset}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # those of the exporters about themselves
        if kind == "export":
            program = torch.onnx.export(module, inputs, dynamo=True, verbose=False, **options)
            program.save(os.fspath(path), external_data=False)
        else:
            # Before PyTorch 2.5 there was no other.
            if "dynamo" in inspect.signature(torch.onnx.export).parameters:
                options["dynamo"] = False
            torch.onnx.export(module, inputs, os.fspath(path), **options)


@contextlib.contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """Dropout and batch normalisation as in use; each part goes back to what it was."""
    parts = [(m, m.training) for m in module.modules()] if hasattr(module, "modules") else []
    if any(training for _, training in parts):
        with contextlib.suppress(NotImplementedError):  # programs that torch.export made have none
            module.eval()
    try:
        yield
    finally:
        for part, training in parts:
            part.training = training
