#!/usr/bin/env python3
"""Writes ONNX models with TensorFlow and tf2onnx: Keras applications and a small network with fake quantisation,
all with random weights, and .tflite files given on the command line.

    pip install tensorflow tf2onnx
    make_tensorflow.py FOLDER [--tflite model.tflite...] [--only NAME]
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy as np
import tensorflow as tf
import tf2onnx

from common import Folder, noise

VERSIONS = f"tf2onnx {tf2onnx.__version__}, TensorFlow {tf.__version__}"


def randomise(model, x):
    """Batch normalisations that do something, with statistics that fit the data."""
    rng = np.random.default_rng(1)
    norms = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
    for layer in norms:
        layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
        layer.beta.assign(rng.normal(0, 0.2, layer.beta.shape))
        layer.momentum = 0.0
    model(x, training=True)


def applications():
    a = tf.keras.applications
    return {
        "mobilenet": lambda: a.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=100),
        "mobilenet_v2": lambda: a.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=100),
        "mobilenet_v3_small": lambda: a.MobileNetV3Small((96, 96, 3), weights=None, classes=100,
                                                         include_preprocessing=False),
        "efficientnet_b0": lambda: a.EfficientNetB0(input_shape=(96, 96, 3), weights=None, classes=100),
        "resnet50": lambda: a.ResNet50(input_shape=(64, 64, 3), weights=None, classes=100),
        "densenet121": lambda: a.DenseNet121(input_shape=(64, 64, 3), weights=None, classes=100),
        "nasnet_mobile": lambda: a.NASNetMobile(input_shape=(96, 96, 3), weights=None, classes=100),
        "xception": lambda: a.Xception(input_shape=(96, 96, 3), weights=None, classes=100),
        "unet": unet,
        "conv1d": conv1d,
        "gru": lambda: recurrent(tf.keras.layers.GRU),
        "lstm": lambda: recurrent(tf.keras.layers.LSTM),
    }


def unet():
    k = tf.keras.layers
    x = inputs = tf.keras.Input((32, 32, 3))
    skips = []
    for c in (8, 16):
        x = k.ReLU()(k.BatchNormalization()(k.Conv2D(c, 3, padding="same", use_bias=False)(x)))
        skips.append(x)
        x = k.MaxPool2D()(x)
    x = k.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = k.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    x = k.Conv2D(16, 3, padding="same", activation="swish")(k.Concatenate()([x, skips[1]]))
    x = k.UpSampling2D(interpolation="bilinear")(x)
    x = k.Conv2D(8, 3, padding="same", activation="elu")(k.Concatenate()([x, skips[0]]))
    return tf.keras.Model(inputs, k.Softmax()(k.Conv2D(4, 1)(x)))


def conv1d():
    k = tf.keras.layers
    return tf.keras.Sequential([
        tf.keras.Input((128, 4)), k.Conv1D(16, 7, strides=2, padding="same", activation="relu"), k.MaxPool1D(2),
        k.SeparableConv1D(32, 3, padding="same", activation="relu"), k.Conv1D(32, 3, dilation_rate=2, padding="causal"),
        k.LeakyReLU(), k.GlobalAveragePooling1D(), k.Dense(5, activation="sigmoid")])


def recurrent(layer):
    return tf.keras.Sequential([tf.keras.Input((12, 8)), layer(16, unroll=True), tf.keras.layers.Dense(4)])


class FakeQuantised(tf.Module):
    """Trained with quantisation, as TensorFlow's tools write it: fake quantisations of weights and activations."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.w = [tf.Variable(rng.normal(0, 0.3, s).astype(np.float32)) for s in
                  ((3, 3, 3, 8), (3, 3, 8, 1), (1, 1, 8, 16), (16, 10))]
        self.tops = [np.abs(w.numpy()).max(axis=tuple(range(len(w.shape) - 1))) for w in self.w]
        self.b = [tf.Variable(rng.normal(0, 0.1, n).astype(np.float32)) for n in (8, 8, 16, 10)]

    def weights(self, i, channel):
        w = self.w[i]
        if channel:
            top = self.tops[i]
            return tf.quantization.fake_quant_with_min_max_vars_per_channel(w, -top, top, narrow_range=True)
        top = float(self.tops[i].max())
        return tf.quantization.fake_quant_with_min_max_args(w, -top, top, narrow_range=True)

    def __call__(self, x, channel):
        def fake(y, low, high):
            return tf.quantization.fake_quant_with_min_max_args(y, low, high)
        x = fake(x, -3, 3)
        y = fake(tf.nn.relu6(tf.nn.conv2d(x, self.weights(0, channel), 2, "SAME") + self.b[0]), 0, 6)
        y = fake(tf.nn.relu6(tf.nn.depthwise_conv2d(y, self.weights(1, False), [1, 1, 1, 1], "SAME") + self.b[1]), 0, 4)
        y = fake(tf.nn.conv2d(y, self.weights(2, channel), 1, "SAME") + self.b[2], -6, 6)
        y = fake(tf.reduce_mean(y, [1, 2]), -4, 4)
        return fake(tf.matmul(y, self.weights(3, False)) + self.b[3], -8, 8)


