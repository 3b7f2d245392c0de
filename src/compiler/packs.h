// Packs constants ahead of time for the kernels of one instruction set.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/writer.h"
#include "src/graph/graph.h"

namespace octet {

// The instruction sets of a target, named as in ConvertOptions. Fails with OCTET_INVALID_ARGUMENT
// for an unknown name and with OCTET_UNSUPPORTED for one of another architecture, whose kernels
// this build lacks.
Status TargetIsa(const std::string& target, IsaSet* isa);

// Its name as OCTET_ISA takes it; "" for "native".
const char* TargetIsaName(const std::string& target);

// Nothing for the target "".
Status PackForTarget(const Graph& graph, const std::string& target, std::vector<PackedOp>* packs);

}  // namespace octet
