// wide_binary: element-wise operators with two inputs on int16 and float32 tensors.
#pragma once

#include "kernels/qs8_add/qs8_add.h"
#include "kernels/qs8_mul/qs8_mul.h"

namespace octet {

// qs16_add and qs16_mul: the formulas and parameters of qs8_add and qs8_mul, whose `fixed` they do
// not use.
// qs16_pot_add: int16 with scales that are powers of two,
//   out = clamp(RoundingDivideByPOT(a, a_shift) +- RoundingDivideByPOT(b, b_shift)).
// Source: TFLite's reference_ops Add with pot_scale and BroadcastSub16POTSlow.
struct PotAddParams {
  int32_t a_shift, b_shift;  // one of them is 0
  int32_t low, high;
  bool subtract;
};

// f32_div: clamp(a / b).
struct F32DivParams {
  float low, high;
};

Span<const BinaryKernel> Qs16AddTable();
Span<const BinaryKernel> Qs16PotAddTable();
Span<const BinaryKernel> Qs16MulTable();
Span<const BinaryKernel> S16MaxTable();
Span<const BinaryKernel> S16MinTable();
Span<const BinaryKernel> F32DivTable();

// Declarations and tables come from the rows of wide_binary_table.inc.
#define OCTET_WIDE_FUNCTION(function)                                                            \
  void function(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out, \
                const void* params);
#define OCTET_WIDE_S16(suffix, name, isa) \
  OCTET_WIDE_FUNCTION(Qs16Add##suffix)    \
  OCTET_WIDE_FUNCTION(Qs16PotAdd##suffix) \
  OCTET_WIDE_FUNCTION(Qs16Mul##suffix)    \
  OCTET_WIDE_FUNCTION(S16Max##suffix)     \
  OCTET_WIDE_FUNCTION(S16Min##suffix)
#define OCTET_WIDE_F32(suffix, name, isa) OCTET_WIDE_FUNCTION(F32Div##suffix)
#include "kernels/wide_binary/wide_binary_table.inc"
#undef OCTET_WIDE_FUNCTION

}  // namespace octet
