// Blocks of bytes and int32 or float lanes with AVX-512 (F, BW, VL, DQ, VBMI): the same names as in
// vector_avx2.h, so that one kernel body (*_vector.inc) serves both.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant_avx512.h"
#include "kernels/common/x86_intrinsics.h"

// The name of a kernel of these instruction sets.
#define OCTET_KERNEL(base) base##Avx512Vnni

#define OCTET_INLINE static inline __attribute__((always_inline))
#define OCTET_MEMBER inline __attribute__((always_inline))

namespace octet {
namespace {

using VecI = __m512i;
using VecF = __m512;
constexpr size_t kLanes = 16;  // int32 or float
constexpr size_t kBytes = 64;  // of a block, four vectors of lanes
constexpr bool kFixed = true;  // RequantFixed, Fma and Round are exact

OCTET_INLINE __mmask64 FirstBytes(size_t n) { return (uint64_t{1} << n) - 1; }  // n < 64

OCTET_INLINE VecI LoadBytes(const void* p) { return _mm512_loadu_si512(p); }
OCTET_INLINE void StoreBytes(void* p, VecI v) { _mm512_storeu_si512(p, v); }
// n < kBytes of them; the rest is zero.
OCTET_INLINE VecI LoadPart(const void* p, size_t n) {
  return _mm512_maskz_loadu_epi8(FirstBytes(n), p);
}
OCTET_INLINE void StorePart(void* p, VecI v, size_t n) {
  _mm512_mask_storeu_epi8(p, FirstBytes(n), v);
}

// kLanes bytes, as int32.
OCTET_INLINE VecI LoadS8(const int8_t* p) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
OCTET_INLINE __mmask16 FirstLanes(size_t n) {  // n <= kLanes
  return static_cast<__mmask16>((uint32_t{1} << n) - 1);
}
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecI LoadS8Part(const int8_t* p, size_t n) {
  return _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(FirstLanes(n), p));
}
// n <= kLanes int32, saturated.
OCTET_INLINE void StoreS8Part(int8_t* p, VecI v, size_t n) {
  _mm_mask_storeu_epi8(p, FirstLanes(n), _mm512_cvtsepi32_epi8(v));
}
OCTET_INLINE void StoreS16Part(int16_t* p, VecI v, size_t n) {
  _mm256_mask_storeu_epi16(p, FirstLanes(n), _mm512_cvtsepi32_epi16(v));
}
OCTET_INLINE VecI LoadI32(const int32_t* p) { return _mm512_loadu_si512(p); }
OCTET_INLINE void StoreI32(int32_t* p, VecI v) { _mm512_storeu_si512(p, v); }
OCTET_INLINE VecF LoadF32(const float* p) { return _mm512_loadu_ps(p); }

OCTET_INLINE void StoreF32(float* p, VecF v) { _mm512_storeu_ps(p, v); }
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecF LoadF32Part(const float* p, size_t n) {
  return _mm512_maskz_loadu_ps(FirstLanes(n), p);
}
OCTET_INLINE void StoreF32Part(float* p, VecF v, size_t n) {
  _mm512_mask_storeu_ps(p, FirstLanes(n), v);
}

// kBytes / 2 bytes, as int16; sums of those; each half of int16 as int32.
OCTET_INLINE VecI LoadS8AsI16(const int8_t* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
// kLanes int16, as int32.
OCTET_INLINE VecI LoadS16(const int16_t* p) {
  return _mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
// n <= kLanes int16, as int32; the rest is zero.
OCTET_INLINE VecI LoadS16Part(const int16_t* p, size_t n) {
  return _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(FirstLanes(n), p));
}
OCTET_INLINE VecI SetI16(int32_t x) { return _mm512_set1_epi16(static_cast<int16_t>(x)); }
OCTET_INLINE VecI SubI16(VecI a, VecI b) { return _mm512_sub_epi16(a, b); }
// Adds the products of int16 to int32 lanes: each lane gets two of them, in all every product one.
OCTET_INLINE VecI AddPairs(VecI sum, VecI a, VecI b) {
  return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
}
OCTET_INLINE int32_t SumLanes(VecI a) { return _mm512_reduce_add_epi32(a); }
OCTET_INLINE int64_t SumLanes64(VecI a) {
  return _mm512_reduce_add_epi64(
      _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)),
                       _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1))));
}
OCTET_INLINE VecI AddI16(VecI a, VecI b) { return _mm512_add_epi16(a, b); }
OCTET_INLINE VecI FirstI16AsI32(VecI a) { return _mm512_cvtepi16_epi32(_mm512_castsi512_si256(a)); }
OCTET_INLINE VecI LastI16AsI32(VecI a) {
  return _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(a, 1));
}

