// Operators that the importer puts together of others, in float32, against plain loops; and what it
// computes while importing.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "tests/onnx/support.h"

namespace octet {
namespace {

using namespace onnx_test;

// (x - mean) / sqrt(variance + 1e-5) over runs of values that `run` numbers.
Floats Normalized(const Floats& x, const std::function<size_t(size_t)>& run, bool centre = true) {
  std::map<size_t, double> sums, squares;
  std::map<size_t, size_t> counts;
  for (size_t i = 0; i < x.size(); ++i) sums[run(i)] += x[i], ++counts[run(i)];
  for (auto& [r, sum] : sums) sum = centre ? sum / static_cast<double>(counts[r]) : 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(x[i]) - sums[run(i)];
    squares[run(i)] += d * d;
  }
  Floats y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t r = run(i);
    const double variance = squares[r] / static_cast<double>(counts[r]);
    y.push_back(
        static_cast<float>((static_cast<double>(x[i]) - sums[r]) / std::sqrt(variance + 1e-5)));
  }
  return y;
}

TEST(OnnxFloat, LayerNormalization) {
  for (const bool root : {false, true}) {
    const Tensor x = Random({2, 3, 8}, 1), scale = Random({8}, 2), shift = Random({8}, 3);
    OnnxMaker m(root ? 23 : 17);
    m.Input("x", x.shape);
    m.Floats("s", {8}, scale.values);
    m.Floats("b", {8}, shift.values);
    if (root) {
      m.Node("RMSNormalization", {"x", "s"}, "y");
    } else {
      m.Node("LayerNormalization", {"x", "s", "b"}, "y");
    }
    m.Output("y");
    Floats wanted = Normalized(
        x.values, [](size_t i) { return i / 8; }, !root);
    for (size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = wanted[i] * scale.values[i % 8] + (root ? 0 : shift.values[i % 8]);
    }
    ExpectNear(RunModel(m, {x}), wanted);
  }
}

TEST(OnnxFloat, NormalizationOfImages) {
  const Tensor x = Random({2, 6, 3, 5}, 1), scale = Random({6}, 2), shift = Random({6}, 3);
  // Instances; groups with values a channel, and a group (before opset 21).
  for (const int64_t opset : {6, 18, 21}) {
    const bool instance = opset == 6;
    const int64_t values = opset == 18 ? 3 : 6;
    OnnxMaker m(instance ? 17 : opset);
    m.Input("x", x.shape);
    m.Floats("s", {values}, Floats(scale.values.begin(), scale.values.begin() + values));
    m.Floats("b", {values}, Floats(shift.values.begin(), shift.values.begin() + values));
    m.Node(instance ? "InstanceNormalization" : "GroupNormalization", {Last(&m, "x", 6), "s", "b"},
           "y");
    if (!instance) m.Int("num_groups", 3);
    m.Output("y");
    const size_t run = instance ? 15 : 30;
    Floats wanted = Normalized(x.values, [&](size_t i) { return i / run; });
    for (size_t i = 0; i < wanted.size(); ++i) {
      const size_t c = i / 15 % 6, at = opset == 18 ? c / 2 : c;
      wanted[i] = wanted[i] * scale.values[at] + shift.values[at];
    }
    ExpectNear(RunModel(m, {x}), wanted);
  }
}

TEST(OnnxFloat, NormsAndLogarithmsOfSums) {
  const Tensor x = Random({2, 3, 4}, 1, 3);
  struct Case {
    const char* type;
    double (*add)(double);
    double (*end)(double);
  };
  const Case cases[] = {
      {"ReduceL1", [](double v) { return std::abs(v); }, [](double s) { return s; }},
      {"ReduceL2", [](double v) { return v * v; }, [](double s) { return std::sqrt(s); }},
      {"ReduceSumSquare", [](double v) { return v * v; }, [](double s) { return s; }},
      {"ReduceLogSumExp", [](double v) { return std::exp(v); },
       [](double s) { return std::log(s); }},
  };
  for (const Case& c : cases) {
    for (const int64_t keep : {0, 1}) {
      OnnxMaker m(18);
      m.Input("x", x.shape);
      m.Node(c.type, {"x", m.Ints("axes", {1})}, "y");
      m.Int("keepdims", keep);
      m.Output("y");
      Floats wanted;
      for (size_t n = 0; n < 2; ++n)
        for (size_t k = 0; k < 4; ++k) {
          double sum = 0;
          for (size_t i = 0; i < 3; ++i)
            sum += c.add(static_cast<double>(x.values[(n * 3 + i) * 4 + k]));
          wanted.push_back(static_cast<float>(c.end(sum)));
        }
      ExpectNear(RunModel(m, {x}), wanted, 1e-4f);
    }
  }
}

