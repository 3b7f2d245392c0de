// Each pass changes what it should, and no output byte.
#include "src/passes/passes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "src/compiler/evaluate.h"

namespace octet {
namespace {

using Bytes = std::vector<uint8_t>;

GraphTensor Quantised(const char* name, std::vector<int32_t> shape, float scale, int32_t zero,
                      DType type = DType::INT8) {
  GraphTensor t;
  t.name = name;
  t.type = type;
  t.shape = std::move(shape);
  if (scale != 0) t.scale = {scale};
  t.zero_point = zero;
  return t;
}

GraphOp Op(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  GraphOp op;
  op.kind = kind;
  op.name = "op";
  op.inputs = std::move(inputs);
  op.outputs = std::move(outputs);
  return op;
}

template <class Options>
GraphOp Op(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
           Options options) {
  GraphOp op = Op(kind, std::move(inputs), std::move(outputs));
  op.options.Set(std::move(options));
  return op;
}

// Random bytes become numbers in [-1, 1).
void SmallFloats(Bytes* bytes) {
  for (size_t i = 0; i < bytes->size(); i += sizeof(float)) {
    int32_t v;
    std::memcpy(&v, bytes->data() + i, sizeof v);
    const float f = static_cast<float>(v) / 2147483648.f;
    std::memcpy(bytes->data() + i, &f, sizeof f);
  }
}

std::vector<Bytes> RandomInputs(const Graph& g) {
  std::mt19937 random(1);
  std::vector<Bytes> inputs;
  for (const int32_t t : g.inputs) {
    Bytes b(g.tensors[t].bytes());
    for (uint8_t& x : b) x = static_cast<uint8_t>(random());
    if (g.tensors[t].type == DType::FLOAT32) SmallFloats(&b);
    inputs.push_back(std::move(b));
  }
  return inputs;
}

// Runs a pass and checks that the graph stays valid and returns the same bytes.
template <class Pass>
int Apply(Graph* g, Pass pass) {
  EXPECT_EQ(CheckGraph(*g), OCTET_OK) << octet_last_error();
  const std::vector<Bytes> inputs = RandomInputs(*g);
  std::vector<Bytes> before, after;
  EXPECT_EQ(Evaluate(*g, inputs, &before), OCTET_OK) << octet_last_error();
  std::vector<std::string> log;
  const int changes = pass(g, &log);
  EXPECT_EQ(CheckGraph(*g), OCTET_OK) << octet_last_error();
  EXPECT_EQ(Evaluate(*g, inputs, &after), OCTET_OK) << octet_last_error();
  EXPECT_EQ(before, after);
  EXPECT_EQ(changes > 0, !log.empty());
  return changes;
}

int ApplyAll(Graph* g) {
  return Apply(g, [](Graph* graph, std::vector<std::string>* log) {
    RunPasses(graph, log);
    return static_cast<int>(log->size());
  });
}

int32_t Table(Graph* g, int (*f)(int)) {
  Bytes table(256);
  for (int i = 0; i < 256; ++i) {
    table[i] = static_cast<uint8_t>(f(i < 128 ? i : i - 256));
  }
  return g->AddConstant("table", DType::UINT8, {256}, table.data());
}

int32_t Scalar(Graph* g, int8_t value, float scale, int32_t zero) {
  const int32_t t = g->AddConstant("scalar", DType::INT8, {}, &value);
  g->tensors[t].scale = {scale};
  g->tensors[t].zero_point = zero;
  return t;
}

TEST(TablePass, ChainsBecomeOneTable) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {1, 5, 7}, 0.1f, 3));
  const int32_t a = g.AddTensor(Quantised("a", {1, 5, 7}, 0.05f, -4));
  const int32_t b = g.AddTensor(Quantised("b", {1, 5, 7}, 0.07f, 9));
  const int32_t c = g.AddTensor(Quantised("c", {1, 5, 7}, 0.07f, 9));
  const int32_t d = g.AddTensor(Quantised("d", {1, 5, 7}, 0.3f, 0));
  g.inputs = {x};
  g.outputs = {d};
  g.ops.push_back(Op(OpKind::MUL, {x, Scalar(&g, 50, 0.02f, -1)}, {a}, fb::ElementwiseOptionsT()));
  g.ops.push_back(Op(OpKind::SUB, {Scalar(&g, 20, 0.02f, 4), a}, {b}, fb::ElementwiseOptionsT()));
  g.ops.push_back(
      Op(OpKind::LUT, {b, Table(&g, [](int v) { return -v; })}, {c}, fb::LutOptionsT()));
  g.ops.push_back(Op(OpKind::MUL, {c, c}, {d}, fb::ElementwiseOptionsT()));
  EXPECT_EQ(Apply(&g, TablePass), 1);
  ASSERT_EQ(g.ops.size(), 1u);
  EXPECT_EQ(g.ops[0].kind, OpKind::LUT);
  EXPECT_EQ(g.ops[0].options.AsLutOptions()->origin, "MUL+SUB+LUT+MUL");
  std::vector<std::string> log;
  EXPECT_EQ(TablePass(&g, &log), 0);
}

