// Quantising whole graphs made here: what comes out, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "octet/compiler.h"
#include "src/compiler/observe.h"
#include "src/quantize/measure.h"
#include "src/quantize/prepare.h"
#include "src/quantize/quantize.h"
#include "src/quantize/run_graph.h"
#include "src/quantize/weights.h"

namespace octet {
namespace {

using compiler::QuantizeGraph;
using compiler::QuantizeOptions;
using compiler::QuantizeReport;
using compiler::Sample;

using Bytes = std::vector<uint8_t>;

Bytes BytesOfFloats(const std::vector<float>& values) {
  Bytes bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Float graphs layer by layer, with pseudo-random weights.
class Maker {
 public:
  Graph graph;

  int32_t Tensor(std::vector<int32_t> shape) {
    GraphTensor t;
    t.name = "t" + std::to_string(graph.tensors.size());
    t.type = DType::FLOAT32;
    t.shape = std::move(shape);
    return graph.AddTensor(std::move(t));
  }
  int32_t Constant(std::vector<int32_t> shape, float size, bool uneven = false) {
    std::normal_distribution<float> normal(0, size);
    int64_t n = 1;
    for (const int32_t d : shape) n *= d;
    std::vector<float> values(static_cast<size_t>(n));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = normal(random_);
      // Channels of very different sizes.
      if (uneven) values[i] *= std::pow(3.f, static_cast<float>(i % 5) - 2);
    }
    return graph.AddConstant("c" + std::to_string(graph.tensors.size()), DType::FLOAT32,
                             std::move(shape), values.data());
  }
  template <class Options>
  int32_t Add(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> shape,
              Options options) {
    const int32_t out = Append(kind, std::move(inputs), std::move(shape));
    graph.ops.back().options.Set(std::move(options));
    return out;
  }
  int32_t Append(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> shape) {
    GraphOp op;
    op.kind = kind;
    op.inputs = std::move(inputs);
    op.outputs = {Tensor(std::move(shape))};
    op.name = graph.tensors[static_cast<size_t>(op.outputs[0])].name;
    graph.ops.push_back(std::move(op));
    return graph.ops.back().outputs[0];
  }
  int32_t Relu(int32_t in) {
    fb::ElementwiseOptionsT options;
    options.act_min_f = 0;
    return Add(OpKind::RELU, {in}, graph.tensors[static_cast<size_t>(in)].shape, options);
  }
  int32_t Conv(int32_t in, int32_t channels, int32_t kernel, bool uneven = false) {
    std::vector<int32_t> shape = graph.tensors[static_cast<size_t>(in)].shape;
    const int32_t depth = shape[3];
    shape[3] = channels;
    fb::Conv2DOptionsT options;
    options.pad_top = options.pad_left = kernel / 2;
    return Add(OpKind::CONV_2D,
               {in,
                Constant({channels, kernel, kernel, depth},
                         1 / std::sqrt(static_cast<float>(depth * kernel * kernel)), uneven),
                Constant({channels}, 0.1f)},
               shape, options);
  }
  int32_t Depthwise(int32_t in) {
    const std::vector<int32_t> shape = graph.tensors[static_cast<size_t>(in)].shape;
    fb::Conv2DOptionsT options;
    options.pad_top = options.pad_left = 1;
    return Add(OpKind::DEPTHWISE_CONV_2D,
               {in, Constant({1, 3, 3, shape[3]}, 0.3f, true), Constant({shape[3]}, 0.1f)}, shape,
               options);
  }

 private:
  std::mt19937 random_{11};
};

// A small image classifier: [1, 8, 8, 3] to [1, 10].
Graph Classifier() {
  Maker m;
  const int32_t image = m.Tensor({1, 8, 8, 3});
  m.graph.inputs = {image};
  int32_t x = m.Relu(m.Conv(image, 10, 3, true));
  const int32_t skip = x;
  x = m.Relu(m.Depthwise(x));
  x = m.Conv(x, 10, 1);
  x = m.Relu(m.Add(OpKind::ADD, {x, skip}, {1, 8, 8, 10}, fb::ElementwiseOptionsT()));
  fb::PoolOptionsT pool;
  pool.filter_h = pool.filter_w = pool.stride_h = pool.stride_w = 2;
  x = m.Add(OpKind::AVERAGE_POOL_2D, {x}, {1, 4, 4, 10}, pool);
  const int32_t gate = m.Append(OpKind::LOGISTIC, {x}, {1, 4, 4, 10});
  x = m.Add(OpKind::MUL, {x, gate}, {1, 4, 4, 10}, fb::ElementwiseOptionsT());
  fb::AxisOptionsT axis;
  axis.axis = 3;
  x = m.Add(OpKind::CONCATENATION, {x, gate}, {1, 4, 4, 20}, axis);
  x = m.Append(OpKind::RESHAPE, {x}, {1, 320});
  x = m.Add(OpKind::FULLY_CONNECTED, {x, m.Constant({10, 320}, 0.1f), m.Constant({10}, 0.1f)},
            {1, 10}, fb::FullyConnectedOptionsT());
  x = m.Add(OpKind::SOFTMAX, {x}, {1, 10}, fb::SoftmaxOptionsT());
  m.graph.outputs = {x};
  EXPECT_EQ(CheckGraph(m.graph), OCTET_OK) << octet_last_error();
  return m.graph;
}

class Noise : public compiler::SampleSource {
 public:
  explicit Noise(const Graph& graph, size_t count = 12) : count_(count) {
    for (const int32_t t : graph.inputs) {
      sizes_.push_back(static_cast<size_t>(graph.tensors[static_cast<size_t>(t)].elements()));
    }
  }
  size_t size() const override { return count_; }
  octet_status Read(size_t index, Sample* sample) override {
    std::mt19937 random(static_cast<uint32_t>(index) + 1);
    std::normal_distribution<float> normal(0.2f, 1);
    sample->name = "sample " + std::to_string(index);
    for (const size_t n : sizes_) {
      std::vector<float> values(n);
      for (float& v : values) v = normal(random);
      if (index == bad_index) values[n / 2] = bad_value;
      sample->inputs.push_back(BytesOfFloats(values));
    }
    if (index == short_index) sample->inputs[0].pop_back();
    return OCTET_OK;
  }
  size_t bad_index = SIZE_MAX, short_index = SIZE_MAX;
  float bad_value = 0;

