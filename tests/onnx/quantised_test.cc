// Quantised models: QDQ form, operator form, integer sums.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/onnx/support.h"

namespace octet {
namespace {

using namespace onnx_test;

uint8_t ToU8(float value, float scale, int zero) {
  return static_cast<uint8_t>(
      std::min(255.f, std::max(0.f, std::nearbyint(value / scale) + static_cast<float>(zero))));
}

std::vector<std::string> Kinds(const OnnxMaker& m) {
  const Bytes source = m.File();
  Bytes file;
  EXPECT_EQ(compiler::Convert(source.data(), source.size(), {}, &file, nullptr), OCTET_OK);
  const test::Model model(file);
  std::vector<std::string> kinds;
  for (size_t i = 0; i < octet_model_step_count(model.get()); ++i) {
    octet_step_info step = {};
    step.struct_size = sizeof step;
    EXPECT_EQ(octet_model_step_info(model.get(), i, &step), OCTET_OK);
    kinds.push_back(step.op);
  }
  return kinds;
}

// uint8 activations, int8 weights for each channel, int32 bias, Relu between: what ONNX Runtime's
// quantiser writes.
TEST(OnnxQuantised, QuantisesAndDequantises) {
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
  EXPECT_EQ(Kinds(m), (std::vector<std::string>{"QUANTIZE", "TRANSPOSE", "CONV_2D", "TRANSPOSE",
                                                "DEQUANTIZE"}));
}

// x * sigmoid(x) without a quantisation in between becomes one table, with ONNX's rounding.
TEST(OnnxQuantised, FunctionsOfOneValueAreTables) {
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

TEST(OnnxQuantised, QLinearConvWithZeroPoints) {
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

// DynamicQuantizeLinear as its definition spells it out, and back.
TEST(OnnxQuantised, ScalesThatAreComputed) {
  const Tensor x = Random({2, 5}, 1, 3);
  OnnxMaker m(18);
  m.Input("x", x.shape);
  m.Scale("0", 0);
  m.Scale("255", 255);
  m.Node("ReduceMin", {"x"}, "min");
  m.Int("keepdims", 0);
  m.Node("ReduceMax", {"x"}, "max");
  m.Int("keepdims", 0);
  m.Node("Min", {"min", "0"}, "low");
  m.Node("Div", {m.Node("Sub", {m.Node("Max", {"max", "0"}, "high"), "low"}, "width"), "255"}, "s");
  m.Node("Sub", {"0", m.Node("Div", {"low", "s"}, "ratio")}, "z");
  m.Node("Cast", {m.Node("Round", {"z"}, "whole")}, "zero");
  m.Int("to", test::kU8);
  m.Node("QuantizeLinear", {"x", "s", "zero"}, "q");
  m.Node("DequantizeLinear", {"q", "s", "zero"}, "y");
  m.Output("q");
  m.Output("y");
  const auto [least, most] = std::minmax_element(x.values.begin(), x.values.end());
  const float scale = (*most - *least) / 255, zero = std::nearbyint(-*least / scale);
  const std::vector<Bytes> got = RunBytes(m, {ToBytes(x.values)});
  ASSERT_EQ(got.size(), 2u);
  ASSERT_EQ(got[0].size(), x.values.size());
  const Floats back = ToFloats(got[1]);
  for (size_t i = 0; i < x.values.size(); ++i) {
    EXPECT_EQ(got[0][i], ToU8(x.values[i], scale, static_cast<int>(zero)));
    EXPECT_NEAR(back[i], (static_cast<float>(got[0][i]) - zero) * scale, 1e-5f);
  }
}

// The first node that reads an input of bytes need not say what they mean.
TEST(OnnxQuantised, FlattensBytes) {
  Bytes x(12), wanted;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 77 + 5);
  OnnxMaker m;
  m.Input("x", {1, 3, 2, 2}, test::kU8);
  m.Node("Flatten", {"x"}, "f");
  Bytes w(12 * 2, 128);  // picks the fourth and the last
  w[3 * 2] = w[11 * 2 + 1] = 129;
  m.Constant<uint8_t>("w", {12, 2}, w, test::kU8);
  m.Node("QLinearMatMul",
         {"f", m.Scale("sx", 0.5f), m.U8("zx", 3), "w", m.Scale("sw", 1), m.U8("zw", 128),
          m.Scale("sy", 0.5f), m.U8("zy", 3)},
         "y");
  m.Output("y");
  const std::vector<Bytes> got = RunBytes(m, {x});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (Bytes{x[3], x[11]}));
}

TEST(OnnxQuantised, PoolsBytes) {
  Bytes x(2 * 4 * 4), wanted;
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 77 + 5);
  OnnxMaker m;
  m.Input("x", {1, 2, 4, 4}, test::kU8);
  m.Node("MaxPool", {"x"}, "p");
  m.IntList("kernel_shape", {2, 2});
  m.IntList("strides", {2, 2});
  m.Constant<uint8_t>("w", {2, 2, 1, 1}, {129, 128, 128, 129}, test::kU8);
  m.Node("QLinearConv",
         {"p", m.Scale("sx", 0.5f), m.U8("zx", 3), "w", m.Scale("sw", 1), m.U8("zw", 128),
          m.Scale("sy", 0.5f), m.U8("zy", 3)},
         "y");
  m.Output("y");
  for (size_t i = 0; i < 8; ++i) {
    const size_t at = i / 4 * 16 + i / 2 % 2 * 8 + i % 2 * 2;
    wanted.push_back(std::max({x[at], x[at + 1], x[at + 4], x[at + 5]}));
  }
  const std::vector<Bytes> got = RunBytes(m, {x});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], wanted);
}

