// Blocks of bytes and int32 or float lanes with AVX-512 (F, BW, VL, DQ, VBMI): the same names as in
// vector_avx2.h, so that one kernel body (*_x86.inc) serves both.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant_avx512.h"
#include "kernels/common/x86_intrinsics.h"

#define OCTET_INLINE static inline __attribute__((always_inline))

namespace octet {
namespace {

using VecI = __m512i;
using VecF = __m512;
constexpr size_t kLanes = 16;  // int32 or float
constexpr size_t kBytes = 64;  // of a block, four vectors of lanes

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
OCTET_INLINE VecI LoadI32(const int32_t* p) { return _mm512_loadu_si512(p); }
OCTET_INLINE void StoreI32(int32_t* p, VecI v) { _mm512_storeu_si512(p, v); }
OCTET_INLINE VecF LoadF32(const float* p) { return _mm512_loadu_ps(p); }

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

OCTET_INLINE VecF ToFloat(VecI a) { return _mm512_cvtepi32_ps(a); }
OCTET_INLINE VecI Round(VecF a) { return _mm512_cvtps_epi32(a); }      // to nearest even
OCTET_INLINE VecI Truncate(VecF a) { return _mm512_cvttps_epi32(a); }  // toward zero
OCTET_INLINE VecF AddF32(VecF a, VecF b) { return _mm512_add_ps(a, b); }
OCTET_INLINE VecF SubF32(VecF a, VecF b) { return _mm512_sub_ps(a, b); }
OCTET_INLINE VecF MulF32(VecF a, VecF b) { return _mm512_mul_ps(a, b); }
OCTET_INLINE VecF DivF32(VecF a, VecF b) { return _mm512_div_ps(a, b); }
OCTET_INLINE VecF Fma(VecF a, VecF b, VecF c) { return _mm512_fmadd_ps(a, b, c); }

OCTET_INLINE VecI RequantInteger(VecI acc, VecI multiplier, VecI shift) {
  return RequantInteger512(acc, multiplier, shift);
}

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
// Is a lower half below `limit` (1 ... 32767)?
OCTET_INLINE bool AnyDoubt(VecI a, VecI b, VecI c, VecI d, int32_t limit) {
  const VecI low = _mm512_min_epu16(_mm512_min_epu16(a, b), _mm512_min_epu16(c, d));
  return _mm512_mask_cmplt_epu16_mask(0x55555555u, low,
                                      _mm512_set1_epi16(static_cast<int16_t>(limit))) != 0;
}

}  // namespace
}  // namespace octet
