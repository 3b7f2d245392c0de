// qs8_add: sums and differences of int8 tensors with scales of their own.
//
// Source of the formula: TFLite's reference_integer_ops AddFunc and reference_ops SubElementwise.
#pragma once

#include "kernels/common/binary.h"
#include "kernels/common/requant.h"

namespace octet {

// out = clamp(R(R(a - a_zero << left, a) +- R(b - b_zero << left, b), out) + out_zero). All three
// multipliers have shifts <= 0 and real values below 1; a's and b's are at most 1/2, so that the
// sum cannot overflow. `left` is 20 for int8 and 15 for int16.
struct AddParams {
  int32_t a_zero, b_zero, out_zero;
  int32_t left;
  Multiplier a, b, out;
  int32_t low, high;  // of the output, zero point included
  bool subtract;
  struct Fixed {
    int16_t a, b;
    float scale, offset;
    int32_t doubt;  // 0: this form does not hold
  } fixed;
};

// Fills `fixed`, of int8 operators. In 16.16 fixed point and float arithmetic,
//   y = round(256 * (x_a * a + x_b * b) * scale + offset),
// the upper half of y is the output before clamping, unless the lower half is below `doubt`: then
// the errors of the float arithmetic, those of a / b as a fraction for the ratio of the scales, and
// those of the integer form's three roundings could together reach a tie, and the integer form has
// to decide.
void MakeAddFixed(AddParams* params);

Span<const BinaryKernel> Qs8AddTable();

// Declarations and table come from the rows of qs8_add_table.inc.
#define OCTET_QS8_ADD(function, name, isa)                                                       \
  void function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out, \
                const void* params);
#include "kernels/qs8_add/qs8_add_table.inc"
#undef OCTET_QS8_ADD

}  // namespace octet
