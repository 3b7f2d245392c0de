// qs8_conv with AVX-VNNI: the 256-bit vpdpbusd of CPUs without AVX-512.
#include "kernels/qs8_conv/qs8_conv_avx2.h"
#include "kernels/qs8_conv/qs8_conv_kernels.h"

namespace octet {
namespace {

constexpr int32_t kUnit = 4, kElementBytes = 1;

static inline __attribute__((always_inline)) __m256i Mac(__m256i acc, __m256i a, __m256i b) {
  return _mm256_dpbusd_avx_epi32(acc, a, b);
}

static void Copy(const int8_t* from, size_t n, void* panel) {
  uint8_t* to = static_cast<uint8_t*>(panel);
  const __m256i flip = _mm256_set1_epi8(INT8_MIN);
  const auto vector = [&](size_t i) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), _mm256_xor_si256(x, flip));
  };
  size_t i = 0;
  for (; i + 32 <= n; i += 32) vector(i);
  if (i == n) return;
  if (n >= 32) {
    vector(n - 32);  // the last 32, some of them again
    return;
  }
  for (; i + 8 <= n; i += 8) {
    uint64_t x;
    __builtin_memcpy(&x, from + i, 8);
    x ^= 0x8080808080808080u;
    __builtin_memcpy(to + i, &x, 8);
  }
  for (; i < n; ++i) to[i] = static_cast<uint8_t>(static_cast<uint8_t>(from[i]) ^ 0x80);
}

#include "kernels/qs8_conv/qs8_conv_x86_256.inc"
#include "kernels/qs8_conv/qs8_conv_x86_sums.inc"

constexpr ConvX86Isa kIsa = {kUnit, kElementBytes, kConvX86EvenOdd, Copy, Sums, Compute};

}  // namespace

bool QS8ConvAvxVnniSupports(const QS8ConvShape&) { return true; }
size_t QS8ConvAvxVnniPackBytes(const QS8ConvShape& s) { return ConvX86PackBytes(s, kIsa); }
size_t QS8ConvAvxVnniScratchBytes(const QS8ConvShape& s) { return ConvX86ScratchBytes(s, kIsa); }
void QS8ConvAvxVnniPack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {
  ConvX86Pack(s, k, kIsa, pack);
}
void QS8ConvAvxVnniRun(const QS8ConvRun& run) { ConvX86Run(run, kIsa); }

}  // namespace octet
