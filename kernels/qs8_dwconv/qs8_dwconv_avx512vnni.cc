#include <cstddef>
#include <cstdint>

#include "kernels/common/x86_intrinsics.h"

namespace octet {
namespace {

struct Ops {
  using Int = __m512i;
  using Mask = __mmask64;
  static constexpr int kVector = 64;
  static constexpr int kParts = 1;
  static constexpr int kTile = 4;        // vectors of outputs a tile, of each of two rows
  static constexpr int kTileOneRow = 1;  // times this where there is one row
  static constexpr bool kMasks = true;

  static Int Load(const void* p) { return _mm512_loadu_si512(p); }
  static void Store(void* p, Int v) { _mm512_storeu_si512(p, v); }
  static Int Dot(Int acc, Int x, Int w) { return _mm512_dpbusd_epi32(acc, x, w); }

  // Keeps a loaded value in its register: gcc would load it again for each use.
  static void Keep(Int& v) { __asm__("" : "+v"(v)); }

  static Int Zero() { return _mm512_setzero_si512(); }
  // The operands of Dot in an interleaved vector.
  static void Parts(Int x, Int* parts) { parts[0] = x; }
  static Mask MaskOf(int32_t bytes) { return _cvtu64_mask64(~uint64_t{0} >> (64 - bytes)); }
  // Pixels pieces of a vector, `step` bytes apart.
  template <int Pixels>
  static Int LoadPixels(const int8_t* p, size_t step, Mask mask) {
    if (Pixels == 1) return _mm512_maskz_loadu_epi8(mask, p);
    if (Pixels == 2) {
      const __mmask32 m = static_cast<__mmask32>(mask);
      return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi8(m, p)),
                                _mm256_maskz_loadu_epi8(m, p + step), 1);
    }
    const __mmask16 m = static_cast<__mmask16>(mask);
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_maskz_loadu_epi8(m, p)),
                                                _mm_maskz_loadu_epi8(m, p + step), 1);
    const __m256i high =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_maskz_loadu_epi8(m, p + 2 * step)),
                                _mm_maskz_loadu_epi8(m, p + 3 * step), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  // P pieces from as many places.
  template <int P>
  static Int LoadPieces(const int8_t* const* p, Mask mask) {
    if (P == 1) return _mm512_maskz_loadu_epi8(mask, p[0]);
    if (P == 2) {
      const __mmask32 m = static_cast<__mmask32>(mask);
      return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi8(m, p[0])),
                                _mm256_maskz_loadu_epi8(m, p[1]), 1);
    }
    const __mmask16 m = static_cast<__mmask16>(mask);
    const __m256i low = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_maskz_loadu_epi8(m, p[0])), _mm_maskz_loadu_epi8(m, p[1]), 1);
    const __m256i high = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_maskz_loadu_epi8(m, p[2])), _mm_maskz_loadu_epi8(m, p[3]), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  template <int P>
  static void StorePieces(int8_t* const* p, Int v, Mask mask, int32_t) {
    if (P == 1) {
      _mm512_mask_storeu_epi8(p[0], mask, v);
    } else if (P == 2) {
      const __mmask32 m = static_cast<__mmask32>(mask);
      _mm256_mask_storeu_epi8(p[0], m, _mm512_castsi512_si256(v));
      _mm256_mask_storeu_epi8(p[1], m, _mm512_extracti64x4_epi64(v, 1));
    } else {
      const __mmask16 m = static_cast<__mmask16>(mask);
      _mm_mask_storeu_epi8(p[0], m, _mm512_castsi512_si128(v));
      _mm_mask_storeu_epi8(p[1], m, _mm512_extracti32x4_epi32(v, 1));
      _mm_mask_storeu_epi8(p[2], m, _mm512_extracti32x4_epi32(v, 2));
      _mm_mask_storeu_epi8(p[3], m, _mm512_extracti32x4_epi32(v, 3));
    }
  }
  // Four bytes of each position side by side, as unsigned numbers (x + 128).
  static void Interleave(const Int* in, Int* out) { Interleave4(in, out); }
  static void Interleave4(const Int* in, Int* out) {
    const Int flip = _mm512_set1_epi8(-128);
    const Int a = _mm512_unpacklo_epi8(in[0], in[1]), b = _mm512_unpackhi_epi8(in[0], in[1]);
    const Int c = _mm512_unpacklo_epi8(in[2], in[3]), d = _mm512_unpackhi_epi8(in[2], in[3]);
    out[0] = _mm512_xor_si512(_mm512_unpacklo_epi16(a, c), flip);
    out[1] = _mm512_xor_si512(_mm512_unpackhi_epi16(a, c), flip);
    out[2] = _mm512_xor_si512(_mm512_unpacklo_epi16(b, d), flip);
    out[3] = _mm512_xor_si512(_mm512_unpackhi_epi16(b, d), flip);
  }

  template <bool Signed>
  static Int Round(Int acc, const void* scale, const void* offset) {
    __m512 c = _mm512_loadu_ps(offset);
    if (Signed) {  // the offset with acc's sign
      c = _mm512_castsi512_ps(_mm512_ternarylogic_epi32(acc, _mm512_set1_epi32(INT32_MIN),
                                                        _mm512_castps_si512(c), 0xEA));
    }
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(acc), _mm512_loadu_ps(scale), c));
  }
  static Int AddWhereEqual(Int r, Int acc, Int at, Int delta) {
    return _mm512_mask_add_epi32(r, _mm512_cmpeq_epi32_mask(acc, at), r, delta);
  }
  // kernels/common/requant.h, the integer formula.
  static Int Requantize(Int acc, Int m, Int shift) {
    const Int zero = _mm512_setzero_si512();
    const Int left = _mm512_max_epi32(shift, zero);
    const Int right = _mm512_max_epi32(_mm512_sub_epi32(zero, shift), zero);
    const Int x = _mm512_sllv_epi32(acc, left);
    const Int half = _mm512_set1_epi64(int64_t{1} << 30);
    const Int even = _mm512_srli_epi64(_mm512_add_epi64(_mm512_mul_epi32(x, m), half), 31);
    const Int odd = _mm512_slli_epi64(
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(m, 32)),
                         half),
        1);
    const Int high = _mm512_mask_mov_epi32(even, 0xAAAA, odd);
    const Int one = _mm512_set1_epi32(1);
    const Int mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
    const Int remainder = _mm512_and_si512(high, mask);
    const Int threshold = _mm512_add_epi32(_mm512_srli_epi32(mask, 1), _mm512_srli_epi32(high, 31));
    return _mm512_mask_add_epi32(_mm512_srav_epi32(high, right),
                                 _mm512_cmpgt_epi32_mask(remainder, threshold),
                                 _mm512_srav_epi32(high, right), one);
  }

  static Int Pack32(Int a, Int b) { return _mm512_packs_epi32(a, b); }
  static Int Pack16(Int a, Int b) { return _mm512_packs_epi16(a, b); }
  static Int AddSaturate16(Int a, int32_t b) {
    return _mm512_adds_epi16(a, _mm512_set1_epi16(static_cast<int16_t>(b)));
  }
  static Int Clamp8(Int a, int32_t low, int32_t high) {
    return _mm512_min_epi8(_mm512_max_epi8(a, _mm512_set1_epi8(static_cast<int8_t>(low))),
                           _mm512_set1_epi8(static_cast<int8_t>(high)));
  }
};

}  // namespace
}  // namespace octet

#include "kernels/qs8_dwconv/qs8_dwconv_x86_impl.h"

namespace octet {

void QS8DwConvAvx512VnniRun(const QS8DwConvRun& run) { RunDwConv(run, kDwAvx512Vnni); }

}  // namespace octet
