#!/usr/bin/env python3
"""Runs the models of a folder that the makers wrote through octet and ONNX Runtime, and prints a table.

    pip install onnx onnxruntime numpy
    measure.py FOLDER... --octet build/release/bin/octet [--only NAME] [--json FILE]

Float models: the largest difference to ONNX Runtime relative to the largest value, and the SQNR of the model that
`octet quantize` makes of it with 16 samples. Quantised ones: how many steps octet and ONNX Runtime are apart at most
and for how many values, of each operator by itself (layers.py) and of the output. "framework": ONNX Runtime against
the framework that exported the model.
"""
import argparse
import collections
import json
import pathlib
import sys
import tempfile

import numpy as np
import onnx

import layers
from runtimes import octet, reference, run


def output_step(model, name):
    """The scale with which a float output was dequantised last; 0: none."""
    consts = {w.name: onnx.numpy_helper.to_array(w) for w in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            consts[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    producer = {out: node for node in model.graph.node for out in node.output}
    while name in producer:
        node = producer[name]
        if node.op_type == "DequantizeLinear" and node.input[1] in consts:
            return float(np.max(consts[node.input[1]]))
        if node.op_type not in ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice"):
            return 0.0
        name = node.input[0]
    return 0.0


def measure(command, path, entry, samples, work):
    model = onnx.load(path, load_external_data=False)
    consts = {w.name for w in model.graph.initializer}
    names = [v.name for v in model.graph.input if v.name not in consts]
    data = np.load(samples)
    xs = [data[f"x{i}"] for i in range(len(names))]
    ys = [data[f"y{i}"] for i in range(len([k for k in data if k[0] == "y"]))]
    result = {**entry}
    converted = work / "model.octet"
    done = octet(command, "convert", path, "-o", converted)
    if done.returncode:
        result["refused"] = done.stderr.strip().split(".onnx: ")[-1]
        return result
    done = octet(command, "inspect", "--json", converted)
    steps = json.loads(done.stdout).get("steps", []) if not done.returncode else []
    result["ops"] = dict(collections.Counter(s.get("op", "?") for s in steps))
    session = reference(path)
    worst, differ, total, relative, away, unit = 0.0, 0, 0, 0.0, 0.0, 0.0
    for s in range(min(4, len(xs[0]))):
        feeds = [x[s:s + 1] for x in xs]
        theirs = session.run(None, dict(zip(names, feeds)))
        if s == 0:
            for t, y in zip(theirs, ys):
                y = y.reshape(t.shape).astype(np.float64)
                away = max(away, float(np.abs(t - y).max() / max(np.abs(y).max(), 1e-9)))
        for raw, t, value in zip(run(command, converted, feeds, work), theirs, model.graph.output):
            dtype = np.float32 if t.dtype.kind == "f" else t.dtype
            ours = np.frombuffer(raw, dtype).reshape(t.shape).astype(np.float64)
            d = np.abs(ours - t)
            step = 1.0 if t.dtype.kind != "f" else output_step(model, value.name)
            relative = max(relative, float(d.max(initial=0) / max(np.abs(t).max(initial=0), 1e-9)))
            if step:
                unit = step
                worst = max(worst, float(d.max(initial=0) / step))
                differ += int((d > step / 2).sum())
                total += d.size
    result.update(relative=relative, framework=away)
    if entry["kind"] == "float":
        folder = {f"{n}": x for n, x in zip(names, xs)}
        np.savez(work / "data.npz", **folder)
        done = octet(command, "quantize", path, "-o", work / "int8.octet", "--data", work / "data.npz", "--json")
        if done.returncode:
            result["not quantised"] = done.stderr.strip().split(".onnx: ")[-1]
        else:
            report = json.loads(done.stdout)
            result["sqnr"] = report.get("output_sqnr_db")
            result["precisions"] = dict(collections.Counter(l["precision"] for l in report.get("layers", [])))
        return result
    if total:
        result.update(steps=worst, differ=differ / total, unit=unit)
    found = layers.compare(command, path, samples)
    result["layers"] = found
    return result


def text(result):
    if "failed" in result:
        return f"the exporter failed: {result['failed']}"
    if "refused" in result:
        return f"refused: {result['refused']}"
    if "error" in result:
        return f"ERROR: {result['error']}"
    line = f"float error {result['relative']:.1e}, framework {result['framework']:.1e}"
    if "steps" in result:
        line = (f"{result['steps']:.2g} steps, {100 * result['differ']:.2f} % differ, "
                f"framework {result['framework']:.1e}")
    if "layers" in result:
        worst = max((w for w, _, _ in result["layers"].values()), default=0)
        apart, size = (sum(v[i] for v in result["layers"].values()) for i in (1, 2))
        line += f", by operator {worst:.2g} and {100 * apart / max(size, 1):.2f} %"
    if "sqnr" in result:
        line += f", SQNR {result['sqnr']:.1f} dB {result.get('precisions')}" if result["sqnr"] else ", SQNR ?"
    if "not quantised" in result:
        line += f", NOT QUANTISED: {result['not quantised']}"
    ops = result.get("ops", {})
    return line + f", {sum(ops.values())} steps" + (f", {ops['TRANSPOSE']} TRANSPOSE" if "TRANSPOSE" in ops else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--octet", default="build/release/bin/octet")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", help="file for the results")
    options = parser.parse_args()
    results = []
    for folder in map(pathlib.Path, options.folders):
        entries = {}
        for line in (folder / "models.jsonl").read_text().splitlines():
            entry = json.loads(line)
            entries[entry["name"]] = entry
        for name, entry in entries.items():
            if options.only not in name:
                continue
            result = entry
            if "failed" not in entry:
                with tempfile.TemporaryDirectory() as scratch:
                    try:
                        result = measure(options.octet, folder / f"{name}.onnx", entry, folder / f"{name}.npz",
                                         pathlib.Path(scratch))
                    except Exception as error:
                        result = {**entry, "error": " ".join(f"{type(error).__name__}: {error}".split())[:400]}
            print(f"{name}: {text(result)}", flush=True)
            results.append(result)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    sys.exit(main())
