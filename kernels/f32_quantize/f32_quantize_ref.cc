// Source of the formulas: TFLite's AffineQuantize and Dequantize (whose product in double, rounded
// to float, is the exact product rounded once, as here).
#include "kernels/f32_quantize/f32_quantize.h"

#include <cmath>

#include "kernels/common/requant.h"

namespace octet {

void F32QuantizeRef(size_t n, const void* in, void* out, const void* params) {
  const F32QuantizeParams& p = *static_cast<const F32QuantizeParams*>(params);
  constexpr float kLimit = 1e6f;  // beyond what int8 and its zero point can hold
  for (size_t i = 0; i < n; ++i) {
    const float rounded = std::round(static_cast<const float*>(in)[i] / p.scale);
    const float limited = rounded == rounded ? Clamp(rounded, -kLimit, kLimit) : 0.f;
    const int32_t y = static_cast<int32_t>(limited) + p.zero_point;
    static_cast<int8_t*>(out)[i] = static_cast<int8_t>(Clamp(y, -128, 127));
  }
}

void S8DequantizeRef(size_t n, const void* in, void* out, const void* params) {
  const F32QuantizeParams& p = *static_cast<const F32QuantizeParams*>(params);
  for (size_t i = 0; i < n; ++i) {
    const int32_t x = static_cast<const int8_t*>(in)[i] - p.zero_point;
    static_cast<float*>(out)[i] = p.scale * static_cast<float>(x);
  }
}

}  // namespace octet