TEST(OnnxFloat, CurvesThatAreNoOperatorOfTheirOwn) {
  const Tensor x{{7}, {-100, -3, -0.5f, 0, 0.25f, 2, 100}};
  const auto softplus = [](double v) {
    return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
  };
  struct Case {
    const char* type;
    std::function<double(double)> f;
  };
  const Case cases[] = {
      {"Softplus", softplus},
      {"Mish", [&](double v) { return v * std::tanh(softplus(v)); }},
      {"Softsign", [](double v) { return v / (1 + std::abs(v)); }},
      {"Selu",
       [](double v) {
         return 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * std::expm1(v));
       }},
      {"Celu", [](double v) { return v > 0 ? v : 2 * std::expm1(v / 2); }},
  };
  for (const Case& c : cases) {
    OnnxMaker m(18);
    m.Input("x", x.shape);
    m.Node(c.type, {"x"}, "y");
    if (std::string(c.type) == "Celu") m.Float("alpha", 2);
    m.Output("y");
    Floats wanted;
    for (const float v : x.values)
      wanted.push_back(static_cast<float>(c.f(static_cast<double>(v))));
    ExpectNear(RunModel(m, {x}), wanted, 2e-5f);
  }
}

TEST(OnnxFloat, WherePicksBesideInfinities) {
  const Tensor x = Random({2, 3}, 1);
  OnnxMaker m(16);
  m.Input("x", x.shape);
  m.Constant<uint8_t>("mask", {3}, {1, 0, 1}, 9);
  m.Node("Where", {"mask", "x", m.Floats("low", {}, {-std::numeric_limits<float>::infinity()})},
         "w");
  m.Node("Greater", {"x", m.Floats("zero", {}, {0})}, "positive");
  m.Node("Where", {"positive", "x", "w"}, "y");
  m.Output("y");
  Floats wanted = x.values;
  for (const size_t i : {1u, 4u}) {
    if (!(wanted[i] > 0)) wanted[i] = -0x1p126f;
  }
  ExpectNear(RunModel(m, {x}), wanted, 0);
}

// A causal mask, as exporters make it, and what they ask of the softmax behind it.
TEST(OnnxFloat, CausalAttention) {
  const Tensor x = Random({3, 3}, 1, 3);
  for (const bool first : {false, true}) {
    OnnxMaker m(18);
    m.Input("x", x.shape);
    m.Floats("ones", {3, 3}, Floats(9, 1.f));
    m.Node("Trilu", {"ones", m.Constant<int64_t>("k", {}, {first ? 1 : 0}, test::kS64)}, "t");
    m.Int("upper", first);
    m.Node("Cast", {"t"}, "mask");
    m.Int("to", 9);
    m.Floats("low", {}, {-std::numeric_limits<float>::infinity()});
    if (first) {
      m.Node("Where", {"mask", "low", "x"}, "w");
    } else {
      m.Node("Where", {"mask", "x", "low"}, "w");
    }
    m.Node("Softmax", {"w"}, "s");
    m.Int("axis", -1);
    m.Node("IsNaN", {"s"}, "nan");
    m.Node("Where", {"nan", m.Floats("zero", {}, {0}), "s"}, "y");
    m.Output("y");
    Floats wanted(9, 0.f);
    for (size_t i = 0; i < 3; ++i) {
      float sum = 0;
      for (size_t j = 0; j <= i; ++j) sum += wanted[3 * i + j] = std::exp(x.values[3 * i + j]);
      for (size_t j = 0; j <= i; ++j) wanted[3 * i + j] /= sum;
    }
    ExpectNear(RunModel(m, {x}), wanted, 1e-6f);
    const Bytes file = m.File();
    Graph graph;
    ASSERT_EQ(ImportOnnx(file.data(), file.size(), {}, &graph), OCTET_OK);
    ASSERT_EQ(graph.ops.size(), 2u);
    EXPECT_EQ(graph.ops[0].kind, OpKind::ADD);
    EXPECT_EQ(graph.ops[1].kind, OpKind::SOFTMAX);
  }
}

