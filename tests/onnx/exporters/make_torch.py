#!/usr/bin/env python3
"""Writes ONNX models with PyTorch: architectures of torchvision and timm with random weights and small networks of
its own, by both exporters; and networks quantised by FX graph mode, PT2E and fake quantisation.

    pip install torch torchvision timm torchao executorch onnx onnxscript
    make_torch.py FOLDER [--only NAME]
"""
import argparse
import logging
import warnings

import torch
from torch import nn

import torch_networks
from common import Folder, noise

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
torch.set_num_threads(1)
VERSION = torch.__version__.split("+")[0]
EXPORTERS = {"dynamo": f"PyTorch {VERSION}, torch.export", "script": f"PyTorch {VERSION}, TorchScript"}


def randomise(model, x):
    """Batch normalisations that do something, with statistics that fit the data."""
    torch.manual_seed(1)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    for m in norms:
        if m.affine:
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias, 0, 0.2)
        m.momentum = None
        m.reset_running_stats()
    if norms:
        model.train()
        for m in model.modules():
            if isinstance(m, nn.Dropout):
                m.eval()
        with torch.no_grad():
            model(x)
        for m in norms:
            m.momentum = 0.1
    return model.eval()


def export(module, x, path, how, open_batch=False, **options):
    names = [f"x{i}" for i in range(len(x))]
    if how == "script":
        axes = {n: {0: "batch"} for n in names} if open_batch else None
        torch.onnx.export(module, x, str(path), dynamo=False, input_names=names, dynamic_axes=axes,
                          **{"opset_version": 17, **options})
    else:
        shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in x) if open_batch else None
        torch.onnx.export(module, x, str(path), dynamo=True, input_names=names, dynamic_shapes=shapes,
                          external_data=False, verbose=False, **options)


def outputs_of(module, x):
    with torch.no_grad():
        y = module(*x)
    flat = torch.utils._pytree.tree_flatten(y)[0]
    return [t.numpy() for t in flat]


def float_models(folder):
    for network, (make, shapes) in torch_networks.FLOAT.items():
        for how, exporter in EXPORTERS.items():
            name = f"torch-{how}-{network}"
            if not folder.wants(name):
                continue
            try:
                torch.manual_seed(0)
                module = make()
                x = tuple(torch.from_numpy(noise((16, *shape), i)) for i, shape in enumerate(shapes))
                randomise(module, *x)
                first = tuple(t[:1] for t in x)
                export(module, first, folder.onnx(name), how)
                folder.add(name, x, outputs_of(module, first), exporter, network=network)
            except Exception as error:
                folder.failed(name, exporter, error, network=network)
    # With other options.
    for how, options in (("dynamo", {"open_batch": True}), ("script", {"open_batch": True}),
                         ("script", {"opset_version": 11}), ("script", {"opset_version": 13}),
                         ("dynamo", {"opset_version": 18}), ("dynamo", {"opset_version": 21}),
                         ("dynamo", {"opset_version": 23}), ("dynamo", {"optimize": False}),
                         ("script", {"do_constant_folding": False})):
        key, value = next(iter(options.items()))
        name = f"torch-{how}-mixed-{key}-{value}"
        if not folder.wants(name):
            continue
        try:
            torch.manual_seed(0)
            module, x = torch_networks.Mixed(), torch.from_numpy(noise((16, 3, 32, 32)))
            randomise(module, x)
            export(module, (x[:2] if options.get("open_batch") else x[:1],), folder.onnx(name), how, **options)
            folder.add(name, [x], outputs_of(module, (x[:1],)), EXPORTERS[how], network=f"mixed, {key} {value}")
        except Exception as error:
            folder.failed(name, EXPORTERS[how], error, network=f"mixed, {key} {value}")


# ---- Quantised -------------------------------------------------------------------------------


def calibrate(model, x):
    with torch.no_grad():
        for i in range(0, len(x), 4):
            model(x[i:i + 4])


