"""Quantising and validating: the octet command of the package, asked for JSON."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import _native
from ._errors import Error, Status
from ._model import flat_bytes

Data = Union[str, "os.PathLike[str]", npt.NDArray[Any], Mapping[str, npt.NDArray[Any]]]
PathOrBytes = Any  # str, os.PathLike, bytes, bytearray, memoryview, numpy array

# Exit codes of the command (docs/cli.md); 1: it worked, and the answer is no.
_STATUS = {2: Status.INVALID_ARGUMENT, 3: Status.INVALID_MODEL, 4: Status.IO_ERROR,
           5: Status.RAM_LIMIT}


@dataclasses.dataclass(frozen=True)
class Quantized:
    """What quantising made, and how well it did."""

    reached_goals: bool  # of those that were given
    report: dict[str, Any] = dataclasses.field(repr=False)  # octet quantize --json
    data: bytes | None = dataclasses.field(repr=False)  # the .octet file, if it was not written

    @property
    def output_sqnr_db(self) -> float | None:
        """Signal to noise of the worst output against the float model; None: no noise at all."""
        value: float | None = self.report["output_sqnr_db"]
        return value

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Each operator: "kind", "name", "precision", "sqnr_db", "saturation", "scale", ..."""
        layers: list[dict[str, Any]] = self.report["layers"]
        return layers


@dataclasses.dataclass(frozen=True)
class Validated:
    """What int8 costs and gains."""

    passed: bool  # within all thresholds that were given
    report: dict[str, Any] = dataclasses.field(repr=False)  # octet validate --json


def quantize(source: PathOrBytes, output: str | os.PathLike[str] | None = None, *, data: Data,
             labels: str | os.PathLike[str] | npt.NDArray[Any] | None = None,
             range: str | None = None, percentile: float | None = None, equalize: bool = False,
             correct_bias: bool = True, io: str = "int8", fallback: str = "none",
             keep: Sequence[str] = (), min_sqnr: float | None = None,
             max_accuracy_drop: float | None = None, samples: int | None = None,
             threads: int = 1, optimize: str = "speed", ram_limit: int | str | None = None,
             target: str = "", report: str | os.PathLike[str] | None = None,
             arguments: Sequence[str] = ()) -> Quantized:
    """Turns a float model into an int8 .octet file at `output`, or into bytes.

    `data`: what to calibrate with: a folder of pictures, an .npy or .npz file, an array whose first
    dimension counts samples, or such an array for each input by its name. 8-bit values become real
    as a picture's bytes do.
    `labels`: the class of each sample, for accuracies.
    `range`: "minmax", "average", "percentile", "mse", "cubic" or "entropy".
    `io`: the type of inputs and outputs: "int8", "float", "float-in" or "float-out".
    `fallback`: "int16" or "float" for operators that lose too much on 8 bits: as few as reach the
    goals `min_sqnr` (dB) and `max_accuracy_drop` (0.01: one in a hundred), and those in `keep`.
    `report`: an HTML page with every tensor's histogram.
    `arguments`: further ones of `octet quantize`.
    """
    with _sources(source, data, labels) as (model, options):
        options += ["--io", io, "--fallback", fallback, "--optimize", optimize,
                    "--threads", str(_native.count(threads, "threads"))]
        options += _given("--range", range) + _given("--percentile", percentile)
        options += _given("--min-sqnr", min_sqnr)
        options += _given("--samples", samples) + _given("--target", target or None)
        options += _given("--report", report and os.fspath(report))
        if max_accuracy_drop is not None:
            options += ["--max-accuracy-drop", f"{100 * float(max_accuracy_drop)!r}%"]
        if ram_limit is not None:
            options += ["--ram-limit", str(_native.size(ram_limit, "ram_limit"))]
        if keep:
            options += ["--keep", ",".join(keep)]
        options += ["--equalize"] * bool(equalize) + ["--no-bias-correction"] * (not correct_bias)
        with _folder() as folder:
            path = os.path.join(folder, "model.octet") if output is None else os.fspath(output)
            reached, made = _run("quantize", [model, "-o", path, *options, *arguments])
            return Quantized(reached, made,
                             pathlib.Path(path).read_bytes() if output is None else None)