// A row that is masked entirely has a softmax that is no number.
TEST(OnnxFloat, RowsThatAreMaskedEntirely) {
  const Tensor x = Random({2, 2}, 1, 3);
  for (const bool constant : {false, true}) {
    OnnxMaker m(18);
    m.Input("x", x.shape);
    m.Floats("low", {}, {-std::numeric_limits<float>::infinity()});
    m.Floats("zero", {}, {0});
    if (constant) {
      m.Constant<uint8_t>("mask", {2, 2}, {0, 0, 0, 1}, 9);
    } else {
      m.Input("mask", {2, 2}, 9);
    }
    m.Node("Add", {"x", m.Node("Where", {"mask", "zero", "low"}, "w")}, "masked");
    m.Node("Softmax", {"masked"}, "s");
    m.Int("axis", -1);
    m.Node("IsNaN", {"s"}, "nan");
    m.Node("Where", {"nan", "zero", "s"}, "y");
    m.Output("y");
    std::vector<Bytes> inputs = {ToBytes(x.values)};
    if (!constant) inputs.push_back({0, 0, 0, 1});
    const std::vector<Bytes> got = RunBytes(m, inputs);
    ASSERT_EQ(got.size(), 1u);
    ExpectNear(ToFloats(got[0]), {0, 0, 0, 1}, 1e-6f);
  }
}

// The mask itself is computed, from shapes that broadcast.
TEST(OnnxFloat, PicksConstantsWhileImporting) {
  const Tensor x = Random({2, 2}, 1);
  OnnxMaker m(18);
  m.Input("x", x.shape);
  m.Constant<uint8_t>("mask", {2, 2}, {0, 1, 0, 0}, 9);
  m.Node("Where", {"mask", m.Floats("low", {1}, {-7}), m.Floats("zero", {1}, {0})}, "w");
  m.Node("Add", {"x", "w"}, "y");
  m.Output("y");
  Floats wanted = x.values;
  wanted[1] -= 7;
  ExpectNear(RunModel(m, {x}), wanted, 0);
}

TEST(OnnxFloat, FindsWhatIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OnnxMaker m(18);
  m.Input("x", {3});
  m.Node("IsNaN", {"x"}, "nan");
  m.Node("Cast", {"nan"}, "y");
  m.Int("to", 1);
  m.Output("y");
  ExpectNear(RunModel(m, {Tensor{{3}, {1, nan, 0}}}), {0, 1, 0}, 0);
}

