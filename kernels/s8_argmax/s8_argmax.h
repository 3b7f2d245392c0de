// s8_argmax: the first index of the largest (or smallest) int8 in rows or in columns.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

enum class ArgKind : uint8_t { kMax, kMin };

// index[v] of vectors of `depth` elements that lie one behind the other.
using S8ArgRowsFn = void (*)(ArgKind kind, const int8_t* input, size_t depth, size_t vectors,
                             int32_t* index);

// index[c] in column c of a matrix of `rows` rows, `stride` elements apart.
using S8ArgColumnsFn = void (*)(ArgKind kind, const int8_t* input, size_t rows, size_t stride,
                                size_t columns, int32_t* index);

struct S8ArgKernel {
  const char* name;
  Isa isa;
  S8ArgRowsFn rows;
  S8ArgColumnsFn columns;
};

// Declarations and table come from the rows of s8_argmax_table.inc.
#define OCTET_S8_ARGMAX(prefix, name, isa)                                            \
  void prefix##Rows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors,  \
                    int32_t* index);                                                  \
  void prefix##Columns(ArgKind kind, const int8_t* input, size_t rows, size_t stride, \
                       size_t columns, int32_t* index);
#include "kernels/s8_argmax/s8_argmax_table.inc"
#undef OCTET_S8_ARGMAX

Span<const S8ArgKernel> S8ArgTable();

}  // namespace octet
