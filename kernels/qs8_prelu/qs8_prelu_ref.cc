#include "kernels/qs8_prelu/qs8_prelu.h"

namespace octet {

void Qs8PreluRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                 const void* params) {
  const PreluParams& p = *static_cast<const PreluParams*>(params);
  for (size_t i = 0; i < n; ++i) {
    const int32_t x = static_cast<const int8_t*>(a)[i * a_step] - p.a_zero;
    const int32_t slope = static_cast<const int8_t*>(b)[i * b_step] - p.b_zero;
    const int32_t y = x >= 0 ? Requantize(x, p.positive) : Requantize(x * slope, p.negative);
    static_cast<int8_t*>(out)[i] = static_cast<int8_t>(Clamp(y, p.low, p.high) + p.out_zero);
  }
}

}  // namespace octet
