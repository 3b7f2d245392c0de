// Blocks of bytes and int32 or float lanes with AVX2: the same names as in vector_avx512.h, so that
// one kernel body (*_x86.inc) serves both.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/common/requant_avx2.h"
#include "kernels/common/x86_intrinsics.h"

#define OCTET_INLINE static inline __attribute__((always_inline))

namespace octet {
namespace {

using VecI = __m256i;
using VecF = __m256;
constexpr size_t kLanes = 8;   // int32 or float
constexpr size_t kBytes = 32;  // of a block, four vectors of lanes

OCTET_INLINE VecI LoadBytes(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
OCTET_INLINE void StoreBytes(void* p, VecI v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
// n < kBytes of them; the rest is zero.
OCTET_INLINE VecI LoadPart(const void* p, size_t n) {
  alignas(32) uint8_t block[kBytes] = {};
  std::memcpy(block, p, n);
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(block));
}
OCTET_INLINE void StorePart(void* p, VecI v, size_t n) {
  alignas(32) uint8_t block[kBytes];
  _mm256_store_si256(reinterpret_cast<__m256i*>(block), v);
  std::memcpy(p, block, n);
}

// kLanes bytes, as int32.
OCTET_INLINE VecI LoadS8(const int8_t* p) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
OCTET_INLINE VecI LoadI32(const int32_t* p) { return LoadBytes(p); }
OCTET_INLINE void StoreI32(int32_t* p, VecI v) { StoreBytes(p, v); }
OCTET_INLINE VecF LoadF32(const float* p) { return _mm256_loadu_ps(p); }

OCTET_INLINE VecI SetI8(int32_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
OCTET_INLINE VecI SetI32(int32_t x) { return _mm256_set1_epi32(x); }
OCTET_INLINE VecF SetF32(float x) { return _mm256_set1_ps(x); }
OCTET_INLINE VecI ZeroI() { return _mm256_setzero_si256(); }

OCTET_INLINE VecI MinS8(VecI a, VecI b) { return _mm256_min_epi8(a, b); }
OCTET_INLINE VecI MaxS8(VecI a, VecI b) { return _mm256_max_epi8(a, b); }
OCTET_INLINE VecI MinI32(VecI a, VecI b) { return _mm256_min_epi32(a, b); }
OCTET_INLINE VecI MaxI32(VecI a, VecI b) { return _mm256_max_epi32(a, b); }
OCTET_INLINE VecI AddI32(VecI a, VecI b) { return _mm256_add_epi32(a, b); }
OCTET_INLINE VecI SubI32(VecI a, VecI b) { return _mm256_sub_epi32(a, b); }
OCTET_INLINE VecI MulI32(VecI a, VecI b) { return _mm256_mullo_epi32(a, b); }
template <int kShift>
OCTET_INLINE VecI ShiftLeft(VecI a) {
  return _mm256_slli_epi32(a, kShift);
}
template <int kShift>
OCTET_INLINE VecI ShiftRight(VecI a) {
  return _mm256_srai_epi32(a, kShift);
}

OCTET_INLINE VecF ToFloat(VecI a) { return _mm256_cvtepi32_ps(a); }
OCTET_INLINE VecI Round(VecF a) { return _mm256_cvtps_epi32(a); }      // to nearest even
OCTET_INLINE VecI Truncate(VecF a) { return _mm256_cvttps_epi32(a); }  // toward zero
OCTET_INLINE VecF AddF32(VecF a, VecF b) { return _mm256_add_ps(a, b); }
OCTET_INLINE VecF SubF32(VecF a, VecF b) { return _mm256_sub_ps(a, b); }
OCTET_INLINE VecF MulF32(VecF a, VecF b) { return _mm256_mul_ps(a, b); }
OCTET_INLINE VecF DivF32(VecF a, VecF b) { return _mm256_div_ps(a, b); }
OCTET_INLINE VecF Fma(VecF a, VecF b, VecF c) { return _mm256_fmadd_ps(a, b, c); }

OCTET_INLINE VecI RequantInteger(VecI acc, VecI multiplier, VecI shift) {
  return RequantInteger256(acc, multiplier, shift);
}

// Four vectors of int32, saturated to a block of bytes in order.
OCTET_INLINE VecI PackS8(VecI a, VecI b, VecI c, VecI d) {
  const VecI packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
// The same of the upper halves of 16.16 fixed point.
OCTET_INLINE VecI PackFixedS8(VecI a, VecI b, VecI c, VecI d) {
  return PackS8(_mm256_srai_epi32(a, 16), _mm256_srai_epi32(b, 16), _mm256_srai_epi32(c, 16),
                _mm256_srai_epi32(d, 16));
}
// Is a lower half below `limit` (1 ... 32767)?
OCTET_INLINE bool AnyDoubt(VecI a, VecI b, VecI c, VecI d, int32_t limit) {
  const VecI low = _mm256_min_epu16(RequantLowHalves256(a, b), RequantLowHalves256(c, d));
  const VecI over = _mm256_subs_epu16(low, _mm256_set1_epi16(static_cast<int16_t>(limit - 1)));
  const VecI doubtful = _mm256_cmpeq_epi16(over, ZeroI());
  return !_mm256_testz_si256(doubtful, doubtful);
}

}  // namespace
}  // namespace octet
