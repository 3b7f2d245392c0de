// The planners on random graphs: every plan passes the checker, none is below the lower bound or
// above the sum of all tensors, and the checker rejects damaged plans.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "src/memory/layout.h"
#include "src/memory/order.h"
#include "src/memory/place.h"
#include "src/memory/plan.h"
#include "src/memory/svg.h"
#include "tests/support/xml_check.h"

namespace octet {
namespace {

GraphTensor Activation(std::vector<int32_t> shape) {
  GraphTensor t;
  t.name = "t";
  t.type = DType::INT8;
  t.shape = std::move(shape);
  t.scale = {0.5f};
  return t;
}

int32_t Output(Graph* g, std::vector<int32_t> shape) {
  return g->AddTensor(Activation(std::move(shape)));
}

GraphOp Op(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  GraphOp op;
  op.kind = kind;
  op.name = "op";
  op.inputs = std::move(inputs);
  op.outputs = std::move(outputs);
  return op;
}

// A graph of LUTs, ADDs, RESHAPEs, CONCATENATIONs, SPLITs, SLICEs and TRANSPOSEs.
Graph RandomGraph(uint32_t seed, int ops) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<int32_t>(random() % n); };
  Graph g;
  std::vector<uint8_t> table(256);
  const int32_t lut = g.AddConstant("table", DType::INT8, {256}, table.data());
  std::vector<int32_t> live;
  for (int i = 0; i < 1 + below(2); ++i) {
    live.push_back(Output(&g, {1, 2 * (1 + below(30)), 1 + below(20)}));
    g.inputs.push_back(live.back());
  }
  for (int i = 0; i < ops; ++i) {
    const int32_t x = live[below(live.size())];
    const std::vector<int32_t> shape = g.tensors[x].shape;
    switch (below(7)) {
      case 0:
      case 1: {
        const int32_t y = Output(&g, shape);
        GraphOp op = Op(OpKind::LUT, {x, lut}, {y});
        op.options.Set(fb::LutOptionsT());
        g.ops.push_back(std::move(op));
        live.push_back(y);
        break;
      }
      case 2: {
        int32_t other = x;
        for (const int32_t t : live) {
          if (g.tensors[t].shape == shape) other = t;
        }
        const int32_t y = Output(&g, shape);
        GraphOp op = Op(OpKind::ADD, {x, other}, {y});
        op.options.Set(fb::ElementwiseOptionsT());
        g.ops.push_back(std::move(op));
        live.push_back(y);
        break;
      }
      case 3: {
        std::vector<int32_t> reshaped = {1, 1};
        for (const int32_t d : shape) reshaped[1] *= d;
        reshaped = below(2) ? std::vector<int32_t>{1, reshaped[1] / 2, 2} : shape;
        if (g.tensors[x].elements() % 2 != 0) reshaped = shape;
        const int32_t y = Output(&g, reshaped);
        g.ops.push_back(Op(OpKind::RESHAPE, {x}, {y}));
        live.push_back(y);
        break;
      }
      case 4: {
        std::vector<int32_t> parts = {x};
        for (const int32_t t : live) {
          if (t != x && g.tensors[t].shape[2] == shape[2] && parts.size() < 3) parts.push_back(t);
        }
        int32_t rows = 0;
        for (const int32_t t : parts) rows += g.tensors[t].shape[1];
        if (rows > 4000) break;
        const int32_t y = Output(&g, {1, rows, shape[2]});
        GraphOp op = Op(OpKind::CONCATENATION, parts, {y});
        fb::AxisOptionsT axis;
        axis.axis = 1;
        op.options.Set(axis);
        g.ops.push_back(std::move(op));
        live.push_back(y);
        break;
      }
      case 5: {
        if (shape[1] % 2 != 0) break;
        const std::vector<int32_t> half = {1, shape[1] / 2, shape[2]};
        const int32_t a = Output(&g, half);
        const int32_t b = Output(&g, half);
        GraphOp op = Op(OpKind::SPLIT, {x}, {a, b});
        fb::AxisOptionsT axis;
        axis.axis = 1;
        op.options.Set(axis);
        g.ops.push_back(std::move(op));
        live.push_back(a);
        live.push_back(b);
        break;
      }
      default: {
        const int32_t y = Output(&g, {1, shape[2], shape[1]});
        GraphOp op = Op(OpKind::TRANSPOSE, {x}, {y});
        fb::TransposeOptionsT perm;
        perm.perm = {0, 2, 1};
        op.options.Set(perm);
        g.ops.push_back(std::move(op));
        live.push_back(y);
      }
    }
    if (live.size() > 6) live.erase(live.begin() + below(live.size()));
  }
  g.outputs.push_back(live.back());
  if (live.size() > 1) g.outputs.push_back(live.front());
  return g;
}

