#!/usr/bin/env python3
"""Trains, quantises and writes the digits network that Octet's demo runs.

    apt-get install python3-numpy python3-sklearn flatbuffers-compiler
    /usr/bin/python3 docs/examples/digits/train_numpy.py

writes, beside this script,

    digits.tflite        the int8 network, as TensorFlow Lite's converter would have written it
    images/*.pgm         held-out pictures, named LABEL_INDEX.pgm (index in scikit-learn's data set)

and prints the accuracy of the float network and of the int8 network on all held-out pictures. The
int8 figures come from a simulation in integers, written down below: the same bytes as TensorFlow
Lite's reference kernels, and so the same as Octet's. `--simulate FOLDER` also writes its inputs
and outputs for `octet compare digits.octet FOLDER`.

Nothing but numpy and scikit-learn is needed: the gradients are written out, and flatc turns JSON
into the .tflite file by schema/tflite.fbs. Seeds are fixed, so the same versions on the same
processor give the same file; other versions of numpy or its BLAS may differ in the last bits of
the weights. The shipped file was made with Python 3.11.2, numpy 1.24.2, scikit-learn 1.2.1 and
flatc 2.0.8 (Debian 12), on one thread.
"""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: a fixed order of additions

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parents[2] / "schema" / "tflite.fbs"
SEED = 7

# ---- Data ----------------------------------------------------------------------------------------


def load_data():
    """(train images, labels), (test images, labels, indices); images are uint8 [n, 8, 8, 1]."""
    digits = load_digits()
    pixels = np.floor(digits.images * 255 / 16 + 0.5).astype(np.uint8)[..., None]
    index = np.arange(len(pixels))
    train, test = train_test_split(index, test_size=500, random_state=SEED, stratify=digits.target)
    return (pixels[train], digits.target[train]), (pixels[test], digits.target[test], test)


def augment(x, rng):
    """Turns, stretches and shifts each picture a little (bilinear)."""
    n = len(x)
    angle = rng.uniform(-0.2, 0.2, n)
    size_y, size_x = rng.uniform(0.88, 1.12, (2, n))
    shear = rng.uniform(-0.15, 0.15, n)
    shift = rng.uniform(-0.8, 0.8, (2, n))
    y0, x0 = np.meshgrid(np.arange(8) - 3.5, np.arange(8) - 3.5, indexing="ij")
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    sy = (cos * y0 - sin * x0) * size_y[:, None, None] + 3.5 + shift[0][:, None, None]
    sx = (sin * y0 + (cos + shear[:, None, None]) * x0) * size_x[:, None, None]
    sx = sx + 3.5 + shift[1][:, None, None]
    padded = np.pad(x[..., 0], ((0, 0), (2, 3), (2, 3)))
    sy, sx = np.clip(sy + 2, 0, 11), np.clip(sx + 2, 0, 11)
    iy, ix = sy.astype(int), sx.astype(int)
    fy, fx = sy - iy, sx - ix
    i = np.arange(n)[:, None, None]
    top = padded[i, iy, ix] * (1 - fx) + padded[i, iy, ix + 1] * fx
    bottom = padded[i, iy + 1, ix] * (1 - fx) + padded[i, iy + 1, ix + 1] * fx
    return (top * (1 - fy) + bottom * fy)[..., None].astype(np.float32)


# ---- The float network ---------------------------------------------------------------------------
#
#   8x8x1 - conv 3x3, 16, relu - depthwise 3x3, relu - conv 1x1, 32, relu - max pool 2x2
#         - fully connected, 10 - softmax

CHANNELS, WIDE, CLASSES = 16, 32, 10


def initial_weights(rng):
    def he(shape, fan_in):
        return rng.normal(0, math.sqrt(2 / fan_in), shape).astype(np.float32)

    return {
        "conv.w": he((9, CHANNELS), 9), "conv.b": np.zeros(CHANNELS, np.float32),
        "depthwise.w": he((9, CHANNELS), 9), "depthwise.b": np.zeros(CHANNELS, np.float32),
        "pointwise.w": he((CHANNELS, WIDE), CHANNELS), "pointwise.b": np.zeros(WIDE, np.float32),
        "dense.w": he((16 * WIDE, CLASSES), 16 * WIDE), "dense.b": np.zeros(CLASSES, np.float32),
    }


def windows(x, pad_value=0):
    """[n, 8, 8, c] -> [n, 8, 8, 9, c]: the 3x3 neighbours of each pixel."""
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=pad_value)
    return np.stack([p[:, i:i + 8, j:j + 8] for i in range(3) for j in range(3)], axis=3)