OCTET_INLINE VecI SetI8(int32_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
OCTET_INLINE VecI SetI32(int32_t x) { return _mm512_set1_epi32(x); }
OCTET_INLINE VecF SetF32(float x) { return _mm512_set1_ps(x); }
OCTET_INLINE VecI ZeroI() { return _mm512_setzero_si512(); }

OCTET_INLINE VecI MinS8(VecI a, VecI b) { return _mm512_min_epi8(a, b); }
OCTET_INLINE VecI MaxS8(VecI a, VecI b) { return _mm512_max_epi8(a, b); }
OCTET_INLINE VecI MinI32(VecI a, VecI b) { return _mm512_min_epi32(a, b); }
OCTET_INLINE VecI MaxI32(VecI a, VecI b) { return _mm512_max_epi32(a, b); }
OCTET_INLINE VecI AddI32(VecI a, VecI b) { return _mm512_add_epi32(a, b); }
OCTET_INLINE VecI SubI32(VecI a, VecI b) { return _mm512_sub_epi32(a, b); }
OCTET_INLINE VecI MulI32(VecI a, VecI b) { return _mm512_mullo_epi32(a, b); }
template <int kShift>
OCTET_INLINE VecI ShiftLeft(VecI a) {
  return _mm512_slli_epi32(a, kShift);
}
template <int kShift>
OCTET_INLINE VecI ShiftRight(VecI a) {
  return _mm512_srai_epi32(a, kShift);
}

template <int kShift>
OCTET_INLINE VecI ShiftRightLogical(VecI a) {
  return _mm512_srli_epi32(a, kShift);
}
OCTET_INLINE VecI And(VecI a, VecI b) { return _mm512_and_si512(a, b); }
OCTET_INLINE VecI Xor(VecI a, VecI b) { return _mm512_xor_si512(a, b); }
// b where a is negative, else c.
OCTET_INLINE VecI WhereNegative(VecI a, VecI b, VecI c) {
  return _mm512_mask_blend_epi32(_mm512_movepi32_mask(a), c, b);
}

// The first n <= kLanes lanes of a, the others of b.
OCTET_INLINE VecI FirstOr(VecI a, size_t n, VecI b) {
  return _mm512_mask_blend_epi32(FirstLanes(n), b, a);
}
OCTET_INLINE VecI Gather(const int32_t* table, VecI index) {
  return _mm512_i32gather_epi32(index, table, 4);
}

OCTET_INLINE VecF ToFloat(VecI a) { return _mm512_cvtepi32_ps(a); }
OCTET_INLINE VecI Round(VecF a) { return _mm512_cvtps_epi32(a); }      // to nearest even
OCTET_INLINE VecI Truncate(VecF a) { return _mm512_cvttps_epi32(a); }  // toward zero
OCTET_INLINE VecF AddF32(VecF a, VecF b) { return _mm512_add_ps(a, b); }
OCTET_INLINE VecF SubF32(VecF a, VecF b) { return _mm512_sub_ps(a, b); }
OCTET_INLINE VecF MulF32(VecF a, VecF b) { return _mm512_mul_ps(a, b); }
OCTET_INLINE VecF DivF32(VecF a, VecF b) { return _mm512_div_ps(a, b); }
OCTET_INLINE VecF Fma(VecF a, VecF b, VecF c) { return _mm512_fmadd_ps(a, b, c); }

OCTET_INLINE VecF MinF32(VecF a, VecF b) { return _mm512_min_ps(a, b); }
OCTET_INLINE VecF MaxF32(VecF a, VecF b) { return _mm512_max_ps(a, b); }
OCTET_INLINE VecF NanToZero(VecF a) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a);
}
// |magnitude| with the sign of a.
OCTET_INLINE VecF WithSign(VecF magnitude, VecF a) {
  return _mm512_or_ps(magnitude, _mm512_and_ps(a, _mm512_set1_ps(-0.0f)));
}

