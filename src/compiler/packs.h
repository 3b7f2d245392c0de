// Packs constants ahead of time for the kernels of one instruction set.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/writer.h"
#include "src/graph/graph.h"

namespace octet {

// `target` as in ConvertOptions; nothing for "". Fails with OCTET_INVALID_ARGUMENT for an unknown
// name and with OCTET_UNSUPPORTED for one of another architecture, whose kernels this build lacks.
Status PackForTarget(const Graph& graph, const std::string& target, std::vector<PackedOp>* packs);

}  // namespace octet
