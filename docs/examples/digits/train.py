#!/usr/bin/env python3
"""Trains the digits network of Octet's demo in PyTorch and writes it as float ONNX.

    pip install torch onnx onnxscript scikit-learn
    docs/examples/digits/train.py

writes, beside this script,

    digits.onnx          the float network: pictures [1, 1, 8, 8] of values 0..1 to 10 probabilities
    calibration.npy      200 of the pictures that it was trained on, uint8 [200, 1, 8, 8]
    images/*.pgm         60 held-out pictures, named LABEL_INDEX.pgm (index in scikit-learn's data)

and, with `--validation FILE.npz`, all 500 held-out pictures and their labels. What follows is in
docs/train-quantise-deploy.md: octet quantize, octet validate, and a program that runs the result.

Seeds are fixed and one thread is used, so the same versions on the same processor give the same
file; other versions may differ in the last bits of the weights.
"""
import argparse
import inspect
import math
import pathlib
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
SEED = 7


def load_data():
    """(train pictures, labels), (held-out pictures, labels, indices); uint8 [n, 1, 8, 8]."""
    digits = load_digits()
    pixels = np.floor(digits.images * 255 / 16 + 0.5).astype(np.uint8)[:, None]
    index = np.arange(len(pixels))
    train, test = train_test_split(index, test_size=500, random_state=SEED, stratify=digits.target)
    return (pixels[train], digits.target[train]), (pixels[test], digits.target[test], test)


class Network(nn.Module):
    """conv 3x3, 16 - depthwise 3x3 - conv 1x1, 32 - max pool 2x2 - fully connected, 10"""

    def __init__(self):
        super().__init__()

        def layer(inputs, outputs, kernel, groups=1):
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
                nn.BatchNorm2d(outputs), nn.ReLU())

        self.features = nn.Sequential(layer(1, 16, 3), layer(16, 16, 3, groups=16),
                                      layer(16, 32, 1), nn.MaxPool2d(2))
        self.drop = nn.Dropout2d(0.25)
        self.classify = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        return self.classify(self.drop(self.features(x)).flatten(1))


def augment(x, random):
    """Turns, stretches and shifts each picture a little."""
    n = len(x)

    def uniform(limit):
        return (torch.rand(n, generator=random) * 2 - 1) * limit

    angle, shear = uniform(0.2), uniform(0.15)
    cos, sin = torch.cos(angle), torch.sin(angle)
    high, wide = 1 + uniform(0.12), 1 + uniform(0.12)
    # In units of half a picture: 0.2 is 0.8 pixels.
    theta = torch.stack([(cos + shear) * wide, sin * wide, uniform(0.2),
                         -sin * high, cos * high, uniform(0.2)], 1).reshape(n, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def train(x, labels, epochs):
    """AdamW with a cosine schedule; returns the network with the running average of its weights."""
    torch.manual_seed(SEED)
    random = torch.Generator().manual_seed(SEED)
    network, batch = Network(), 32
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.003, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    average = {k: v.detach().clone() for k, v in network.state_dict().items()}
    step = 0
    for epoch in range(epochs):
        for pick in torch.randperm(len(x), generator=random).split(batch):
            if len(pick) < batch:
                continue
            optimizer.zero_grad()
            scores = network(augment(x[pick], random))
            F.cross_entropy(scores, labels[pick], label_smoothing=0.05).backward()
            optimizer.step()
            schedule.step()
            step += 1
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    average[name] += (value - average[name]) * min(0.005, 1 / step)
        if epoch % 10 == 9 and sys.stdout.isatty():
            print(f"\repoch {epoch + 1}/{epochs}", end="\n" if epoch + 1 == epochs else "")
    network.load_state_dict(average)
    return network.eval()


def export(network, path):
    """One .onnx file, by torch.export where this PyTorch has it."""
    options = {"input_names": ["picture"], "output_names": ["scores"]}
    known = inspect.signature(torch.onnx.export).parameters
    if "external_data" in known:
        options["external_data"] = False
    if "dynamo" in known:
        options.update(dynamo=True, verbose=False)
    else:
        options["opset_version"] = 13
    model = nn.Sequential(network, nn.Softmax(1)).eval()
    torch.onnx.export(model, (torch.zeros(1, 1, 8, 8),), str(path), **options)
    strip(path)


def strip(path):
    """Takes out what says where the network was exported: names of files and lines of code."""
    model = onnx.load(str(path))
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info]:
        for field in ("metadata_props", "doc_string"):
            if field in part.DESCRIPTOR.fields_by_name:
                part.ClearField(field)
    onnx.save(model, str(path))


def write_images(folder, pixels, labels, index, count):
    """The first `count` pictures, as many of each digit as of any other."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.pgm"):
        old.unlink()
    for digit in range(10):
        for i in np.flatnonzero(labels == digit)[:count // 10]:
            (folder / f"{digit}_{index[i]:04d}.pgm").write_bytes(
                b"P5\n8 8\n255\n" + pixels[i].tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--out", type=pathlib.Path, default=HERE)
    parser.add_argument("--validation", type=pathlib.Path, metavar="FILE.npz",
                        help="write all held-out pictures and their labels")
    parser.add_argument("--data-only", action="store_true", help="train nothing, write data only")
    args = parser.parse_args()

    (x, labels), (test_x, test_labels, test_index) = load_data()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.validation:
        np.savez(args.validation, picture=test_x, labels=test_labels)
    if not args.data_only:
        torch.set_num_threads(1)
        network = train(torch.tensor(x) / 255, torch.tensor(labels), args.epochs)
        with torch.no_grad():
            right = int((network(torch.tensor(test_x) / 255).argmax(1).numpy() == test_labels).sum())
        print(f"{right} of {len(test_x)} held-out pictures right, {100 * right / len(test_x):.1f} %")
        export(network, args.out / "digits.onnx")
    np.save(args.out / "calibration.npy", x[:200])
    write_images(args.out / "images", test_x, test_labels, test_index, 60)


if __name__ == "__main__":
    main()