TEST(Planner, RandomGraphs) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(seed);
    Graph g = RandomGraph(seed, 3 + static_cast<int>(seed % 40));
    for (const bool optimize : {false, true}) {
      Graph copy = g;
      Plan plan;
      ASSERT_EQ(PlanMemory(&copy, {optimize}, &plan), OCTET_OK) << octet_last_error();
      EXPECT_EQ(CheckPlan(copy, plan), OCTET_OK) << octet_last_error();
      uint64_t sum = 0;
      for (const GraphTensor& t : copy.tensors) sum += t.bytes() + 64;
      EXPECT_LE(plan.arena_bytes, sum);
      if (!optimize) {
        EXPECT_GE(plan.arena_bytes, plan.bound_bytes);
      }
    }
  }
}

TEST(Planner, IsDeterministic) {
  for (uint32_t seed = 0; seed < 10; ++seed) {
    Graph a = RandomGraph(seed, 30), b = RandomGraph(seed, 30);
    Plan p, q;
    ASSERT_EQ(PlanMemory(&a, {}, &p), OCTET_OK);
    ASSERT_EQ(PlanMemory(&b, {}, &q), OCTET_OK);
    ASSERT_EQ(p.places.size(), q.places.size());
    for (size_t i = 0; i < p.places.size(); ++i) EXPECT_EQ(p.places[i].offset, q.places[i].offset);
  }
}

TEST(Planner, EveryMethodFitsAndRespectsTheBound) {
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const Graph g = RandomGraph(seed, 25);
    for (const bool fine : {false, true}) {
      const Layout layout = MakeLayout(g, kAllViews, true, fine);
      for (const std::string& method : PlacementMethods()) {
        for (const uint32_t alignment : {1u, 16u, 64u}) {
          const Placement p = Place(layout.clusters, method, alignment);
          EXPECT_GE(p.bytes, layout.lower_bound) << method;
          for (size_t i = 0; i < layout.clusters.size(); ++i) {
            EXPECT_EQ(p.bases[i] % alignment, 0u) << method;
          }
        }
      }
      const Placement best = PlaceBest(layout.clusters, layout.lower_bound, true);
      EXPECT_GE(best.bytes, layout.lower_bound);
      for (const std::string& method : PlacementMethods()) {
        EXPECT_LE(best.bytes, Place(layout.clusters, method, 1).bytes) << method;
      }
    }
  }
}

TEST(Planner, FineLayoutsPassTheCheckerToo) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const Graph g = RandomGraph(seed, 30);
    const Layout layout = MakeLayout(g, kAllViews, true, true);
    const Placement p = PlaceBest(layout.clusters, layout.lower_bound, false);
    Plan plan;
    plan.arena_bytes = p.bytes;
    plan.places.resize(g.tensors.size());
    for (size_t i = 0; i < g.tensors.size(); ++i) {
      if (g.tensors[i].is_constant()) continue;
      plan.places[i].place = fb::Place::ARENA;
      if (layout.cluster_of[i] < 0) continue;
      plan.places[i].offset = p.bases[layout.cluster_of[i]] + layout.cluster_offset[i];
      if (layout.views.root[i] != static_cast<int32_t>(i)) {
        plan.places[i].view_of = layout.views.root[i];
      }
    }
    for (const int32_t op : layout.step_ops) plan.steps.push_back(fb::Step(op, 0, -1));
    EXPECT_EQ(CheckPlan(g, plan), OCTET_OK) << seed << ": " << octet_last_error();
  }
}

