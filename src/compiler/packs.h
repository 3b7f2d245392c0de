// Packs constants ahead of time for the kernels of one instruction set.
#pragma once

#include <string>
#include <vector>

#include "src/compiler/writer.h"
#include "src/graph/graph.h"

namespace octet {

// The instruction sets of a target, named as in ConvertOptions. Fails with OCTET_INVALID_ARGUMENT
// for an unknown name and with OCTET_UNSUPPORTED for one that this build cannot pack for. The CPU
// at hand need not have them: with them nothing can be run, only bound and packed.
Status TargetIsa(const std::string& target, IsaSet* isa);

// Nothing for the target "".
Status PackForTarget(const Graph& graph, const std::string& target, std::vector<PackedOp>* packs);

}  // namespace octet