def validate(reference: PathOrBytes, model: PathOrBytes, *, data: Data,
             labels: str | os.PathLike[str] | npt.NDArray[Any] | None = None,
             max_accuracy_drop: float | None = None, max_latency_ms: float | None = None,
             samples: int | None = None, report: str | os.PathLike[str] | None = None,
             arguments: Sequence[str] = ()) -> Validated:
    """Float against int8 on data that neither was made with: accuracy, error, latency, size, RAM.

    `data`, `labels`: as for quantize(). `max_accuracy_drop` (0.01: one in a hundred) and
    `max_latency_ms` decide `passed`. `report`: an HTML page with plots. `arguments`: further ones
    of `octet validate`.
    """
    with _sources(reference, data, labels) as (before, options), _file(model) as after:
        options += _given("--samples", samples) + _given("--max-latency-ms", max_latency_ms)
        options += _given("--report", report and os.fspath(report))
        if max_accuracy_drop is not None:
            options += ["--max-accuracy-drop", f"{100 * float(max_accuracy_drop)!r}%"]
        passed, made = _run("validate", [before, after, *options, *arguments])
        return Validated(passed, made)


def _prefix() -> str:
    return os.path.join(tempfile.gettempdir(), "octet-")


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=os.path.basename(_prefix()))


def _given(option: str, value: Any) -> list[str]:
    return [] if value is None else [option, str(value)]


def _run(command: str, arguments: Sequence[str]) -> tuple[bool, dict[str, Any]]:
    """Whether the answer is yes, and what the command printed."""
    program = str(_native.file_of_build("octet", "bin"))
    if any("\0" in argument for argument in arguments):
        raise Error(Status.INVALID_ARGUMENT, "an argument has a null character in it")
    try:
        done = subprocess.run([program, command, *arguments, "--json"], capture_output=True,
                              stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Error(Status.IO_ERROR, f"{program}: {error}") from None
    if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stdout):
        said = done.stderr.decode("utf-8", "replace").strip()
        text = said.rpartition("octet: ")[2] or f"octet {command}: exit status {done.returncode}"
        text = re.sub(f"{re.escape(_prefix())}[^/]*/", "", text)  # of arrays and bytes
        raise Error(_STATUS.get(done.returncode, Status.RUN_ERROR), text)
    return done.returncode == 0, json.loads(done.stdout)


@contextlib.contextmanager
def _file(source: PathOrBytes) -> Iterator[str]:
    """A model's path; bytes get one for the time being."""
    if isinstance(source, (str, os.PathLike)):
        yield os.fspath(source)
        return
    with _folder() as folder:
        path = pathlib.Path(folder) / "model"
        path.write_bytes(flat_bytes(source, "a model"))
        yield str(path)


@contextlib.contextmanager
def _sources(source: PathOrBytes, data: Data,
             labels: str | os.PathLike[str] | npt.NDArray[Any] | None
             ) -> Iterator[tuple[str, list[str]]]:
    """A model's path, and the options for its data; arrays become files for the time being."""
    with contextlib.ExitStack() as stack:
        options = ["--data"]
        if isinstance(data, (str, os.PathLike)):
            options.append(os.fspath(data))
        else:
            folder = pathlib.Path(stack.enter_context(_folder()))
            options.append(str(_save(folder, data)))
        if isinstance(labels, (str, os.PathLike)):
            options += ["--labels", os.fspath(labels)]
        elif labels is not None:
            folder = pathlib.Path(stack.enter_context(_folder()))
            np.save(folder / "labels.npy", np.asarray(labels).astype(np.int64))
            options += ["--labels", str(folder / "labels.npy")]
        yield stack.enter_context(_file(source)), options


def _save(folder: pathlib.Path, data: Any) -> pathlib.Path:
    try:
        if isinstance(data, Mapping):
            arrays: dict[str, Any] = {name: np.asarray(array) for name, array in data.items()}
            np.savez(folder / "data.npz", **arrays)
            return folder / "data.npz"
        if np.ndim(data) == 0:
            raise TypeError(f"a single {type(data).__name__}")
        np.save(folder / "data.npy", np.asarray(data), allow_pickle=False)
        return folder / "data.npy"
    except (TypeError, ValueError) as error:
        raise Error(Status.INVALID_ARGUMENT,
                    f"data is neither a path nor arrays: {error}") from None
