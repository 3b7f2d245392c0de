// Reads ONNX models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "src/graph/graph.h"

namespace octet {

struct OnnxOptions {
  // Where the model's file is, for data that lies beside it; "": nowhere.
  std::string directory;
  // Shapes of inputs by name, instead of what the model says ("" is any input).
  std::map<std::string, std::vector<int32_t>> shapes;
  // Inputs and outputs with three or more dimensions have their channels last, instead of second.
  bool channels_last_inputs = false;
  bool channels_last_outputs = false;
};

// Could these bytes be an ONNX model? The format has no mark of its own; files begin with a field
// of ModelProto, ir_version as exporters write them. (Also there in builds without ONNX.)
inline bool LooksLikeOnnx(const uint8_t* data, size_t size) {
  if (size < 4) return false;
  const int field = data[0] >> 3, wire = data[0] & 7;
  return (wire == 0 && (field == 1 || field == 5)) ||
         (wire == 2 && ((field >= 2 && field <= 8 && field != 5) || field == 14));
}

// Fills an empty graph from an ONNX model's bytes, which may be anything at all. On success the
// graph passes CheckGraph. All nodes that Octet cannot run are named in one error.
//
// The graph is as ImportTflite would make it: NHWC, int8 for quantised uint8, constant shapes and
// axes in options, unary operators on 8-bit values as LUT. docs/onnx.md says how.
Status ImportOnnx(const uint8_t* data, size_t size, const OnnxOptions& options, Graph* graph);

}  // namespace octet
