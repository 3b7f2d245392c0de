// Row streaming: plans in which chains of operators run a few rows at a time through ring buffers.
//
// A layer-by-layer plan cannot go below its largest input and output pair. But a convolution needs
// just kernel_h rows of its input at a time, so a chain of them can run row by row: no row is
// computed twice, and the bytes are the same. The price is that a streamed operator reads its
// weights once for each band of rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/graph/graph.h"
#include "src/memory/plan.h"

namespace octet {

// Operators [begin, end) of the graph (in its order) that run interleaved; the last one's output is
// made `band` rows at a time. band == 0: one after the other, each whole. The others make what a
// band asks for: all of it before the next one's turn (inner == 0: weights are read once a band),
// or at most `inner` rows at a time (shorter rings: behind a stride of 2 each level doubles them).
struct StreamSegment {
  int32_t begin = 0, end = 0;
  int32_t band = 0;
  int32_t inner = 0;

  bool operator==(const StreamSegment& o) const {
    return begin == o.begin && end == o.end && band == o.band && inner == o.inner;
  }
};

// A choice of segments and what it is expected to cost.
struct StreamChoice {
  std::vector<StreamSegment> segments;
  uint64_t live_bytes = 0;  // largest sum of live rows, rings and scratch over the steps
  uint64_t traffic = 0;     // bytes of weights read
  uint64_t time = 0;        // the same with a charge for each step
};

class StreamPlanner {
 public:
  // `isa` tells the scratch of the kernels that will run. The graph must outlive the planner.
  // row_fed: see ConvertOptions::row_fed_input.
  StreamPlanner(const Graph& graph, IsaSet isa, bool row_fed);
  ~StreamPlanner();
  StreamPlanner(const StreamPlanner&) = delete;
  StreamPlanner& operator=(const StreamPlanner&) = delete;

  // The least time with an arena within `limit`; false if nothing was found. Limit 0: the smallest
  // arena that could be found, or up to spare_percent more where that takes less time. With spare
  // and without row-fed input it may be up to a quarter more, where else a run would take more than
  // a quarter longer than layer by layer.
  bool Best(uint64_t limit, uint32_t spare_percent, StreamChoice* choice, Plan* plan) const;

  // The least time whose live bytes stay within `limit`; false if no choice does. drift_price
  // makes chains of overlapping tensors that creep through the arena more expensive.
  bool Choose(uint64_t limit, double drift_price, StreamChoice* choice) const;
  // The smallest limit for which Choose succeeds.
  uint64_t SmallestLimit() const;
  // The traffic of running layer by layer.
  uint64_t LayerTraffic() const;

  // Steps and places for a choice. plan->arena_bytes may exceed choice.live_bytes a little.
  void Place(const StreamChoice& choice, Plan* plan) const;

 private:
  struct Impl;
  class Search;
  Impl* impl_;
};

}  // namespace octet