TEST(TablePass, GoesThroughFloat) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {2, 9}, 0.1f, -128));
  const int32_t f = g.AddTensor(Quantised("f", {2, 9}, 0, 0, DType::FLOAT32));
  const int32_t r = g.AddTensor(Quantised("r", {2, 9}, 0, 0, DType::FLOAT32));
  const int32_t y = g.AddTensor(Quantised("y", {2, 9}, 0.03f, -128));
  g.inputs = {x};
  g.outputs = {y};
  g.ops.push_back(Op(OpKind::DEQUANTIZE, {x}, {f}));
  g.ops.push_back(Op(OpKind::SQRT, {f}, {r}));
  g.ops.push_back(Op(OpKind::QUANTIZE, {r}, {y}));
  EXPECT_EQ(Apply(&g, TablePass), 1);
  EXPECT_EQ(g.ops.size(), 1u);
}

TEST(TablePass, KeepsWhatOthersRead) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {8}, 0.1f, 0));
  const int32_t a = g.AddTensor(Quantised("a", {8}, 0.05f, 0));
  const int32_t b = g.AddTensor(Quantised("b", {8}, 0.05f, 0));
  const int32_t c = g.AddTensor(Quantised("c", {8}, 0.2f, 0));
  g.inputs = {x};
  g.outputs = {c};
  const int32_t negate = Table(&g, [](int v) { return v == -128 ? 127 : -v; });
  g.ops.push_back(Op(OpKind::ADD, {x, Scalar(&g, 5, 0.1f, 0)}, {a}, fb::ElementwiseOptionsT()));
  g.ops.push_back(Op(OpKind::LUT, {a, negate}, {b}, fb::LutOptionsT()));
  g.ops.push_back(Op(OpKind::ADD, {a, b}, {c}, fb::ElementwiseOptionsT()));
  EXPECT_EQ(Apply(&g, TablePass), 1);
  EXPECT_EQ(g.ops.size(), 3u);  // a is read twice: only the first operator became a table
  EXPECT_EQ(g.ops[0].kind, OpKind::LUT);
}

TEST(IdentityPass, DropsCopiesAndKeepsOutputs) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {1, 4, 6}, 0.1f, 0));
  const int32_t a = g.AddTensor(Quantised("a", {1, 4, 6}, 0.1f, 0));
  const int32_t b = g.AddTensor(Quantised("b", {1, 6, 4}, 0.1f, 0));
  const int32_t y = g.AddTensor(Quantised("y", {1, 6, 4}, 0.1f, 0));
  g.inputs = {x};
  g.outputs = {y};
  fb::TransposeOptionsT perm;
  perm.perm = {0, 2, 1};
  g.ops.push_back(Op(OpKind::RESHAPE, {x}, {a}));
  g.ops.push_back(Op(OpKind::TRANSPOSE, {a}, {b}, perm));
  g.ops.push_back(Op(OpKind::LUT, {b, Table(&g, [](int v) { return v; })}, {y}, fb::LutOptionsT()));
  EXPECT_EQ(Apply(&g, IdentityPass), 2);
  ASSERT_EQ(g.ops.size(), 1u);
  EXPECT_EQ(g.tensors[g.outputs[0]].name, "y");
}