// x -> LUT chain: everything in place, one buffer.
TEST(Planner, ChainsWorkInPlace) {
  Graph g;
  std::vector<uint8_t> table(256);
  const int32_t lut = g.AddConstant("table", DType::INT8, {256}, table.data());
  int32_t x = Output(&g, {1, 100});
  g.inputs = {x};
  for (int i = 0; i < 5; ++i) {
    const int32_t y = Output(&g, {1, 100});
    GraphOp op = Op(OpKind::LUT, {x, lut}, {y});
    op.options.Set(fb::LutOptionsT());
    g.ops.push_back(std::move(op));
    x = y;
  }
  g.outputs = {x};
  Plan plan;
  ASSERT_EQ(PlanMemory(&g, {}, &plan), OCTET_OK);
  EXPECT_EQ(plan.arena_bytes, 100u);
  EXPECT_EQ(plan.bound_bytes, 200u);
  EXPECT_EQ(CheckPlan(g, plan), OCTET_OK) << octet_last_error();
}

// a and b are made inside their concatenation, which is split again without a copy.
TEST(Planner, ConcatenationAndSplitBecomeViews) {
  Graph g;
  const int32_t x = Output(&g, {1, 8, 10});
  const int32_t a = Output(&g, {1, 10, 8}), b = Output(&g, {1, 10, 8});
  const int32_t z = Output(&g, {1, 20, 8});
  const int32_t p = Output(&g, {1, 10, 8}), q = Output(&g, {1, 10, 8});
  const int32_t y = Output(&g, {1, 10, 8});
  g.inputs = {x};
  g.outputs = {y};
  for (const int32_t out : {a, b}) {
    GraphOp op = Op(OpKind::TRANSPOSE, {x}, {out});
    fb::TransposeOptionsT perm;
    perm.perm = {0, 2, 1};
    op.options.Set(perm);
    g.ops.push_back(std::move(op));
  }
  fb::AxisOptionsT axis;
  axis.axis = 1;
  GraphOp join = Op(OpKind::CONCATENATION, {a, b}, {z});
  join.options.Set(axis);
  g.ops.push_back(std::move(join));
  GraphOp cut = Op(OpKind::SPLIT, {z}, {p, q});
  cut.options.Set(axis);
  g.ops.push_back(std::move(cut));
  GraphOp add = Op(OpKind::ADD, {p, q}, {y});
  add.options.Set(fb::ElementwiseOptionsT());
  g.ops.push_back(std::move(add));

  Plan plan;
  ASSERT_EQ(PlanMemory(&g, {}, &plan), OCTET_OK);
  EXPECT_EQ(plan.steps.size(), 3u);
  EXPECT_EQ(plan.places[a].view_of, z);
  EXPECT_EQ(plan.places[q].view_of, z);
  EXPECT_EQ(plan.places[q].offset, plan.places[z].offset + 80);
  EXPECT_EQ(CheckPlan(g, plan), OCTET_OK) << octet_last_error();

  // With a second use of a scale that differs there is no view.
  g.tensors[a].scale = {0.25f};
  ASSERT_EQ(PlanMemory(&g, {}, &plan), OCTET_OK);
  EXPECT_EQ(plan.places[a].view_of, -1);
  EXPECT_EQ(CheckPlan(g, plan), OCTET_OK) << octet_last_error();
}

