// qs8_prelu: negative int8 values times a slope of their own.
//
// Source of the formula: TFLite's reference_ops BroadcastPrelu4DSlow.
#pragma once

#include "kernels/common/binary.h"
#include "kernels/common/requant.h"

namespace octet {

// With x = a - a_zero: out = clamp(x >= 0 ? R(x, positive) : R(x * (b - b_zero), negative)) +
// out_zero.
struct PreluParams {
  int32_t a_zero, b_zero, out_zero;
  Multiplier positive, negative;
  int32_t low, high;  // zero point not included
};

// Declarations and table come from the rows of qs8_prelu_table.inc.
#define OCTET_QS8_PRELU(function, name, isa)                                                     \
  void function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out, \
                const void* params);
#include "kernels/qs8_prelu/qs8_prelu_table.inc"
#undef OCTET_QS8_PRELU

Span<const BinaryKernel> Qs8PreluTable();

}  // namespace octet