TEST(IdentityPass, TransposeOfOnesBecomesReshape) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {1, 4, 6}, 0.1f, 0));
  const int32_t y = g.AddTensor(Quantised("y", {4, 1, 6}, 0.1f, 0));
  g.inputs = {x};
  g.outputs = {y};
  fb::TransposeOptionsT perm;
  perm.perm = {1, 0, 2};
  g.ops.push_back(Op(OpKind::TRANSPOSE, {x}, {y}, perm));
  EXPECT_EQ(Apply(&g, IdentityPass), 1);
  ASSERT_EQ(g.ops.size(), 1u);
  EXPECT_EQ(g.ops[0].kind, OpKind::RESHAPE);
}

TEST(IdentityPass, LeavesAnInputThatIsAnOutput) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {4}, 0.1f, 0));
  const int32_t y = g.AddTensor(Quantised("y", {4}, 0.1f, 0));
  g.inputs = {x};
  g.outputs = {y};
  g.ops.push_back(Op(OpKind::RESHAPE, {x}, {y}));
  EXPECT_EQ(Apply(&g, IdentityPass), 0);
}

TEST(FoldConstantsPass, ComputesConstants) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {3}, 0.1f, 0));
  const int8_t values[3] = {1, -50, 100};
  const int32_t p = g.AddConstant("p", DType::INT8, {3}, values);
  g.tensors[p].scale = {0.1f};
  const int32_t q = g.AddTensor(Quantised("q", {3}, 0.2f, 1));
  const int32_t y = g.AddTensor(Quantised("y", {3}, 0.2f, 1));
  g.inputs = {x};
  g.outputs = {y};
  g.ops.push_back(Op(OpKind::ADD, {p, p}, {q}, fb::ElementwiseOptionsT()));
  g.ops.push_back(Op(OpKind::ADD, {x, q}, {y}, fb::ElementwiseOptionsT()));
  EXPECT_EQ(Apply(&g, FoldConstantsPass), 1);
  EXPECT_EQ(g.ops.size(), 1u);
}

TEST(ClampPass, FusesIntoTheProducer) {
  for (const bool same_scale : {true, false}) {
    Graph g;
    const int32_t x = g.AddTensor(Quantised("x", {64}, 0.1f, 0));
    const int32_t z = g.AddTensor(Quantised("z", {64}, 0.1f, 0));
    const int32_t a = g.AddTensor(Quantised("a", {64}, 0.2f, -10));
    const int32_t y = g.AddTensor(Quantised("y", {64}, same_scale ? 0.2f : 0.1f, -10));
    g.inputs = {x, z};
    g.outputs = {y};
    const int32_t relu = Table(&g, [](int v) { return v < -10 ? -10 : v > 40 ? 40 : v; });
    fb::ElementwiseOptionsT limits;
    limits.act_max = 35;
    g.ops.push_back(Op(OpKind::ADD, {x, z}, {a}, limits));
    g.ops.push_back(Op(OpKind::LUT, {a, relu}, {y}, fb::LutOptionsT()));
    EXPECT_EQ(Apply(&g, ClampPass), same_scale ? 1 : 0);
    if (!same_scale) continue;
    ASSERT_EQ(g.ops.size(), 1u);
    EXPECT_EQ(g.ops[0].options.AsElementwiseOptions()->act_min, -10);
    EXPECT_EQ(g.ops[0].options.AsElementwiseOptions()->act_max, 35);
  }
}

