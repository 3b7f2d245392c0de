#include "kernels/qs8_mean/qs8_mean.h"

namespace octet {

void QS8MeanRef(const QS8MeanParams& p, const int8_t* input, size_t columns, int8_t* output) {
  constexpr size_t kBlock = 64;  // columns whose sums are kept at a time
  for (size_t c0 = 0; c0 < columns; c0 += kBlock) {
    const size_t n = columns - c0 < kBlock ? columns - c0 : kBlock;
    int32_t sums[kBlock] = {};
    const int8_t* in = input + c0;
    for (int32_t r = 0; r < p.rows; ++r, in += p.stride) {
      for (size_t c = 0; c < n; ++c) sums[c] += in[c];
    }
    for (size_t c = 0; c < n; ++c) {
      const int32_t mean = Requantize(sums[c] + p.bias, p.multiplier);
      // Saturated first: the sum with the zero point could overflow.
      const int32_t y = Clamp<int32_t>(mean, -1024, 1024) + p.output_zero_point;
      output[c0 + c] = static_cast<int8_t>(Clamp<int32_t>(y, -128, 127));
    }
  }
}

}  // namespace octet
