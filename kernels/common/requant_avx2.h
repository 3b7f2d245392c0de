// Requantisation of 8 int32 accumulators a vector with AVX2 and FMA: see requant_fixed.h.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstdint>

#include "kernels/common/requant_fixed.h"
#include "kernels/common/x86_intrinsics.h"

namespace octet {
namespace {

// floor of these is R(acc) + zero_point, in 16.16. Where act_min >= zero_point:
static inline __attribute__((always_inline)) __m256i RequantRelu256(__m256i acc, __m256 scale,
                                                                    __m256 offset_relu) {
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), scale, offset_relu));
}

// In general. `positive` and `negative` are RequantFixedChannel's offset + bias and offset - bias,
// for accumulators of that sign.
static inline __attribute__((always_inline)) __m256i RequantSigned256(__m256i acc, __m256 scale,
                                                                      __m256 positive,
                                                                      __m256 negative) {
  const __m256 offset = _mm256_blendv_ps(positive, negative, _mm256_castsi256_ps(acc));
  return _mm256_cvtps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(acc), scale, offset));
}

// The upper halves (results) of a and b, interleaved: a0 b0 a1 b1 ... as 16-bit lanes.
static inline __attribute__((always_inline)) __m256i RequantHalves256(__m256i a, __m256i b) {
  return _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xAA);
}
// Is a lower half of y (or of the unsigned 16-bit minimum of several) below `limit`?
static inline __attribute__((always_inline)) bool RequantIsDoubtful256(
    __m256i y, int32_t limit = kRequantFixedDoubt) {
  const __m256i below = _mm256_subs_epu16(_mm256_set1_epi32(limit), y);  // 0 in upper halves
  return !_mm256_testz_si256(below, below);
}

// R(acc) by the integer formula, any multiplier and shift (positive: left).
static inline __m256i RequantInteger256(__m256i acc, __m256i multiplier, __m256i shift) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i left = _mm256_max_epi32(shift, zero);
  const __m256i right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
  const __m256i x = _mm256_sllv_epi32(acc, left);
  const __m256i nudge = _mm256_set1_epi64x(int64_t{1} << 30);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), nudge);
  const __m256i odd = _mm256_add_epi64(
      _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(multiplier, 32)), nudge);
  // bits 31..62 of each product
  const __m256i high =
      _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
  const __m256i remainder = _mm256_and_si256(high, mask);
  const __m256i threshold =
      _mm256_add_epi32(_mm256_srli_epi32(mask, 1), _mm256_srli_epi32(high, 31));
  return _mm256_sub_epi32(_mm256_srav_epi32(high, right), _mm256_cmpgt_epi32(remainder, threshold));
}

}  // namespace
}  // namespace octet
