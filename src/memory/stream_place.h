// Placing a streamed plan: rows have lifetimes of their own, so that an output may overwrite the
// rows of the input that are no longer needed.
#pragma once

#include <vector>

#include "src/memory/plan.h"
#include "src/memory/stream_model.h"

namespace octet {

// Row lives after deciding which outputs lie exactly over an input, row by row.
struct StreamRows {
  RowLives lives;             // of merged storages: at the one that lies lowest in the chain
  std::vector<int32_t> over;  // storage that this one lies over, or -1
  std::vector<int32_t> ring;  // rows; 0: whole
};
StreamRows MergeInPlace(const StreamModel& model, const std::vector<StreamStep>& steps);

void PlaceStream(const Graph& graph, const StreamModel& model,
                 const std::vector<StreamSegment>& segments, Plan* plan);

}  // namespace octet