TEST(OnnxFloat, Sequences) {
  const Tensor x = Random({1, 5, 2, 2}, 1);
  OnnxMaker m(18);
  m.Input("x", x.shape);
  m.Node("SplitToSequence", {Last(&m, "x", 5), m.Constant<int64_t>("two", {}, {2}, test::kS64)},
         "parts");
  m.Int("axis", 1);
  m.Node("SequenceAt", {"parts", m.Constant<int64_t>("last", {}, {-1}, test::kS64)}, "a");
  m.Node("SequenceAt", {"parts", m.Constant<int64_t>("one", {}, {1}, test::kS64)}, "b");
  m.Node("SequenceConstruct", {"a", "b"}, "turned");
  m.Node("ConcatFromSequence", {"turned"}, "y");
  m.Int("axis", 1);
  m.Output("y");
  m.Node("SplitToSequence", {"y"}, "single");
  m.Int("axis", 1);
  m.Int("keepdims", 0);
  m.Node("ConcatFromSequence", {"single"}, "z");
  m.Int("axis", -1);
  m.Int("new_axis", 1);
  m.Output("z");
  Floats y(x.values.begin() + 16, x.values.end());
  y.insert(y.end(), x.values.begin() + 8, x.values.begin() + 16);
  Floats z(12);
  for (size_t i = 0; i < 12; ++i) z[i % 4 * 3 + i / 4] = y[i];
  const std::vector<Bytes> got = RunBytes(m, {ToBytes(x.values)});
  ASSERT_EQ(got.size(), 2u);
  ExpectNear(ToFloats(got[0]), y, 0);
  ExpectNear(ToFloats(got[1]), z, 0);

  OnnxMaker mixed(18);
  mixed.Input("x", {4});
  mixed.Node("SequenceConstruct", {"x", "x"}, "s");
  mixed.Node("Relu", {"s"}, "r");
  mixed.Node("SequenceAt", {"x", mixed.Ints("at", {0})}, "t");
  mixed.Output("r");
  EXPECT_SAYS(Refusal(mixed), "Relu: input 0 is a sequence");
  EXPECT_SAYS(Refusal(mixed), "SequenceAt: input 0 is not a sequence");
}

TEST(OnnxFloat, PadsWithTheEdge) {
  const Tensor x = Random({1, 2, 3, 4}, 1);
  OnnxMaker m(18);
  m.Input("x", x.shape);
  m.Node("Pad", {Last(&m, "x", 2), m.Ints("pads", {0, 0, 2, 0, 0, 0, 1, 5})}, "y");
  m.String("mode", "edge");
  m.Output("y");
  Floats wanted;
  for (int64_t c = 0; c < 2; ++c)
    for (int64_t i = -2; i < 4; ++i)
      for (int64_t j = 0; j < 9; ++j)
        wanted.push_back(x.at(0, c, std::clamp<int64_t>(i, 0, 2), std::min<int64_t>(j, 3)));
  ExpectNear(RunModel(m, {x}), wanted, 0);
}

TEST(OnnxFloat, TransposedConvolutionInGroupsAndDilated) {
  const Tensor x = Random({1, 4, 3, 4}, 1), w = Random({4, 3, 2, 3}, 2), b = Random({6}, 3);
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", w.shape, w.values);
  m.Node("ConvTranspose", {"x", "w", m.Floats("b", {6}, b.values)}, "y");
  m.IntList("strides", {2, 1});
  m.IntList("dilations", {1, 2});
  m.IntList("pads", {1, 0, 0, 1});
  m.Int("group", 2);
  m.Output("y");
  Tensor y{{1, 6, 2 * 2 + 2 - 1, 3 + 5 - 1}, {}};
  y.values.resize(Count(y.shape));
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = b.values[i / (5 * 7)];
  for (int64_t c = 0; c < 4; ++c)
    for (int64_t o = 0; o < 3; ++o)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 4; ++j)
          for (int64_t p = 0; p < 2; ++p)
            for (int64_t q = 0; q < 3; ++q) {
              const int64_t yy = i * 2 + p - 1, xx = j + 2 * q;
              if (yy < 0 || xx < 0 || yy >= 5 || xx >= 7) continue;
              y.values[y.index(0, c / 2 * 3 + o, yy, xx)] += x.at(0, c, i, j) * w.at(c, o, p, q);
            }
  ExpectNear(RunModel(m, {x}), y.values);
}

double Sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// One direction, batch 1, no bias, as ONNX describes the cells.
struct Recurrent {
  size_t inputs, units;
  const Floats &w, &r;
  double Sum(size_t row, const double* x, const std::vector<double>& h) const {
    return In(row, x) + State(row, h);
  }
  double In(size_t row, const double* x) const {
    double sum = 0;
    for (size_t k = 0; k < inputs; ++k) sum += static_cast<double>(w[row * inputs + k]) * x[k];
    return sum;
  }
  double State(size_t row, const std::vector<double>& h) const {
    double sum = 0;
    for (size_t k = 0; k < units; ++k) sum += static_cast<double>(r[row * units + k]) * h[k];
    return sum;
  }
};

