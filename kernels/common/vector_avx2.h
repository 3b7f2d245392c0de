// Blocks of bytes and int32 or float lanes with AVX2: the same names as in vector_avx512.h, so that
// one kernel body (*_vector.inc) serves both.
// For files compiled with these instruction sets only; internal linkage throughout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/common/requant_avx2.h"
#include "kernels/common/x86_intrinsics.h"

// The name of a kernel of these instruction sets.
#define OCTET_KERNEL(base) base##Avx2

#define OCTET_INLINE static inline __attribute__((always_inline))
#define OCTET_MEMBER inline __attribute__((always_inline))

namespace octet {
namespace {

using VecI = __m256i;
using VecF = __m256;
constexpr size_t kLanes = 8;   // int32 or float
constexpr size_t kBytes = 32;  // of a block, four vectors of lanes
constexpr bool kFixed = true;  // RequantFixed, Fma and Round are exact

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
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecI LoadS8Part(const int8_t* p, size_t n) {
  if (n == kLanes) return LoadS8(p);
  uint64_t bytes = 0;
  uint32_t part = 0;
  uint16_t pair = 0;
  if (n & 1) bytes = static_cast<uint8_t>(p[n - 1]);
  if (n & 2) std::memcpy(&pair, p + (n & 4), 2), bytes = bytes << 16 | pair;
  if (n & 4) std::memcpy(&part, p, 4), bytes = bytes << 32 | part;
  return _mm256_cvtepi8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
}
// n <= kLanes int32, saturated.
OCTET_INLINE void StoreS8Part(int8_t* p, VecI v, size_t n) {
  __m128i x = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  x = _mm_packs_epi16(x, x);
  if (n == kLanes) return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), x);
  uint64_t bytes = static_cast<uint64_t>(_mm_cvtsi128_si64(x));
  if (n & 4) std::memcpy(p, &bytes, 4), bytes >>= 32, p += 4;
  if (n & 2) std::memcpy(p, &bytes, 2), bytes >>= 16, p += 2;
  if (n & 1) *p = static_cast<int8_t>(bytes);
}
OCTET_INLINE void StoreS16Part(int16_t* p, VecI v, size_t n) {
  alignas(16) int16_t block[kLanes];
  _mm_store_si128(reinterpret_cast<__m128i*>(block),
                  _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
  std::memcpy(p, block, n * 2);
}
OCTET_INLINE VecI LoadI32(const int32_t* p) { return LoadBytes(p); }
OCTET_INLINE void StoreI32(int32_t* p, VecI v) { StoreBytes(p, v); }
OCTET_INLINE VecF LoadF32(const float* p) { return _mm256_loadu_ps(p); }

OCTET_INLINE void StoreF32(float* p, VecF v) { _mm256_storeu_ps(p, v); }
// n <= kLanes of them; the rest is zero.
OCTET_INLINE VecI FirstLanes(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
OCTET_INLINE VecF LoadF32Part(const float* p, size_t n) {
  return _mm256_maskload_ps(p, FirstLanes(n));
}
OCTET_INLINE void StoreF32Part(float* p, VecF v, size_t n) {
  _mm256_maskstore_ps(p, FirstLanes(n), v);
}

// kBytes / 2 bytes, as int16; sums of those; each half of int16 as int32.
OCTET_INLINE VecI LoadS8AsI16(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// kLanes int16, as int32.
OCTET_INLINE VecI LoadS16(const int16_t* p) {
  return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// n <= kLanes int16, as int32; the rest is zero.
OCTET_INLINE VecI LoadS16Part(const int16_t* p, size_t n) {
  alignas(16) int16_t block[kLanes] = {};
  std::memcpy(block, p, n * 2);
  return _mm256_cvtepi16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(block)));
}
OCTET_INLINE VecI SetI16(int32_t x) { return _mm256_set1_epi16(static_cast<int16_t>(x)); }
OCTET_INLINE VecI SubI16(VecI a, VecI b) { return _mm256_sub_epi16(a, b); }
// Adds the products of int16 to int32 lanes: each lane gets two of them, in all every product one.
OCTET_INLINE VecI AddPairs(VecI sum, VecI a, VecI b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
OCTET_INLINE int32_t SumLanes(VecI a) {
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1));
  return _mm_cvtsi128_si32(x);
}
OCTET_INLINE int64_t SumLanes64(VecI a) {
  const __m256i pairs = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)),
                                         _mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1)));
  const __m128i x =
      _mm_add_epi64(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
  return _mm_cvtsi128_si64(_mm_add_epi64(x, _mm_unpackhi_epi64(x, x)));
}
OCTET_INLINE VecI AddI16(VecI a, VecI b) { return _mm256_add_epi16(a, b); }
OCTET_INLINE VecI FirstI16AsI32(VecI a) { return _mm256_cvtepi16_epi32(_mm256_castsi256_si128(a)); }
OCTET_INLINE VecI LastI16AsI32(VecI a) {
  return _mm256_cvtepi16_epi32(_mm256_extracti128_si256(a, 1));
}

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

