// qs8_mul: products of int8 tensors.
//
// Source of the formula: TFLite's reference_integer_ops MulElementwise.
#pragma once

#include "kernels/common/binary.h"
#include "kernels/common/requant.h"
#include "kernels/common/requant_fixed.h"

namespace octet {

// out = clamp(R((a - a_zero) * (b - b_zero)) + out_zero).
struct MulParams {
  int32_t a_zero, b_zero, out_zero;
  Multiplier q;
  int32_t low, high;  // of R(...), zero point not included
  RequantFixedChannel fixed;
  bool fixed_holds;
};

// Fills the last two, of int8 operators.
void MakeMulFixed(MulParams* params);

Span<const BinaryKernel> Qs8MulTable();

// Declarations and table come from the rows of qs8_mul_table.inc.
#define OCTET_QS8_MUL(function, name, isa)                                                       \
  void function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out, \
                const void* params);
#include "kernels/qs8_mul/qs8_mul_table.inc"
#undef OCTET_QS8_MUL

}  // namespace octet
