// Tensors of a .tflite file as tensors of a graph.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/graph/graph.h"
#include "tflite_generated.h"

namespace octet {

// What the importer keeps about a source tensor beside the graph's tensor of the same index.
struct SourceTensor {
  bool legacy_u8 = false;  // was quantised uint8, is now int8
  // Why an operator may not use this tensor; unused tensors do no harm.
  Status status = OCTET_OK;
  std::string problem;
};

// Appends all tensors of a subgraph to the graph. Fails only for files that are broken or hostile
// as a whole; what is wrong with a single tensor goes to its SourceTensor.
Status ImportTensors(const tflite::Model& model, const tflite::SubGraph& subgraph,
                     size_t file_bytes, Graph* graph, std::vector<SourceTensor>* sources);

// The text of a FlatBuffers string, shortened if very long; empty for null.
std::string ShortText(const flatbuffers::String* text);

}  // namespace octet