TEST(OnnxFloat, RecurrentLayers) {
  constexpr size_t kSteps = 4, kInputs = 3, kUnits = 2;
  for (const std::string type : {"LSTM", "GRU", "GRU reset after", "RNN"}) {
    for (const bool reverse : {false, true}) {
      const size_t gates = type == "LSTM" ? 4 : type == "RNN" ? 1 : 3;
      const int64_t rows = static_cast<int64_t>(gates * kUnits);
      const Tensor x = Random({kSteps, 1, kInputs}, 1), w = Random({1, rows, kInputs}, 2),
                   r = Random({1, rows, kUnits}, 3), start = Random({1, 1, kUnits}, 4);
      OnnxMaker m(14);
      m.Input("x", x.shape);
      m.Floats("w", w.shape, w.values);
      m.Floats("r", r.shape, r.values);
      m.Floats("h", start.shape, start.values);
      m.Node(type.substr(0, type.find(' ')), {"x", "w", "r", "", "", "h"}, "all");
      m.graph().mutable_node(m.graph().node_size() - 1)->add_output("last");
      m.Int("hidden_size", kUnits);
      m.String("direction", reverse ? "reverse" : "forward");
      if (gates == 3) m.Int("linear_before_reset", type != "GRU");
      m.Output("all");
      m.Output("last");

      const Recurrent cell{kInputs, kUnits, w.values, r.values};
      std::vector<double> h(start.values.begin(), start.values.end()), c(kUnits, 0);
      Floats wanted(kSteps * kUnits);
      for (size_t i = 0; i < kSteps; ++i) {
        const size_t t = reverse ? kSteps - 1 - i : i;
        const std::vector<double> in(x.values.begin() + static_cast<ptrdiff_t>(t * kInputs),
                                     x.values.begin() + static_cast<ptrdiff_t>((t + 1) * kInputs));
        const auto gate = [&](size_t g, size_t u) {
          return cell.Sum(g * kUnits + u, in.data(), h);
        };
        std::vector<double> next = h, reset(kUnits);
        for (size_t u = 0; u < kUnits && gates == 3; ++u) reset[u] = Sigmoid(gate(1, u)) * h[u];
        for (size_t u = 0; u < kUnits; ++u) {
          if (type == "RNN") {
            next[u] = std::tanh(gate(0, u));
          } else if (type == "LSTM") {
            c[u] = Sigmoid(gate(2, u)) * c[u] + Sigmoid(gate(0, u)) * std::tanh(gate(3, u));
            next[u] = Sigmoid(gate(1, u)) * std::tanh(c[u]);
          } else {
            const size_t row = 2 * kUnits + u;
            const double old =
                type == "GRU" ? cell.State(row, reset) : Sigmoid(gate(1, u)) * cell.State(row, h);
            const double made = std::tanh(cell.In(row, in.data()) + old), z = Sigmoid(gate(0, u));
            next[u] = (1 - z) * made + z * h[u];
          }
        }
        h = next;
        for (size_t u = 0; u < kUnits; ++u) wanted[t * kUnits + u] = static_cast<float>(h[u]);
      }
      const std::vector<Bytes> out = RunBytes(m, {ToBytes(x.values)});
      ASSERT_EQ(out.size(), 2u);
      ExpectNear(ToFloats(out[0]), wanted, 1e-5f);
      ExpectNear(ToFloats(out[1]), Floats(h.begin(), h.end()), 1e-5f);
    }
  }
}