TEST(OnnxQuantised, IntegerSumsAreExact) {
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

// int16 operators have no zero points: what has some is computed in float32.
TEST(OnnxQuantised, Int16WithZeroPoints) {
  const Tensor x = Random({1, 3, 6, 6}, 1), w = Random({4, 3, 3, 3}, 2);
  const float sx = 2.f / 65000, sw = 1.f / 127, sy = 20.f / 65000;
  for (const int zero : {0, 500}) {
    OnnxMaker m(21);
    m.Input("x", x.shape);
    std::vector<int8_t> codes;
    for (const float v : w.values) codes.push_back(static_cast<int8_t>(std::nearbyint(v / sw)));
    const auto pair = [&](const std::string& from, float scale, const std::string& to) {
      m.Scale("s_" + to, scale);
      m.Constant<int16_t>("z_" + to, {}, {static_cast<int16_t>(zero)}, test::kS16);
      m.Node("QuantizeLinear", {from, "s_" + to, "z_" + to}, "q_" + to);
      return m.Node("DequantizeLinear", {"q_" + to, "s_" + to, "z_" + to}, to);
    };
    pair("x", sx, "xd");
    m.Constant<int8_t>("w", w.shape, codes, test::kS8);
    m.Node("DequantizeLinear", {"w", m.Scale("sw", sw), m.S8("zw", 0)}, "wd");
    m.Node("Conv", {"xd", "wd"}, "c");
    pair("c", sy, "cd");
    pair(m.Node("Mul", {"cd", "cd"}, "square"), sy, "y");
    m.Output("y");
    Tensor wd = w;
    for (size_t i = 0; i < codes.size(); ++i) wd.values[i] = static_cast<float>(codes[i]) * sw;
    Floats wanted = Conv(x, wd, {}, {}).values;
    for (float& v : wanted) v = std::min(v * v, static_cast<float>(32767 - zero) * sy);
    ExpectNear(RunModel(m, {x}), wanted, 0.01f);
    EXPECT_EQ(Kinds(m)[2], zero ? "DEQUANTIZE" : "CONV_2D");
  }
}

}  // namespace
}  // namespace octet
