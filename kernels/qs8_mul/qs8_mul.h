// qs8_mul: products of int8 tensors.
//
// Source of the formula: TFLite's reference_integer_ops MulElementwise.
#pragma once

#include "kernels/common/binary.h"
#include "kernels/common/requant.h"

namespace octet {

// out = clamp(R((a - a_zero) * (b - b_zero)) + out_zero).
struct MulParams {
  int32_t a_zero, b_zero, out_zero;
  Multiplier q;
  int32_t low, high;  // of R(...), zero point not included
};

Span<const BinaryKernel> Qs8MulTable();

void Qs8MulRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void* params);
// int16, reference only; zero points are 0.
void Qs16MulRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params);

}  // namespace octet
