"""Small networks with random weights, written with the onnx package: what exporters write, in small."""
import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh


class Net:
    def __init__(self, seed=0, opset=13):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.weights, self.count = [], [], 0

    def name(self, base="t"):
        self.count += 1
        return f"{base}{self.count}"

    def const(self, array, base="c"):
        name = self.name(base)
        self.weights.append(nh.from_array(np.asarray(array), name))
        return name

    def op(self, op_type, *inputs, outputs=1, **attributes):
        outs = [self.name(op_type.lower()) for _ in range(outputs)]
        self.nodes.append(h.make_node(op_type, list(inputs), outs, name=outs[0] + "_node", **attributes))
        return outs[0] if outputs == 1 else outs

    def conv(self, x, cin, cout, k=3, stride=1, group=1, pads=None, bias=True, **attributes):
        std = (2.0 / (cin // group * k * k)) ** 0.5
        w = self.const(self.rng.normal(0, std, (cout, cin // group, k, k)).astype(np.float32), "w")
        inputs = [x, w]
        if bias:
            inputs.append(self.const(self.rng.normal(0, 0.2, cout).astype(np.float32), "b"))
        p = k // 2
        return self.op("Conv", *inputs, kernel_shape=[k, k], strides=[stride, stride], group=group,
                       pads=pads or [p, p, p, p], **attributes)

    def bn(self, x, c):
        r = self.rng
        args = [r.uniform(0.5, 1.5, c), r.normal(0, 0.3, c), r.normal(0, 0.3, c), r.uniform(0.5, 1.5, c)]
        return self.op("BatchNormalization", x, *[self.const(a.astype(np.float32), "bn") for a in args])

    def clip(self, x, low, high):
        if self.opset < 11:
            return self.op("Clip", x, min=float(low), max=float(high))
        return self.op("Clip", x, self.const(np.float32(low)), self.const(np.float32(high)))

    def resize2(self, x, mode="nearest"):
        scales = np.array([1, 1, 2, 2], np.float32)
        if self.opset < 10:
            return self.op("Upsample", x, self.const(scales), mode=mode)
        if self.opset < 11:
            return self.op("Resize", x, self.const(scales), mode=mode)
        roi = self.const(np.zeros(0, np.float32)) if self.opset < 13 else ""
        if mode == "nearest":
            return self.op("Resize", x, roi, self.const(scales), mode=mode, nearest_mode="floor",
                           coordinate_transformation_mode="asymmetric")
        return self.op("Resize", x, roi, self.const(scales), mode="linear",
                       coordinate_transformation_mode="half_pixel")

    def reshape(self, x, shape):
        return self.op("Reshape", x, self.const(np.array(shape, np.int64)))

    def model(self, inputs, outputs):
        graph = h.make_graph(self.nodes, "net",
                             [h.make_tensor_value_info(n, T.FLOAT, s) for n, s in inputs],
                             [h.make_tensor_value_info(n, T.FLOAT, s) for n, s in outputs], self.weights)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)],
                             ir_version=8)
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model)


def mobilenet(seed=0, opset=13):
    """MobileNetV2-like: inverted residuals with ReLU6, batch norm, global average pool, Gemm."""
    n = Net(seed, opset)
    x = n.clip(n.bn(n.conv("x", 3, 8, stride=2, bias=False), 8), 0, 6)
    for cin, cout, stride in [(8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 24, 2)]:
        y = n.clip(n.bn(n.conv(x, cin, 4 * cin, 1, bias=False), 4 * cin), 0, 6)
        y = n.clip(n.bn(n.conv(y, 4 * cin, 4 * cin, 3, stride, group=4 * cin, bias=False), 4 * cin), 0, 6)
        y = n.bn(n.conv(y, 4 * cin, cout, 1, bias=False), cout)
        x = n.op("Add", x, y) if stride == 1 else y
    x = n.op("GlobalAveragePool", x)
    x = n.op("Flatten", x, axis=1)
    w = n.const(n.rng.normal(0, 0.2, (10, 24)).astype(np.float32))
    x = n.op("Gemm", x, w, n.const(n.rng.normal(0, 0.2, 10).astype(np.float32)), transB=1)
    return n.model([("x", [1, 3, 32, 32])], [(x, [1, 10])])


def lenet(seed=0, opset=13):
    """Flatten of an image into a matrix product; max pooling; softmax."""
    n = Net(seed, opset)
    x = n.op("Relu", n.conv("x", 1, 6, 5, pads=[2, 2, 2, 2]))
    x = n.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.op("Relu", n.conv(x, 6, 16, 5, pads=[0, 0, 0, 0]))
    x = n.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = n.reshape(x, [-1, 16 * 5 * 5])
    x = n.op("MatMul", x, n.const(n.rng.normal(0, 0.05, (400, 32)).astype(np.float32)))
    x = n.op("Relu", n.op("Add", x, n.const(n.rng.normal(0, 0.1, 32).astype(np.float32))))
    w = n.const(n.rng.normal(0, 0.2, (32, 10)).astype(np.float32))
    x = n.op("Gemm", x, w, n.const(n.rng.normal(0, 0.2, 10).astype(np.float32)))
    x = n.op("Softmax", x, axis=1)
    return n.model([("x", [1, 1, 28, 28])], [(x, [1, 10])])


def branches(seed=0, opset=13):
    """Concat, resize, squeeze and excite, hard swish, transposed convolution, odd padding."""
    n = Net(seed, opset)
    x = n.conv("x", 3, 8, 3, 2, pads=[0, 0, 1, 1])
    x = n.op("LeakyRelu", x, alpha=0.1)
    a = n.op("Relu", n.conv(x, 8, 8, 1))
    b = n.op("Relu", n.conv(n.op("Relu", n.conv(x, 8, 4, 1)), 4, 8, 3, group=4))
    c = n.op("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = n.op("Concat", a, b, c, axis=1)
    s = n.op("GlobalAveragePool", x)
    s = n.op("Sigmoid", n.conv(n.op("Relu", n.conv(s, 24, 6, 1)), 6, 24, 1))
    x = n.op("Mul", x, s)
    x = n.conv(x, 24, 8, 1)
    gate = n.op("Mul", n.clip(n.op("Add", x, n.const(np.float32(3))), 0, 6), n.const(np.float32(1 / 6)))
    x = n.op("Mul", x, gate)
    y = n.conv(n.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 8, 8, 3)
    x = n.op("Add", x, n.resize2(y, "nearest"))
    w = n.const(n.rng.normal(0, 0.2, (8, 4, 2, 2)).astype(np.float32))
    x = n.op("ConvTranspose", x, w, kernel_shape=[2, 2], strides=[2, 2])
    x = n.op("Tanh", n.resize2(x, "linear"))
    return n.model([("x", [1, 3, 32, 32])], [(x, [1, 4, 64, 64])])


def attention(seed=0, opset=13):
    """A transformer's block in small: MatMul of three dimensions, softmax, GELU by Erf."""
    n = Net(seed, opset)
    d, length = 16, 12

    def linear(x, i, o):
        y = n.op("MatMul", x, n.const(n.rng.normal(0, i ** -0.5, (i, o)).astype(np.float32)))
        return n.op("Add", n.const(n.rng.normal(0, 0.1, o).astype(np.float32)), y)

    def heads(x, perm):
        return n.op("Transpose", n.reshape(x, [1, length, 2, d // 2]), perm=perm)
    q = heads(linear("x", d, d), [0, 2, 1, 3])
    k = heads(linear("x", d, d), [0, 2, 3, 1])
    v = heads(linear("x", d, d), [0, 2, 1, 3])
    s = n.op("Softmax", n.op("Div", n.op("MatMul", q, k), n.const(np.float32(d ** 0.5))), axis=-1 if opset >= 13 else 3)
    y = n.op("Transpose", n.op("MatMul", s, v), perm=[0, 2, 1, 3])
    y = n.op("Add", "x", linear(n.reshape(y, [1, length, d]), d, d))
    z = linear(y, d, 2 * d)
    e = n.op("Erf", n.op("Div", z, n.const(np.float32(2 ** 0.5))))
    z = n.op("Mul", n.op("Mul", z, n.op("Add", e, n.const(np.float32(1)))), n.const(np.float32(0.5)))
    y = n.op("Add", y, linear(z, 2 * d, d))
    return n.model([("x", [1, length, d])], [(y, [1, length, d])])


ALL = {"mobilenet": mobilenet, "lenet": lenet, "branches": branches, "attention": attention}


def single(kind, seed=0, opset=13):
    """One operator, large enough to count how often its rounding differs."""
    n = Net(seed, opset)
    shape = [1, 32, 24, 24]
    if kind == "conv":
        y = n.conv("x", 32, 32, 3)
    elif kind == "depthwise":
        y = n.conv("x", 32, 32, 3, group=32)
    elif kind == "pointwise":
        y = n.conv("x", 32, 64, 1)
    elif kind == "add":
        y = n.op("Add", n.conv("x", 32, 32, 1), "x")
    elif kind == "mul":
        y = n.op("Mul", n.conv("x", 32, 32, 1), "x")
    elif kind == "gemm":
        shape = [64, 128]
        y = n.op("Gemm", "x", n.const(n.rng.normal(0, 0.1, (128, 96)).astype(np.float32)),
                 n.const(n.rng.normal(0, 0.1, 96).astype(np.float32)))
    elif kind == "averagepool":
        y = n.op("AveragePool", "x", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    elif kind == "globalaveragepool":
        shape = [1, 512, 7, 7]
        y = n.op("GlobalAveragePool", "x")
    elif kind == "softmax":
        shape = [64, 100]
        y = n.op("Softmax", "x", axis=1)
    elif kind == "sigmoid":
        y = n.op("Sigmoid", "x")
    else:
        y = n.resize2("x", "linear")
    return n.model([("x", shape)], [(y, [f"d{i}" for i in range(len(shape))])])


SINGLE = ["conv", "depthwise", "pointwise", "add", "mul", "gemm", "averagepool", "globalaveragepool", "softmax",
          "sigmoid", "resize"]