def convert(kind, source, out):
    done = subprocess.run([sys.executable, "-m", "tf2onnx.convert", kind, source, "--output", out, "--opset", "17"],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--only", default="")
    parser.add_argument("--tflite", nargs="*", default=[])
    options = parser.parse_args()
    folder = Folder(options.folder, options.only)

    for network, make in applications().items():
        name = f"tf-{network}"
        if not folder.wants(name):
            continue
        tf.keras.utils.set_random_seed(0)
        try:
            model = make()
            shape = model.input_shape[1:]
            x = noise((16, *([shape[2], *shape[:2]] if len(shape) == 3 else shape)))
            x = np.ascontiguousarray(np.moveaxis(x, 1, -1)) if len(shape) == 3 else x
            randomise(model, x)
            # The batch is left open, as one does.
            spec = (tf.TensorSpec((None, *shape), tf.float32, name="input"),)
            call = tf.function(lambda t: model(t, training=False), input_signature=spec)
            made, _ = tf2onnx.convert.from_function(call, input_signature=spec, opset=17,
                                                    output_path=str(folder.onnx(name)))
            if len(made.graph.input) > 1:  # from_function makes inputs of constants that Keras holds
                with tempfile.TemporaryDirectory() as saved:
                    tf.saved_model.save(model, saved, signatures=call)
                    convert("--saved-model", saved, folder.onnx(name))
            folder.add(name, [x], [call(x[:1]).numpy()], VERSIONS, network=f"{network} (Keras)")
        except Exception as error:
            folder.failed(name, VERSIONS, error, network=f"{network} (Keras)")

    for channel in (False, True):
        name = f"tf-fake-quant{'-channel' if channel else ''}"
        if not folder.wants(name):
            continue
        try:
            module = FakeQuantised()
            spec = (tf.TensorSpec((1, 16, 16, 3), tf.float32, name="input"),)
            call = tf.function(lambda x: module(x, channel), input_signature=spec)
            x = np.ascontiguousarray(np.moveaxis(noise((16, 3, 16, 16)), 1, -1))
            tf2onnx.convert.from_function(call, input_signature=spec, opset=13, output_path=str(folder.onnx(name)))
            folder.add(name, [x], [call(x[:1]).numpy()], VERSIONS, "int8", "fake quantisation")
        except Exception as error:
            folder.failed(name, VERSIONS, error, "int8", "fake quantisation")

    for path in map(pathlib.Path, options.tflite):
        stem = path.parent.name if path.stem == "model" else path.stem
        name = f"tflite-{stem}"
        if not folder.wants(name):
            continue
        try:
            convert("--tflite", path, folder.onnx(name))
            run = tf.lite.Interpreter(str(path), experimental_op_resolver_type=tf.lite.experimental.OpResolverType.
                                      BUILTIN_REF)
            run.allocate_tensors()
            rng = np.random.default_rng(0)
            inputs = []
            for info in run.get_input_details():
                shape, dtype = (4, *info["shape"][1:]), info["dtype"]
                if np.dtype(dtype).kind == "f":
                    inputs.append(rng.normal(0, 1, shape).astype(dtype))
                else:
                    inputs.append(rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, True))
                run.set_tensor(info["index"], inputs[-1][:1])
            run.invoke()
            outputs = [run.get_tensor(info["index"]) for info in run.get_output_details()]
            kind = "float" if all(x.dtype.kind == "f" for x in inputs) else "int8"
            folder.add(name, inputs, outputs, f"{VERSIONS}, --tflite", kind, stem)
        except Exception as error:
            folder.failed(name, f"{VERSIONS}, --tflite", error, "int8", stem)


if __name__ == "__main__":
    main()
