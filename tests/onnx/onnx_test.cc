// The ONNX importer: models made here, against plain loops in ONNX's own order; and broken ones.
#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/onnx/support.h"

namespace octet {
namespace {

using namespace onnx_test;

// ---- What the nodes mean, in NCHW ------------------------------------------------------------

struct ConvShape {
  int64_t stride_y = 1, stride_x = 1, dilation = 1, group = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

Tensor Conv(const Tensor& x, const Tensor& w, const Floats& bias, const ConvShape& s) {
  const int64_t kh = (w.shape[2] - 1) * s.dilation + 1, kw = (w.shape[3] - 1) * s.dilation + 1;
  Tensor y{{x.shape[0], w.shape[0], (x.shape[2] + s.top + s.bottom - kh) / s.stride_y + 1,
            (x.shape[3] + s.left + s.right - kw) / s.stride_x + 1},
           {}};
  y.values.resize(Count(y.shape));
  const int64_t out_group = w.shape[0] / s.group;
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t o = 0; o < y.shape[1]; ++o)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          double sum = bias.empty() ? 0 : static_cast<double>(bias[static_cast<size_t>(o)]);
          for (int64_t c = 0; c < w.shape[1]; ++c)
            for (int64_t a = 0; a < w.shape[2]; ++a)
              for (int64_t b = 0; b < w.shape[3]; ++b) {
                const int64_t yy = i * s.stride_y - s.top + a * s.dilation;
                const int64_t xx = j * s.stride_x - s.left + b * s.dilation;
                if (yy < 0 || xx < 0 || yy >= x.shape[2] || xx >= x.shape[3]) continue;
                sum += static_cast<double>(x.at(n, o / out_group * w.shape[1] + c, yy, xx)) *
                       static_cast<double>(w.at(o, c, a, b));
              }
          y.values[y.index(n, o, i, j)] = static_cast<float>(sum);
        }
  return y;
}

TEST(Onnx, Convolutions) {
  struct Case {
    Shape x, w;
    ConvShape s;
  };
  const Case cases[] = {
      {{1, 3, 7, 9}, {5, 3, 3, 3}, {}},
      {{2, 4, 8, 7}, {6, 2, 3, 2}, {2, 1, 1, 2, 1, 0, 0, 2}},  // two groups, odd padding
      {{1, 4, 9, 9}, {8, 1, 3, 3}, {2, 2, 1, 4, 1, 1, 1, 1}},  // depthwise, two a channel
      {{1, 2, 9, 8}, {3, 2, 2, 3}, {1, 1, 2, 1, 0, 3, 1, 0}},  // dilated
  };
  for (const Case& c : cases) {
    const Tensor x = Random(c.x, 1), w = Random(c.w, 2);
    const Tensor b = Random({c.w[0]}, 3);
    OnnxMaker m;
    m.Input("x", c.x);
    m.Floats("w", c.w, w.values);
    m.Floats("b", {c.w[0]}, b.values);
    m.Node("Conv", {"x", "w", "b"}, "y");
    m.IntList("strides", {c.s.stride_y, c.s.stride_x});
    m.IntList("dilations", {c.s.dilation, c.s.dilation});
    m.IntList("pads", {c.s.top, c.s.left, c.s.bottom, c.s.right});
    m.Int("group", c.s.group);
    m.Output("y");
    ExpectNear(RunModel(m, {x}), Conv(x, w, b.values, c.s).values);
  }
}

TEST(Onnx, ConvolutionsAlongOneAxis) {
  const Tensor x = Random({1, 3, 1, 11}, 1), w = Random({4, 3, 1, 5}, 2);
  OnnxMaker m;
  m.Input("x", {1, 3, 11});
  m.Floats("w", {4, 3, 5}, w.values);
  m.Node("Conv", {"x", "w"}, "y");
  m.IntList("strides", {2});
  m.IntList("pads", {2, 1});
  m.Output("y");
  ConvShape s;
  s.stride_x = 2, s.left = 2, s.right = 1;
  ExpectNear(RunModel(m, {x}), Conv(x, w, {}, s).values);
}

TEST(Onnx, FoldsBatchNormalization) {
  const Tensor x = Random({1, 3, 5, 5}, 1), w = Random({4, 3, 3, 3}, 2);
  const Floats scale = {1, -2, 0.5f, 3}, bias = {0, 1, 2, 3}, mean = {0.1f, 0.2f, 0.3f, 0.4f},
               variance = {1, 2, 3, 0.5f};
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", w.shape, w.values);
  m.Node("Conv", {"x", "w"}, "c");
  m.Node("BatchNormalization",
         {"c", m.Floats("s", {4}, scale), m.Floats("b", {4}, bias), m.Floats("m", {4}, mean),
          m.Floats("v", {4}, variance)},
         "y");
  m.Output("y");
  Tensor y = Conv(x, w, {}, {});
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t c = i / 9;
    y.values[i] = (y.values[i] - mean[c]) / std::sqrt(variance[c] + 1e-5f) * scale[c] + bias[c];
  }
  ExpectNear(RunModel(m, {x}), y.values);
  Graph graph;
  const Bytes file = m.File();
  ASSERT_EQ(ImportOnnx(file.data(), file.size(), {}, &graph), OCTET_OK);
  EXPECT_EQ(graph.ops.size(), 3u);  // two transposes and the convolution
}

