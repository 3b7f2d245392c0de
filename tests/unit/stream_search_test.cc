// The search for streamed plans on random chains of operators: the smallest arena, limits that are
// met to the byte, and the spare for which time is bought.
#include <gtest/gtest.h>

#include <random>

#include "src/memory/plan.h"
#include "src/memory/stream.h"

namespace octet {
namespace {

IsaSet Scalar() {
  IsaSet isa;
  EXPECT_EQ(ChooseIsa("scalar", &isa), OCTET_OK);
  return isa;
}

// Poolings of stride 1 or 2 and element-wise maps, now and then with a branch around them.
Graph RandomChain(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t n) { return static_cast<int32_t>(random() % n); };
  Graph g;
  const std::vector<uint8_t> table(256);
  const int32_t lut = g.AddConstant("table", DType::INT8, {256}, table.data());
  std::vector<int32_t> shape = {1, 16 + below(24), 8 + below(8), 1 + below(9)};
  const auto tensor = [&] {
    GraphTensor t;
    t.name = "t";
    t.type = DType::INT8;
    t.shape = shape;
    t.scale = {0.5f};
    return g.AddTensor(std::move(t));
  };
  const auto add = [&](OpKind kind, std::vector<int32_t> inputs, auto options) {
    GraphOp op;
    op.kind = kind;
    op.name = "op";
    op.inputs = std::move(inputs);
    op.outputs = {tensor()};
    op.options.Set(options);
    g.ops.push_back(op);
    return op.outputs[0];
  };
  const auto pool = [&](int32_t x, int32_t stride) {
    fb::PoolOptionsT o;
    o.filter_h = o.filter_w = 3;
    o.stride_h = o.stride_w = stride;
    o.pad_top = o.pad_left = 1;
    o.act_min = -128, o.act_max = 127;
    for (size_t i : {1, 2}) shape[i] = (shape[i] - 1) / stride + 1;
    return add(OpKind::MAX_POOL_2D, {x}, o);
  };
  int32_t x = tensor();
  g.inputs = {x};
  for (int i = 0; i < 5; ++i) {
    switch (below(4)) {
      case 0:
        x = add(OpKind::LUT, {x, lut}, fb::LutOptionsT());
        break;
      case 1:
        x = add(OpKind::ADD, {x, pool(x, 1)}, fb::ElementwiseOptionsT());
        break;
      default:
        x = pool(x, 1 + below(2));
    }
  }
  g.outputs = {x};
  return g;
}

struct Found {
  StreamChoice choice;
  Plan plan;
};

TEST(StreamSearch, KeepsItsLimits) {
  int streamed = 0, faster = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    const Graph g = RandomChain(seed);
    ASSERT_EQ(CheckGraph(g), OCTET_OK) << octet_last_error();
    const StreamPlanner planner(g, Scalar(), false);
    Found least;
    ASSERT_TRUE(planner.Best(0, 0, &least.choice, &least.plan));
    EXPECT_EQ(CheckPlan(g, least.plan), OCTET_OK) << octet_last_error();
    EXPECT_LE(least.choice.live_bytes, least.plan.arena_bytes);
    for (const StreamSegment& s : least.choice.segments) streamed += s.band > 0;

    // No limit at or above the least is refused, and none below it that the live bytes exceed.
    const uint64_t arena = least.plan.arena_bytes;
    uint64_t last_time = UINT64_MAX;
    for (const uint64_t limit : {arena, arena + 1, arena + arena / 20, arena + arena / 4}) {
      Found found;
      ASSERT_TRUE(planner.Best(limit, 0, &found.choice, &found.plan)) << limit;
      EXPECT_EQ(CheckPlan(g, found.plan), OCTET_OK) << octet_last_error();
      EXPECT_LE(found.plan.arena_bytes, limit);
      EXPECT_LE(found.choice.time, least.choice.time);
      last_time = found.choice.time;
    }
    faster += last_time < least.choice.time;
    Found none;
    EXPECT_FALSE(planner.Best(planner.SmallestLimit() - 1, 0, &none.choice, &none.plan));

    // What is spared buys time, and less than was allowed.
    Found spare;
    ASSERT_TRUE(planner.Best(0, 25, &spare.choice, &spare.plan));
    EXPECT_LE(spare.plan.arena_bytes, arena + arena / 4);
    EXPECT_LE(spare.choice.time, least.choice.time);
    if (spare.plan.arena_bytes > arena) {
      EXPECT_LT(spare.choice.time, least.choice.time);
    }

    // The same again.
    Found again;
    ASSERT_TRUE(planner.Best(0, 25, &again.choice, &again.plan));
    EXPECT_EQ(again.choice.segments, spare.choice.segments);
    EXPECT_EQ(again.plan.arena_bytes, spare.plan.arena_bytes);
  }
  // Else nothing was tested.
  EXPECT_GT(streamed, 12);
  EXPECT_GT(faster, 2);
}

// The account that the search goes by: a whole layer costs its weights and one step.
TEST(StreamSearch, CountsSteps) {
  const Graph g = RandomChain(1);
  const StreamPlanner planner(g, Scalar(), false);
  StreamChoice whole, least;
  ASSERT_TRUE(planner.Choose(UINT64_MAX, 0, &whole));
  ASSERT_TRUE(planner.Choose(planner.SmallestLimit(), 0, &least));
  EXPECT_EQ(whole.traffic, planner.LayerTraffic());
  EXPECT_EQ((whole.time - whole.traffic) % g.ops.size(), 0u);
  EXPECT_GT(whole.time, whole.traffic);
  EXPECT_GT(least.time, whole.time);
  EXPECT_LT(least.live_bytes, whole.live_bytes);
}

}  // namespace
}  // namespace octet
