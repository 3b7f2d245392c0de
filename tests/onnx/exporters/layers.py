#!/usr/bin/env python3
"""Compares a quantised model with ONNX Runtime piece by piece: what lies between two quantisations is cut out, fed
with what ONNX Runtime has there, and run by octet. Deep networks multiply a single step's difference, those with
random weights most of all; here each operator shows its own.

    layers.py model.onnx samples.npz [--octet build/release/bin/octet] [-v]
"""
import argparse
import collections
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper

from runtimes import reference, run


def pieces(model):
    """(nodes, inputs, output) of each activation's quantisation."""
    consts = {w.name for w in model.graph.initializer}
    producer = {out: node for node in model.graph.node for out in node.output}
    inputs = {v.name for v in model.graph.input} - consts
    order = {id(node): i for i, node in enumerate(model.graph.node)}
    varies = set(inputs)
    for node in model.graph.node:
        if any(name in varies for name in node.input):
            varies.update(node.output)
    ends = [n.output[0] for n in model.graph.node if any(i in varies for i in n.input) and
            (n.op_type in ("QuantizeLinear", "QGemm") or n.op_type.startswith("QLinear"))]
    ends += [v.name for v in model.graph.output if v.name not in ends]
    cuts = set(ends)
    for end in ends:
        nodes, starts, waiting = {}, [], [end]
        while waiting:
            name = waiting.pop()
            node = producer.get(name)
            if node is None or (name in cuts and name != end):
                if name in varies and name not in starts:
                    starts.append(name)
                continue
            if id(node) not in nodes:
                nodes[id(node)] = node
                waiting += [i for i in node.input if i and i not in consts]
        yield sorted(nodes.values(), key=lambda n: order[id(n)]), starts, end


def piece_model(model, nodes, starts, end, arrays):
    used = {i for n in nodes for i in n.input}
    values = lambda names: [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(arrays[n].dtype),
                                                          arrays[n].shape) for n in names]
    graph = helper.make_graph(nodes, "piece", values(starts), values([end]),
                              [w for w in model.graph.initializer if w.name in used])
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def compare(command, path, samples, verbose=False):
    model = onnx.load(path)
    cut = list(pieces(model))
    data = np.load(samples)
    consts = {w.name for w in model.graph.initializer}
    feeds = {}
    for i, value in enumerate(v for v in model.graph.input if v.name not in consts):
        batch = value.type.tensor_type.shape.dim[0].dim_value
        feeds[value.name] = data[f"x{i}"][:max(1, batch)]
    names = [end for _, _, end in cut]
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    have = {v.name for v in model.graph.output}
    wider.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in have)
    with tempfile.TemporaryDirectory() as scratch:
        work = pathlib.Path(scratch)
        onnx.save(wider, work / "wider.onnx")
        session = reference(work / "wider.onnx")
        arrays = {**feeds, **dict(zip(names, session.run(names, feeds)))}
        # Of kinds of operators: steps apart at most, how many values are apart, of how many.
        found = collections.OrderedDict()
        for nodes, starts, end in cut:
            kinds = "+".join(n.op_type for n in nodes if n.op_type not in
                             ("QuantizeLinear", "DequantizeLinear", "Constant", "Identity")) or "QuantizeLinear"
            onnx.save(piece_model(model, nodes, starts, end, arrays), work / "piece.onnx")
            theirs = arrays[end]
            try:
                raw, = run(command, work / "piece.onnx", [arrays[s] for s in starts], work)
            except (RuntimeError, ValueError) as error:
                if "is a constant" in str(error):  # it depends on the shape alone
                    continue
                raise RuntimeError(f"{end}: {kinds}: {str(error).strip()}")
            ours = np.frombuffer(raw, theirs.dtype).reshape(theirs.shape)
            d = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
            if theirs.dtype.kind == "f":
                d /= max(np.abs(theirs).max(), 1e-9)
            worst, differ, size = found.get(kinds, (0, 0, 0))
            found[kinds] = (max(worst, float(d.max(initial=0))), differ + int((d > 1e-5).sum()), size + d.size)
            if verbose:
                print(f"  {end}: {kinds}: {d.max(initial=0):g}, {100 * (d > 1e-5).mean():.3f} %")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("samples")
    parser.add_argument("--octet", default="build/release/bin/octet")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    for kinds, (worst, differ, size) in compare(options.octet, options.model, options.samples, options.v).items():
        print(f"  {kinds}: at most {worst:g}, {100 * differ / size:.3f} % of {size}")


if __name__ == "__main__":
    sys.exit(main())