TEST(Onnx, TransposedConvolution) {
  const Tensor x = Random({1, 3, 4, 5}, 1), w = Random({3, 2, 3, 2}, 2);
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", w.shape, w.values);
  m.Node("ConvTranspose", {"x", "w"}, "y");
  m.IntList("strides", {2, 3});
  m.IntList("pads", {1, 0, 0, 1});
  m.IntList("output_padding", {1, 0});
  m.Output("y");
  Tensor y{{1, 2, 2 * 3 + 3 + 1 - 1, 3 * 4 + 2 - 1}, {}};
  y.values.assign(Count(y.shape), 0);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t o = 0; o < 2; ++o)
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 5; ++j)
          for (int64_t a = 0; a < 3; ++a)
            for (int64_t b = 0; b < 2; ++b) {
              const int64_t yy = i * 2 + a - 1, xx = j * 3 + b;
              if (yy < 0 || xx < 0 || yy >= y.shape[2] || xx >= y.shape[3]) continue;
              y.values[y.index(0, o, yy, xx)] += x.at(0, c, i, j) * w.at(c, o, a, b);
            }
  ExpectNear(RunModel(m, {x}), y.values);
}

TEST(Onnx, Pools) {
  for (const bool average : {false, true}) {
    for (const bool count : {false, true}) {
      for (const bool ceil : {false, true}) {
        if (count && (!average || ceil)) continue;
        const Tensor x = Random({1, 2, 7, 8}, 5);
        OnnxMaker m;
        m.Input("x", x.shape);
        m.Node(average ? "AveragePool" : "MaxPool", {"x"}, "y");
        m.IntList("kernel_shape", {3, 2});
        m.IntList("strides", {2, 3});
        m.IntList("pads", {1, 0, 1, 1});
        if (average) m.Int("count_include_pad", count);
        m.Int("ceil_mode", ceil);
        m.Output("y");
        // Rounded up, the last column would begin behind the input: it is dropped.
        const int64_t h = (7 + 2 - 3 + (ceil ? 1 : 0)) / 2 + 1, w = (8 + 1 - 2) / 3 + 1;
        Floats wanted;
        for (int64_t c = 0; c < 2; ++c)
          for (int64_t i = 0; i < h; ++i)
            for (int64_t j = 0; j < w; ++j) {
              float sum = 0, most = -1e9f;
              int n = 0;
              for (int64_t a = 0; a < 3; ++a)
                for (int64_t b = 0; b < 2; ++b) {
                  const int64_t yy = i * 2 - 1 + a, xx = j * 3 + b;
                  if (yy < 0 || yy >= 7 || xx >= 8) continue;
                  sum += x.at(0, c, yy, xx);
                  most = std::max(most, x.at(0, c, yy, xx));
                  ++n;
                }
              wanted.push_back(average ? sum / static_cast<float>(count ? 6 : n) : most);
            }
        ExpectNear(RunModel(m, {x}), wanted);
      }
    }
  }
}