TEST(PadPass, FusesIntoAConvolution) {
  for (const int32_t fill : {7, 0}) {
    Graph g;
    const int32_t x = g.AddTensor(Quantised("x", {1, 6, 5, 3}, 0.1f, 7));
    const int32_t p = g.AddTensor(Quantised("p", {1, 9, 7, 3}, 0.1f, 7));
    const int32_t y = g.AddTensor(Quantised("y", {1, 4, 3, 4}, 0.5f, 1));
    std::mt19937 random(2);
    Bytes weights(4 * 3 * 3 * 3);
    for (uint8_t& w : weights) w = static_cast<uint8_t>(random());
    const int32_t w = g.AddConstant("w", DType::INT8, {4, 3, 3, 3}, weights.data());
    g.tensors[w].scale = {0.01f};
    g.inputs = {x};
    g.outputs = {y};
    fb::PadOptionsT pad;
    pad.before = {0, 1, 1, 0};
    pad.after = {0, 2, 1, 0};
    pad.value = fill;
    fb::Conv2DOptionsT conv;
    conv.stride_h = conv.stride_w = 2;
    g.ops.push_back(Op(OpKind::PAD, {x}, {p}, pad));
    g.ops.push_back(Op(OpKind::CONV_2D, {p, w, -1}, {y}, conv));
    EXPECT_EQ(ApplyAll(&g) > 0, fill == 7);
    EXPECT_EQ(g.ops.size(), fill == 7 ? 1u : 2u);
  }
}

// What a depthwise convolution may be made of.
struct Depthwise {
  DType type = DType::INT8, bias = DType::INT32;  // bias NONE: none
  bool per_channel = true;
  int32_t weight_zero_point = 0;
  bool legacy_u8 = false;
  int32_t batch = 1, in_h = 7, in_w = 6, in_c = 1, channels = 8;  // of the output
  int32_t kernel_h = 3, kernel_w = 3, stride = 1, dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 1, pad_left = 1;
};

int32_t Ceil(int32_t a, int32_t b) { return a <= 0 ? 1 : (a + b - 1) / b; }

// x -> DEPTHWISE_CONV_2D -> y, of random weights.
Graph MakeDepthwise(const Depthwise& d, std::mt19937& random) {
  Graph g;
  const bool real = d.type == DType::FLOAT32;
  const int32_t zero = d.type == DType::INT8 ? 5 : 0;
  const int32_t out_h = Ceil(d.in_h + d.pad_top - (d.kernel_h - 1) * d.dilation_h, d.stride);
  const int32_t out_w = Ceil(d.in_w + d.pad_left - (d.kernel_w - 1) * d.dilation_w, d.stride);
  const int32_t x = g.AddTensor(
      Quantised("x", {d.batch, d.in_h, d.in_w, d.in_c}, real ? 0 : 0.05f, -2 * zero, d.type));
  const int32_t y = g.AddTensor(
      Quantised("y", {d.batch, out_h, out_w, d.channels}, real ? 0 : 0.11f, zero, d.type));
  const auto constant = [&](const char* name, DType type, std::vector<int32_t> shape) {
    const int32_t t = g.AddTensor(Quantised(name, std::move(shape), 0, 0, type));
    Bytes b(g.tensors[t].bytes());
    for (uint8_t& v : b) v = static_cast<uint8_t>(random());
    if (type == DType::FLOAT32) SmallFloats(&b);
    // Biases of integers: a few thousand at most.
    const size_t size = TypeBytes(type);
    for (size_t i = 0; size > 1 && !real && i < b.size(); ++i) {
      if (i % size == 1) b[i] &= 0x0F;
      if (i % size > 1) b[i] = 0;
    }
    g.tensors[t].data = std::make_shared<Bytes>(std::move(b));
    return t;
  };
  const int32_t w =
      constant("w", real ? DType::FLOAT32 : DType::INT8, {1, d.kernel_h, d.kernel_w, d.channels});
  const int32_t bias = d.bias == DType::NONE ? -1 : constant("bias", d.bias, {d.channels});
  if (!real) {
    GraphTensor& weights = g.tensors[w];
    weights.zero_point = d.weight_zero_point;
    weights.axis = d.per_channel ? 3 : 0;
    const int32_t scales = d.per_channel ? d.channels : 1;
    for (int32_t i = 0; i < scales; ++i) {
      weights.scale.push_back(0.004f + 0.00001f * static_cast<float>(random() % 1000));
    }
  }
  fb::Conv2DOptionsT o;
  o.stride_h = o.stride_w = d.stride;
  o.dilation_h = d.dilation_h, o.dilation_w = d.dilation_w;
  o.pad_top = d.pad_top, o.pad_left = d.pad_left;
  o.act_min = -100, o.act_max = 110;
  o.act_min_f = -0.9f, o.act_max_f = 0.8f;
  o.legacy_u8 = d.legacy_u8;
  g.inputs = {x};
  g.outputs = {y};
  g.ops.push_back(Op(OpKind::DEPTHWISE_CONV_2D, {x, w, bias}, {y}, o));
  return g;
}

