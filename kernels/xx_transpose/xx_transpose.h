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

void X8TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                    size_t rows, size_t columns);
void X16TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns);
void X32TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns);
void X64TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns);

}  // namespace octet
