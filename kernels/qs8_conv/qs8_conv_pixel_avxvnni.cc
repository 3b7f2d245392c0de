// qs8_conv of a single pixel with AVX-VNNI.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

namespace octet {
namespace {

constexpr int32_t kUnit = 4, kPreparedBytes = 1;

static inline size_t ScratchBytes(int32_t) { return 0; }
static inline const uint8_t* Prepare(const int8_t* in, int32_t, void*) {
  return reinterpret_cast<const uint8_t*>(in);
}

// x ^ 0x80 is x + 128 as an unsigned byte.
static inline __m256i Flip(__m256i x) { return _mm256_xor_si256(x, _mm256_set1_epi8(INT8_MIN)); }
static inline __m256i Lanes(const uint8_t* x) {
  return Flip(_mm256_broadcastd_epi32(_mm_loadu_si32(x)));
}
static inline __m256i LastLanes(const uint8_t* x, int32_t n) {
  uint32_t last = 0;
  for (int32_t i = 0; i < n; ++i) last |= uint32_t{x[i]} << 8 * i;
  return Flip(_mm256_set1_epi32(static_cast<int32_t>(last)));
}

static inline __m256i Weights(const uint8_t* w) { return Load(w); }

static inline __attribute__((always_inline)) __m256i Mac(__m256i acc, __m256i a, __m256i b) {
  return _mm256_dpbusd_avx_epi32(acc, a, b);
}

#include "kernels/qs8_conv/qs8_conv_pixel_256.inc"

constexpr ConvPixelIsa kIsa = {{kUnit, 1, true, nullptr, nullptr, nullptr}, kMaxBlocks};

}  // namespace

bool QS8ConvPixelAvxVnniSupports(const QS8ConvShape& s) { return ConvPixelSupports(s); }
size_t QS8ConvPixelAvxVnniPackBytes(const QS8ConvShape& s) { return ConvPixelPackBytes(s, kIsa); }
size_t QS8ConvPixelAvxVnniScratchBytes(const QS8ConvShape& s) { return ScratchBytes(s.in_c); }
void QS8ConvPixelAvxVnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvPixelPack(s, k, kIsa, pack);
}
void QS8ConvPixelAvxVnniRun(const QS8ConvRun& run) { Run(run); }

}  // namespace octet
