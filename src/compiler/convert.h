// The halves of a conversion, for what works on the graph in between.
#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <vector>

#include "octet/compiler.h"
#include "src/graph/graph.h"

namespace octet::compiler {

bool IsOctetFile(const void* data, size_t size);

// Passes (options.optimize), plan, packs and the file itself.
Status WriteOctet(Graph* graph, const ConvertOptions& options, std::vector<uint8_t>* file,
                  ConvertReport* report);

// Runs f, turning exceptions of the standard library into statuses.
template <class F>
octet_status Guarded(F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return Fail(OCTET_OUT_OF_MEMORY, "not enough memory to convert the model");
  } catch (const std::exception& e) {
    return Fail(OCTET_OUT_OF_MEMORY, "converting failed: %s", e.what());
  }
}

}  // namespace octet::compiler
