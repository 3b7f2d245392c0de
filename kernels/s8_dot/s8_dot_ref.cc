#include "kernels/s8_dot/s8_dot.h"

namespace octet {

void S8DotRowsRef(const S8DotArgs& s, int32_t* acc) {
  const int8_t* x = static_cast<const int8_t*>(s.x);
  for (size_t j = 0; j < s.n; ++j) {
    const int8_t* w = s.w + j * s.stride;
    uint32_t sum = static_cast<uint32_t>(acc[j]);
    for (size_t i = 0; i < s.k; ++i) {
      sum += static_cast<uint32_t>((x[i] - s.x_zero) * (w[i] - s.w_zero));
    }
    acc[j] = static_cast<int32_t>(sum);
  }
}

void S8DotColumnsRef(const S8DotArgs& s, int32_t* acc) {
  const int8_t* x = static_cast<const int8_t*>(s.x);
  for (size_t i = 0; i < s.k; ++i) {
    const int32_t factor = x[i * s.x_step] - s.x_zero;
    const int8_t* w = s.w + i * s.stride;
    for (size_t j = 0; j < s.n; ++j) {
      acc[j] = static_cast<int32_t>(static_cast<uint32_t>(acc[j]) +
                                    static_cast<uint32_t>(factor * (w[j] - s.w_zero)));
    }
  }
}

void S16DotRowsRef(const S8DotArgs& s, int64_t* acc) {
  const int16_t* x = static_cast<const int16_t*>(s.x);
  for (size_t j = 0; j < s.n; ++j) {
    const int8_t* w = s.w + j * s.stride;
    for (size_t i = 0; i < s.k; ++i) acc[j] += int32_t{x[i]} * w[i];
  }
}

void S16ProductsRef(const int16_t* x, const int8_t* w, size_t n, int32_t* acc) {
  for (size_t j = 0; j < n; ++j) acc[j] += x[j] * w[j];
}

}  // namespace octet
