// qs8_conv of a single pixel with AVX-VNNI.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"
#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

namespace octet {
namespace {

constexpr int kMaxBlocks = 4;

const uint8_t* Prepare(const int8_t* in, int32_t, void*) {
  return reinterpret_cast<const uint8_t*>(in);
}

template <int kBlocks>
inline __attribute__((always_inline)) const uint8_t* Multiply(const uint8_t* in, int32_t in_c,
                                                              const uint8_t* w,
                                                              __m256i (&sum)[kBlocks][1][2]) {
  // Enough accumulators that the latency of the multiplication does not show.
  constexpr int kChains = kBlocks == 1 ? 4 : kBlocks == 2 ? 2 : 1;
  constexpr int32_t kUnit = 4;
  const __m256i flip = _mm256_set1_epi8(INT8_MIN);  // x ^ 0x80 is x + 128 as an unsigned byte
  __m256i acc[kChains][kBlocks][2];
#pragma GCC unroll 4
  for (int i = 0; i < kChains; ++i) {
#pragma GCC unroll 4
    for (int b = 0; b < kBlocks; ++b) acc[i][b][0] = acc[i][b][1] = _mm256_setzero_si256();
  }
  const auto step = [&](__m256i(&to)[kBlocks][2], __m128i x) __attribute__((always_inline)) {
    const __m256i a = _mm256_xor_si256(_mm256_broadcastd_epi32(x), flip);
#pragma GCC unroll 4
    for (int b = 0; b < kBlocks; ++b, w += 64) {
      to[b][0] = _mm256_dpbusd_avx_epi32(to[b][0], a, Load(w));
      to[b][1] = _mm256_dpbusd_avx_epi32(to[b][1], a, Load(w + 32));
    }
  };
  int32_t steps = in_c / kUnit;
  for (; steps >= kChains; steps -= kChains, in += kChains * kUnit) {
#pragma GCC unroll 4
    for (int i = 0; i < kChains; ++i) step(acc[i], _mm_loadu_si32(in + i * kUnit));
  }
  for (; kChains > 1 && steps > 0; --steps, in += kUnit) step(acc[0], _mm_loadu_si32(in));
  if (const int32_t rest = in_c % kUnit; rest > 0) {
    uint32_t last = 0;
    for (int32_t i = 0; i < rest; ++i) last |= uint32_t{in[i]} << 8 * i;
    step(acc[0], _mm_cvtsi32_si128(static_cast<int32_t>(last)));
  }
#pragma GCC unroll 4
  for (int b = 0; b < kBlocks; ++b) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      sum[b][0][v] = acc[0][b][v];
#pragma GCC unroll 4
      for (int i = 1; i < kChains; ++i) sum[b][0][v] = _mm256_add_epi32(sum[b][0][v], acc[i][b][v]);
    }
  }
  return w;
}

#include "kernels/qs8_conv/qs8_conv_pixel_256.inc"

constexpr ConvPixelIsa kIsa = {kConvX86EvenOdd, kMaxBlocks};

}  // namespace

bool QS8ConvPixelAvxVnniSupports(const QS8ConvShape& s) { return ConvPixelSupports(s); }
size_t QS8ConvPixelAvxVnniPackBytes(const QS8ConvShape& s) { return ConvPixelPackBytes(s, kIsa); }
size_t QS8ConvPixelAvxVnniScratchBytes(const QS8ConvShape&) { return 0; }
void QS8ConvPixelAvxVnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvPixelPack(s, k, kIsa, pack);
}
void QS8ConvPixelAvxVnniRun(const QS8ConvRun& run) { Run(run); }

}  // namespace octet
