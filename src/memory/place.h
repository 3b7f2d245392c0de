// Placing clusters in as few bytes as possible. All of it is deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/memory/layout.h"

namespace octet {

struct Placement {
  std::vector<uint64_t> bases;  // of each cluster
  uint64_t bytes = 0;           // extent
  uint32_t alignment = 1;       // that every base has, at least
  std::string method;
};

// The strategies by name: which cluster is placed next, and into which gap.
std::vector<std::string> PlacementMethods();

// One strategy at one alignment (a power of two; a cluster's own need is kept where it is larger).
Placement Place(const std::vector<Cluster>& clusters, const std::string& method,
                uint32_t alignment);

// The best of all strategies over alignments from 64 down to 1, each followed by a bounded random
// search if wanted. Stops at `lower_bound`, which nothing can beat.
Placement PlaceBest(const std::vector<Cluster>& clusters, uint64_t lower_bound, bool search);

}  // namespace octet
