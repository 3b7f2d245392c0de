// qs8_conv of a single pixel with AVX2.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

namespace octet {
namespace {

constexpr int32_t kUnit = 2, kPreparedBytes = 2;

// The input as int16.
static inline size_t ScratchBytes(int32_t in_c) {
  return (static_cast<size_t>(in_c) * 2 + 95) / 64 * 64;
}
static inline const uint8_t* Prepare(const int8_t* in, int32_t in_c, void* scratch) {
  uint8_t* const to = static_cast<uint8_t*>(scratch);
  int32_t i = 0;
  for (; i + 16 <= in_c; i += 16) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + 2 * i), _mm256_cvtepi8_epi16(x));
  }
  for (; i < in_c; ++i) {
    const int16_t x = in[i];
    __builtin_memcpy(to + 2 * i, &x, 2);
  }
  return to;
}

static inline __m256i Lanes(const uint8_t* x) { return _mm256_broadcastd_epi32(_mm_loadu_si32(x)); }
static inline __m256i LastLanes(const uint8_t* x, int32_t) {
  int16_t one;
  __builtin_memcpy(&one, x, 2);
  return _mm256_set1_epi32(static_cast<uint16_t>(one));
}

static inline __m256i Weights(const uint8_t* w) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(w)));
}

static inline __attribute__((always_inline)) __m256i Mac(__m256i acc, __m256i a, __m256i b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
}

#include "kernels/qs8_conv/qs8_conv_pixel_256.inc"

constexpr ConvPixelIsa kIsa = {{kUnit, 2, true, nullptr, nullptr, nullptr}, kMaxBlocks};

}  // namespace

bool QS8ConvPixelAvx2Supports(const QS8ConvShape& s) { return ConvPixelSupports(s); }
size_t QS8ConvPixelAvx2PackBytes(const QS8ConvShape& s) { return ConvPixelPackBytes(s, kIsa); }
size_t QS8ConvPixelAvx2ScratchBytes(const QS8ConvShape& s) { return ScratchBytes(s.in_c); }
void QS8ConvPixelAvx2Pack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvPixelPack(s, k, kIsa, pack);
}
void QS8ConvPixelAvx2Run(const QS8ConvRun& run) { Run(run); }

}  // namespace octet
