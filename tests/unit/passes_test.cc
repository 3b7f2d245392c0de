// Each pass changes what it should, and no output byte.
#include "src/passes/passes.h"

#include <gtest/gtest.h>

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

std::vector<Bytes> RandomInputs(const Graph& g) {
  std::mt19937 random(1);
  std::vector<Bytes> inputs;
  for (const int32_t t : g.inputs) {
    Bytes b(g.tensors[t].bytes());
    for (uint8_t& x : b) x = static_cast<uint8_t>(random());
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
