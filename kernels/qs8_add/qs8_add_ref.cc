#include "kernels/qs8_add/qs8_add.h"

namespace octet {

void Qs8AddRef(size_t n, const void* a_data, size_t a_step, const void* b_data, size_t b_step,
               void* out_data, const void* params) {
  const AddParams& p = *static_cast<const AddParams*>(params);
  const int8_t* a = static_cast<const int8_t*>(a_data);
  const int8_t* b = static_cast<const int8_t*>(b_data);
  int8_t* out = static_cast<int8_t*>(out_data);
  const int32_t unit = 1 << p.left;
  for (size_t i = 0; i < n; ++i) {
    const int32_t x = Requantize((a[i * a_step] - p.a_zero) * unit, p.a);
    const int32_t y = Requantize((b[i * b_step] - p.b_zero) * unit, p.b);
    const int32_t sum = Requantize(p.subtract ? x - y : x + y, p.out);
    out[i] = static_cast<int8_t>(Clamp(sum + p.out_zero, p.low, p.high));
  }
}

}  // namespace octet