TEST(Onnx, FlattenGoesIntoTheWeights) {
  const Tensor x = Random({1, 3, 2, 4}, 1), w = Random({5, 24, 1, 1}, 2);
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", {5, 24}, w.values);
  m.Node("Flatten", {m.Node("Relu", {Last(&m, "x", 3)}, "r")}, "f");
  m.Node("Gemm", {"f", "w", m.Floats("b", {5}, {1, 2, 3, 4, 5})}, "y");
  m.Int("transB", 1);
  m.Output("y");
  Floats wanted;
  for (size_t o = 0; o < 5; ++o) {
    float sum = static_cast<float>(o) + 1;
    for (size_t k = 0; k < 24; ++k) sum += std::max(x.values[k], 0.f) * w.values[o * 24 + k];
    wanted.push_back(sum);
  }
  ExpectNear(RunModel(m, {x}), wanted);
  compiler::ConvertOptions options;
  options.import.channels_last_inputs = true;
  const Bytes file = m.File();
  Graph graph;
  OnnxOptions onnx;
  onnx.channels_last_inputs = true;
  ASSERT_EQ(ImportOnnx(file.data(), file.size(), onnx, &graph), OCTET_OK);
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs[0])].shape,
            (std::vector<int32_t>{1, 2, 4, 3}));
  for (const GraphOp& op : graph.ops) EXPECT_NE(op.kind, OpKind::TRANSPOSE);
}

// f gets the index in NCHW of each element of the result.
void ExpectMoved(OnnxMaker* m, const Tensor& x, const std::string& type,
                 const std::vector<std::string>& more, const std::function<void()>& attributes,
                 const std::vector<size_t>& picked) {
  std::vector<std::string> inputs = {Last(m, "x", x.shape[1])};
  inputs.insert(inputs.end(), more.begin(), more.end());
  m->Node(type, inputs, "y");
  if (attributes) attributes();
  m->Output("y");
  Floats wanted;
  for (const size_t i : picked) wanted.push_back(x.values[i]);
  ExpectNear(RunModel(*m, {x}), wanted, 0);
}

TEST(Onnx, MovesValuesWhateverTheLayout) {
  const Tensor x = Random({1, 4, 3, 5}, 7);
  const auto start = [&] {
    OnnxMaker m;
    m.Input("x", x.shape);
    return m;
  };
  std::vector<size_t> all(60), picked;
  for (size_t i = 0; i < 60; ++i) all[i] = i;
  OnnxMaker m = start();
  ExpectMoved(&m, x, "Reshape", {m.Ints("shape", {2, -1, 5})}, nullptr, all);
  m = start();
  for (size_t k = 0; k < 3; ++k)  // [0,2,1,3]
    for (size_t c = 0; c < 4; ++c)
      for (size_t j = 0; j < 5; ++j) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(
      &m, x, "Transpose", {},
      [&] {
        m.IntList("perm", {0, 2, 1, 3});
      },
      picked);
  m = start();
  picked.clear();
  for (size_t k = 0; k < 3; ++k)  // to NHWC, which it is
    for (size_t j = 0; j < 5; ++j)
      for (size_t c = 0; c < 4; ++c) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(
      &m, x, "Transpose", {},
      [&] {
        m.IntList("perm", {0, 2, 3, 1});
      },
      picked);
  m = start();
  picked.clear();
  for (size_t c = 4; c-- > 1;)  // channels 3, 2, 1; columns 1, 3
    for (size_t k = 0; k < 3; ++k)
      for (size_t j = 1; j < 5; j += 2) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(&m, x, "Slice",
              {m.Ints("starts", {-1, 1}), m.Ints("ends", {0, 100}), m.Ints("axes", {1, -1}),
               m.Ints("steps", {-1, 2})},
              nullptr, picked);
  m = start();
  picked.clear();
  for (const size_t c : {2u, 0u, 2u})
    for (size_t i = 0; i < 15; ++i) picked.push_back(c * 15 + i);
  ExpectMoved(
      &m, x, "Gather", {m.Ints("which", {2, 0, -2})}, [&] { m.Int("axis", 1); }, picked);
  m = start();
  picked.clear();
  for (size_t c = 0; c < 4; ++c)  // one row, without its axis
    for (size_t j = 0; j < 5; ++j) picked.push_back((c * 3 + 1) * 5 + j);
  m.Constant<int64_t>("one", {}, {1}, test::kS64);
  ExpectMoved(
      &m, x, "Gather", {"one"}, [&] { m.Int("axis", 2); }, picked);
  for (const char* mode : {"DCR", "CRD"}) {
    m = start();
    picked.clear();
    const Tensor deep = Random({1, 8, 3, 5}, 7);
    OnnxMaker d;
    d.Input("x", deep.shape);
    for (size_t c = 0; c < 2; ++c)
      for (size_t y = 0; y < 6; ++y)
        for (size_t j = 0; j < 10; ++j) {
          const size_t block = y % 2 * 2 + j % 2;
          const size_t from = mode[0] == 'D' ? block * 2 + c : c * 4 + block;
          picked.push_back((from * 3 + y / 2) * 5 + j / 2);
        }
    ExpectMoved(
        &d, deep, "DepthToSpace", {},
        [&] {
          d.Int("blocksize", 2);
          d.String("mode", mode);
        },
        picked);
  }
}

