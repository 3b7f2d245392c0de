// What the streaming planner knows of a graph: operators with steps, storages, rows.
#pragma once

#include <cstdint>
#include <vector>

#include "src/graph/graph.h"
#include "src/memory/layout.h"
#include "src/memory/stream.h"

namespace octet {

struct StreamInput {
  int32_t storage = -1;
  // Rows of the input for output rows [y, y + 1), by y; empty: every row, always.
  std::vector<RowRange> needs;
};

struct StreamOp {
  int32_t op = 0;                   // in the graph; -1 - i: rows of input i come in
  std::vector<StreamInput> inputs;  // in the arena
  std::vector<int32_t> outputs;     // storages
  int32_t rows = 1;                 // of output 0
  bool by_rows = false;             // can run a few rows at a time
  int32_t in_place = -1;            // storage that output 0 may overwrite row by row
  uint64_t weight_bytes = 0;
  uint64_t macs = 0;
  std::vector<uint64_t> scratch;  // for steps of at most so many rows, by rows - 1

  // For steps of at most `most_rows` rows.
  uint64_t scratch_bytes(int32_t most_rows) const {
    return scratch.empty() ? 0 : scratch[static_cast<size_t>(most_rows) - 1];
  }
};

struct StreamStorage {
  int32_t rows = 1;
  uint64_t row_bytes = 0;
  uint32_t alignment = 1;
  bool single = true;     // one tensor, no views inside
  bool root_only = true;  // only the root tensor itself is written, by one operator
  bool is_input = false, is_output = false;
  int32_t first_op = -1;  // index of the StreamOp that writes it first; -1: a graph input
  int32_t last_op = -1;   // index of the last StreamOp that reads or writes it
  uint64_t bytes() const { return static_cast<uint64_t>(rows) * row_bytes; }
};

struct StreamModel {
  Views views;
  std::vector<StreamOp> ops;            // those with steps, in order
  std::vector<StreamStorage> storages;  // by root tensor
};

// row_fed: image inputs come in by rows, from a StreamOp of their own (op = -1 - index of the
// input).
StreamModel MakeStreamModel(const Graph& graph, IsaSet isa, bool row_fed);

struct StreamStep {
  int32_t op = 0;  // StreamOp
  int32_t begin = 0, end = 0;
  bool whole = false;  // not by rows: reads every row of its inputs
};

// The steps of one segment: bands of the last operator's rows, everything else on demand, and no
// sooner: each operator makes at most `inner` rows at a time.
std::vector<StreamStep> SegmentSteps(const StreamModel& model, const StreamSegment& segment);

// Scratch that each operator of a segment needs in these steps, by operator from segment.begin on.
std::vector<uint64_t> SegmentScratch(const StreamModel& model, const StreamSegment& segment,
                                     const std::vector<StreamStep>& steps);

// When each row of a storage is written and last read, in indices of a list of steps. Rows written
// before the list: -1; needed after it: the list's length.
struct RowLife {
  int32_t written = 0, read = -1;
};

// For the storages that the steps touch; others stay empty.
struct RowLives {
  std::vector<std::vector<RowLife>> rows;  // by storage
  std::vector<int32_t> touched;
};
RowLives FindRowLives(const StreamModel& model, const std::vector<StreamStep>& steps);

// The fewest rows a ring needs to hold; 0 where the tensor must be whole.
int32_t RingRows(const StreamStorage& storage, const std::vector<RowLife>& lives,
                 int32_t step_count);

}  // namespace octet
