// Requantisation of 16 int32 accumulators a vector with AVX-512 (F, BW): see requant_fixed.h.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstdint>

#include "kernels/common/requant_fixed.h"
#include "kernels/common/x86_intrinsics.h"

namespace octet {
namespace {

// floor of these is R(acc) + zero_point, in 16.16. Where act_min >= zero_point:
static inline __attribute__((always_inline)) __m512i RequantRelu512(__m512i acc, __m512 scale,
                                                                    __m512 offset_relu) {
  return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), scale, offset_relu));
}

// In general. `offset` is RequantFixedChannel::offset, the same for every channel, as int32; `sign`
// has the sign bit of every lane alone.
static inline __attribute__((always_inline)) __m512i RequantSigned512(__m512i acc, __m512 scale,
                                                                      __m512 bias, __m512i offset,
                                                                      __m512i sign) {
  // 0xF8: (acc & sign) | bias; the bias is not negative
  const __m512i signed_bias = _mm512_ternarylogic_epi32(_mm512_castps_si512(bias), acc, sign, 0xF8);
  const __m512 y =
      _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), scale, _mm512_castsi512_ps(signed_bias));
  return _mm512_add_epi32(_mm512_cvtps_epi32(y), offset);
}
static inline __attribute__((always_inline)) __m512i RequantSigned512(__m512i acc, __m512 scale,
                                                                      __m512 bias, __m512i offset) {
  return RequantSigned512(acc, scale, bias, offset, _mm512_set1_epi32(INT32_MIN));
}

// Mask registers for the lower and the upper halves. Left to itself, gcc makes them again and again
// from general registers.
struct RequantMasks512 {
  __mmask32 low = 0x55555555u, high = 0xAAAAAAAAu;
};
static inline __attribute__((always_inline)) void RequantKeep512(RequantMasks512* masks) {
  __asm__("" : "+Yk"(masks->low), "+Yk"(masks->high));
}

// A running minimum of the lower halves, and whether it has met a doubtful one. It starts as
// `limit`, which is kRequantFixedDoubt in every 16-bit lane.
static inline __attribute__((always_inline)) __m512i RequantDoubtStart512() {
  return _mm512_set1_epi16(kRequantFixedDoubt);
}
static inline __attribute__((always_inline)) __m512i RequantDoubt512(__m512i running, __m512i y,
                                                                     RequantMasks512 masks = {}) {
  return _mm512_mask_min_epu16(running, masks.low, running, y);
}
static inline __attribute__((always_inline)) bool RequantIsDoubtful512(__m512i running,
                                                                       __m512i limit) {
  return _mm512_cmpneq_epu16_mask(running, limit) != 0;
}
static inline __attribute__((always_inline)) bool RequantIsDoubtful512(__m512i running) {
  return RequantIsDoubtful512(running, RequantDoubtStart512());
}

// The upper halves of a and b, interleaved: a0 b0 a1 b1 ... as int16.
static inline __attribute__((always_inline)) __m512i RequantHalves512(__m512i a, __m512i b,
                                                                      RequantMasks512 masks = {}) {
  return _mm512_mask_blend_epi16(masks.high, _mm512_srli_epi32(a, 16), b);
}

// R(acc) by the integer formula, any multiplier and shift (positive: left).
static inline __m512i RequantInteger512(__m512i acc, __m512i multiplier, __m512i shift) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i left = _mm512_max_epi32(shift, zero);
  const __m512i right = _mm512_max_epi32(_mm512_sub_epi32(zero, shift), zero);
  const __m512i x = _mm512_sllv_epi32(acc, left);
  const __m512i nudge = _mm512_set1_epi64(int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), nudge);
  const __m512i odd = _mm512_add_epi64(
      _mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(multiplier, 32)), nudge);
  // bits 31..62 of each product
  const __m512i high =
      _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
  const __m512i remainder = _mm512_and_si512(high, mask);
  const __m512i threshold =
      _mm512_add_epi32(_mm512_srli_epi32(mask, 1), _mm512_srli_epi32(high, 31));
  const __m512i quotient = _mm512_srav_epi32(high, right);
  return _mm512_mask_add_epi32(quotient, _mm512_cmpgt_epi32_mask(remainder, threshold), quotient,
                               one);
}

}  // namespace
}  // namespace octet