TEST(OneChannelPass, KeepsTheBytesOfEveryType) {
  std::vector<Depthwise> kinds(8);
  kinds[1].per_channel = false;
  kinds[2].per_channel = false, kinds[2].weight_zero_point = -37, kinds[2].legacy_u8 = true;
  kinds[3].bias = DType::NONE;
  kinds[4].type = DType::INT16, kinds[4].bias = DType::INT64;
  kinds[5].type = DType::INT16, kinds[5].per_channel = false;
  kinds[6].type = kinds[6].bias = DType::FLOAT32;
  kinds[7].type = DType::FLOAT32, kinds[7].bias = DType::NONE;
  std::mt19937 random(7);
  const auto from = [&](int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
  };
  for (size_t k = 0; k < kinds.size(); ++k) {
    for (int i = 0; i < 40; ++i) {
      Depthwise d = kinds[k];
      d.batch = from(1, 2);
      d.in_h = from(1, 12), d.in_w = from(1, 20);
      d.channels = i % 4 == 0 ? 1 : from(1, 40);
      d.kernel_h = from(1, 6), d.kernel_w = from(1, 9);
      d.stride = from(1, 3);
      d.dilation_h = from(1, 2), d.dilation_w = from(0, 3) == 0 ? 2 : 1;
      d.pad_top = from(0, d.kernel_h), d.pad_left = from(0, d.kernel_w);
      SCOPED_TRACE(testing::Message()
                   << "kind " << k << ", " << d.in_h << "x" << d.in_w << ", " << d.kernel_h << "x"
                   << d.kernel_w << ", " << d.channels << " channels, stride " << d.stride
                   << ", dilation " << d.dilation_w);
      Graph g = MakeDepthwise(d, random);
      const bool pays = (d.dilation_w == 1 ? d.kernel_w : 1) * d.channels >= 4;
      EXPECT_EQ(Apply(&g, OneChannelPass), pays ? 1 : 0);
      EXPECT_EQ(g.ops[0].kind, pays ? OpKind::CONV_2D : OpKind::DEPTHWISE_CONV_2D);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(OneChannelPass, LeavesSeveralChannels) {
  std::mt19937 random(8);
  Depthwise d;
  d.in_c = 2;
  Graph g = MakeDepthwise(d, random);
  EXPECT_EQ(Apply(&g, OneChannelPass), 0);
  EXPECT_EQ(g.ops[0].kind, OpKind::DEPTHWISE_CONV_2D);
}

TEST(OneChannelPass, LeavesWeightsThatAreNoConstants) {
  std::mt19937 random(9);
  Graph g = MakeDepthwise(Depthwise(), random);
  g.tensors[g.ops[0].inputs[1]].data = nullptr;
  g.inputs.push_back(g.ops[0].inputs[1]);
  std::vector<std::string> log;
  EXPECT_EQ(OneChannelPass(&g, &log), 0);
  EXPECT_EQ(g.ops[0].kind, OpKind::DEPTHWISE_CONV_2D);
}

// One constant, read by two operators of one channel and one of eight.
TEST(OneChannelPass, LeavesSharedWeightsToOthers) {
  std::mt19937 random(10);
  Graph g = MakeDepthwise(Depthwise(), random);
  const Bytes weights = *g.tensors[g.ops[0].inputs[1]].data;
  const GraphOp first = g.ops[0];
  const auto again = [&](int32_t x) {
    GraphOp op = first;
    const GraphTensor& in = g.tensors[x];
    const GraphTensor& out = g.tensors[first.outputs[0]];
    GraphTensor y = out;
    y.shape = {1, out.shape[1] + in.shape[1] - 7, out.shape[2] + in.shape[2] - 6, 8};
    op.inputs[0] = x;
    op.outputs = {g.AddTensor(std::move(y))};
    g.outputs.push_back(op.outputs[0]);
    g.ops.push_back(op);
  };
  again(g.inputs[0]);
  again(first.outputs[0]);
  EXPECT_EQ(Apply(&g, OneChannelPass), 2);
  ASSERT_EQ(g.ops.size(), 3u);
  EXPECT_EQ(g.ops[0].kind, OpKind::CONV_2D);
  EXPECT_EQ(g.ops[1].kind, OpKind::CONV_2D);
  EXPECT_EQ(g.ops[2].kind, OpKind::DEPTHWISE_CONV_2D);
  EXPECT_EQ(g.ops[0].inputs[1], g.ops[1].inputs[1]);
  const GraphTensor& dense = g.tensors[g.ops[0].inputs[1]];
  EXPECT_EQ(dense.shape, (std::vector<int32_t>{8, 3, 3, 1}));
  EXPECT_EQ(dense.axis, 0);
  const GraphTensor& kept = g.tensors[g.ops[2].inputs[1]];
  EXPECT_EQ(kept.shape, (std::vector<int32_t>{1, 3, 3, 8}));
  EXPECT_EQ(kept.axis, 3);
  EXPECT_EQ(*kept.data, weights);
}

TEST(OneChannelPass, LetsSumsIn) {
  std::mt19937 random(11);
  Graph g = MakeDepthwise(Depthwise(), random);
  const GraphTensor y = g.tensors[g.outputs[0]];
  const int32_t other = g.AddTensor(y), sum = g.AddTensor(y);
  g.inputs.push_back(other);
  g.ops.push_back(Op(OpKind::ADD, {g.outputs[0], other}, {sum}, fb::ElementwiseOptionsT()));
  g.outputs = {sum};
  EXPECT_GT(ApplyAll(&g), 0);
  ASSERT_EQ(g.ops.size(), 1u);
  EXPECT_EQ(g.ops[0].kind, OpKind::CONV_2D);
}

// A distance map as in pose models: [h, w, c] of element-wise operators, broadcast from vectors,
// then used with an image of rank 4.
TEST(MapRowsPass, GivesRowsToMapsBetweenElementwiseOperators) {
  for (const bool read_by_softmax : {false, true}) {
    Graph g;
    const int32_t x = g.AddTensor(Quantised("x", {5}, 0.1f, 3));
    const int32_t image = g.AddTensor(Quantised("image", {1, 4, 3, 5}, 0.2f, -3));
    const int32_t d = g.AddTensor(Quantised("d", {4, 3, 5}, 0.2f, 1));
    const int32_t e = g.AddTensor(Quantised("e", {4, 3, 5}, 0.2f, 1));
    const int32_t y = g.AddTensor(Quantised("y", {1, 4, 3, 5}, 0.3f, 0));
    std::mt19937 random(3);
    Bytes places(12);
    for (uint8_t& v : places) v = static_cast<uint8_t>(random());
    const int32_t w = g.AddConstant("w", DType::INT8, {4, 3, 1}, places.data());
    g.tensors[w].scale = {0.1f};
    const int32_t half = Table(&g, [](int v) { return v / 2; });
    g.inputs = {x, image};
    g.outputs = {y};
    g.ops.push_back(Op(OpKind::SUB, {w, x}, {d}, fb::ElementwiseOptionsT()));
    g.ops.push_back(Op(OpKind::LUT, {d, half}, {e}, fb::LutOptionsT()));
    g.ops.push_back(Op(OpKind::ADD, {image, e}, {y}, fb::ElementwiseOptionsT()));
    if (read_by_softmax) {  // needs the map as it is
      const int32_t z = g.AddTensor(Quantised("z", {4, 3, 5}, 1.f / 256, -128));
      g.outputs.push_back(z);
      g.ops.push_back(Op(OpKind::SOFTMAX, {e}, {z}, fb::SoftmaxOptionsT()));
    }
    EXPECT_EQ(Apply(&g, MapRowsPass), read_by_softmax ? 0 : 2);
    EXPECT_EQ(g.tensors[d].shape.size(), read_by_softmax ? 3u : 4u);
    EXPECT_EQ(g.tensors[e].shape.size(), read_by_softmax ? 3u : 4u);
  }
}

TEST(SinkPass, WidensWhereTheResultIsRead) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {8}, 0.1f, 3));
  const int32_t wide = g.AddTensor(Quantised("wide", {8}, 0, 0, DType::FLOAT32));
  const int32_t a = g.AddTensor(Quantised("a", {8}, 0.1f, 0));
  const int32_t b = g.AddTensor(Quantised("b", {8}, 0, 0, DType::FLOAT32));
  const int32_t y = g.AddTensor(Quantised("y", {8}, 0, 0, DType::FLOAT32));
  g.inputs = {x};
  g.outputs = {y};
  const int32_t negate = Table(&g, [](int v) { return -v; });
  g.ops.push_back(Op(OpKind::DEQUANTIZE, {x}, {wide}));
  g.ops.push_back(Op(OpKind::LUT, {x, negate}, {a}, fb::LutOptionsT()));
  g.ops.push_back(Op(OpKind::DEQUANTIZE, {a}, {b}));
  g.ops.push_back(Op(OpKind::ADD, {wide, b}, {y}, fb::ElementwiseOptionsT()));
  EXPECT_EQ(Apply(&g, SinkPass), 1);
  EXPECT_EQ(g.ops[0].kind, OpKind::LUT);
  EXPECT_EQ(g.ops[2].outputs[0], wide);
  EXPECT_EQ(g.ops[3].kind, OpKind::ADD);
}

