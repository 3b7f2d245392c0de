// Chooses views, in-place outputs, order and placement: the smallest arena wins, and among equals
// the plan that copies least and keeps the source's order.
#include <algorithm>

#include "src/memory/layout.h"
#include "src/memory/order.h"
#include "src/memory/place.h"
#include "src/memory/plan.h"

namespace octet {
namespace {

Graph Reordered(const Graph& graph, const std::vector<int32_t>& order) {
  Graph result = graph;
  for (size_t i = 0; i < order.size(); ++i) result.ops[i] = graph.ops[order[i]];
  return result;
}

struct Choice {
  Layout layout;
  Placement placement;
  bool reordered = false;
};

// Adds a way to lay the graph out, placed by the strategies alone.
void Consider(const Graph& graph, uint32_t views, bool in_place, bool reordered,
              std::vector<Choice>* choices) {
  Choice c;
  c.layout = MakeLayout(graph, views, in_place);
  for (const Choice& other : *choices) {
    if (c.layout.lower_bound >= other.placement.bytes) return;
  }
  c.placement = PlaceBest(c.layout.clusters, c.layout.lower_bound, false);
  c.reordered = reordered;
  choices->push_back(std::move(c));
}

// The smallest; the most promising ones may search further first.
Choice Best(std::vector<Choice> choices) {
  const auto smaller = [](const Choice& a, const Choice& b) {
    return a.placement.bytes < b.placement.bytes;
  };
  std::stable_sort(choices.begin(), choices.end(), smaller);
  uint64_t best = choices[0].placement.bytes;
  for (size_t i = 0; i < choices.size() && i < 3; ++i) {
    Choice& c = choices[i];
    if (c.layout.lower_bound >= best) continue;
    Placement p = PlaceBest(c.layout.clusters, c.layout.lower_bound, true);
    if (p.bytes < c.placement.bytes) c.placement = std::move(p);
    best = std::min(best, c.placement.bytes);
  }
  return std::move(*std::min_element(choices.begin(), choices.end(), smaller));
}

constexpr uint32_t kViewModes[] = {kAllViews, kReshapeViews | kJoinViews, kReshapeViews | kCutViews,
                                   kReshapeViews, kNoViews};

void Fill(const Graph& graph, const Choice& choice, Plan* plan) {
  const Layout& layout = choice.layout;
  plan->places.assign(graph.tensors.size(), TensorPlace());
  plan->state_bytes = 0;
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    const GraphTensor& t = graph.tensors[i];
    TensorPlace& place = plan->places[i];
    if (t.is_constant()) {
      place.place = fb::Place::CONSTANT;
    } else if (t.is_state) {
      place.place = fb::Place::STATE;
      place.offset = (plan->state_bytes + 15) / 16 * 16;
      plan->state_bytes = place.offset + t.bytes();
    } else {
      place.place = fb::Place::ARENA;
      const int32_t cluster = layout.cluster_of[i];
      if (cluster >= 0) {
        place.offset = choice.placement.bases[cluster] + layout.cluster_offset[i];
      }
      if (layout.views.root[i] != static_cast<int32_t>(i)) place.view_of = layout.views.root[i];
    }
  }
  plan->arena_bytes = choice.placement.bytes;
  plan->bound_bytes = layout.bound;
  plan->method = choice.placement.method + ", alignment " +
                 std::to_string(choice.placement.alignment) +
                 (choice.reordered ? ", reordered" : "");
  plan->steps.clear();
  for (const int32_t op : layout.step_ops) plan->steps.push_back(fb::Step(op, 0, -1));
}

}  // namespace

Status PlanMemory(Graph* graph, const PlanOptions& options, Plan* plan) {
  uint64_t total = 0;
  for (const GraphTensor& t : graph->tensors) {
    if (!t.is_constant()) total += t.bytes();
  }
  if (total > uint64_t{1} << 50) return Fail(OCTET_UNSUPPORTED, "the activations are too large");

  std::vector<Choice> choices;
  if (!options.optimize) {
    Consider(*graph, kNoViews, false, false, &choices);
    Fill(*graph, Best(std::move(choices)), plan);
    return OCTET_OK;
  }
  Graph reordered;
  for (const bool other_order : {false, true}) {
    if (other_order) {
      const std::vector<int32_t> order = FindOrder(*graph, FindViews(*graph, kAllViews));
      if (order.empty()) break;
      reordered = Reordered(*graph, order);
    }
    const Graph& g = other_order ? reordered : *graph;
    for (const bool in_place : {true, false}) {
      for (const uint32_t views : kViewModes) Consider(g, views, in_place, other_order, &choices);
    }
  }
  const Choice best = Best(std::move(choices));
  if (best.reordered) *graph = std::move(reordered);
  Fill(*graph, best, plan);
  return OCTET_OK;
}

}  // namespace octet
