// xx_transpose: a matrix of 1, 2, 4 or 8-byte elements, turned.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// With e the element size of the kernel's row:
//   to[c * to_stride + r * e] = from[r * from_stride + c * e],  r in [0, rows), c in [0, columns)
// Strides are in bytes and may be negative; neither side need be aligned; the sides do not overlap.
using XxTransposeFn = void (*)(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to,
                               ptrdiff_t to_stride, size_t rows, size_t columns);

struct XxTransposeKernel {
  const char* name;
  Isa isa;
  size_t element;
  XxTransposeFn run;
};

Span<const XxTransposeKernel> XxTransposeTable();

// Declarations and table come from the rows of xx_transpose_table.inc.
#define OCTET_XX_TRANSPOSE(function, name, isa, element)                                      \
  void function(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride, \
                size_t rows, size_t columns);
#include "kernels/xx_transpose/xx_transpose_table.inc"
#undef OCTET_XX_TRANSPOSE

}  // namespace octet
