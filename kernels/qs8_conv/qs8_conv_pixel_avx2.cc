// qs8_conv of a single pixel with AVX2: nibbles of the input, for vpmaddubsw of whole bytes would
// saturate.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

namespace octet {
namespace {

constexpr int kMaxBlocks = 2;
constexpr int32_t kFlush = 8;  // steps whose sums 16 bits hold: 8 * 2 * 15 * 128 < 32768

size_t ScratchBytes(int32_t in_c) { return (static_cast<size_t>(in_c) + 63) / 32 * 64; }

// x + 128 as two numbers below 16: for each step four upper ones, then four lower ones.
const uint8_t* Prepare(const int8_t* in, int32_t in_c, void* scratch) {
  uint8_t* const to = static_cast<uint8_t*>(scratch);
  const __m128i flip = _mm_set1_epi8(INT8_MIN), nibble = _mm_set1_epi8(15);
  for (int32_t i = 0; i < in_c; i += 16) {
    __m128i x;
    if (i + 16 <= in_c) {
      x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    } else {
      alignas(16) int8_t last[16] = {};
      __builtin_memcpy(last, in + i, static_cast<size_t>(in_c - i));
      x = _mm_load_si128(reinterpret_cast<const __m128i*>(last));
    }
    x = _mm_xor_si128(x, flip);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(x, 4), nibble);
    const __m128i low = _mm_and_si128(x, nibble);
    _mm_store_si128(reinterpret_cast<__m128i*>(to + 2 * i), _mm_unpacklo_epi32(high, low));
    _mm_store_si128(reinterpret_cast<__m128i*>(to + 2 * i + 16), _mm_unpackhi_epi32(high, low));
  }
  return to;
}

// Products of nibbles add up in 16 bits for a while. That takes 4.5 instructions for 32 weights,
// where int16 products (vpmovsxbw, vpmaddwd, vpaddd) take 6.
template <int kBlocks>
inline __attribute__((always_inline)) const uint8_t* Multiply(const uint8_t* in, int32_t in_c,
                                                              const uint8_t* w,
                                                              __m256i (&sum)[kBlocks][1][2]) {
#pragma GCC unroll 2
  for (int b = 0; b < kBlocks; ++b) sum[b][0][0] = sum[b][0][1] = _mm256_setzero_si256();
  const __m256i sixteen = _mm256_set1_epi16(16), one = _mm256_set1_epi16(1);
  for (int32_t steps = (in_c + 3) / 4; steps > 0; steps -= kFlush) {
    __m256i high[kBlocks][2], low[kBlocks][2];
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) {
      high[b][0] = high[b][1] = low[b][0] = low[b][1] = _mm256_setzero_si256();
    }
    for (int32_t i = steps < kFlush ? steps : kFlush; i > 0; --i, in += 8) {
      const __m256i x = _mm256_broadcastd_epi32(_mm_loadu_si32(in));
      const __m256i y = _mm256_broadcastd_epi32(_mm_loadu_si32(in + 4));
#pragma GCC unroll 2
      for (int b = 0; b < kBlocks; ++b) {
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v, w += 32) {
          const __m256i weights = Load(w);
          high[b][v] = _mm256_add_epi16(high[b][v], _mm256_maddubs_epi16(x, weights));
          low[b][v] = _mm256_add_epi16(low[b][v], _mm256_maddubs_epi16(y, weights));
        }
      }
    }
#pragma GCC unroll 2
    for (int b = 0; b < kBlocks; ++b) {
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const __m256i flushed = _mm256_add_epi32(_mm256_madd_epi16(high[b][v], sixteen),
                                                 _mm256_madd_epi16(low[b][v], one));
        sum[b][0][v] = _mm256_add_epi32(sum[b][0][v], flushed);
      }
    }
  }
  return w;
}

#include "kernels/qs8_conv/qs8_conv_pixel_256.inc"

constexpr ConvPixelIsa kIsa = {kConvX86EvenOdd, kMaxBlocks};

}  // namespace

bool QS8ConvPixelAvx2Supports(const QS8ConvShape& s) { return ConvPixelSupports(s); }
size_t QS8ConvPixelAvx2PackBytes(const QS8ConvShape& s) { return ConvPixelPackBytes(s, kIsa); }
size_t QS8ConvPixelAvx2ScratchBytes(const QS8ConvShape& s) { return ScratchBytes(s.in_c); }
void QS8ConvPixelAvx2Pack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvPixelPack(s, k, kIsa, pack);
}
void QS8ConvPixelAvx2Run(const QS8ConvRun& run) { Run(run); }

}  // namespace octet
