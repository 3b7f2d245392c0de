// Reads TensorFlow Lite models.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/graph/graph.h"

namespace octet {

// Fills an empty graph from a .tflite file's bytes, which may be anything at all. On success the
// graph passes CheckGraph. All operators that Octet cannot run are named in one error.
//
// The graph speaks Octet's dialect of TensorFlow Lite (schema/octet.fbs): constant shapes, axes and
// paddings have become options; fused activations are clamps; unary operators on 8-bit values are
// LUT; quantised uint8 tensors are int8 (value and zero point less 128), with LUTs at inputs and
// outputs, which stay uint8 for the user.
Status ImportTflite(const uint8_t* data, size_t size, Graph* graph);

}  // namespace octet
