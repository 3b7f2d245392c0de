// From a graph in an order of execution to rectangles of memory: bytes times time.
#pragma once

#include <cstdint>
#include <vector>

#include "src/graph/graph.h"

namespace octet {

// Which copying operators may vanish, their outputs sharing their inputs' bytes.
enum ViewMode : uint32_t {
  kNoViews = 0,
  kReshapeViews = 1,  // RESHAPE
  kJoinViews = 2,     // CONCATENATION, PACK: the inputs are made inside the output
  kCutViews = 4,      // SPLIT, UNPACK, SLICE: the outputs stay inside the input
  kAllViews = 7
};

// Which tensors share bytes. A storage is a root tensor and everything inside it.
struct Views {
  std::vector<int32_t> root;     // of each tensor; its own index: no view
  std::vector<uint64_t> offset;  // within the root
  std::vector<bool> elided;      // operators that need no step
};
Views FindViews(const Graph& graph, uint32_t mode);

// Bytes [offset, offset + bytes) of a storage or cluster, live during the times [first, last].
// Step s reads and writes at 2s + 2; an output that lies over its input begins half a step later,
// at 2s + 3. Graph inputs begin at 0, graph outputs end after the last step.
struct Rect {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

// What is placed as one rigid thing: storages whose outputs lie over each other's inputs.
struct Cluster {
  std::vector<Rect> rects;  // offsets relative to the cluster's base
  uint64_t bytes = 0;       // extent
  uint32_t alignment = 1;   // what its element types need
};

struct Layout {
  Views views;
  std::vector<Cluster> clusters;
  std::vector<int32_t> cluster_of;       // of each tensor; -1: not in the arena
  std::vector<uint64_t> cluster_offset;  // of each tensor, within its cluster
  std::vector<int32_t> step_ops;         // the operator of each step
  uint64_t bound = 0;                    // largest sum of live bytes, nothing in place
  uint64_t lower_bound = 0;              // the same for the clusters: no placement can be smaller
};
// Coarse: a storage is live as a whole, from its first write to its last read, which is how the
// loader verifies plans. Fine: each byte range by itself.
Layout MakeLayout(const Graph& graph, uint32_t view_mode, bool in_place, bool fine = false);

// One byte range of a storage that is written once: what the search for an order counts.
struct Piece {
  uint64_t bytes = 0;
  int32_t writer = -1;           // operator; -1: a graph input
  std::vector<int32_t> readers;  // operators, each once
  bool is_output = false;
};
std::vector<Piece> MakePieces(const Graph& graph, const Views& views);

}  // namespace octet
