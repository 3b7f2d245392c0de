#!/usr/bin/env python3
"""Runs the node tests of ONNX's own backend suite (they come with the onnx package) through octet.

    backend_suite.py --octet build/release/bin/octet [PATTERN...]

A pattern is part of a test's name. Octet takes weights, scales, shapes and axes as constants only, and the
suite hands everything over as inputs: where octet refuses a model for that, all inputs but the first become
constants. Integers must be equal to the last one, float32 close as in the suite.
"""
import argparse
import collections
import logging
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper as nh
from onnx.backend.test.case.node import collect_testcases

QUANTISED = ["qlinearconv", "qlinearmatmul", "quantizelinear", "dequantizelinear", "convinteger", "matmulinteger",
             "dynamicquantizelinear"]


def attempt(octet, model, feeds, constants, work):
    model = onnx.ModelProto.FromString(model.SerializeToString())
    names = [v.name for v in model.graph.input]
    for name in names:
        if name in constants:
            model.graph.initializer.append(nh.from_array(feeds[name], name))
    kept = [v for v in model.graph.input if v.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    path = work / "model.onnx"
    onnx.save(model, path)
    files = []
    for i, value in enumerate(kept):
        array = feeds[value.name]
        if array.dtype in (np.float16, np.float64):
            array = array.astype(np.float32)
        files.append(work / f"in{i}.bin")
        files[-1].write_bytes(np.ascontiguousarray(array).tobytes())
    out = work / "out"
    for old in out.glob("*.bin"):
        old.unlink()
    done = subprocess.run([octet, "run", path, "--inputs", ",".join(map(str, files)), "--outputs", out],
                          capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


def check(octet, case):
    model = case.model
    inputs, wanted = case.data_sets[0]
    arrays = [nh.to_array(a) if isinstance(a, onnx.TensorProto) else np.asarray(a) for a in inputs]
    feeds = {v.name: a for v, a in zip(model.graph.input, arrays)}
    wanted = [nh.to_array(a) if isinstance(a, onnx.TensorProto) else np.asarray(a) for a in wanted]
    names = [v.name for v in model.graph.input]
    error = None
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        for constants in (set(), set(names[1:])):
            error = attempt(octet, model, feeds, constants, work)
            if not error:
                break
        if error:
            return "refused", re.sub(r"^octet: \S+ ", "", error).replace("\n", " ")
        for i, array in enumerate(wanted):
            raw = (work / "out" / f"out{i}.bin").read_bytes()
            dtype = np.dtype(np.float32) if array.dtype.kind == "f" else array.dtype
            if len(raw) != array.size * dtype.itemsize:
                return "wrong", f"output {i} has {len(raw)} bytes"
            ours = np.frombuffer(raw, dtype).reshape(array.shape)
            if dtype.kind == "f":
                if not np.allclose(ours, array.astype(np.float32), rtol=1e-3, atol=1e-5, equal_nan=True):
                    return "wrong", f"output {i} differs by {np.abs(ours - array).max():g}"
            elif not np.array_equal(ours, array):
                d = np.abs(ours.astype(np.int64) - array.astype(np.int64))
                return "wrong", f"output {i}: {(d > 0).sum()} of {d.size} differ, by {d.max()} at most"
    return "passed", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--octet", default="build/release/bin/octet")
    parser.add_argument("--all", action="store_true", help="every test of an operator that octet knows")
    parser.add_argument("-v", action="store_true", help="name the tests that passed and why others were refused")
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()
    logging.disable()
    rows = pathlib.Path(__file__).parents[2] / "src/import/onnx/rows.inc"
    known = set(re.findall(r"^ROW\((\w+)", rows.read_text(), re.M))
    count = collections.Counter()
    for case in sorted(collect_testcases(None), key=lambda c: c.name):
        name = case.name.removeprefix("test_")
        if not options.all and not any(p in name for p in options.patterns or QUANTISED):
            continue
        if options.all:
            if any(n.op_type not in known or n.domain for n in case.model.graph.node):
                continue
        try:
            result, why = check(options.octet, case)
        except Exception as e:  # a type that numpy does not have, say
            result, why = "skipped", repr(e)[:100]
        count[result] += 1
        if result == "wrong" or options.v:
            print(f"{result:8} {name}: {why}", flush=True)
    print(", ".join(f"{n} {what}" for what, n in sorted(count.items())))
    return 1 if count["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
