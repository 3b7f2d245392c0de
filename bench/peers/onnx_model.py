"""Writes a .tflite model of 8-bit layers as ONNX with QuantizeLinear and DequantizeLinear around
each layer, the form that ONNX Runtime turns into its integer kernels.

Layers, weights, scales and zero points are those of the .tflite. Activations become uint8 (int8 + 128)
with int8 weights for each channel, which is what ONNX Runtime's documentation advises on x86; images
become NCHW. Covers what image classifiers, keyword spotters and autoencoders are made of; raises
Unsupported for anything else.
"""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ai_edge_litert import schema_py_generated as schema


class Unsupported(Exception):
    pass


OPS = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
TYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.UINT8: np.uint8,
         schema.TensorType.INT32: np.int32}
NONE, RELU, RELU6 = 0, 1, 3  # fused activations
SAME = schema.Padding.SAME


class Writer:
    def __init__(self, data):
        model = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
        if len(model.subgraphs) != 1:
            raise Unsupported("subgraphs")
        self.model, self.graph = model, model.subgraphs[0]
        self.nodes, self.initializers, self.count = [], [], 0

    # ---- Reading ----
    def tensor(self, i):
        return self.graph.tensors[i]

    def shape(self, i):
        return [int(d) for d in self.tensor(i).shape] if self.tensor(i).shape is not None else []

    def constant(self, i):
        t = self.tensor(i)
        data = self.model.buffers[t.buffer].data
        if data is None or t.type not in TYPES:
            raise Unsupported("no constant")
        return np.frombuffer(bytes(bytearray(data)), TYPES[t.type]).reshape(self.shape(i))

    def quantisation(self, i):
        q = self.tensor(i).quantization
        if q is None or q.scale is None or self.tensor(i).type not in TYPES:
            raise Unsupported(f"type of {self.tensor(i).name}")
        return np.asarray(q.scale, np.float32), np.asarray(q.zeroPoint, np.int64)

    # ---- Writing ----
    def name(self, hint):
        self.count += 1
        return f"{hint}_{self.count}"

    def keep(self, array, hint="c"):
        name = self.name(hint)
        self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def node(self, kind, inputs, output=None, **attributes):
        output = output or self.name(kind.lower())
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def scale_and_zero(self, i):
        """Of an activation, as uint8."""
        scale, zero = self.quantisation(i)
        if len(scale) != 1:
            raise Unsupported("activations with several scales")
        shift = 128 if self.tensor(i).type == schema.TensorType.INT8 else 0
        return (self.keep(np.float32(scale[0])), self.keep(np.uint8(zero[0] + shift)))

    def real(self, i):
        return self.node("DequantizeLinear", [f"t{i}", *self.scale_and_zero(i)])

    def quantise(self, value, i):
        self.node("QuantizeLinear", [value, *self.scale_and_zero(i)], f"t{i}")

    def activation(self, value, kind):
        if kind == RELU:
            return self.node("Relu", [value])
        if kind == RELU6:
            return self.node("Clip", [value, self.keep(np.float32(0)), self.keep(np.float32(6))])
        if kind != NONE:
            raise Unsupported("fused activation")
        return value

    def weights(self, op, array, axis_of_tflite):
        """Dequantised weights and bias; `array` has output channels first."""
        scale, zero = self.quantisation(op.inputs[1])
        if len(scale) > 1 and self.tensor(op.inputs[1]).quantization.quantizedDimension != axis_of_tflite:
            raise Unsupported("axis of the weights' scales")
        w_scale = self.keep(scale if len(scale) > 1 else np.float32(scale[0]))
        w_zero = self.keep(zero.astype(array.dtype) if len(scale) > 1 else array.dtype.type(zero[0]))
        attributes = {"axis": 0} if len(scale) > 1 else {}
        out = [self.node("DequantizeLinear", [self.keep(array, "w"), w_scale, w_zero], **attributes)]
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            b_scale = (scale * self.quantisation(op.inputs[0])[0][0]).astype(np.float32)
            b_scale = self.keep(b_scale if len(scale) > 1 else np.float32(b_scale[0]))
            b_zero = self.keep(np.zeros(len(scale) if len(scale) > 1 else (), np.int32))
            out.append(self.node("DequantizeLinear", [self.keep(self.constant(op.inputs[2]), "b"),
                                                      b_scale, b_zero], **attributes))
        return out

    def pads(self, op, options, kernel, dilation=(1, 1)):
        if options.padding != SAME:
            return [0, 0, 0, 0]
        sizes = self.shape(op.inputs[0])[1:3], self.shape(op.outputs[0])[1:3]
        before, after = [], []
        for i, stride in enumerate((options.strideH, options.strideW)):
            total = max((sizes[1][i] - 1) * stride + (kernel[i] - 1) * dilation[i] + 1 - sizes[0][i], 0)
            before.append(total // 2)
            after.append(total - total // 2)
        return before + after

    def flat(self, i):
        """A real tensor as [batch, values] in the order of NHWC."""
        shape, value = self.shape(i), self.real(i)
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            value = self.node("Transpose", [value], perm=[0, 2, 3, 1])
        return self.node("Flatten", [value], axis=1) if len(shape) > 2 else value

    # ---- Operators ----
    def conv(self, op, depthwise):
        options, w = op.builtinOptions, self.constant(op.inputs[1])
        channels = self.shape(op.inputs[0])[3]
        kernel = list(w.shape[1:3])
        dilation = (options.dilationHFactor, options.dilationWFactor)
        w = np.transpose(w, (3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        value = self.node("Conv", [self.real(op.inputs[0]), *self.weights(op, w, 3 if depthwise else 0)],
                          kernel_shape=kernel, strides=[options.strideH, options.strideW],
                          dilations=list(dilation), pads=self.pads(op, options, kernel, dilation),
                          group=channels if depthwise else 1)
        self.quantise(self.activation(value, options.fusedActivationFunction), op.outputs[0])

    def fully_connected(self, op):
        w = self.constant(op.inputs[1])
        value = self.node("Gemm", [self.flat(op.inputs[0]), *self.weights(op, w, 0)], transB=1)
        self.quantise(self.activation(value, op.builtinOptions.fusedActivationFunction), op.outputs[0])

    def pool(self, op, kind):
        options = op.builtinOptions
        kernel = [options.filterHeight, options.filterWidth]
        value = self.node(kind, [self.real(op.inputs[0])], kernel_shape=kernel,
                          strides=[options.strideH, options.strideW], pads=self.pads(op, options, kernel))
        self.quantise(self.activation(value, options.fusedActivationFunction), op.outputs[0])

    def operator(self, op):
        kind = OPS[max(self.code(op))]
        first, out = op.inputs[0], op.outputs[0]
        if kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            self.conv(op, kind != "CONV_2D")
        elif kind == "FULLY_CONNECTED":
            self.fully_connected(op)
        elif kind == "AVERAGE_POOL_2D":
            self.pool(op, "AveragePool")
        elif kind == "MAX_POOL_2D":
            self.pool(op, "MaxPool")
        elif kind == "MEAN":
            if sorted(self.constant(op.inputs[1]).tolist()) != [1, 2]:
                raise Unsupported("axes of MEAN")
            value = self.node("GlobalAveragePool", [self.real(first)])
            if len(self.shape(out)) == 2:
                value = self.node("Flatten", [value], axis=1)
            self.quantise(value, out)
        elif kind == "ADD":
            if self.shape(first) != self.shape(op.inputs[1]):
                raise Unsupported("ADD that broadcasts")
            value = self.node("Add", [self.real(first), self.real(op.inputs[1])])
            self.quantise(self.activation(value, op.builtinOptions.fusedActivationFunction), out)
        elif kind == "SOFTMAX":
            self.quantise(self.node("Softmax", [self.real(first)], axis=-1), out)
        elif kind == "PAD":
            p = self.constant(op.inputs[1]).tolist()
            order = (0, 3, 1, 2) if len(p) == 4 else range(len(p))
            pads = [p[i][0] for i in order] + [p[i][1] for i in order]
            self.quantise(self.node("Pad", [self.real(first), self.keep(np.int64(pads))]), out)
        elif kind in ("RESHAPE", "SQUEEZE"):
            if len(self.shape(out)) != 2:
                raise Unsupported(f"{kind} to {self.shape(out)}")
            self.quantise(self.flat(first), out)
        elif kind == "QUANTIZE":
            self.quantise(self.real(first), out)
        else:
            raise Unsupported(kind)

    def code(self, op):
        code = self.model.operatorCodes[op.opcodeIndex]
        return code.builtinCode, code.deprecatedBuiltinCode

    def write(self):
        """The model, and for each input whether it is int8 in the .tflite."""
        inputs, outputs, signed = [], [], []
        for n, i in enumerate(self.graph.inputs):
            shape = self.shape(i)
            signed.append(self.tensor(i).type == schema.TensorType.INT8)
            self.quantisation(i)
            inputs.append(helper.make_tensor_value_info(f"in{n}", TensorProto.UINT8, shape))
            if len(shape) == 4:
                self.node("Transpose", [f"in{n}"], f"t{i}", perm=[0, 3, 1, 2])
            else:
                self.node("Identity", [f"in{n}"], f"t{i}")
        for op in self.graph.operators:
            self.operator(op)
        for n, i in enumerate(self.graph.outputs):
            shape = self.shape(i)
            outputs.append(helper.make_tensor_value_info(f"out{n}", TensorProto.UINT8, shape))
            if len(shape) == 4:
                self.node("Transpose", [f"t{i}"], f"out{n}", perm=[0, 2, 3, 1])
            else:
                self.node("Identity", [f"t{i}"], f"out{n}")
        graph = helper.make_graph(self.nodes, "model", inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString(), signed


def convert(path):
    with open(path, "rb") as file:
        return Writer(file.read()).write()