def unwindows(d):
    """The transpose of windows(), for gradients."""
    p = np.zeros((d.shape[0], 10, 10, d.shape[4]), d.dtype)
    for k in range(9):
        i, j = divmod(k, 3)
        p[:, i:i + 8, j:j + 8] += d[:, :, :, k]
    return p[:, 1:9, 1:9]


def pool_cells(x):
    """[n, 8, 8, c] -> [n, 4, 4, 4, c]: the four pixels of each 2x2 cell."""
    n, c = x.shape[0], x.shape[3]
    return x.reshape(n, 4, 2, 4, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, 4, 4, 4, c)


def forward(w, x):
    """Every activation by name; x holds real values in [0, 1]."""
    a = {"input": x}
    a["conv.windows"] = windows(x)[..., 0]
    a["conv"] = np.maximum(a["conv.windows"] @ w["conv.w"] + w["conv.b"], 0)
    a["depthwise.windows"] = windows(a["conv"])
    a["depthwise"] = np.maximum(
        np.einsum("nyxkc,kc->nyxc", a["depthwise.windows"], w["depthwise.w"]) + w["depthwise.b"], 0)
    a["pointwise"] = np.maximum(a["depthwise"] @ w["pointwise.w"] + w["pointwise.b"], 0)
    a["cells"] = pool_cells(a["pointwise"])
    a["pool"] = a["cells"].max(axis=3)
    a["dense"] = a["pool"].reshape(len(x), -1) @ w["dense.w"] + w["dense.b"]
    return a


