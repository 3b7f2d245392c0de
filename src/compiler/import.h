// From the bytes of a model of any format but .octet to a graph.
#pragma once

#include <string>
#include <vector>

#include "octet/compiler.h"
#include "src/graph/graph.h"

namespace octet::compiler {

// The format is decided by content. The source's hash goes into the graph's metadata.
Status ImportModel(const void* data, size_t size, const ImportOptions& options, Graph* graph,
                   std::vector<std::string>* log);

}  // namespace octet::compiler