TEST(Planner, ReordersWhereThatSavesMemory) {
  // Two branches from x, each a large tensor reduced to a small one; file order makes both large
  // tensors first.
  Graph g;
  const int32_t x = Output(&g, {1, 1, 10});
  std::vector<int32_t> large, small;
  g.inputs = {x};
  for (int i = 0; i < 2; ++i) {
    const int32_t t = Output(&g, {1, 1000, 10});
    GraphOp op = Op(OpKind::TILE, {x, -1}, {t});
    g.ops.push_back(std::move(op));
    large.push_back(t);
  }
  for (int i = 0; i < 2; ++i) {
    const int32_t t = Output(&g, {1, 10});
    GraphOp op = Op(OpKind::REDUCE_MAX, {large[i]}, {t});
    op.options.Set(fb::ReduceOptionsT());
    g.ops.push_back(std::move(op));
    small.push_back(t);
  }
  g.outputs = small;
  const std::vector<int32_t> order = FindOrder(g, FindViews(g, kAllViews));
  ASSERT_EQ(order.size(), 4u);
  EXPECT_EQ(order[1], order[0] + 2);
}

TEST(PlanChecker, RejectsDamage) {
  int rejected = 0, harmless = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Graph g = RandomGraph(seed, 20);
    Plan plan;
    ASSERT_EQ(PlanMemory(&g, {}, &plan), OCTET_OK);
    std::mt19937 random(seed);
    for (int i = 0; i < 10; ++i) {
      Plan damaged = plan;
      const size_t t = random() % damaged.places.size();
      if (damaged.places[t].place != fb::Place::ARENA) continue;
      const uint64_t old = damaged.places[t].offset;
      damaged.places[t].offset = random() % (plan.arena_bytes + 10);
      if (old == damaged.places[t].offset) continue;
      (CheckPlan(g, damaged) == OCTET_OK ? harmless : rejected)++;
    }
    Plan damaged = plan;
    if (damaged.arena_bytes > 0) {
      --damaged.arena_bytes;
      EXPECT_NE(CheckPlan(g, damaged), OCTET_OK);
    }
    damaged = plan;
    if (!damaged.steps.empty()) {
      const OpKind last = g.ops[damaged.steps.back().op()].kind;
      damaged.steps.pop_back();
      // A copy whose output nobody reads may be left out.
      if (last == OpKind::LUT || last == OpKind::ADD || last == OpKind::TRANSPOSE) {
        EXPECT_NE(CheckPlan(g, damaged), OCTET_OK);
      }
      damaged = plan;
      damaged.steps.push_back(damaged.steps.back());
      EXPECT_NE(CheckPlan(g, damaged), OCTET_OK);
    }
    damaged = plan;
    damaged.places.pop_back();
    EXPECT_NE(CheckPlan(g, damaged), OCTET_OK);
  }
  // Some moves land in free space and are harmless; most do not.
  EXPECT_GT(rejected, harmless);
}

TEST(PlanChecker, FindsEachKindOfFault) {
  // x(100) -TRANSPOSE-> a -LUT-> b -ADD(a, b)-> c
  Graph g;
  std::vector<uint8_t> table(256);
  const int32_t lut = g.AddConstant("table", DType::INT8, {256}, table.data());
  const int32_t x = Output(&g, {1, 10, 10}), a = Output(&g, {1, 10, 10});
  const int32_t b = Output(&g, {1, 10, 10}), c = Output(&g, {1, 10, 10});
  g.inputs = {x};
  g.outputs = {c};
  GraphOp transpose = Op(OpKind::TRANSPOSE, {x}, {a});
  fb::TransposeOptionsT perm;
  perm.perm = {0, 2, 1};
  transpose.options.Set(perm);
  GraphOp table_op = Op(OpKind::LUT, {a, lut}, {b});
  table_op.options.Set(fb::LutOptionsT());
  GraphOp add = Op(OpKind::ADD, {a, b}, {c});
  add.options.Set(fb::ElementwiseOptionsT());
  g.ops.push_back(std::move(transpose));
  g.ops.push_back(std::move(table_op));
  g.ops.push_back(std::move(add));

  Plan good;
  good.arena_bytes = 300;
  good.places.resize(5);
  for (const int32_t t : {x, a, b, c}) good.places[t].place = fb::Place::ARENA;
  good.places[a].offset = 100;
  good.places[b].offset = 200;
  for (int i = 0; i < 3; ++i) good.steps.push_back(fb::Step(i, 0, -1));
  EXPECT_EQ(CheckPlan(g, good), OCTET_OK) << octet_last_error();

  Plan p = good;
  p.places[a].offset = 0;  // a transposition may not work in place
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[a].offset = 1;
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[b].offset = 100;  // a is still needed
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[c].offset = 100;  // addition may work in place
  EXPECT_EQ(CheckPlan(g, p), OCTET_OK) << octet_last_error();
  p.places[c].offset = 101;  // but only exactly
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[b].offset = UINT64_MAX - 50;
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  std::swap(p.steps[0], p.steps[1]);
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.steps[2] = fb::Step(7, 0, -1);
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[b].view_of = a;
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.steps.erase(p.steps.begin() + 1);  // a LUT is no copy
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
  p = good;
  p.places[lut].place = fb::Place::ARENA;
  EXPECT_NE(CheckPlan(g, p), OCTET_OK);
}

