#!/usr/bin/env python3
"""Converts ONNX models with octet, runs them beside ONNX Runtime on the same inputs, and says how far
apart the results are: the largest difference and, for integer results, how many differ at all.

    pip install onnx onnxruntime numpy
    compare.py --octet build/release/bin/octet                 # the networks of networks.py
    compare.py --octet ... model.onnx [--shape x=1,3,32,32]    # any model

Without models it makes small networks, in float32 and quantised by ONNX Runtime's own quantiser in all
its forms, and fails where one operator by itself is more than two steps apart, or the output more than six: what
single steps in 0.2 % of the values add up to over the deepest of them.
"""
import argparse
import logging
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import networks

sys.path.append(str(pathlib.Path(__file__).parent / "exporters"))
import layers  # noqa: E402

ort.set_default_logger_severity(3)
logging.disable(logging.WARNING)


def session(path):
    # Without the rewrites that change sums: what the nodes say, one by one.
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Random(CalibrationDataReader):
    def __init__(self, model, count=16):
        self.items = iter([make_inputs(model, seed) for seed in range(count)])

    def get_next(self):
        return next(self.items, None)


def make_inputs(model, seed, shapes=None):
    rng = np.random.default_rng(seed)
    consts = {w.name for w in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in consts:
            continue
        t = value.type.tensor_type
        shape = (shapes or {}).get(value.name) or [max(1, d.dim_value) for d in t.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(t.elem_type)
        if dtype.kind == "f":
            feeds[value.name] = rng.normal(0, 1, shape).astype(dtype)
        else:
            info = np.iinfo(dtype)
            feeds[value.name] = rng.integers(max(info.min, -1000), min(info.max, 1000), shape, dtype, True)
    return feeds


def run_octet(octet, path, feeds, work, extra=()):
    files = []
    for i, array in enumerate(feeds.values()):
        files.append(work / f"in{i}.bin")
        files[-1].write_bytes(np.ascontiguousarray(array).tobytes())
    converted = work / "model.octet"
    subprocess.run([octet, "convert", path, "-o", converted, *extra], check=True, capture_output=True, text=True)
    subprocess.run([octet, "run", converted, "--inputs", ",".join(map(str, files)), "--outputs", work / "out"],
                   check=True, capture_output=True, text=True)
    return [(work / "out" / f"out{i}.bin").read_bytes() for i in range(len(list((work / "out").glob("*.bin"))))]


class Result:
    def __init__(self):
        self.worst, self.scale, self.differ, self.values, self.error, self.power = 0.0, 0.0, 0, 0, 0.0, 0.0

    def add(self, ours, theirs, step):
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        d = np.abs(a - b)
        self.worst = max(self.worst, float(d.max(initial=0)))
        self.scale = max(self.scale, float(np.abs(b).max(initial=0)))
        self.differ += int((d > step / 100).sum())
        self.values += d.size
        self.error += float((d ** 2).sum())
        self.power += float((b ** 2).sum())

    def sqnr(self):
        return 10 * np.log10(self.power / self.error) if self.error else float("inf")


def compare(octet, path, seeds=4, shapes=None, extra=(), step=0.0):
    model = onnx.load(path)
    reference = session(path)
    result = Result()
    for seed in range(100, 100 + seeds):
        feeds = make_inputs(model, seed, shapes)
        theirs = reference.run(None, feeds)
        with tempfile.TemporaryDirectory() as work:
            ours = run_octet(octet, path, feeds, pathlib.Path(work), extra)
        for raw, array in zip(ours, theirs):
            dtype = np.float32 if array.dtype.kind == "f" else array.dtype
            result.add(np.frombuffer(raw, dtype).reshape(array.shape), array, step)
    return result


def quantised(path, model, out, form, activation, weight, per_channel):
    quantize_static(str(path), str(out), Random(model), quant_format=form, per_channel=per_channel,
                    activation_type=activation, weight_type=weight, extra_options={"ActivationSymmetric": False})


def step_of(path):
    """The step of the model's last quantisation, to measure differences in."""
    model = onnx.load(path)
    consts = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    for node in reversed(model.graph.node):
        if node.op_type in ("DequantizeLinear", "QuantizeLinear") and node.input[1] in consts:
            scale = consts[node.input[1]]
            if scale.size == 1:
                return float(scale)
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octet", default="build/release/bin/octet")
    parser.add_argument("--shape", action="append", default=[])
    parser.add_argument("--keep", help="folder to keep the models in")
    parser.add_argument("--only", default="", help="part of the names to try")
    parser.add_argument("models", nargs="*")
    options = parser.parse_args()
    extra = [word for shape in options.shape for word in ("--shape", shape)]
    shapes = {s.split("=")[0]: [int(d) for d in s.split("=")[1].split(",")] for s in options.shape}
    for path in options.models:
        r = compare(options.octet, path, shapes=shapes, extra=extra)
        print(f"{path}: worst {r.worst:.6g} of {r.scale:.6g}, {r.differ} of {r.values} differ, SQNR {r.sqnr():.1f} dB")
    if options.models:
        return 0

    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(options.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)

        def check(name, path, limit, form):
            nonlocal failed
            if options.only not in name:
                return
            try:
                r = compare(options.octet, path, step=limit)
            except subprocess.CalledProcessError as e:
                failed += 1
                print(f"FAIL {name}: {e.stderr.strip()}")
                return
            steps = r.worst / limit if limit else 0
            ok = steps <= form
            what = ""
            if "float" not in name:
                feeds = make_inputs(onnx.load(path), 100)
                np.savez(folder / "samples.npz", **{f"x{i}": x for i, x in enumerate(feeds.values())})
                found = layers.compare(options.octet, path, folder / "samples.npz").values()
                worst = max(w for w, _, _ in found)
                ok = ok and worst <= 2
                apart, values = (sum(v[i] for v in found) for i in (1, 2))
                what = (f" ({steps:.2g} steps; by operator {worst:.2g}, {100 * apart / values:.2f}%), "
                        f"{100 * r.differ / r.values:.2f}% differ")
            failed += not ok
            print(f"{'ok  ' if ok else 'FAIL'} {name}: worst {r.worst:.4g}{what}, SQNR {r.sqnr():.1f} dB")

        for name, make in networks.ALL.items():
            for opset in (7, 9, 10, 11, 13, 16, 18, 21):
                if name == "attention" and opset < 9:  # Erf
                    continue
                if f"{name}-{opset}" == "branches-7":  # Upsample with computed scales came in 9
                    continue
                path = folder / f"{name}-float-{opset}.onnx"
                onnx.save(make(1, opset), path)
                check(path.stem, path, 1.0, 1e-4)
            path = folder / f"{name}-float-13.onnx"
            model = onnx.load(path)
            for form in (QuantFormat.QDQ, QuantFormat.QOperator):
                for activation, weight in ((QuantType.QInt8, QuantType.QInt8), (QuantType.QUInt8, QuantType.QInt8),
                                           (QuantType.QUInt8, QuantType.QUInt8)):
                    for per_channel in (False, True):
                        if per_channel and weight == QuantType.QUInt8:
                            continue
                        out = folder / (f"{name}-{form.name}-{activation.name}-{weight.name}"
                                        f"{'-channel' if per_channel else ''}.onnx")
                        if options.only not in out.stem:
                            continue
                        quantised(path, model, out, form, activation, weight, per_channel)
                        check(out.stem, out, step_of(out) or 1e-2, 6.01)
        # How often a single operator's rounding differs.
        for kind in networks.SINGLE:
            name = f"single-{kind}"
            if options.only not in name:
                continue
            path, out = folder / f"{name}-float.onnx", folder / f"{name}.onnx"
            model = networks.single(kind)
            onnx.save(model, path)
            quantised(path, model, out, QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt8, True)
            check(name, out, step_of(out) or 1e-2, 3.01)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