 private:
  size_t count_;
  std::vector<size_t> sizes_;
};

struct Made {
  octet_status status;
  Bytes file;
  QuantizeReport report;
};

Made Quantized(const Graph& graph, const QuantizeOptions& options = QuantizeOptions(),
               compiler::SampleSource* samples = nullptr) {
  Noise noise(graph);
  Made made;
  made.status = QuantizeGraph(graph, samples ? samples : &noise, options, &made.file, &made.report);
  return made;
}

TEST(Quantize, ClassifierKeepsItsAnswers) {
  const Made made = Quantized(Classifier());
  ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
  EXPECT_GT(made.report.output_sqnr_db, 25);
  EXPECT_GE(made.report.agreement, 0.9);
  for (const compiler::QuantizedLayer& layer : made.report.layers) {
    EXPECT_EQ(layer.precision, "int8") << layer.name;
    EXPECT_GT(layer.sqnr_db, 20) << layer.name;
    EXPECT_LE(layer.low, 0);
    EXPECT_GE(layer.high, 0);
    uint64_t counted = 0;
    for (const uint64_t bar : layer.histogram) counted += bar;
    EXPECT_GT(counted, 0u);
  }
  EXPECT_LT(made.report.weight_bytes * 3, made.report.float_weight_bytes);
}

TEST(Quantize, EveryRangeMethodWorks) {
  const Graph graph = Classifier();
  for (const auto method :
       {compiler::RangeMethod::kMinMax, compiler::RangeMethod::kMovingAverage,
        compiler::RangeMethod::kPercentile, compiler::RangeMethod::kSquaredError,
        compiler::RangeMethod::kEntropy, compiler::RangeMethod::kCubedError}) {
    QuantizeOptions options;
    options.range = method;
    const Made made = Quantized(graph, options);
    ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
    EXPECT_GT(made.report.output_sqnr_db, 8) << static_cast<int>(method);
  }
}

TEST(Quantize, SameBytesEachTimeAndOnAnyThreads) {
  const Graph graph = Classifier();
  QuantizeOptions options;
  options.range = compiler::RangeMethod::kEntropy;
  options.equalize = true;
  const Made first = Quantized(graph, options);
  options.threads = 3;
  options.histograms = false;
  const Made second = Quantized(graph, options);
  ASSERT_EQ(first.status, OCTET_OK);
  EXPECT_EQ(first.file, second.file);
}

TEST(Quantize, SharesScalesWhereTheSpecificationSaysSo) {
  Graph graph = Classifier();
  std::vector<std::string> log;
  PrepareFloatGraph(&graph, &log);
  QuantPlan plan;
  Noise noise(graph);
  ASSERT_EQ(Calibrate(graph, &noise, 1, nullptr, &plan.statistics), OCTET_OK);
  plan.precision.assign(graph.ops.size(), Precision::kInt8);
  RewrittenGraph rewritten;
  ASSERT_EQ(Rewrite(graph, &plan, &rewritten, &log), OCTET_OK) << octet_last_error();
  for (const GraphOp& op : rewritten.graph.ops) {
    const GraphTensor& in = rewritten.graph.tensors[static_cast<size_t>(op.inputs[0])];
    const GraphTensor& out = rewritten.graph.tensors[static_cast<size_t>(op.outputs[0])];
    switch (op.kind) {
      case OpKind::AVERAGE_POOL_2D:
      case OpKind::RESHAPE:
        EXPECT_EQ(in.scale, out.scale);
        EXPECT_EQ(in.zero_point, out.zero_point);
        break;
      case OpKind::CONCATENATION:
        for (const int32_t t : op.inputs) {
          EXPECT_EQ(rewritten.graph.tensors[static_cast<size_t>(t)].scale, out.scale);
        }
        break;
      case OpKind::SOFTMAX:
        EXPECT_EQ(out.scale[0], 1.f / 256);
        EXPECT_EQ(out.zero_point, -128);
        break;
      case OpKind::CONV_2D:
      case OpKind::FULLY_CONNECTED: {
        const GraphTensor& w = rewritten.graph.tensors[static_cast<size_t>(op.inputs[1])];
        const GraphTensor& b = rewritten.graph.tensors[static_cast<size_t>(op.inputs[2])];
        ASSERT_EQ(w.scale.size(), static_cast<size_t>(w.shape[0]));
        for (size_t c = 0; c < w.scale.size(); ++c) {
          EXPECT_FLOAT_EQ(b.scale[c], in.scale[0] * w.scale[c]);
        }
        for (const uint8_t byte : *w.data) EXPECT_NE(byte, 0x80);  // narrow: never -128
        break;
      }
      default:
        break;
    }
  }
}

// All inputs have scales that the specification fixes: the same one, or different ones.
TEST(Quantize, JoinsNothingButFixedScales) {
  for (const OpKind other : {OpKind::TANH, OpKind::LOGISTIC}) {
    Maker m;
    const int32_t image = m.Tensor({1, 4, 4, 3});
    m.graph.inputs = {image};
    const int32_t a = m.Append(OpKind::TANH, {m.Conv(image, 6, 1)}, {1, 4, 4, 6});
    const int32_t b = m.Append(other, {m.Conv(image, 6, 1)}, {1, 4, 4, 6});
    fb::AxisOptionsT axis;
    axis.axis = 3;
    m.graph.outputs = {m.Add(OpKind::CONCATENATION, {a, b}, {1, 4, 4, 12}, axis)};
    const Made made = Quantized(m.graph);
    ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
    EXPECT_GT(made.report.output_sqnr_db, 30);
  }
}

// A causal mask does not stretch the range of what is not masked.
TEST(Quantize, LooksPastMasks) {
  for (const float low : {-1e9f, std::numeric_limits<float>::lowest()}) {
    Maker m;
    const int32_t scores = m.Tensor({1, 8, 8});
    m.graph.inputs = {scores};
    std::vector<float> mask(64, 0.f);
    for (size_t i = 0; i < 64; ++i) {
      if (i % 8 > i / 8) mask[i] = low;
    }
    const int32_t added = m.graph.AddConstant("mask", DType::FLOAT32, {8, 8}, mask.data());
    const int32_t sum = m.Add(OpKind::ADD, {scores, added}, {1, 8, 8}, fb::ElementwiseOptionsT{});
    m.graph.outputs = {m.Add(OpKind::SOFTMAX, {sum}, {1, 8, 8}, fb::SoftmaxOptionsT{})};
    const Made made = Quantized(m.graph);
    ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
    EXPECT_GT(made.report.output_sqnr_db, 28);
  }
}

std::vector<float> RunFloat(const Graph& graph, const Bytes& input) {
  std::unique_ptr<Observer> observer;
  EXPECT_EQ(MakeObserver(graph, 1, &observer), OCTET_OK) << octet_last_error();
  std::vector<Bytes> outputs;
  EXPECT_EQ(observer->Run(std::vector<Bytes>{input}, nullptr, &outputs), OCTET_OK);
  std::vector<float> values;
  ToReal(graph.tensors[static_cast<size_t>(graph.outputs[0])], outputs[0].data(), &values);
  return values;
}

void ExpectSameOutputs(const Graph& a, const Graph& b) {
  Noise noise(a);
  for (size_t i = 0; i < 4; ++i) {
    Sample sample;
    ASSERT_EQ(noise.Read(i, &sample), OCTET_OK);
    const std::vector<float> x = RunFloat(a, sample.inputs[0]), y = RunFloat(b, sample.inputs[0]);
    ASSERT_EQ(x.size(), y.size());
    // Sums of terms that cancel: their rounding is relative to the terms, not to the sums.
    float largest = 1;
    for (const float value : x) largest = std::max(largest, std::fabs(value));
    for (size_t k = 0; k < x.size(); ++k) EXPECT_NEAR(x[k], y[k], 2e-5f * largest);
  }
}

// Convolutions in a row, with channels of very different sizes.
Graph Chain() {
  Maker m;
  m.graph.inputs = {m.Tensor({1, 6, 6, 4})};
  int32_t x = m.Relu(m.Conv(m.graph.inputs[0], 10, 3, true));
  x = m.Relu(m.Depthwise(x));
  x = m.Conv(x, 6, 1, true);
  x = m.Conv(x, 5, 3, true);
  m.graph.outputs = {x};
  return m.graph;
}

TEST(Equalize, LeavesTheOutputsAndEvensTheWeights) {
  Graph graph = Chain();
  std::vector<std::string> log;
  PrepareFloatGraph(&graph, &log);
  Graph equal = graph;
  EXPECT_EQ(EqualizeLayers(&equal, &log), 3);
  ExpectSameOutputs(graph, equal);
  // Of the second product, the largest weights by input channel vary less than before.
  const auto spread = [](const Graph& g) {
    const GraphTensor& w = g.tensors[static_cast<size_t>(g.ops[2].inputs[1])];
    std::vector<float> most(static_cast<size_t>(w.shape[3]), 0);
    const std::vector<float> values = FloatsOf(w);
    for (size_t i = 0; i < values.size(); ++i) {
      float& m = most[i % most.size()];
      m = std::max(m, std::fabs(values[i]));
    }
    const auto [low, high] = std::minmax_element(most.begin(), most.end());
    return *high / *low;
  };
  EXPECT_LT(spread(equal), spread(graph));
}

TEST(Prepare, FoldsFactorsAndActivations) {
  Maker m;
  m.graph.inputs = {m.Tensor({1, 6, 6, 4})};
  int32_t x = m.Conv(m.graph.inputs[0], 10, 3);
  x = m.Add(OpKind::MUL, {x, m.Constant({10}, 1)}, {1, 6, 6, 10}, fb::ElementwiseOptionsT());
  x = m.Add(OpKind::ADD, {m.Constant({1, 1, 1, 10}, 1), x}, {1, 6, 6, 10},
            fb::ElementwiseOptionsT());
  x = m.Relu(x);
  x = m.Depthwise(x);
  x = m.Add(OpKind::MUL, {x, m.Constant({10}, 1)}, {1, 6, 6, 10}, fb::ElementwiseOptionsT());
  m.graph.outputs = {x};
  Graph prepared = m.graph;
  std::vector<std::string> log;
  PrepareFloatGraph(&prepared, &log);
  EXPECT_EQ(prepared.ops.size(), 2u);
  ExpectSameOutputs(m.graph, prepared);
}

TEST(BiasCorrection, RemovesTheMeanErrorOfWeights) {
  // One layer, whose weights all round the same way, on inputs with a mean.
  Maker m;
  m.graph.inputs = {m.Tensor({1, 64})};
  std::vector<float> weights(4 * 64, 0.0049f);
  for (size_t c = 0; c < 4; ++c) weights[c * 64] = 1;
  const int32_t w = m.graph.AddConstant("w", DType::FLOAT32, {4, 64}, weights.data());
  m.graph.outputs = {
      m.Add(OpKind::FULLY_CONNECTED, {m.graph.inputs[0], w}, {1, 4}, fb::FullyConnectedOptionsT())};
  m.graph.ops[0].inputs.push_back(-1);
  QuantizeOptions options;
  const Made with = Quantized(m.graph, options);
  options.correct_bias = false;
  const Made without = Quantized(m.graph, options);
  ASSERT_EQ(with.status, OCTET_OK) << octet_last_error();
  ASSERT_EQ(without.status, OCTET_OK);
  EXPECT_GT(with.report.output_sqnr_db, without.report.output_sqnr_db + 1);
}

TEST(Quantize, BiasThatDoesNotFitRaisesTheScale) {
  GraphTensor w;
  w.type = DType::FLOAT32;
  w.shape = {2, 1};
  const float values[] = {1e-9f, 1};
  w.data = BytesOf(values, sizeof values);
  const ProductConstants made = QuantizeProduct(w, {100, 1}, 0, 1e-3, 30);
  EXPECT_GT(made.scales[0], 1e-9f / 127);
  for (size_t c = 0; c < 2; ++c) {
    EXPECT_LT(std::fabs(static_cast<double>(made.bias[c])), std::ldexp(1.0, 30));
    const double real =
        static_cast<double>(made.bias[c]) * 1e-3 * static_cast<double>(made.scales[c]);
    EXPECT_NEAR(real, c == 0 ? 100 : 1, 1e-4);
  }
}

TEST(Quantize, FloatEnds) {
  QuantizeOptions options;
  options.float_inputs = options.float_outputs = true;
  const Made made = Quantized(Classifier(), options);
  ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
  octet_model* model = nullptr;
  std::vector<uint8_t> aligned(made.file.size() + 64);
  uint8_t* at = aligned.data() + (64 - reinterpret_cast<uintptr_t>(aligned.data()) % 64) % 64;
  std::memcpy(at, made.file.data(), made.file.size());
  ASSERT_EQ(octet_model_load_buffer(at, made.file.size(), nullptr, &model), OCTET_OK);
  octet_tensor_info info;
  info.struct_size = sizeof info;
  ASSERT_EQ(octet_model_input_info(model, 0, &info), OCTET_OK);
  EXPECT_EQ(info.type, OCTET_FLOAT32);
  ASSERT_EQ(octet_model_output_info(model, 0, &info), OCTET_OK);
  EXPECT_EQ(info.type, OCTET_FLOAT32);
  octet_model_destroy(model);
}

TEST(Quantize, MixedPrecisionReachesItsGoal) {
  const Graph graph = Classifier();
  QuantizeOptions ends;
  ends.float_outputs = true;  // else the output's own 8 bits are what limits it
  const Made int8 = Quantized(graph, ends);
  ASSERT_EQ(int8.status, OCTET_OK);
  for (const auto fallback : {compiler::Fallback::kInt16, compiler::Fallback::kFloat}) {
    QuantizeOptions options = ends;
    options.fallback = fallback;
    // With int16 activations the weights keep their 8 bits, and most of the error here is theirs.
    options.min_sqnr_db =
        int8.report.output_sqnr_db + (fallback == compiler::Fallback::kInt16 ? 0.1 : 2);
    const Made mixed = Quantized(graph, options);
    ASSERT_EQ(mixed.status, OCTET_OK) << octet_last_error();
    EXPECT_TRUE(mixed.report.reached_goals);
    EXPECT_GE(mixed.report.output_sqnr_db, options.min_sqnr_db);
    size_t kept = 0, rest = 0;
    for (const auto& layer : mixed.report.layers) ++(layer.precision == "int8" ? rest : kept);
    EXPECT_GT(kept, 0u);
    if (fallback == compiler::Fallback::kFloat) {
      EXPECT_GT(rest, 0u);
    }
  }
  QuantizeOptions hopeless;
  hopeless.min_sqnr_db = 200;
  const Made missed = Quantized(graph, hopeless);
  ASSERT_EQ(missed.status, OCTET_OK);
  EXPECT_FALSE(missed.report.reached_goals);
}

TEST(Quantize, KeepsNamedOperators) {
  Graph graph = Classifier();
  QuantizeOptions options;
  options.keep = {graph.ops[0].name};
  // Its RELU is fused into it and gives it its name.
  EXPECT_EQ(Quantized(graph, options).status, OCTET_INVALID_ARGUMENT);
  options.keep = {graph.ops[1].name};
  const Made made = Quantized(graph, options);
  ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
  EXPECT_EQ(made.report.layers[1].precision, "float32");
}

TEST(Quantize, ReportsSparsity) {
  Maker m;
  m.graph.inputs = {m.Tensor({1, 64})};
  std::vector<float> weights(4 * 64, 0);
  for (size_t i = 0; i < weights.size(); i += 4) weights[i] = 1 + static_cast<float>(i);
  const int32_t w = m.graph.AddConstant("w", DType::FLOAT32, {4, 64}, weights.data());
  m.graph.outputs = {m.Add(OpKind::FULLY_CONNECTED, {m.graph.inputs[0], w, -1}, {1, 4},
                           fb::FullyConnectedOptionsT())};
  const Made made = Quantized(m.graph);
  ASSERT_EQ(made.status, OCTET_OK) << octet_last_error();
  EXPECT_DOUBLE_EQ(made.report.layers[1].sparsity, 0.75);
}

TEST(Quantize, WrongDataIsRefusedByName) {
  const Graph graph = Classifier();
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Noise noise(graph);
    noise.bad_index = 5;
    noise.bad_value = bad;
    const Made made = Quantized(graph, QuantizeOptions(), &noise);
    EXPECT_EQ(made.status, OCTET_INVALID_ARGUMENT);
    EXPECT_NE(std::string(octet_last_error()).find("sample 5"), std::string::npos)
        << octet_last_error();
    EXPECT_TRUE(made.file.empty());
  }
  Noise cut(graph);
  cut.short_index = 2;
  EXPECT_EQ(Quantized(graph, QuantizeOptions(), &cut).status, OCTET_INVALID_ARGUMENT);
  EXPECT_NE(std::string(octet_last_error()).find("sample 2"), std::string::npos);
  Noise none(graph, 0);
  EXPECT_EQ(Quantized(graph, QuantizeOptions(), &none).status, OCTET_INVALID_ARGUMENT);
  // Finite inputs, but the model overflows on them.
  Maker m;
  m.graph.inputs = {m.Tensor({1, 8})};
  m.graph.outputs = {m.Append(OpKind::EXP, {m.graph.inputs[0]}, {1, 8})};
  Noise huge(m.graph);
  huge.bad_index = 3;
  huge.bad_value = 1000;
  EXPECT_EQ(Quantized(m.graph, QuantizeOptions(), &huge).status, OCTET_INVALID_MODEL);
  EXPECT_NE(std::string(octet_last_error()).find("sample 3"), std::string::npos);
}

}  // namespace
}  // namespace octet
