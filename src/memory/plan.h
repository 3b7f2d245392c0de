// A memory plan: in which steps a graph runs, and where each tensor lies meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet_generated.h"
#include "src/graph/graph.h"

namespace octet {

// Where one tensor's bytes are. A view lies inside its root, a tensor that is no view itself.
struct TensorPlace {
  fb::Place place = fb::Place::CONSTANT;
  uint64_t offset = 0;
  int32_t ring_rows = 0;
  int32_t view_of = -1;
};

// Bytes of the arena kept free for an operator's kernel scratch; none: above what is live.
struct PlannedScratch {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Plan {
  std::vector<fb::Step> steps;          // an operator without a step is one whose outputs are views
  std::vector<TensorPlace> places;      // one a tensor of the graph
  std::vector<PlannedScratch> scratch;  // one an operator, or empty
  uint64_t arena_bytes = 0;
  uint64_t state_bytes = 0;
  uint64_t bound_bytes = 0;  // the largest sum of live bytes over the steps, nothing in place
  std::string method;        // how it was found, for people
};

struct PlanOptions {
  bool optimize = true;  // views, in-place outputs and reordering; else one step an operator
};

// Plans a graph that CheckGraph accepts. May reorder graph->ops (when that lowers the peak).
Status PlanMemory(Graph* graph, const PlanOptions& options, Plan* plan);

// Replays a plan step by step over a shadow of the arena that remembers which byte of which tensor
// each byte holds. Fails with OCTET_INVALID_MODEL and a sentence unless every step finds its inputs
// intact and the graph's outputs survive. Shares no code with the planner.
Status CheckPlan(const Graph& graph, const Plan& plan);

}  // namespace octet