template <int kShift>
OCTET_INLINE VecI ShiftRightLogical(VecI a) {
  return _mm256_srli_epi32(a, kShift);
}
OCTET_INLINE VecI And(VecI a, VecI b) { return _mm256_and_si256(a, b); }
OCTET_INLINE VecI Xor(VecI a, VecI b) { return _mm256_xor_si256(a, b); }
// b where a is negative, else c.
OCTET_INLINE VecI WhereNegative(VecI a, VecI b, VecI c) {
  return _mm256_blendv_epi8(c, b, _mm256_srai_epi32(a, 31));
}

// The first n <= kLanes lanes of a, the others of b.
OCTET_INLINE VecI FirstOr(VecI a, size_t n, VecI b) {
  return _mm256_blendv_epi8(b, a, FirstLanes(n));
}
OCTET_INLINE VecI Gather(const int32_t* table, VecI index) {
  return _mm256_i32gather_epi32(table, index, 4);
}

OCTET_INLINE VecF ToFloat(VecI a) { return _mm256_cvtepi32_ps(a); }
OCTET_INLINE VecI Round(VecF a) { return _mm256_cvtps_epi32(a); }      // to nearest even
OCTET_INLINE VecI Truncate(VecF a) { return _mm256_cvttps_epi32(a); }  // toward zero
OCTET_INLINE VecF AddF32(VecF a, VecF b) { return _mm256_add_ps(a, b); }
OCTET_INLINE VecF SubF32(VecF a, VecF b) { return _mm256_sub_ps(a, b); }
OCTET_INLINE VecF MulF32(VecF a, VecF b) { return _mm256_mul_ps(a, b); }
OCTET_INLINE VecF DivF32(VecF a, VecF b) { return _mm256_div_ps(a, b); }
OCTET_INLINE VecF Fma(VecF a, VecF b, VecF c) { return _mm256_fmadd_ps(a, b, c); }

OCTET_INLINE VecF MinF32(VecF a, VecF b) { return _mm256_min_ps(a, b); }
OCTET_INLINE VecF MaxF32(VecF a, VecF b) { return _mm256_max_ps(a, b); }
OCTET_INLINE VecF NanToZero(VecF a) { return _mm256_and_ps(a, _mm256_cmp_ps(a, a, _CMP_ORD_Q)); }
// |magnitude| with the sign of a.
OCTET_INLINE VecF WithSign(VecF magnitude, VecF a) {
  return _mm256_or_ps(magnitude, _mm256_and_ps(a, _mm256_set1_ps(-0.0f)));
}

OCTET_INLINE VecI RequantInteger(VecI acc, VecI multiplier, VecI shift) {
  return RequantInteger256(acc, multiplier, shift);
}

// 16.16 fixed point (requant_fixed.h), where RequantFixedHolds.
struct RequantFixed {
  VecF scale, positive, negative;

  explicit RequantFixed(const RequantFixedChannel& c)
      : scale(_mm256_set1_ps(c.scale)),
        positive(_mm256_set1_ps(c.offset + c.bias)),
        negative(_mm256_set1_ps(c.offset - c.bias)) {}
  OCTET_MEMBER VecI operator()(VecI acc) const {
    return RequantSigned256(acc, scale, positive, negative);
  }
};

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
// Whose lower halves are the lesser ones.
OCTET_INLINE VecI MinLowHalves(VecI a, VecI b) { return _mm256_min_epu16(a, b); }
// Is a lower half below `limit` (1 ... 32767)?
OCTET_INLINE bool AnyDoubt(VecI a, VecI b, VecI c, VecI d, int32_t limit) {
  return RequantIsDoubtful256(_mm256_min_epu16(_mm256_min_epu16(a, b), _mm256_min_epu16(c, d)),
                              limit);
}

// int16 x and y in turn.
OCTET_INLINE VecI SetPairs(int32_t x, int32_t y) {
  return _mm256_unpacklo_epi16(SetI16(x), SetI16(y));
}
// 256 * (a * x + b * y) of two blocks of int8, in the order that PackFixedSums expects:
// even and odd ones of the lower and of the upper half of each 16 elements.
OCTET_INLINE void PairSums(const int8_t* a_data, const int8_t* b_data, VecI xy, VecI (&sums)[4]) {
  const VecI a = LoadBytes(a_data), b = LoadBytes(b_data);
  const VecI low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
  // From [a0 b0 a1 b1]: [0 a0 0 b0] and [0 a1 0 b1].
  const VecI even = _mm256_set_epi64x(0x0d800c8009800880, 0x0580048001800080, 0x0d800c8009800880,
                                      0x0580048001800080);
  const VecI odd = _mm256_set_epi64x(0x0f800e800b800a80, 0x0780068003800280, 0x0f800e800b800a80,
                                     0x0780068003800280);
  sums[0] = _mm256_madd_epi16(_mm256_shuffle_epi8(low, even), xy);
  sums[1] = _mm256_madd_epi16(_mm256_shuffle_epi8(low, odd), xy);
  sums[2] = _mm256_madd_epi16(_mm256_shuffle_epi8(high, even), xy);
  sums[3] = _mm256_madd_epi16(_mm256_shuffle_epi8(high, odd), xy);
}
OCTET_INLINE VecI PackFixedSums(const VecI (&y)[4]) {
  return _mm256_packs_epi16(RequantHalves256(y[0], y[1]), RequantHalves256(y[2], y[3]));
}

}  // namespace
}  // namespace octet
