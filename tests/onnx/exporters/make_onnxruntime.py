#!/usr/bin/env python3
"""Quantises float models that the other makers wrote with ONNX Runtime's own quantiser, in its many forms.

    pip install onnx onnxruntime
    make_onnxruntime.py FOLDER FOLDER_OF_FLOAT_MODELS... [--only NAME] [--networks A B...] [--forms a,b]
"""
import argparse
import json
import logging
import pathlib
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,
                                      quantize_dynamic, quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process

from common import Folder

ort.set_default_logger_severity(4)
logging.disable(logging.WARNING)
VERSION = f"ONNX Runtime {ort.__version__}"
I8, U8, I16, U16 = QuantType.QInt8, QuantType.QUInt8, QuantType.QInt16, QuantType.QUInt16
QDQ, OPERATOR = QuantFormat.QDQ, QuantFormat.QOperator


def static(form, activation, weight, channel, method=CalibrationMethod.MinMax, **extra):
    return dict(quant_format=form, activation_type=activation, weight_type=weight, per_channel=channel,
                calibrate_method=method, extra_options=extra)


FORMS = {
    "qdq-i8-i8": static(QDQ, I8, I8, False),
    "qdq-i8-i8-channel": static(QDQ, I8, I8, True),
    "qdq-u8-i8-channel": static(QDQ, U8, I8, True),
    "qdq-u8-u8": static(QDQ, U8, U8, False),
    "qdq-i8-i8-symmetric-entropy": static(QDQ, I8, I8, True, CalibrationMethod.Entropy, ActivationSymmetric=True),
    "qdq-i8-i8-pairs": static(QDQ, I8, I8, True, AddQDQPairToWeight=True, DedicatedQDQPair=True),
    "qdq-i16-i8": static(QDQ, I16, I8, True),
    "qdq-u16-u8": static(QDQ, U16, U8, False),
    "operator-i8-i8-channel": static(OPERATOR, I8, I8, True),
    "operator-u8-i8": static(OPERATOR, U8, I8, False),
    "operator-u8-u8": static(OPERATOR, U8, U8, False),
    "dynamic-i8": None,
    "dynamic-u8": None,
}


class Samples(CalibrationDataReader):
    def __init__(self, names, arrays):
        self.items = iter([{n: a[i:i + 1] for n, a in zip(names, arrays)} for i in range(len(arrays[0]))])

    def get_next(self):
        return next(self.items, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--only", default="")
    parser.add_argument("--networks", nargs="*", help="names of the models to quantise; else all float ones")
    parser.add_argument("--forms", help="of: " + ", ".join(FORMS))
    options = parser.parse_args()
    folder = Folder(options.folder, options.only)
    for source in map(pathlib.Path, options.sources):
        entries = {}
        for line in (source / "models.jsonl").read_text().splitlines():
            entry = json.loads(line)
            entries[entry["name"]] = entry
        for name, entry in entries.items():
            if entry["kind"] != "float" or "failed" in entry:
                continue
            if options.networks and name not in options.networks:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                ready = pathlib.Path(scratch) / "ready.onnx"
                try:
                    quant_pre_process(str(source / f"{name}.onnx"), str(ready), skip_symbolic_shape=True)
                except Exception as error:
                    folder.failed(f"ort-{name}", VERSION, error, "int8", entry["network"])
                    continue
                data = np.load(source / f"{name}.npz")
                arrays = [data[k] for k in sorted(data) if k.startswith("x")]
                names = [v.name for v in onnx.load(ready).graph.input]
                for form, how in FORMS.items():
                    made = f"ort-{form}-{name}"
                    exporter = f"{VERSION}, {form}"
                    if not folder.wants(made) or (options.forms and form not in options.forms.split(",")):
                        continue
                    try:
                        if how is None:
                            quantize_dynamic(str(ready), str(folder.onnx(made)),
                                             weight_type=I8 if form[-2] == "i" else U8)
                        else:
                            quantize_static(str(ready), str(folder.onnx(made)), Samples(names, arrays), **how)
                        session = ort.InferenceSession(str(folder.onnx(made)), providers=["CPUExecutionProvider"])
                        y = session.run(None, {n: a[:1] for n, a in zip(names, arrays)})
                        folder.add(made, arrays, y, exporter, "int8", entry["network"])
                    except Exception as error:
                        folder.failed(made, exporter, error, "int8", entry["network"])


if __name__ == "__main__":
    main()
