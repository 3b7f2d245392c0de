// Runs a small graph through the runtime itself, so that what the compiler computes ahead of time
// has the very bytes that the runtime would return.
#pragma once

#include <cstdint>
#include <vector>

#include "src/base/status.h"
#include "src/graph/graph.h"

namespace octet {

// The scalar reference kernels run. `inputs` and `outputs` hold the tensors' bytes.
Status Evaluate(const Graph& graph, const std::vector<std::vector<uint8_t>>& inputs,
                std::vector<std::vector<uint8_t>>* outputs);

}  // namespace octet
