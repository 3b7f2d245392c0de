"""What the makers of models share: where a model goes, and the inputs and results that go with it."""
import json
import pathlib

import numpy as np


class Folder:
    """Each model is NAME.onnx, with samples.npz: x0... of its inputs, y0... of what its framework makes of the
    first of them, and a line in models.jsonl."""

    def __init__(self, path, only=""):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.only = only
        self.index = self.path / "models.jsonl"

    def wants(self, name):
        return self.only in name

    def onnx(self, name):
        return self.path / f"{name}.onnx"

    def add(self, name, inputs, outputs, exporter, kind="float", network=None):
        """`inputs`: an array a model input, its first dimension the samples'; `outputs`: of the first sample."""
        arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs)}
        arrays.update({f"y{i}": np.asarray(y) for i, y in enumerate(outputs)})
        np.savez(self.path / f"{name}.npz", **arrays)
        with self.index.open("a") as f:
            f.write(json.dumps({"name": name, "network": network or name, "exporter": exporter, "kind": kind}) + "\n")
        print(f"made {name}", flush=True)

    def failed(self, name, exporter, error, kind="float", network=None):
        text = " ".join(str(error).split())[:300]
        with self.index.open("a") as f:
            f.write(json.dumps({"name": name, "network": network or name, "exporter": exporter, "kind": kind,
                                "failed": f"{type(error).__name__}: {text}"}) + "\n")
        print(f"FAILED {name}: {type(error).__name__}: {text}", flush=True)


def noise(shape, seed=0):
    """Pictures of a kind: smooth blobs and noise, in about -2..2."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, shape)
    if len(shape) == 4:
        for axis in (2, 3):
            x = 0.5 * x + 0.5 * np.roll(x, 1, axis)
        x += rng.normal(0, 0.5, (*shape[:2], 1, 1))
    return x.astype(np.float32)
