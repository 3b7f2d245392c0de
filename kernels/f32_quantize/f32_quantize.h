// f32_quantize: float32 to int8 and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

// Between real numbers and int8: real = scale * (q - zero_point).
struct F32QuantizeParams {
  float scale;
  int32_t zero_point;
};

// f(in[i]) for i in [0, n); float and int8 arrays. `params` is F32QuantizeParams.
//   quantize:   clamp(round(x / scale) + zero_point), halves away from zero. Quotients that no
//               integer holds saturate; not-a-number becomes the zero point.
//   dequantize: scale * (x - zero_point), rounded once
using F32QuantizeFn = void (*)(size_t n, const void* in, void* out, const void* params);

struct F32QuantizeKernel {
  const char* name;  // of quantize
  const char* dequantize_name;
  Isa isa;
  F32QuantizeFn quantize, dequantize;
};

// Declarations and table come from the rows of f32_quantize_table.inc.
#define OCTET_F32_QUANTIZE(quantize, dequantize, suffix, isa)             \
  void quantize(size_t n, const void* in, void* out, const void* params); \
  void dequantize(size_t n, const void* in, void* out, const void* params);
#include "kernels/f32_quantize/f32_quantize_table.inc"
#undef OCTET_F32_QUANTIZE

Span<const F32QuantizeKernel> F32QuantizeTable();

}  // namespace octet