TEST(Onnx, BroadcastsAsOnnxDoes) {
  const Tensor x = Random({1, 3, 2, 4}, 1);
  const Shape shapes[] = {{}, {4}, {3, 1, 1}, {2, 4}, {1, 3, 1, 1}, {1, 1, 2, 1}};
  for (const Shape& shape : shapes) {
    for (const char* type : {"Add", "Sub", "Mul", "Div", "Max"}) {
      const Tensor b = Random(shape, 9, 3);
      OnnxMaker m;
      m.Input("x", x.shape);
      m.Node(type, {Last(&m, "x", 3), m.Floats("b", shape, b.values)}, "y");
      m.Output("y");
      Shape full(4 - shape.size(), 1);
      full.insert(full.end(), shape.begin(), shape.end());
      const Tensor wide{full, b.values};
      Floats wanted;
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t i = 0; i < 2; ++i)
          for (int64_t j = 0; j < 4; ++j) {
            const float v = x.at(0, c, i, j);
            const float w =
                wide.at(0, full[1] == 1 ? 0 : c, full[2] == 1 ? 0 : i, full[3] == 1 ? 0 : j);
            wanted.push_back(type[0] == 'A'   ? v + w
                             : type[0] == 'S' ? v - w
                             : type[1] == 'u' ? v * w
                             : type[0] == 'D' ? v / w
                                              : std::max(v, w));
          }
      ExpectNear(RunModel(m, {x}), wanted);
    }
  }
}

TEST(Onnx, ReducesAndNormalises) {
  const Tensor x = Random({1, 3, 2, 4}, 4);
  for (const bool keep : {false, true}) {
    OnnxMaker m;
    m.Input("x", x.shape);
    m.Node("ReduceMean", {Last(&m, "x", 3)}, "y");
    m.IntList("axes", {2, -1});
    m.Int("keepdims", keep);
    m.Output("y");
    Floats wanted;
    for (size_t c = 0; c < 3; ++c) {
      float sum = 0;
      for (size_t i = 0; i < 8; ++i) sum += x.values[c * 8 + i];
      wanted.push_back(sum / 8);
    }
    ExpectNear(RunModel(m, {x}), wanted);
  }
  for (const int64_t axis : {1, 2, 3}) {
    OnnxMaker m;
    m.Input("x", x.shape);
    m.Node("Softmax", {Last(&m, "x", 3)}, "y");
    m.Int("axis", axis);
    m.Output("y");
    const size_t stride = axis == 1 ? 8 : axis == 2 ? 4 : 1;
    const size_t size = static_cast<size_t>(x.shape[static_cast<size_t>(axis)]);
    Floats wanted(24);
    for (size_t i = 0; i < 24; ++i) {
      const size_t first = i - i / stride % size * stride;
      double sum = 0;
      for (size_t k = 0; k < size; ++k) sum += std::exp(double{x.values[first + k * stride]});
      wanted[i] = static_cast<float>(std::exp(double{x.values[i]}) / sum);
    }
    ExpectNear(RunModel(m, {x}), wanted, 1e-5f);
  }
}

