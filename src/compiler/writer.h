// Writes a graph and its plan as an .octet file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet/compiler.h"
#include "src/base/status.h"
#include "src/graph/graph.h"
#include "src/memory/plan.h"

namespace octet {

// Constants of one operator in the layout that one kernel wants.
struct PackedOp {
  int32_t op = 0;
  std::string layout;
  std::vector<uint8_t> data;
};

// The FlatBuffer, padded with zeros to a multiple of 64 bytes, and the 16-byte trailer: the magic
// "OCTSUM1\0" and the little-endian checksum of everything before the trailer.
Status WriteModel(const Graph& graph, const Plan& plan, const std::vector<PackedOp>& packs,
                  std::vector<uint8_t>* file,
                  compiler::Compress compress = compiler::Compress::kOff);

}  // namespace octet