TEST(SplitPoolsPass, SumsAFewRowsAtATime) {
  for (const bool mean : {false, true}) {
    Graph g;
    const int32_t x = g.AddTensor(Quantised("x", {1, 26, 5, 40}, 0.1f, 3));
    const int32_t y =
        g.AddTensor(Quantised("y", {1, 1, 1, 40}, mean ? 0.04f : 0.1f, mean ? -7 : 3));
    g.inputs = {x};
    g.outputs = {y};
    if (mean) {
      fb::ReduceOptionsT o;
      o.axes = {-3, 2};
      g.ops.push_back(Op(OpKind::MEAN, {x}, {y}, o));
    } else {
      fb::PoolOptionsT o;
      o.filter_h = 27;
      o.filter_w = 6;
      o.pad_top = o.pad_left = 1;
      o.act_min = -4;
      o.act_max = 20;
      g.ops.push_back(Op(OpKind::AVERAGE_POOL_2D, {x}, {y}, o));
    }
    EXPECT_EQ(Apply(&g, SplitPoolsPass), 1);
    ASSERT_EQ(g.ops.size(), 2u);
    EXPECT_EQ(g.ops[0].kind, OpKind::POOL_SUMS);
    EXPECT_EQ(g.ops[1].kind, mean ? OpKind::MEAN_OF_SUMS : OpKind::AVERAGE_OF_SUMS);
    // 3 rows of 5 bytes and 9 sums of 2: no other height takes less.
    EXPECT_EQ(g.ops[0].options.AsPoolOptions()->filter_h, 3);
    EXPECT_EQ(g.tensors[static_cast<size_t>(g.ops[0].outputs[0])].shape,
              (std::vector<int32_t>{1, 9, 1, 40}));
  }
}

