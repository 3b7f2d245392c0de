// resize_bilinear: one output row from the two input rows above and below it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

enum class ResizeBilinearKind : uint8_t {
  kS8,   // int8, 10-bit integer weights
  kS16,  // int16, 10-bit integer weights
  kU8,   // uint8 values held as int8 (v - 128), float weights
  kF32,  // float32, float weights
};

// How far an output coordinate lies from `left` (or the row above) towards `right` (below): in
// 1/1024, in [0, 1024), for the integer kinds; as a float for the others.
struct ResizeWeight {
  int32_t fixed;
  float real;
};

struct ResizeColumn {
  size_t left, right;  // elements from the start of the row
  ResizeWeight weight;
};

struct ResizeBilinearRow {
  const void* above;
  const void* below;
  ResizeWeight weight;
  const ResizeColumn* columns;
  size_t width;  // output columns
  size_t channels;
  void* output;
};

using ResizeBilinearFn = void (*)(const ResizeBilinearRow& row);

struct ResizeBilinearKernel {
  const char* name;
  Isa isa;
  ResizeBilinearKind kind;
  ResizeBilinearFn run;
};

Span<const ResizeBilinearKernel> ResizeBilinearTable();

// Declarations and table come from the rows of resize_bilinear_table.inc.
#define OCTET_RESIZE_BILINEAR(function, name, isa, kind) \
  void function(const ResizeBilinearRow& row);
#include "kernels/resize_bilinear/resize_bilinear_table.inc"
#undef OCTET_RESIZE_BILINEAR

}  // namespace octet
