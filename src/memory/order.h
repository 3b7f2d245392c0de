// Looking for an order of execution that needs less memory.
#pragma once

#include <cstdint>
#include <vector>

#include "src/graph/graph.h"
#include "src/memory/layout.h"

namespace octet {

// Operators in an order whose largest sum of live bytes is as small as a bounded beam search finds;
// empty where the graph leaves no choice or is too large to search.
std::vector<int32_t> FindOrder(const Graph& graph, const Views& views);

}  // namespace octet
