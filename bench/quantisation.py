#!/usr/bin/env python3
"""The table of docs/quantisation.md: SQNR of the last layer by method.

    docs/examples/digits/train.py --data-only --out /tmp/digits --validation /tmp/digits/held.npz
    bench/quantisation.py build/release/bin/octet ../shared --digits /tmp/digits/held.npz

Quantises the float models of SHARED/models_float and the digits of docs/examples by every method,
and compares the last layer with the float model's on samples that calibration has not seen; in the
first row that of the int8 model that TensorFlow's converter made of the same float model. Then how
many of the digits are right. Needs numpy.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np

METHODS = ["minmax", "average", "percentile", "mse", "cubic", "entropy"]
WAYS = {
    "": [],
    ", equalised": ["--equalize"],
    ", no bias correction": ["--no-bias-correction"],
}


def bmp(path):
    """A 24-bit picture as float rows from the top, RGB."""
    data = path.read_bytes()
    at, width, height = (int.from_bytes(data[i:i + 4], "little", signed=True) for i in (10, 18, 22))
    stride = (width * 3 + 3) // 4 * 4
    rows = np.frombuffer(data, np.uint8, stride * abs(height), at).reshape(abs(height), stride)
    image = rows[:, :width * 3].reshape(abs(height), width, 3)[:, :, ::-1].astype(np.float32)
    return image[::-1] if height > 0 else image


def patches(pictures, count, side, seed):
    """Squares of random place and size, half of them flipped, scaled to side x side."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count):
        picture = pictures[i % len(pictures)]
        size = int(rng.integers(side // 2, min(picture.shape[:2]) + 1))
        y, x = (int(rng.integers(0, n - size + 1)) for n in picture.shape[:2])
        square = picture[y:y + size, x:x + size]
        if rng.integers(2):
            square = square[:, ::-1]
        sums = np.pad(square.cumsum(0).cumsum(1, dtype=np.float64), ((1, 0), (1, 0), (0, 0)))
        begin = np.arange(side) * size // side
        end = np.maximum(begin + 1, (np.arange(side) + 1) * size // side)
        area = ((end - begin)[:, None] * (end - begin)[None, :])[:, :, None]
        made.append((sums[end][:, end] - sums[begin][:, end] - sums[end][:, begin] +
                     sums[begin][:, begin]) / area)
    return np.array(made, np.float32)


def spectra(count, seed):
    """Random walks within what TensorFlow's version of the model allows, see `octet inspect`."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0, 1.5, (count, 640)), axis=1) + rng.uniform(-40, 10, (count, 1))
    return np.clip(walk, -84, 14).astype(np.float32)


def run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return json.loads(done.stdout)


class Case:
    """A float model, what it is calibrated with and what it is tried on."""

    def __init__(self, source, sibling, calibration, tests, scaling=("--mean", "0", "--std", "1")):
        self.source, self.sibling, self.calibration = source, sibling, calibration
        self.tests, self.scaling = tests, scaling


def make_cases(shared, digits):
    rng = np.random.default_rng(2)
    pictures = [bmp(p) for p in sorted((shared / "images").glob("*.bmp"))
                if p.read_bytes()[28] == 24]
    seen, unseen = pictures[1::2], pictures[::2]
    angles = rng.uniform(0, 2 * np.pi, (1200, 1)).astype(np.float32)

    def noise(side):
        return {"inputs": rng.uniform(0, 255, (50, side, side, 3)).astype(np.float32)}

    def model(name):
        return shared / "models_float" / name / "model.tflite"

    def sibling(name):
        return shared / "models" / name / "model.tflite"
    resnet = model("pretrainedResnet"), sibling("pretrainedResnet_quant"), patches(seen, 100, 32, 5)
    vww = model("vww_96_float"), sibling("vww_96_int8"), patches(seen, 100, 96, 7) / 255
    cases = {
        "sine": Case(model("hello_world_float"), sibling("hello_world_int8"), angles[:200],
                     {"inputs": angles[200:]}),
        "ad01": Case(model("ad01_fp32"), sibling("ad01_int8"), spectra(200, 3),
                     {"inputs": spectra(100, 4)}),
        "ResNet-8": Case(*resnet, {"inputs": patches(unseen, 100, 32, 6)}),
        "ResNet-8, noise": Case(*resnet, noise(32)),
        "VWW": Case(*vww, {"inputs": patches(unseen, 100, 96, 8) / 255}),
        "VWW, noise": Case(*vww, {"inputs": noise(96)["inputs"] / 255}),
    }
    if digits:
        folder = pathlib.Path(__file__).resolve().parent.parent / "docs/examples/digits"
        held = np.load(digits)
        cases["digits"] = Case(folder / "digits.onnx", None, np.load(folder / "calibration.npy"),
                               {"picture": held["picture"], "labels": held["labels"]}, [])
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("octet", type=pathlib.Path)
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--digits", type=pathlib.Path, metavar="FILE.npz",
                        help="held-out pictures, as docs/examples/digits/train.py writes them")
    args = parser.parse_args()
    ways = {f"`{method}`{name}": ["--range", method, *way]
            for name, way in WAYS.items() for method in METHODS}
    cases = make_cases(args.shared, args.digits)
    table = {"TensorFlow's": {}, **{name: {} for name in ways}}
    right = {}  # of the digits
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for column, case in cases.items():
            np.save(work / "calibration.npy", case.calibration)
            np.savez(work / "tests.npz", **case.tests)

            def validate(model):
                # pylint: disable=cell-var-from-loop
                return run(args.octet, "validate", case.source, model, "--data", work / "tests.npz",
                           "--no-layers", "--runs", "1", "--json", *case.scaling)
            if case.sibling:
                table["TensorFlow's"][column] = validate(case.sibling)["sqnr_db"]
            for name, way in ways.items():
                run(args.octet, "quantize", case.source, "--data", work / "calibration.npy", *way,
                    *case.scaling, "-o", work / "q.octet", "--json")
                result = validate(work / "q.octet")
                table[name][column] = result["sqnr_db"]
                if "labels" in case.tests:
                    count = result["labelled"]
                    right["float32"] = round(result["float"]["top1"] * count)
                    right[name] = round(result["quantized"]["top1"] * count)
    columns = list(cases)
    print("| ranges | " + " | ".join(columns) + " |")
    print("|" + "---|" * (1 + len(columns)))
    for name, row in table.items():
        best = {c: max(r[c] for n, r in table.items() if n in ways) for c in columns}
        cells = [("**{:.1f}**" if row[c] == best[c] else "{:.1f}").format(row[c])
                 if c in row else "" for c in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, count in right.items():
        print(f"digits right: {name} {count}")


if __name__ == "__main__":
    main()