TEST(Onnx, HardSwishInAllItsForms) {
  const Tensor x = Random({1, 2, 3, 4}, 3, 6);
  Floats wanted;
  for (const float v : x.values) wanted.push_back(v * std::min(std::max(v + 3, 0.f), 6.f) / 6);
  for (int form = 0; form < 4; ++form) {
    OnnxMaker m(form == 0 ? 14 : 13);
    m.Input("x", x.shape);
    m.Floats("3", {}, {3});
    m.Floats("0", {}, {0});
    m.Floats("6", {}, {6});
    m.Floats("1/6", {}, {1.f / 6});
    if (form == 0) m.Node("HardSwish", {"x"}, "y");
    if (form == 1) {
      m.Node("HardSigmoid", {"x"}, "g");
      m.Float("alpha", 1.f / 6);
      m.Node("Mul", {"x", "g"}, "y");
    }
    if (form >= 2) m.Node("Clip", {m.Node("Add", {"x", "3"}, "a"), "0", "6"}, "c");
    if (form == 2) m.Node("Div", {m.Node("Mul", {"x", "c"}, "p"), "6"}, "y");
    if (form == 3) m.Node("Mul", {m.Node("Mul", {"c", "1/6"}, "p"), "x"}, "y");
    m.Output("y");
    ExpectNear(RunModel(m, {x}), wanted, 1e-5f);
    const Bytes file = m.File();
    Graph graph;
    ASSERT_EQ(ImportOnnx(file.data(), file.size(), {}, &graph), OCTET_OK);
    EXPECT_EQ(graph.ops.back().kind, OpKind::HARD_SWISH) << form;
  }
}

TEST(Onnx, ComputesShapesWhileImporting) {
  const Tensor x = Random({2, 3, 4, 4}, 3);
  OnnxMaker m;
  m.Input("x", {0, 3, 0, 0});  // open sizes
  m.Node("Shape", {"x"}, "shape");
  m.Constant<int64_t>("zero", {}, {0}, test::kS64);
  m.Node("Gather", {"shape", "zero"}, "batch");
  m.Node("Unsqueeze", {"batch", m.Ints("axis0", {0})}, "batch1");
  m.Node("Concat", {"batch1", m.Ints("rest", {-1})}, "target");
  m.Int("axis", 0);
  m.Node("Reshape", {"x", "target"}, "y");
  m.Output("y");
  EXPECT_SAYS(Refusal(m), "give its shape with --shape x=");
  compiler::ConvertOptions options;
  options.import.input_shapes = {{"x", {2, 3, 4, 4}}};
  ExpectNear(RunModel(m, {x}, options), x.values, 0);
  options.import.input_shapes = {{"x", {2, 4, 4, 4}}};
  const Bytes source = m.File();
  Bytes file;
  EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr),
            OCTET_INVALID_ARGUMENT);
}

// ---- Quantised models ------------------------------------------------------------------------

uint8_t ToU8(float value, float scale, int zero) {
  return static_cast<uint8_t>(
      std::min(255.f, std::max(0.f, std::nearbyint(value / scale) + static_cast<float>(zero))));
}

