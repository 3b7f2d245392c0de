#include "kernels/f32_quantize/f32_quantize.h"

namespace octet {

Span<const F32QuantizeKernel> F32QuantizeTable() {
  static constexpr F32QuantizeKernel kTable[] = {
#define OCTET_F32_QUANTIZE(quantize, dequantize, suffix, isa) \
  {"f32_quantize__" suffix, "s8_dequantize__" suffix, Isa::isa, quantize, dequantize},
#include "kernels/f32_quantize/f32_quantize_table.inc"
#undef OCTET_F32_QUANTIZE
  };
  return {kTable, sizeof kTable / sizeof kTable[0]};
}

}  // namespace octet
