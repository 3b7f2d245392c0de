#!/usr/bin/env python3
"""Loads a model, runs it once on zeros and says what came out.

    main.py MODEL
"""
import sys

import numpy as np
import octet


def main() -> int:
    if len(sys.argv) != 2:
        print("Usage: main.py MODEL", file=sys.stderr)
        return 2
    try:
        model = octet.Model(sys.argv[1])  # an .octet file, or what octet convert reads
        session = model.session(profile=True)  # all memory is taken here
        outputs = session.run([np.zeros(i.shape, i.dtype) for i in model.inputs])
    except octet.Error as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{session.memory.total_bytes} bytes of RAM")
    for info, values in zip(model.outputs, outputs):
        real = info.dequantise(values) if info.scale else values
        print(f"output {info.name}: largest value {real.max():.4g} at {int(real.argmax())}")
    slowest = max(session.profile(), key=lambda time: time.nanoseconds)
    print(f"slowest step: {slowest.step.op} with {slowest.step.kernel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
