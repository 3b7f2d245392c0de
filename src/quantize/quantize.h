// Quantising a graph that is imported already.
#pragma once

#include "octet/compiler.h"
#include "src/graph/graph.h"

namespace octet::compiler {

Status QuantizeGraph(Graph graph, SampleSource* samples, const QuantizeOptions& options,
                     std::vector<uint8_t>* octet_file, QuantizeReport* report);

}  // namespace octet::compiler