// uint8 activations, int8 weights for each channel, int32 bias, Relu between: what ONNX Runtime's
// quantiser writes.
TEST(Onnx, QuantisesAndDequantises) {
  const Tensor x = Random({1, 3, 6, 6}, 1), w = Random({4, 3, 3, 3}, 2);
  const Tensor bias = Random({4}, 3);
  const float sx = 2.f / 255, sy = 6.f / 255;
  Floats sw;
  std::vector<int8_t> codes;
  std::vector<int32_t> bias_codes;
  Floats sb;
  for (size_t o = 0; o < 4; ++o) {
    sw.push_back((1 + static_cast<float>(o)) / 400);
    for (size_t i = 0; i < 27; ++i) {
      codes.push_back(static_cast<int8_t>(
          std::min(127.f, std::max(-127.f, std::nearbyint(w.values[o * 27 + i] / sw[o])))));
    }
    sb.push_back(sw[o] * sx);
    bias_codes.push_back(static_cast<int32_t>(std::nearbyint(bias.values[o] / sb[o])));
  }
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Scale("sx", sx);
  m.U8("zx", 128);
  m.Scale("sy", sy);
  m.U8("zy", 0);
  m.Floats("sw", {4}, sw);
  m.Constant<int8_t>("zw", {4}, {0, 0, 0, 0}, test::kS8);
  m.Constant<int8_t>("w", w.shape, codes, test::kS8);
  m.Constant<int32_t>("b", {4}, bias_codes, test::kS32);
  m.Floats("sb", {4}, sb);
  m.Constant<int32_t>("zb", {4}, {0, 0, 0, 0}, test::kS32);
  m.Node("DequantizeLinear", {m.Node("QuantizeLinear", {"x", "sx", "zx"}, "xq"), "sx", "zx"}, "xd");
  m.Node("DequantizeLinear", {"w", "sw", "zw"}, "wd");
  m.Int("axis", 0);
  m.Node("DequantizeLinear", {"b", "sb", "zb"}, "bd");
  m.Int("axis", 0);
  m.Node("Conv", {"xd", "wd", "bd"}, "c");
  m.Node("QuantizeLinear", {m.Node("Relu", {"c"}, "r"), "sy", "zy"}, "yq");
  m.Node("DequantizeLinear", {"yq", "sy", "zy"}, "y");
  m.Output("y");

  Tensor xd = x, wd = w;
  for (float& v : xd.values) v = (static_cast<float>(ToU8(v, sx, 128)) - 128) * sx;
  Floats bd;
  for (size_t i = 0; i < codes.size(); ++i)
    wd.values[i] = static_cast<float>(codes[i]) * sw[i / 27];
  for (size_t o = 0; o < 4; ++o) bd.push_back(static_cast<float>(bias_codes[o]) * sb[o]);
  Floats wanted;
  for (const float v : Conv(xd, wd, bd, {}).values)
    wanted.push_back(static_cast<float>(ToU8(v, sy, 0)) * sy);
  const Floats got = RunModel(m, {x});
  ASSERT_EQ(got.size(), wanted.size());
  int differ = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], wanted[i], sy * 1.01f);
    differ += got[i] != wanted[i];
  }
  EXPECT_LE(differ, 2);
  // One convolution in int8, its activation in it; no float32 but at the edges.
  const Bytes source = m.File();
  Bytes file;
  compiler::ConvertReport report;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), {}, &file, &report), OCTET_OK);
  const test::Model model(file);
  std::vector<std::string> kinds;
  for (size_t i = 0; i < octet_model_step_count(model.get()); ++i) {
    octet_step_info step = {};
    step.struct_size = sizeof step;
    ASSERT_EQ(octet_model_step_info(model.get(), i, &step), OCTET_OK);
    kinds.push_back(step.op);
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"QUANTIZE", "TRANSPOSE", "CONV_2D", "TRANSPOSE",
                                             "DEQUANTIZE"}));
}

// x * sigmoid(x) without a quantisation in between becomes one table, with ONNX's rounding.
TEST(Onnx, FunctionsOfOneValueAreTables) {
  const float sx = 8.f / 255, sy = 4.2f / 255;
  OnnxMaker m;
  m.Input("x", {1, 16, 16}, test::kU8);
  m.Output("y");
  m.Scale("sx", sx);
  m.U8("zx", 120);
  m.Scale("sy", sy);
  m.U8("zy", 17);
  m.Node("DequantizeLinear", {"x", "sx", "zx"}, "d");
  m.Node("Mul", {"d", m.Node("Sigmoid", {"d"}, "s")}, "p");
  m.Node("QuantizeLinear", {"p", "sy", "zy"}, "y");
  Bytes x(256), wanted(256);
  for (size_t i = 0; i < 256; ++i) {
    x[i] = static_cast<uint8_t>(i);
    const float v = (static_cast<float>(i) - 120) * sx;
    wanted[i] = ToU8(v * static_cast<float>(1 / (1 + std::exp(-static_cast<double>(v)))), sy, 17);
  }
  const std::vector<Bytes> got = RunBytes(m, {x});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], wanted);
}