TEST(OnnxFloat, RecurrentLayersBothWays) {
  // The second direction is the first one on the reversed sequence.
  const Tensor x = Random({3, 2, 2}, 1), w = Random({1, 12, 2}, 2), r = Random({1, 12, 3}, 3),
               b = Random({1, 24}, 4);
  const auto twice = [](const Floats& values) {
    Floats both = values;
    both.insert(both.end(), values.begin(), values.end());
    return both;
  };
  const auto run = [&](bool both, const Tensor& in) {
    OnnxMaker m(14);
    const int64_t d = both ? 2 : 1;
    m.Input("x", in.shape);
    m.Floats("w", {d, 12, 2}, both ? twice(w.values) : w.values);
    m.Floats("r", {d, 12, 3}, both ? twice(r.values) : r.values);
    m.Floats("b", {d, 24}, both ? twice(b.values) : b.values);
    m.Node("LSTM", {"x", "w", "r", "b"}, "y");
    if (both) m.String("direction", "bidirectional");
    m.Output("y");
    return RunModel(m, {in});
  };
  Tensor turned = x;
  for (size_t t = 0; t < 3; ++t)
    for (size_t i = 0; i < 4; ++i) turned.values[t * 4 + i] = x.values[(2 - t) * 4 + i];
  const Floats there = run(false, x), back = run(false, turned), both = run(true, x);
  ASSERT_EQ(both.size(), 36u);
  for (size_t t = 0; t < 3; ++t)
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_FLOAT_EQ(both[t * 12 + i], there[t * 6 + i]);
      EXPECT_FLOAT_EQ(both[t * 12 + 6 + i], back[(2 - t) * 6 + i]);
    }
}

TEST(OnnxFloat, RecurrentLayersThatAreRefused) {
  const auto refusal = [](int64_t steps, const std::function<void(OnnxMaker*)>& more) {
    OnnxMaker m(14);
    m.Input("x", {steps, 1, 2});
    m.Floats("w", {1, 1, 2}, {1, 2});
    m.Floats("r", {1, 1, 1}, {1});
    m.Node("RNN", {"x", "w", "r"}, "y");
    if (more) more(&m);
    m.Output("y");
    return Refusal(m);
  };
  EXPECT_SAYS(refusal(513, nullptr), "513 steps are more than 512");
  EXPECT_SAYS(refusal(2, [](OnnxMaker* m) { m->Float("clip", 3); }), "clips its sums");
  EXPECT_SAYS(
      refusal(2, [](OnnxMaker* m) { m->Attribute("activations", 8).add_strings("Affine"); }),
      "has the activation \"affine\"");
}

TEST(OnnxFloat, ComputesMasksAndPositionsWhileImporting) {
  const Tensor x = Random({2, 3}, 1);
  OnnxMaker m(18);
  m.Input("x", x.shape);
  m.Floats("ones", {2, 3}, {1, 1, 1, 1, 1, 1});
  m.Node("CumSum", {"ones", m.Constant<int32_t>("axis", {}, {1}, 6)}, "sums");  // 1 2 3
  m.Int("exclusive", 0);
  m.Node("CumSum", {"ones", "axis"}, "back");  // 2 1 0
  m.Int("exclusive", 1);
  m.Int("reverse", 1);
  m.Constant<int64_t>("places", {2, 2}, {0, 1, 1, -1}, 7);
  m.Node("ScatterND", {"sums", "places", m.Floats("new", {2}, {10, 20})}, "put");
  m.Node("ReduceProd", {"sums", m.Ints("last", {1})}, "product");  // 6
  m.Node("ReduceMax", {"sums", "last"}, "most");                   // 3
  std::string sum = "x";
  for (const char* more : {"put", "back", "product", "most"}) {
    sum = m.Node("Add", {sum, more}, sum + "+" + more);
  }
  m.Output(sum);
  const Floats put = {1, 10, 3, 1, 2, 20}, back = {2, 1, 0, 2, 1, 0};
  Floats wanted = x.values;
  for (size_t i = 0; i < 6; ++i) wanted[i] += put[i] + back[i] + 6 + 3;
  ExpectNear(RunModel(m, {x}), wanted, 1e-5f);
}

// What a refused node has begun is not there for those behind it.
TEST(OnnxFloat, RefusedNodesAreNamedWhateverReadsThem) {
  OnnxMaker m;
  m.Input("x", {4});
  m.Node("Celu", {"x"}, "c");
  m.Float("alpha", -1);
  m.Node("Relu", {"c"}, "y");
  m.Output("y");
  EXPECT_SAYS(Refusal(m), "Celu: has alpha -1");
}

}  // namespace
}  // namespace octet
