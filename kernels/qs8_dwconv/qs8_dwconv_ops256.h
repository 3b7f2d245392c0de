// The 256-bit vector operations of qs8_dwconv_x86_impl.h. The including file defines
// OCTET_DW_VNNI: 1 for vpdpbusd on bytes, 0 for vpmaddwd on 16-bit halves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/x86_intrinsics.h"

namespace octet {
namespace {

struct Ops {
  using Int = __m256i;
  struct Mask {};
  static constexpr int kVector = 32;
  static constexpr int kParts = OCTET_DW_VNNI ? 1 : 2;
  static constexpr int kTile = 2;        // vectors of outputs a tile, of each of two rows
  static constexpr int kTileOneRow = 2;  // times this where there is one row
  static constexpr bool kMasks = false;

  static Int Load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void Store(void* p, Int v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  // Keeps a loaded value in its register: gcc would load it again for each use.
  static void Keep(Int& v) { __asm__("" : "+x"(v)); }

  static Int Dot(Int acc, Int x, Int w) {
#if OCTET_DW_VNNI
    return _mm256_dpbusd_avx_epi32(acc, x, w);
#else
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(x, w));
    Keep(acc);  // else gcc adds in another order and spills
    return acc;
#endif
  }

  static Int Zero() { return _mm256_setzero_si256(); }
  static Mask MaskOf(int32_t) { return {}; }
  // Pixels pieces of a vector, `step` bytes apart; no load is masked.
  template <int Pixels>
  static Int LoadPixels(const int8_t* p, size_t step, Mask) {
    if (Pixels == 1) return Load(p);
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + step));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }
  // P pieces from as many places.
  template <int P>
  static Int LoadPieces(const int8_t* const* p, Mask) {
    if (P == 1) return Load(p[0]);
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[0]));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p[P - 1]));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }
  template <int P>
  static void StorePieces(int8_t* const* p, Int v, Mask, int32_t channels) {
    const __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
    if (P == 1) {
      if (channels > 16) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p[0]), low);
        StoreSome(p[0] + 16, high, channels - 16);
      } else {
        StoreSome(p[0], low, channels);
      }
    } else {
      StoreSome(p[0], low, channels);
      StoreSome(p[P - 1], high, channels);
    }
  }
  static void StoreSome(int8_t* p, __m128i v, int32_t bytes) {
    if (bytes == 16) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
      return;
    }
    if (bytes & 8) {
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
      v = _mm_srli_si128(v, 8);
      p += 8;
    }
    if ((bytes & 7) == 0) return;
    int8_t rest[8];
    _mm_storel_epi64(reinterpret_cast<__m128i*>(rest), v);
    for (int32_t i = 0; i < (bytes & 7); ++i) p[i] = rest[i];
  }
  // Four bytes of each position side by side, as unsigned numbers (x + 128).
  static void Interleave4(const Int* in, Int* out) {
    const Int flip = _mm256_set1_epi8(-128);
    const Int a = _mm256_unpacklo_epi8(in[0], in[1]), b = _mm256_unpackhi_epi8(in[0], in[1]);
    const Int c = _mm256_unpacklo_epi8(in[2], in[3]), d = _mm256_unpackhi_epi8(in[2], in[3]);
    out[0] = _mm256_xor_si256(_mm256_unpacklo_epi16(a, c), flip);
    out[1] = _mm256_xor_si256(_mm256_unpackhi_epi16(a, c), flip);
    out[2] = _mm256_xor_si256(_mm256_unpacklo_epi16(b, d), flip);
    out[3] = _mm256_xor_si256(_mm256_unpackhi_epi16(b, d), flip);
  }
  // The operands of Dot in one of these; in 16 bits, bytes 0 and 2, then bytes 1 and 3.
  static void Parts(Int x, Int* parts) {
#if OCTET_DW_VNNI
    parts[0] = x;
#else
    parts[0] = _mm256_and_si256(x, _mm256_set1_epi16(0xFF));
    parts[1] = _mm256_srli_epi16(x, 8);
#endif
  }
  static void Interleave(const Int* in, Int* out) {
    Int four[4];
    Interleave4(in, four);
    for (int j = 0; j < 4; ++j) Parts(four[j], out + j * kParts);
  }

  template <bool Signed>
  static Int Round(Int acc, const void* scale, const void* offset) {
    __m256 c = _mm256_loadu_ps(static_cast<const float*>(offset));
    if (Signed) {  // the offset with acc's sign
      c = _mm256_or_ps(c, _mm256_and_ps(_mm256_castsi256_ps(acc), _mm256_set1_ps(-0.0f)));
    }
    return _mm256_cvtps_epi32(_mm256_fmadd_ps(
        _mm256_cvtepi32_ps(acc), _mm256_loadu_ps(static_cast<const float*>(scale)), c));
  }
  static Int AddWhereEqual(Int r, Int acc, Int at, Int delta) {
    return _mm256_add_epi32(r, _mm256_and_si256(_mm256_cmpeq_epi32(acc, at), delta));
  }
  // kernels/common/requant.h, the integer formula.
  static Int Requantize(Int acc, Int m, Int shift) {
    const Int zero = _mm256_setzero_si256();
    const Int left = _mm256_max_epi32(shift, zero);
    const Int right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
    const Int x = _mm256_sllv_epi32(acc, left);
    const Int half = _mm256_set1_epi64x(int64_t{1} << 30);
    const Int even = _mm256_srli_epi64(_mm256_add_epi64(_mm256_mul_epi32(x, m), half), 31);
    const Int odd = _mm256_slli_epi64(
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(m, 32)),
                         half),
        1);
    const Int high = _mm256_blend_epi32(even, odd, 0xAA);
    const Int one = _mm256_set1_epi32(1);
    const Int mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    const Int remainder = _mm256_and_si256(high, mask);
    const Int threshold = _mm256_add_epi32(_mm256_srli_epi32(mask, 1), _mm256_srli_epi32(high, 31));
    return _mm256_sub_epi32(_mm256_srav_epi32(high, right),
                            _mm256_cmpgt_epi32(remainder, threshold));
  }

  static Int Pack32(Int a, Int b) { return _mm256_packs_epi32(a, b); }
  static Int Pack16(Int a, Int b) { return _mm256_packs_epi16(a, b); }
  static Int AddSaturate16(Int a, int32_t b) {
    return _mm256_adds_epi16(a, _mm256_set1_epi16(static_cast<int16_t>(b)));
  }
  static Int Clamp8(Int a, int32_t low, int32_t high) {
    return _mm256_min_epi8(_mm256_max_epi8(a, _mm256_set1_epi8(static_cast<int8_t>(low))),
                           _mm256_set1_epi8(static_cast<int8_t>(high)));
  }
};

}  // namespace
}  // namespace octet
