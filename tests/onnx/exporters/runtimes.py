"""Runs a model with ONNX Runtime, and with the octet command."""
import subprocess

import numpy as np
import onnxruntime as ort

ort.set_default_logger_severity(4)


def reference(path):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def octet(command, *arguments):
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True)


def run(command, path, feeds, work):
    files = []
    for i, array in enumerate(feeds):
        files.append(work / f"in{i}.bin")
        files[-1].write_bytes(np.ascontiguousarray(array).tobytes())
    for old in (work / "out").glob("*.bin"):
        old.unlink()
    done = octet(command, "run", path, "--inputs", ",".join(map(str, files)), "--outputs", work / "out")
    if done.returncode:
        raise RuntimeError(done.stderr)
    count = len(list((work / "out").glob("*.bin")))
    return [(work / "out" / f"out{i}.bin").read_bytes() for i in range(count)]