TEST(Onnx, QLinearConvWithZeroPoints) {
  // Weights of uint8 with a zero point far from the middle.
  const Shape xs = {1, 2, 5, 5}, ws = {3, 2, 3, 3};
  Bytes x(50), w(54);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 37 + 11);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<uint8_t>(i * 91 + 5);
  const std::vector<int32_t> bias = {100, -2000, 30000};
  OnnxMaker m;
  m.Input("x", xs, test::kU8);
  m.Output("y");
  m.Constant<uint8_t>("w", ws, w, test::kU8);
  m.Constant<int32_t>("b", {3}, bias, test::kS32);
  m.Node("QLinearConv",
         {"x", m.Scale("sx", 0.02f), m.U8("zx", 140), "w", m.Scale("sw", 0.01f), m.U8("zw", 70),
          m.Scale("sy", 0.3f), m.U8("zy", 100), "b"},
         "y");
  m.IntList("pads", {1, 1, 1, 1});
  const std::vector<Bytes> got = RunBytes(m, {x});
  ASSERT_EQ(got.size(), 1u);
  ASSERT_EQ(got[0].size(), 75u);
  for (int64_t o = 0; o < 3; ++o)
    for (int64_t i = 0; i < 5; ++i)
      for (int64_t j = 0; j < 5; ++j) {
        int32_t sum = bias[static_cast<size_t>(o)];
        for (int64_t c = 0; c < 2; ++c)
          for (int64_t a = 0; a < 3; ++a)
            for (int64_t b = 0; b < 3; ++b) {
              const int64_t yy = i + a - 1, xx = j + b - 1;
              if (yy < 0 || xx < 0 || yy > 4 || xx > 4) continue;
              sum += (x[static_cast<size_t>((c * 5 + yy) * 5 + xx)] - 140) *
                     (w[static_cast<size_t>(((o * 2 + c) * 3 + a) * 3 + b)] - 70);
            }
        const float real = static_cast<float>(sum) * 0.02f * 0.01f;
        EXPECT_NEAR(got[0][static_cast<size_t>((o * 5 + i) * 5 + j)], ToU8(real, 0.3f, 100), 1);
      }
}

TEST(Onnx, IntegerSumsAreExact) {
  constexpr size_t kDepth = 1000;  // sums that pass 2^24
  Bytes x(2 * kDepth), w(kDepth * 3);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(255 - i % 7);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<uint8_t>(250 + i % 6);
  OnnxMaker m;
  m.Input("x", {2, kDepth}, test::kU8);
  m.Output("y");
  m.Constant<uint8_t>("w", {kDepth, 3}, w, test::kU8);
  m.Node("MatMulInteger", {"x", "w", m.U8("zx", 1), m.U8("zw", 2)}, "y");
  const std::vector<Bytes> got = RunBytes(m, {x});
  ASSERT_EQ(got.size(), 1u);
  for (size_t i = 0; i < 2; ++i)
    for (size_t j = 0; j < 3; ++j) {
      int32_t sum = 0, value;
      for (size_t k = 0; k < kDepth; ++k) sum += (x[i * kDepth + k] - 1) * (w[k * 3 + j] - 2);
      std::memcpy(&value, got[0].data() + (i * 3 + j) * 4, 4);
      EXPECT_EQ(value, sum);
    }
}

// ---- What is refused -------------------------------------------------------------------------

OnnxMaker Small() {
  OnnxMaker m;
  m.Input("x", {1, 3, 6, 6});
  m.Floats("w", {4, 3, 3, 3}, Floats(108, 0.1f));
  m.Node("Conv", {"x", "w"}, "c");
  m.IntList("pads", {1, 1, 1, 1});
  m.Node("Relu", {"c"}, "r");
  m.Node("MaxPool", {"r"}, "p");
  m.IntList("kernel_shape", {2, 2});
  m.Node("Reshape", {"p", m.Ints("shape", {1, -1})}, "y");
  m.Output("y");
  return m;
}

TEST(Onnx, NamesAllThatItCannotRunAtOnce) {
  OnnxMaker m;
  m.Input("x", {1, 3, 6, 6});
  m.Node("NonZero", {"x"}, "a");
  m.Node("Relu", {"a"}, "b");
  m.Node("Det", {"x"}, "c");
  m.Node("StringSplit", {"b", "c"}, "d");
  m.Output("d");
  const std::string error = Refusal(m);
  EXPECT_SAYS(error, "NonZero");
  EXPECT_SAYS(error, "Det");
  EXPECT_SAYS(error, "StringSplit");
  EXPECT_SAYS(error, "float32[1,3,6,6] \"x\"");
  EXPECT_EQ(error.find("Relu"), std::string::npos) << error;
}