def loss_gradients(w, x, labels, rng, drop=0.25, smooth=0.05):
    """Cross entropy with smoothed labels; some of the features are dropped."""
    a = forward(w, x)
    n = len(x)
    keep = (rng.random((n, 1, 1, WIDE)) >= drop) / np.float32(1 - drop)
    features = (a["pool"] * keep).reshape(n, -1).astype(np.float32)
    logits = features @ w["dense.w"] + w["dense.b"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    target = np.full_like(p, smooth / CLASSES)
    target[np.arange(n), labels] += 1 - smooth
    g = {}
    d = (p - target) / n
    g["dense.w"], g["dense.b"] = features.T @ d, d.sum(axis=0)
    d = (d @ w["dense.w"].T).reshape(a["pool"].shape) * keep
    best = a["cells"] == a["pool"][:, :, :, None]
    best = best & (np.cumsum(best, axis=3) == 1)  # the first of equals
    d = (best * d[:, :, :, None]).reshape(n, 4, 4, 2, 2, WIDE).transpose(0, 1, 3, 2, 4, 5)
    d = d.reshape(n, 8, 8, WIDE) * (a["pointwise"] > 0)
    flat = d.reshape(-1, WIDE)
    g["pointwise.w"] = a["depthwise"].reshape(-1, CHANNELS).T @ flat
    g["pointwise.b"] = flat.sum(axis=0)
    d = (d @ w["pointwise.w"].T) * (a["depthwise"] > 0)
    g["depthwise.w"] = np.einsum("nyxkc,nyxc->kc", a["depthwise.windows"], d)
    g["depthwise.b"] = d.sum(axis=(0, 1, 2))
    d = unwindows(d[:, :, :, None] * w["depthwise.w"]) * (a["conv"] > 0)
    flat = d.reshape(-1, CHANNELS)
    g["conv.w"] = a["conv.windows"].reshape(-1, 9).T @ flat
    g["conv.b"] = flat.sum(axis=0)
    return g


def train(x, labels, epochs):
    """Adam with a cosine schedule; returns the running average of the weights."""
    rng = np.random.default_rng(SEED)
    w = initial_weights(rng)
    m = {k: np.zeros_like(v) for k, v in w.items()}
    v = {k: np.zeros_like(v) for k, v in w.items()}
    average = {k: v.copy() for k, v in w.items()}
    batch, step, steps = 32, 0, epochs * (len(x) // 32)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            pick = order[start:start + batch]
            g = loss_gradients(w, augment(x[pick] / np.float32(255), rng), labels[pick], rng)
            rate = 0.003 * 0.5 * (1 + math.cos(math.pi * step / steps))
            step += 1
            for k in w:
                m[k] = 0.9 * m[k] + 0.1 * g[k]
                v[k] = 0.999 * v[k] + 0.001 * g[k] ** 2
                update = (m[k] / (1 - 0.9 ** step)) / (np.sqrt(v[k] / (1 - 0.999 ** step)) + 1e-8)
                decay = 1e-3 if k.endswith(".w") else 0
                w[k] = (w[k] - rate * (update + decay * w[k])).astype(np.float32)
                average[k] += (w[k] - average[k]) * np.float32(min(0.005, 1 / step))
        if epoch % 10 == 9 and sys.stdout.isatty():
            print(f"\repoch {epoch + 1}/{epochs}", end="\n" if epoch + 1 == epochs else "")
    return average


# ---- Quantisation: https://ai.google.dev/edge/litert/models/quantization_spec --------------------


def range_to_scale(low, high):
    """Per-tensor int8 of an activation: its scale, a float32, and its zero point."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    scale = np.float32((high - low) / 255)
    return scale, int(np.clip(round(-128 - low / float(scale)), -128, 127))


def quantise_weights(w, axis):
    """int8 in [-127, 127], zero point 0; a scale for each slice along `axis`, or one (None)."""
    other = None if axis is None else tuple(i for i in range(w.ndim) if i != axis)
    scale = (np.abs(w).max(axis=other, keepdims=True) / 127).astype(np.float32)
    return np.clip(np.rint(w / scale), -127, 127).astype(np.int8), scale.reshape(-1)


def quantise(w, x):
    """The int8 network: for each layer its weights, bias and scales. Ranges are those of `x`."""
    a = forward(w, x / np.float32(255))
    q = {"input": (np.float32(1 / 255), -128)}  # the byte of a grey picture, minus 128
    for name in ("conv", "depthwise", "pointwise", "dense"):
        low = a[name].min() if name == "dense" else 0
        q[name] = range_to_scale(low, a[name].max())
    q["softmax"] = (np.float32(1 / 256), -128)  # fixed by the specification
    layers = {}
    source = "input"
    # Layouts of the format: convolution [out, h, w, in], depthwise [1, h, w, out], dense [out, in].
    for name, weights, axis in (
            ("conv", w["conv.w"].reshape(3, 3, 1, CHANNELS).transpose(3, 0, 1, 2), 0),
            ("depthwise", w["depthwise.w"].reshape(1, 3, 3, CHANNELS), 3),
            ("pointwise", w["pointwise.w"].reshape(1, 1, CHANNELS, WIDE).transpose(3, 0, 1, 2), 0),
            ("dense", w["dense.w"].T, None)):
        values, scales = quantise_weights(weights, axis)
        bias_scales = (q[source][0] * scales).astype(np.float32)
        bias = np.rint(w[name + ".b"] / bias_scales.astype(np.float64)).astype(np.int32)
        layers[name] = {"weights": values, "scales": scales, "axis": axis, "bias": bias,
                        "bias_scales": bias_scales}
        source = name
    return q, layers


# ---- The int8 network in integers ----------------------------------------------------------------


def quantise_multiplier(real):
    """real = multiplier * 2^(shift - 31), multiplier in [2^30, 2^31)."""
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2**31 + 0.5)
    return (multiplier // 2, shift + 1) if multiplier == 2**31 else (multiplier, shift)


def high_mul(a, b):
    """gemmlowp's SaturatingRoundingDoublingHighMul (nothing here reaches its saturation)."""
    product = np.multiply(a, b, dtype=np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(nudged >= 0, nudged >> 31, -((-nudged) >> 31))  # C's division


def rounding_shift(x, exponent):
    """gemmlowp's RoundingDivideByPOT: ties away from zero."""
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def requantise(acc, multiplier, shift):
    return rounding_shift(high_mul(acc << max(shift, 0), multiplier), max(-shift, 0))


def requantise_channels(acc, layer, scale_in, output, low):
    """int32 accumulators [.., channels] to int8 of the output's scale and zero point."""
    scale_out, zero_out = output
    result = np.empty(acc.shape, np.int64)
    for c in range(acc.shape[-1]):
        if layer["axis"] is None:  # fully connected: the product of the scales is a float32
            real = float(np.float32(scale_in * layer["scales"][0])) / float(scale_out)
        else:
            real = float(scale_in) * float(layer["scales"][c]) / float(scale_out)
        result[..., c] = requantise(acc[..., c], *quantise_multiplier(real))
    return np.clip(result + zero_out, low, 127)


def exp_of_negative(x):
    """gemmlowp's exp_on_negative_values: x <= 0 with 5 integer bits, result with none."""
    if x == 0:
        return 2**31 - 1
    mul = lambda a, b: int(high_mul(np.int64(a), np.int64(b)))
    shift = lambda a, e: int(rounding_shift(np.int64(a), e))
    quarter = 1 << 24
    r = (x & (quarter - 1)) - quarter
    quarters = r - x
    t = r * 32 + (1 << 28)  # around -1/8
    t2 = mul(t, t)
    t3, t4 = mul(t2, t), mul(t2, t2)
    powers = shift(mul(shift(t4, 2) + t3, 715827883) + t2, 1)
    y = 1895147668 + mul(1895147668, t + powers)
    for k, factor in enumerate((1672461947, 1302514674, 790015084, 290630308, 39332535, 720401,
                                242)):
        if quarters >> (24 + k) & 1:
            y = mul(y, factor)
    return y


def reciprocal(x, integer_bits):
    """TensorFlow Lite's GetReciprocal: 1/x is result * 2^-(31 + the second result)."""
    mul = lambda a, b: int(high_mul(np.int64(a), np.int64(b)))
    zeros = 32 - int(x).bit_length()
    fraction = (x << zeros) - (1 << 31)
    half = (fraction + 2**31) // 2
    y = 1515870810 + mul(half, -1010580540)
    for _ in range(3):
        y += mul(y, (1 << 29) - mul(half, y)) * 4
    return min(y * 2, 2**31 - 1), integer_bits - zeros


def softmax_int8(logits, scale):
    real = float(scale) * (1 << 26)
    multiplier, shift = quantise_multiplier(min(real, 2**31 - 1))
    limit = min(math.floor(31.0 * (1 << 26) / (1 << shift)), 255)
    exps = np.array([exp_of_negative(int(requantise(np.int64(-d), multiplier, shift)))
                     if d <= limit else 0 for d in range(256)], np.int64)
    output = np.empty(logits.shape, np.int64)
    for i, row in enumerate(logits):
        e = exps[row.max() - row]
        scale_i, over = reciprocal(int(rounding_shift(e, 12).sum()), 12)
        output[i] = np.minimum(rounding_shift(high_mul(e, scale_i), over + 31 - 8) - 128, 127)
    return output


def run_int8(q, layers, pixels):
    """int8 scores [n, 10] of uint8 pictures."""
    x = pixels.astype(np.int64) - 128

    def centred(name, value):
        return value - q[name][1]

    def finish(name, source, acc, relu=True):
        low = max(q[name][1], -128) if relu else -128
        acc = acc + layers[name]["bias"]
        return requantise_channels(acc, layers[name], q[source][0], q[name], low)

    w = {k: v["weights"].astype(np.int64) for k, v in layers.items()}
    x = windows(centred("input", x))[..., 0] @ w["conv"].reshape(CHANNELS, 9).T
    x = finish("conv", "input", x)
    x = np.einsum("nyxkc,kc->nyxc", windows(centred("conv", x)),
                  w["depthwise"].reshape(9, CHANNELS))
    x = finish("depthwise", "conv", x)
    x = centred("depthwise", x) @ w["pointwise"].reshape(WIDE, CHANNELS).T
    x = finish("pointwise", "depthwise", x)
    x = pool_cells(x).max(axis=3).reshape(len(x), -1)
    x = centred("pointwise", x) @ w["dense"].T
    x = finish("dense", "pointwise", x, relu=False)
    return softmax_int8(x, q["dense"][0]).astype(np.int8)


# ---- The .tflite file ----------------------------------------------------------------------------


def tflite_json(q, layers):
    """The model by schema/tflite.fbs, which flatc turns into the binary."""
    buffers, tensors, codes, operators = [{}], [], [], []

    def tensor(name, kind, shape, scale, zero, axis=0, data=None):
        if data is not None:
            buffers.append({"data": list(np.ascontiguousarray(data).tobytes())})
        row = {"shape": shape, "type": kind, "name": name,
               "buffer": len(buffers) - 1 if data is not None else 0}
        if scale is not None:
            scales = [float(s) for s in np.atleast_1d(scale)]
            row["quantization"] = {"scale": scales, "zero_point": [zero] * len(scales),
                                   "quantized_dimension": axis}
        tensors.append(row)
        return len(tensors) - 1

    def activation(name, shape, at):
        return tensor(name, "INT8", shape, *q[at])

    def operator(kind, code, version, inputs, output, options_type=None, options=None):
        key = {"deprecated_builtin_code": code, "builtin_code": kind, "version": version}
        if key not in codes:
            codes.append(key)
        row = {"opcode_index": codes.index(key), "inputs": inputs, "outputs": [output]}
        if options_type:
            row.update(builtin_options_type=options_type, builtin_options=options)
        operators.append(row)
        return output

    def constants(name):
        layer = layers[name]
        axis = layer["axis"] or 0
        return [tensor(name + "/weights", "INT8", list(layer["weights"].shape), layer["scales"], 0,
                       axis, layer["weights"]),
                tensor(name + "/bias", "INT32", [len(layer["bias"])], layer["bias_scales"], 0, 0,
                       layer["bias"])]

    conv = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "fused_activation_function": "RELU"}
    picture = x = activation("picture", [1, 8, 8, 1], "input")
    x = operator("CONV_2D", 3, 3, [x] + constants("conv"),
                 activation("conv", [1, 8, 8, CHANNELS], "conv"), "Conv2DOptions", conv)
    x = operator("DEPTHWISE_CONV_2D", 4, 3, [x] + constants("depthwise"),
                 activation("depthwise", [1, 8, 8, CHANNELS], "depthwise"),
                 "DepthwiseConv2DOptions", dict(conv, depth_multiplier=1))
    x = operator("CONV_2D", 3, 3, [x] + constants("pointwise"),
                 activation("pointwise", [1, 8, 8, WIDE], "pointwise"), "Conv2DOptions", conv)
    x = operator("MAX_POOL_2D", 17, 2, [x], activation("pool", [1, 4, 4, WIDE], "pointwise"),
                 "Pool2DOptions", {"padding": "VALID", "stride_w": 2, "stride_h": 2,
                                   "filter_width": 2, "filter_height": 2})
    shape = tensor("features/shape", "INT32", [2], None, 0, 0, np.array([1, 16 * WIDE], np.int32))
    x = operator("RESHAPE", 22, 1, [x, shape], activation("features", [1, 16 * WIDE], "pointwise"))
    x = operator("FULLY_CONNECTED", 9, 4, [x] + constants("dense"),
                 activation("logits", [1, CLASSES], "dense"), "FullyConnectedOptions", {})
    x = operator("SOFTMAX", 25, 2, [x], activation("scores", [1, CLASSES], "softmax"),
                 "SoftmaxOptions", {"beta": 1.0})
    return {"version": 3, "operator_codes": codes, "buffers": buffers,
            "description": "Handwritten digits, 8x8 grey, int8. Octet's demo network.",
            "subgraphs": [{"name": "main", "tensors": tensors, "inputs": [picture], "outputs": [x],
                           "operators": operators}]}


def write_tflite(path, q, layers, flatc):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / (path.stem + ".json")
        source.write_text(json.dumps(tflite_json(q, layers)))
        subprocess.run([flatc, "-b", "--strict-json", "-o", folder, str(SCHEMA), str(source)],
                       check=True)
        path.write_bytes((pathlib.Path(folder) / (path.stem + ".tflite")).read_bytes())


# ---- Everything in order -------------------------------------------------------------------------


def write_images(folder, pixels, labels, index, count):
    """The first `count` held-out pictures, as many of each digit as possible."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.pgm"):
        old.unlink()
    for digit in range(CLASSES):
        for i in np.flatnonzero(labels == digit)[:count // CLASSES]:
            (folder / f"{digit}_{index[i]:04d}.pgm").write_bytes(
                b"P5\n8 8\n255\n" + pixels[i].tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--flatc", default="flatc", help="FlatBuffers' compiler")
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    parser.add_argument("--simulate", type=pathlib.Path, metavar="FOLDER",
                        help="write inputs and expected outputs of all held-out pictures")
    args = parser.parse_args()

    (x, labels), (test_x, test_labels, test_index) = load_data()
    print(f"{len(x)} pictures to train on, {len(test_x)} held out")
    w = train(x, labels, args.epochs)
    q, layers = quantise(w, x)

    scores = forward(w, test_x / np.float32(255))["dense"]
    float_right = int((scores.argmax(axis=1) == test_labels).sum())
    int8 = run_int8(q, layers, test_x)
    int8_right = int((int8.argmax(axis=1) == test_labels).sum())
    n = len(test_x)
    print(f"float  {float_right}/{n} right, {100 * float_right / n:.1f} %")
    print(f"int8   {int8_right}/{n} right, {100 * int8_right / n:.1f} %")

    args.out.mkdir(parents=True, exist_ok=True)
    write_tflite(args.out / "digits.tflite", q, layers, args.flatc)
    write_images(args.out / "images", test_x, test_labels, test_index, 60)
    size = (args.out / "digits.tflite").stat().st_size
    print(f"wrote {args.out / 'digits.tflite'}, {size} bytes, and 60 pictures")
    if args.simulate:
        for i in range(n):
            case = args.simulate / f"{i:04d}"
            case.mkdir(parents=True, exist_ok=True)
            (case / "in0.bin").write_bytes((test_x[i].astype(np.int16) - 128).astype(np.int8))
            (case / "out0.bin").write_bytes(int8[i].tobytes())


if __name__ == "__main__":
    main()
