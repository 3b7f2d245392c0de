#include "kernels/qs8_mul/qs8_mul.h"

namespace octet {

void Qs8MulRef(size_t n, const void* a_data, size_t a_step, const void* b_data, size_t b_step,
               void* out_data, const void* params) {
  const MulParams& p = *static_cast<const MulParams*>(params);
  const int8_t* a = static_cast<const int8_t*>(a_data);
  const int8_t* b = static_cast<const int8_t*>(b_data);
  int8_t* out = static_cast<int8_t*>(out_data);
  for (size_t i = 0; i < n; ++i) {
    const int32_t product = (a[i * a_step] - p.a_zero) * (b[i * b_step] - p.b_zero);
    out[i] = static_cast<int8_t>(Clamp(Requantize(product, p.q), p.low, p.high) + p.out_zero);
  }
}

}  // namespace octet