TEST(SplitPoolsPass, LeavesWhatIsNoGlobalAverageOrWouldGrow) {
  const auto split = [](OpKind kind, std::vector<int32_t> image, std::vector<int32_t> out,
                        int32_t filter_h, int32_t stride_h, int32_t pad_top) {
    Graph g;
    g.inputs = {g.AddTensor(Quantised("x", std::move(image), 0.1f, 3))};
    g.outputs = {g.AddTensor(Quantised("y", std::move(out), 0.1f, 3))};
    fb::PoolOptionsT o;
    o.filter_h = filter_h;
    o.filter_w = 300;
    o.stride_h = stride_h;
    o.pad_top = pad_top;
    g.ops.push_back(Op(kind, g.inputs, g.outputs, o));
    return Apply(&g, SplitPoolsPass);
  };
  const OpKind average = OpKind::AVERAGE_POOL_2D;
  EXPECT_EQ(split(average, {1, 8, 6, 4}, {1, 1, 1, 4}, 8, 1, 0), 1);
  EXPECT_EQ(split(average, {1, 8, 6, 4}, {1, 2, 1, 4}, 4, 4, 0), 0);
  EXPECT_EQ(split(average, {1, 8, 6, 4}, {1, 1, 1, 4}, 7, 1, 0), 0);
  EXPECT_EQ(split(average, {1, 8, 6, 4}, {1, 1, 1, 4}, 8, 1, 1), 0);
  EXPECT_EQ(split(average, {2, 8, 6, 4}, {2, 1, 1, 4}, 8, 1, 0), 0);
  EXPECT_EQ(split(average, {1, 8, 256, 4}, {1, 1, 1, 4}, 8, 1, 0), 0);  // sums of a row: 17 bits
  EXPECT_EQ(split(average, {1, 8, 1, 4}, {1, 1, 1, 4}, 8, 1, 0), 0);
  EXPECT_EQ(split(OpKind::MAX_POOL_2D, {1, 8, 6, 4}, {1, 1, 1, 4}, 8, 1, 0), 0);
}

TEST(DeadCodePass, DropsWhatNothingNeeds) {
  Graph g;
  const int32_t x = g.AddTensor(Quantised("x", {8}, 0.1f, 0));
  const int32_t a = g.AddTensor(Quantised("a", {8}, 0.1f, 0));
  const int32_t b = g.AddTensor(Quantised("b", {8}, 0.1f, 0));
  const int32_t y = g.AddTensor(Quantised("y", {8}, 0.1f, 0));
  g.inputs = {x};
  g.outputs = {y};
  const int32_t negate = Table(&g, [](int v) { return -v; });
  g.ops.push_back(Op(OpKind::LUT, {x, negate}, {a}, fb::LutOptionsT()));
  g.ops.push_back(Op(OpKind::LUT, {a, negate}, {b}, fb::LutOptionsT()));
  g.ops.push_back(Op(OpKind::LUT, {x, negate}, {y}, fb::LutOptionsT()));
  EXPECT_EQ(Apply(&g, DeadCodePass), 2);
  EXPECT_EQ(g.ops.size(), 1u);
  EXPECT_EQ(g.tensors.size(), 3u);
}

}  // namespace
}  // namespace octet
