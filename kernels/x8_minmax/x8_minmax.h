// x8_minmax: the larger or smaller of two int8 values on the same scale.
#pragma once

#include "kernels/common/binary.h"

namespace octet {

Span<const BinaryKernel> S8MaxTable();
Span<const BinaryKernel> S8MinTable();

// Declarations and tables come from the rows of x8_minmax_table.inc.
#define OCTET_S8_MINMAX(function, name, isa)                                                 \
  void S8Max##function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, \
                       void* out, const void* params);                                       \
  void S8Min##function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, \
                       void* out, const void* params);
#include "kernels/x8_minmax/x8_minmax_table.inc"
#undef OCTET_S8_MINMAX

}  // namespace octet
