// qs8_conv with AVX2: int16 products (vpmaddwd), which are exact where vpmaddubsw is not.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {
namespace {

constexpr int32_t kUnit = 2, kElementBytes = 2;

static inline __attribute__((always_inline)) __m256i Mac(__m256i acc, __m256i a, __m256i b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
}

static void Copy(const int8_t* from, size_t n, void* panel) {
  uint8_t* to = static_cast<uint8_t*>(panel);
  const auto vector = [&](size_t i) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 2 * i), _mm256_cvtepi8_epi16(x));
  };
  size_t i = 0;
  for (; i + 16 <= n; i += 16) vector(i);
  if (i == n) return;
  if (n >= 16) {
    vector(n - 16);  // the last 16, some of them again
    return;
  }
  for (; i < n; ++i) {
    const int16_t x = from[i];
    __builtin_memcpy(to + 2 * i, &x, 2);
  }
}

#include "kernels/qs8_conv/qs8_conv_x86_256.inc"

constexpr ConvX86Isa kIsa = {kUnit, kElementBytes, kConvX86EvenOdd, Copy, nullptr, Compute};

}  // namespace

bool QS8ConvAvx2Supports(const QS8ConvShape&) { return true; }
size_t QS8ConvAvx2PackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvAvx2ScratchBytes(const QS8ConvShape& s) { return ConvX86ScratchBytes(s, kIsa); }
void QS8ConvAvx2Pack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvAvx2Run(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