TEST(Onnx, RefusesNonsense) {
  OnnxMaker m = Small();
  m.graph().mutable_node(0)->set_input(1, "nowhere");
  EXPECT_SAYS(Refusal(m), "reads \"nowhere\", which nothing before it computes");

  m = Small();  // a loop
  m.graph().mutable_node(0)->set_input(0, "p");
  EXPECT_SAYS(Refusal(m), "reads \"p\", which nothing before it computes");

  m = Small();
  m.graph().mutable_node(1)->set_output(0, "c");
  EXPECT_SAYS(Refusal(m), "\"c\" is written by two nodes");

  m = Small();
  m.graph().mutable_node(0)->mutable_attribute(0)->set_type(1);
  EXPECT_SAYS(Refusal(m), "the attribute pads is not a list of integers");

  m = Small();
  m.graph().mutable_node(0)->mutable_attribute(0)->set_ints(0, -7);
  EXPECT_SAYS(Refusal(m), "the attribute pads has -7");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(0, 5);
  EXPECT_SAYS(Refusal(m), "initializer \"w\" has 432 values or bytes");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(0, -1);
  EXPECT_SAYS(Refusal(m), "has a dimension of -1");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(1, int64_t{1} << 60);
  EXPECT_SAYS(Refusal(m), "has a dimension of");

  m = Small();
  m.graph().mutable_output(0)->set_name("nothing");
  EXPECT_SAYS(Refusal(m), "nothing computes the output \"nothing\"");

  m = Small();
  m.model.mutable_opset_import(0)->set_version(3);
  EXPECT_SAYS(Refusal(m), "opset 3; 7 to 21 are supported");

  m = Small();
  m.model.clear_graph();
  EXPECT_SAYS(Refusal(m), "it has no graph");
}

TEST(Onnx, ReadsDataBesideTheModelOnly) {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / ("octet_onnx_test_" + std::to_string(getpid()));
  fs::create_directories(folder / "model");
  const Floats values(108, 0.25f);
  for (const fs::path& path : {folder / "outside.bin", folder / "model" / "weights.bin"}) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), 432);
  }
  std::error_code error;
  fs::create_symlink(folder / "outside.bin", folder / "model" / "link.bin", error);
  const auto import = [&](const std::string& location, const std::string& offset) {
    OnnxMaker m = Small();
    auto* t = m.graph().mutable_initializer(0);
    t->clear_raw_data();
    t->set_data_location(1);
    for (const auto& [key, value] :
         {std::pair<std::string, std::string>{"location", location}, {"offset", offset}}) {
      auto* entry = t->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    const Bytes file = m.File();
    OnnxOptions options;
    options.directory = (folder / "model").string();
    Graph graph;
    return ImportOnnx(file.data(), file.size(), options, &graph) == OCTET_OK ? std::string("read")
                                                                             : octet_last_error();
  };
  EXPECT_EQ(import("weights.bin", "0"), "read");
  EXPECT_SAYS(import("weights.bin", "4"), "beyond the end");
  EXPECT_SAYS(import("weights.bin", "-4"), "with offset \"-4\"");
  EXPECT_SAYS(import("../outside.bin", "0"), "not beside the model");
  EXPECT_SAYS(import((folder / "outside.bin").string(), "0"), "not beside the model");
  EXPECT_SAYS(import("missing.bin", "0"), "cannot be read");
  if (!error) {
    EXPECT_SAYS(import("link.bin", "0"), "not beside the model");
  }
  fs::remove_all(folder);
}

// Whatever comes out, it must come out: sanitizers see the rest.
void ImportAnything(const Bytes& file) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[file.size() + 1]);
  std::copy(file.begin(), file.end(), copy.get());
  Graph graph;
  if (ImportOnnx(copy.get(), file.size(), {}, &graph) == OCTET_OK) {
    EXPECT_EQ(CheckGraph(graph), OCTET_OK);
  } else {
    EXPECT_NE(std::string(octet_last_error()), "");
  }
}

TEST(Onnx, SurvivesTruncationAndDamage) {
  const Bytes file = Small().File();
  for (size_t size = 0; size < file.size(); ++size) {
    ImportAnything(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size)));
  }
  uint32_t random = 1;
  const auto next = [&random] { return (random = random * 1664525u + 1013904223u) >> 8; };
  for (int i = 0; i < 3000; ++i) {
    Bytes damaged = file;
    for (uint32_t flips = next() % 4 + 1; flips > 0; --flips) {
      damaged[next() % damaged.size()] ^= static_cast<uint8_t>(1u << next() % 8);
    }
    ImportAnything(damaged);
  }
}

}  // namespace
}  // namespace octet
