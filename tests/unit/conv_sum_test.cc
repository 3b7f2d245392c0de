// CONV_2D with a sum behind it: the bytes of CONV_2D and ADD one after the other, with every
// kernel, whole and in bands, over the other tensor, on two threads; and what check refuses.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "src/compiler/evaluate.h"
#include "src/cpu/cpu.h"
#include "src/passes/passes.h"

namespace octet {
namespace {

using Bytes = std::vector<uint8_t>;

struct Case {
  int32_t batch, height, width, in_c, out_c, kernel, stride;
};

struct Network {
  Graph graph;
  int32_t x, other, result, sum;
};

int32_t AddInt8(Graph* g, std::vector<int32_t> shape, float scale, int32_t zero_point) {
  GraphTensor t;
  t.name = "t" + std::to_string(g->tensors.size());
  t.type = DType::INT8;
  t.shape = std::move(shape);
  t.scale = {scale};
  t.zero_point = zero_point;
  return g->AddTensor(std::move(t));
}

GraphOp MakeOp(OpKind kind, std::vector<int32_t> inputs, int32_t output) {
  GraphOp op;
  op.kind = kind;
  op.name = "op";
  op.inputs = std::move(inputs);
  op.outputs = {output};
  return op;
}

Network MakeNetwork(const Case& c, bool conv_first) {
  Network n;
  Graph& g = n.graph;
  const int32_t out_h = (c.height + c.stride - 1) / c.stride;
  const int32_t out_w = (c.width + c.stride - 1) / c.stride;
  n.x = AddInt8(&g, {c.batch, c.height, c.width, c.in_c}, 0.05f, -3);
  n.other = AddInt8(&g, {c.batch, out_h, out_w, c.out_c}, 0.07f, 11);
  n.result = AddInt8(&g, {c.batch, out_h, out_w, c.out_c}, 0.04f, 5);
  n.sum = AddInt8(&g, {c.batch, out_h, out_w, c.out_c}, 0.09f, -20);
  std::mt19937 random(static_cast<uint32_t>(c.out_c + c.kernel));
  Bytes weights(static_cast<size_t>(c.out_c * c.kernel * c.kernel * c.in_c));
  for (uint8_t& w : weights) w = static_cast<uint8_t>(random());
  const int32_t w =
      g.AddConstant("w", DType::INT8, {c.out_c, c.kernel, c.kernel, c.in_c}, weights.data());
  g.tensors[static_cast<size_t>(w)].scale = {0.05f / static_cast<float>(c.kernel * c.in_c)};
  fb::Conv2DOptionsT conv;
  conv.stride_h = conv.stride_w = c.stride;
  conv.pad_top = conv.pad_left = c.kernel / 2;
  conv.act_min = -100;
  conv.act_max = 90;
  g.ops.push_back(MakeOp(OpKind::CONV_2D, {n.x, w, -1}, n.result));
  g.ops.back().options.Set(conv);
  fb::ElementwiseOptionsT add;
  add.act_min = -90;
  add.act_max = 70;
  g.ops.push_back(MakeOp(
      OpKind::ADD, {conv_first ? n.result : n.other, conv_first ? n.other : n.result}, n.sum));
  g.ops.back().options.Set(add);
  g.inputs = {n.x, n.other};
  g.outputs = {n.sum};
  return n;
}

int Fuse(Graph* graph) {
  std::vector<std::string> log;
  const int count = SumPass(graph, &log);
  EXPECT_EQ(log.size(), count > 0 ? 1u : 0u);
  EXPECT_EQ(CheckGraph(*graph), OCTET_OK) << octet_last_error();
  return count;
}

constexpr Case kCases[] = {
    {1, 9, 40, 8, 24, 1, 1},  {1, 31, 32, 16, 16, 3, 1}, {1, 7, 7, 96, 160, 1, 1},
    {1, 12, 11, 3, 5, 3, 2},  {2, 6, 5, 4, 33, 3, 1},    {1, 1, 1, 7, 3, 1, 1},
    {1, 3, 300, 4, 20, 1, 1}, {1, 40, 7, 16, 32, 5, 1},  {1, 7, 7, 640, 160, 1, 1},
};

// Runs the fused operator by itself: `bands` bands of rows, on `threads` threads, the output over
// the other tensor or not.
Bytes RunFused(const Network& n, const GraphOp& op, IsaSet isa, const std::vector<Bytes>& inputs,
               int32_t bands, size_t threads, bool over) {
  const GraphOpView view(n.graph, op);
  const OpDef& def = *FindOp(op.kind);
  const int32_t rows = RowCount(view.view().out());
  Binding b;
  b.step_rows = bands > 1 ? (rows + bands - 1) / bands : 0;
  def.bind(view.view(), isa, &b);
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  std::vector<Line> params(b.params_bytes / 64 + 1), pack(b.pack_bytes / 64 + 1);
  std::vector<Line> scratch(threads * (b.scratch_bytes / 64 + 1));
  std::memset(static_cast<void*>(params.data()), 0, params.size() * sizeof(Line));
  std::memset(static_cast<void*>(pack.data()), 0, pack.size() * sizeof(Line));
  def.init(view.view(), b, params.data());
  def.pack(view.view(), b, params.data(), pack.data());
  Bytes x = inputs[0], other = inputs[1], sum(inputs[1].size());
  const uint8_t* weights = n.graph.tensors[static_cast<size_t>(op.inputs[1])].data->data();
  const Buffer in[] = {
      {x.data(), 0}, {const_cast<uint8_t*>(weights), 0}, {nullptr, 0}, {other.data(), 0}};
  const Buffer out = {over ? other.data() : sum.data(), 0};
  RunContext c;
  c.params = params.data();
  c.pack = pack.data();
  c.inputs = in;
  c.outputs = &out;
  c.scratch = scratch[0].bytes;
  c.scratch_stride = (b.scratch_bytes / 64 + 1) * 64;
  std::vector<Line> crew_memory(Crew::ThreadBytes(threads) / 64 + 1);
  Crew crew;
#if OCTET_WITH_PTHREADPOOL
  EXPECT_TRUE(threads == 1 || crew.Start(threads, crew_memory.data()));
#else
  threads = 1;
#endif
  c.threads.count = threads;
  c.threads.crew = threads == 1 ? nullptr : &crew;
  const auto run = [&] {
    for (int32_t i = 0; i < bands; ++i) {
      c.rows = {rows * i / bands, rows * (i + 1) / bands};
      if (c.rows.begin == c.rows.end) continue;
      EXPECT_EQ(b.run(c), OCTET_OK);
    }
  };
  if (threads == 1) {
    run();
  } else {
    crew.Lead([](void* body) { (*static_cast<decltype(&run)>(body))(); },
              const_cast<void*>(static_cast<const void*>(&run)));
    crew.Stop();
  }
  return over ? other : sum;
}

std::vector<IsaSet> Sets() {
  std::vector<IsaSet> sets = {IsaSet{}};
  const IsaSet here = DetectIsa();
  for (uint32_t bit = 1; bit != 0 && bit <= here.bits; bit <<= 1) {
    if ((here.bits & bit) != 0) sets.push_back(IsaSet{here.bits & (2 * bit - 1)});
  }
  return sets;
}

TEST(ConvSum, GivesTheBytesOfTwoOperators) {
  for (const Case& c : kCases) {
    Network n = MakeNetwork(c, c.in_c % 2 == 0);
    std::mt19937 random(7);
    std::vector<Bytes> inputs, wanted;
    for (const int32_t t : n.graph.inputs) {
      Bytes bytes(n.graph.tensors[static_cast<size_t>(t)].bytes());
      for (uint8_t& v : bytes) v = static_cast<uint8_t>(random());
      inputs.push_back(std::move(bytes));
    }
    ASSERT_EQ(Evaluate(n.graph, inputs, &wanted), OCTET_OK) << octet_last_error();
    ASSERT_EQ(Fuse(&n.graph), 1);
    ASSERT_EQ(n.graph.ops.size(), 1u);
    std::vector<Bytes> whole;
    ASSERT_EQ(Evaluate(n.graph, inputs, &whole), OCTET_OK) << octet_last_error();
    EXPECT_EQ(whole, wanted);
    for (const IsaSet isa : Sets()) {
      for (const int32_t bands : {1, 3, 64}) {
        for (const size_t threads : {1, 2}) {
          for (const bool over : {false, true}) {
            EXPECT_EQ(RunFused(n, n.graph.ops[0], isa, inputs, bands, threads, over), wanted[0])
                << c.height << "x" << c.width << "x" << c.in_c << " to " << c.out_c << ", isa "
                << isa.bits << ", " << bands << " bands, " << threads << " threads";
          }
        }
      }
    }
  }
}

TEST(ConvSum, StaysApartWhereSomeoneElseReadsTheResult) {
  Network output = MakeNetwork(kCases[0], true);
  output.graph.outputs.push_back(output.result);
  EXPECT_EQ(Fuse(&output.graph), 0);
  Network twice = MakeNetwork(kCases[0], true);
  twice.graph.ops[1].inputs = {twice.result, twice.result};
  EXPECT_EQ(Fuse(&twice.graph), 0);
}

TEST(ConvSum, OfTwoConvolutionsTheLaterTakesTheSum) {
  Network n = MakeNetwork({1, 4, 4, 8, 8, 1, 1}, true);
  GraphOp second = n.graph.ops[0];
  const int32_t shortcut = AddInt8(&n.graph, {1, 4, 4, 8}, 0.02f, 0);
  second.outputs = {shortcut};
  n.graph.ops.insert(n.graph.ops.begin() + 1, second);
  n.graph.ops[2].inputs = {n.result, shortcut};
  n.graph.inputs = {n.x};
  EXPECT_EQ(Fuse(&n.graph), 1);
  ASSERT_EQ(n.graph.ops.size(), 2u);
  EXPECT_EQ(n.graph.ops[0].inputs.size(), 3u);
  EXPECT_EQ(n.graph.ops[1].inputs.size(), 4u);
}

TEST(ConvSum, RefusesWhatItCannotAdd) {
  Network n = MakeNetwork(kCases[0], true);
  ASSERT_EQ(Fuse(&n.graph), 1);
  const auto refused = [&](const std::function<void(Graph&, fb::Conv2DOptionsT&)>& edit) {
    Graph g = n.graph;
    edit(g, *g.ops[0].options.AsConv2DOptions());
    return !Accepted(g, g.ops[0]);
  };
  using Options = fb::Conv2DOptionsT;
  EXPECT_FALSE(refused([](Graph&, Options&) {}));
  for (const float bad : {0.f, -1.f, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), 1e30f}) {
    EXPECT_TRUE(refused([&](Graph&, Options& o) { o.result_scale = bad; })) << bad;
  }
  EXPECT_TRUE(refused([](Graph&, Options& o) { o.result_zero_point = 128; }));
  EXPECT_TRUE(refused([](Graph&, Options& o) { o.result_zero_point = INT32_MIN; }));
  EXPECT_TRUE(refused([](Graph&, Options& o) { o.sum_min = 3, o.sum_max = 2; }));
  EXPECT_TRUE(refused([](Graph&, Options& o) { o.sum_min = 128; }));
  const size_t other = static_cast<size_t>(n.other);
  EXPECT_TRUE(refused([&](Graph& g, Options&) { g.tensors[other].shape[1] = 1; }));
  EXPECT_TRUE(refused([&](Graph& g, Options&) { g.tensors[other].type = DType::INT16; }));
  EXPECT_TRUE(refused([&](Graph& g, Options&) { g.tensors[other].scale.clear(); }));
  EXPECT_TRUE(refused([&](Graph& g, Options&) { g.ops[0].inputs.push_back(n.other); }));
}

}  // namespace
}  // namespace octet