def fx(module, x, backend, trained):
    from torch.ao.quantization import get_default_qat_qconfig_mapping, get_default_qconfig_mapping, quantize_fx
    torch.backends.quantized.engine = backend if backend in torch.backends.quantized.supported_engines else "none"
    # Version 0: the fake quantisation that its exporter knows, not the one fused with its observer.
    mapping = get_default_qat_qconfig_mapping(backend, version=0) if trained else get_default_qconfig_mapping(backend)
    example = (x[:1],)
    if trained:
        model = quantize_fx.prepare_qat_fx(module.train(), mapping, example)
        calibrate(model, x)
        model.eval()
    else:
        model = quantize_fx.prepare_fx(module.eval(), mapping, example)
        calibrate(model, x)
    return model, quantize_fx


def fx_converted(module, x, backend):
    """To torch.ao's own quantised modules."""
    model, quantize_fx = fx(module, x, backend, False)
    return quantize_fx.convert_fx(model)


def fx_reference(module, x, backend):
    """To float modules between quantise and dequantise."""
    model, quantize_fx = fx(module, x, backend, False)
    return quantize_fx.convert_to_reference_fx(model)


def fx_fake(module, x, backend):
    """Trained with fake quantisation, exported as it is."""
    model, _ = fx(module, x, backend, True)
    model.apply(torch.ao.quantization.disable_observer)
    return model


def pt2e(module, x, quantizer, trained=False):
    from torchao.quantization.pt2e import move_exported_model_to_eval
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
    module = module.train() if trained else module.eval()
    program = torch.export.export(module, (x[:4],), strict=True,
                                  dynamic_shapes=({0: torch.export.Dim.AUTO},)).module()
    model = (prepare_qat_pt2e if trained else prepare_pt2e)(program, quantizer)
    calibrate(model, x)
    model = convert_pt2e(model)
    move_exported_model_to_eval(model)
    return model


def x86(module, x, trained=False):
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as q
    quantizer = q.X86InductorQuantizer().set_global(q.get_default_x86_inductor_quantization_config(is_qat=trained))
    return pt2e(module, x, quantizer, trained)


def xnnpack(module, x, per_channel=True, trained=False):
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (XNNPACKQuantizer,
                                                                         get_symmetric_quantization_config)
    quantizer = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=per_channel, is_qat=trained))
    return pt2e(module, x, quantizer, trained)


def arm(module, x):
    import torchao.quantization.pt2e.quantizer.arm_inductor_quantizer as q
    quantizer = q.ArmInductorQuantizer().set_global(q.get_default_arm_inductor_quantization_config())
    return pt2e(module, x, quantizer)


FLOWS = {
    "fx-qnnpack": (lambda m, x: fx_converted(m, x, "qnnpack"), ("script",)),
    "fx-x86": (lambda m, x: fx_converted(m, x, "x86"), ("script",)),
    "fx-reference": (lambda m, x: fx_reference(m, x, "qnnpack"), ("script", "dynamo")),
    "fx-fake-quant": (lambda m, x: fx_fake(m, x, "qnnpack"), ("script", "dynamo")),
    "pt2e-x86": (x86, ("dynamo",)),
    "pt2e-x86-qat": (lambda m, x: x86(m, x, True), ("dynamo",)),
    "pt2e-arm": (arm, ("dynamo",)),
    "pt2e-xnnpack": (xnnpack, ("dynamo",)),
    "pt2e-xnnpack-tensor": (lambda m, x: xnnpack(m, x, False), ("dynamo",)),
    "pt2e-xnnpack-qat": (lambda m, x: xnnpack(m, x, True, True), ("dynamo",)),
}


def quantised_models(folder):
    for flow, (quantise, hows) in FLOWS.items():
        for network, make in torch_networks.QUANTISED.items():
            for how in hows:
                name = f"torch-{flow}-{how}-{network}"
                exporter = f"{EXPORTERS[how]}, {flow}"
                if not folder.wants(name):
                    continue
                try:
                    torch.manual_seed(0)
                    x = torch.from_numpy(noise((16, 3, 32, 32)))
                    module = randomise(make(), x)
                    model = quantise(module, x)
                    export(model, (x[:1],), folder.onnx(name), how)
                    folder.add(name, [x], outputs_of(model, (x[:1],)), exporter, "int8", network)
                except Exception as error:
                    folder.failed(name, exporter, error, "int8", network)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--only", default="")
    parser.add_argument("--kind", choices=("float", "int8"))
    options = parser.parse_args()
    folder = Folder(options.folder, options.only)
    if options.kind != "int8":
        float_models(folder)
    if options.kind != "float":
        quantised_models(folder)


if __name__ == "__main__":
    main()
