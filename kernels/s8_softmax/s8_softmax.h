// s8_softmax: exp(x[i]) / sum of exp(x[j]) over vectors of int8, in fixed point.
//
// exp(x - max) has 256 possible values, tabulated once for a model. Then, for each vector,
//   sum  = sum of RoundingDivideByPOT(exp[max - x], 12), in Q12.19, saturating
//   y[i] = RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(1 / sum, exp[max - x[i]]), e)
// with e such that 1.0 is 256 (int8 outputs, zero point -128) or 65536 (int16, -32768).
// Source of the formula: TFLite's reference_ops::Softmax. (It aborts where e exceeds 31, which
// takes 512 equal inputs, and overflows at 4096; here results are 0 then, which is their limit.)
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// exp[d] is exp(-d * scale) in Q0.31, 0 where it is too small to count. It may come from a file:
// any numbers are safe. Output may lie exactly over input.
template <class Out>
using S8SoftmaxFn = void (*)(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors,
                             Out* output);

struct S8SoftmaxKernel {
  const char* name;
  Isa isa;
  S8SoftmaxFn<int8_t> run;
  S8SoftmaxFn<int16_t> run16;
};

// Declarations and table come from the rows of s8_softmax_table.inc.
#define OCTET_S8_SOFTMAX(suffix, name, isa)                                                       \
  void S8Softmax##suffix(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors,   \
                         int8_t* output);                                                         \
  void S8Softmax16##suffix(const int32_t* exp, size_t depth, const int8_t* input, size_t vectors, \
                           int16_t* output);
#include "kernels/s8_softmax/s8_softmax_table.inc"
#undef OCTET_S8_SOFTMAX

Span<const S8SoftmaxKernel> S8SoftmaxTable();

// 1 / sum is the result * 2^-bits_over_unit, for sums as above.
int32_t S8SoftmaxReciprocal(int64_t sum, int* bits_over_unit);

}  // namespace octet