TEST(PlanSvg, IsWellFormedEnough) {
  PlanPicture picture;
  picture.title = "a < b & \"c\"";
  picture.arena_bytes = 1000;
  picture.bound_bytes = 900;
  picture.steps = {"CONV_2D <x>", "ADD y"};
  picture.tensors.push_back({"in & out", "int8[1,2]", 0, 500, 0, 1, 0});
  picture.tensors.push_back({"ring", "", 500, 500, 1, 1, 3});
  const std::string svg = PlanSvg(picture);
  EXPECT_EQ(svg.rfind("<svg", 0), 0u);
  EXPECT_NE(svg.find("</svg>"), std::string::npos);
  EXPECT_NE(svg.find("in &amp; out"), std::string::npos);
  EXPECT_EQ(svg.find("<x>"), std::string::npos);
  EXPECT_EQ(XmlError(svg), "");
  EXPECT_EQ(XmlError(PlanSvg({})), "");
}

TEST(PlanSvg, DrawsStreamedPlans) {
  PlanPicture picture;
  picture.title = std::string(90, '&');
  picture.arena_bytes = 1000;
  picture.bound_bytes = 9000;  // far above: the axis is cut
  for (int i = 0; i < 300; ++i) picture.steps.push_back("CONV_2D rows");
  picture.tensors.push_back({"rows\xff\x01", "", 0, 300, 0, 299, 0});
  for (int i = 0; i < 3; ++i) {
    const uint64_t at = static_cast<uint64_t>(i) * 100;
    picture.tensors[0].parts.push_back({at, at + 100, i, 297 + i});
  }
  picture.tensors.push_back({"ring", "", 300, 500, 1, 290, 3});
  picture.scratch.push_back({"CONV_2D a", 800, 200, {0, 1, 2, 290}});
  picture.segments.push_back({0, 298, 2, "a < b"});
  picture.peak_bytes = 990;
  picture.peak_step = 5;
  for (const PlanSvgSize size : {PlanSvgSize::kFull, PlanSvgSize::kCompact}) {
    const std::string svg = PlanSvg(picture, size);
    EXPECT_EQ(XmlError(svg), "");
    for (const char* part : {"url(#ring", "class=\"s\"", "class=\"seg\"",
                             "stroke-dasharray=\"7 5\"", "9,000", "peak: 990", "rows? "}) {
      EXPECT_NE(svg.find(part), std::string::npos) << part;
    }
  }
}

TEST(XmlText, EscapesAndReplaces) {
  EXPECT_EQ(XmlText("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
  EXPECT_EQ(XmlText("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(XmlText("\xC0\x80\xED\xA0\x80\xFF\xEF\xBF\xBE\x01\xC3"), "????????? ?");
}

}  // namespace
}  // namespace octet