OCTET_INLINE VecI RequantInteger(VecI acc, VecI multiplier, VecI shift) {
  return RequantInteger512(acc, multiplier, shift);
}

// 16.16 fixed point (requant_fixed.h), where RequantFixedHolds.
struct RequantFixed {
  VecF scale, bias;
  VecI offset;

  explicit RequantFixed(const RequantFixedChannel& c)
      : scale(_mm512_set1_ps(c.scale)),
        bias(_mm512_set1_ps(c.bias)),
        offset(_mm512_set1_epi32(static_cast<int32_t>(c.offset))) {}
  OCTET_MEMBER VecI operator()(VecI acc) const {
    return RequantSigned512(acc, scale, bias, offset);
  }
};

// Four vectors of int32, saturated to a block of bytes in order.
OCTET_INLINE VecI PackS8(VecI a, VecI b, VecI c, VecI d) {
  const VecI packed = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
  return _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
}
// The same of the upper halves of 16.16 fixed point.
OCTET_INLINE VecI PackFixedS8(VecI a, VecI b, VecI c, VecI d) {
  return PackS8(_mm512_srai_epi32(a, 16), _mm512_srai_epi32(b, 16), _mm512_srai_epi32(c, 16),
                _mm512_srai_epi32(d, 16));
}
// Whose lower halves are the lesser ones.
OCTET_INLINE VecI MinLowHalves(VecI a, VecI b) { return _mm512_min_epu16(a, b); }
// Is a lower half below `limit` (1 ... 32767)?
OCTET_INLINE bool AnyDoubt(VecI a, VecI b, VecI c, VecI d, int32_t limit) {
  const VecI low = _mm512_min_epu16(_mm512_min_epu16(a, b), _mm512_min_epu16(c, d));
  return _mm512_mask_cmplt_epu16_mask(0x55555555u, low,
                                      _mm512_set1_epi16(static_cast<int16_t>(limit))) != 0;
}

// int16 x and y in turn.
OCTET_INLINE VecI SetPairs(int32_t x, int32_t y) {
  return _mm512_unpacklo_epi16(SetI16(x), SetI16(y));
}
// 256 * (a * x + b * y) of two blocks of int8, in the order that PackFixedSums expects:
// even and odd ones of the lower and of the upper half of each 16 elements.
OCTET_INLINE void PairSums(const int8_t* a_data, const int8_t* b_data, VecI xy, VecI (&sums)[4]) {
  const VecI a = LoadBytes(a_data), b = LoadBytes(b_data);
  const VecI low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
  // From [a0 b0 a1 b1]: [0 a0 0 b0] and [0 a1 0 b1].
  const VecI even = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0d800c8009800880, 0x0580048001800080));
  const VecI odd = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0f800e800b800a80, 0x0780068003800280));
  sums[0] = _mm512_madd_epi16(_mm512_shuffle_epi8(low, even), xy);
  sums[1] = _mm512_madd_epi16(_mm512_shuffle_epi8(low, odd), xy);
  sums[2] = _mm512_madd_epi16(_mm512_shuffle_epi8(high, even), xy);
  sums[3] = _mm512_madd_epi16(_mm512_shuffle_epi8(high, odd), xy);
}
OCTET_INLINE VecI PackFixedSums(const VecI (&y)[4]) {
  return _mm512_packs_epi16(RequantHalves512(y[0], y[1]), RequantHalves512(y[2], y[3]));
}

}  // namespace
}  // namespace octet
