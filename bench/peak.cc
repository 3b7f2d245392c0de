#include "bench/peak.h"

#include <chrono>

#include "kernels/common/table.h"
#ifdef OCTET_ARCH_X86
#include "kernels/common/x86_intrinsics.h"
#endif

namespace octet {
namespace {

constexpr int kLoops = 5000;
constexpr int kChains = 12;  // more than latency times throughput

#ifdef OCTET_ARCH_X86
// Twelve accumulators by name, so that they stay in registers at any optimisation level; the empty
// asm hides that operands stay the same.
#define OCTET_TWELVE(x) x(a0) x(a1) x(a2) x(a3) x(a4) x(a5) x(a6) x(a7) x(a8) x(a9) x(a10) x(a11)

__attribute__((target("avx2,fma"))) void Avx2() {
  __m256i a = _mm256_setzero_si256(), b = a;
#define OCTET_CHAIN(acc) __m256i acc = a;
  OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  for (int i = 0; i < kLoops; ++i) {
#define OCTET_CHAIN(acc)                                \
  __asm__ volatile("" : "+x"(a), "+x"(b));              \
  acc = _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); \
  __asm__ volatile("" : "+x"(acc));
    OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  }
}

__attribute__((target("avx2,avxvnni"))) void AvxVnni() {
  __m256i a = _mm256_setzero_si256(), b = a;
#define OCTET_CHAIN(acc) __m256i acc = a;
  OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  for (int i = 0; i < kLoops; ++i) {
#define OCTET_CHAIN(acc)                    \
  acc = _mm256_dpbusd_avx_epi32(acc, a, b); \
  __asm__ volatile("" : "+x"(acc));
    OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  }
}

__attribute__((target("avx512f,avx512vnni"))) void Avx512Vnni() {
  __m512i a = _mm512_setzero_si512(), b = a;
#define OCTET_CHAIN(acc) __m512i acc = a;
  OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  for (int i = 0; i < kLoops; ++i) {
#define OCTET_CHAIN(acc)                \
  acc = _mm512_dpbusd_epi32(acc, a, b); \
  __asm__ volatile("" : "+v"(acc));
    OCTET_TWELVE(OCTET_CHAIN)
#undef OCTET_CHAIN
  }
}
#undef OCTET_TWELVE

constexpr int kMoves = 300;
constexpr size_t kMoved = 8192;
alignas(64) uint8_t source[kMoved], target[kMoved];

__attribute__((target("avx2"))) void Move256() {
  for (int i = 0; i < kMoves; ++i) {
    for (size_t at = 0; at < kMoved; at += 128) {
      for (size_t k = at; k < at + 128; k += 32) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(target + k),
                           _mm256_load_si256(reinterpret_cast<const __m256i*>(source + k)));
      }
    }
    __asm__ volatile("" : : : "memory");
  }
}

__attribute__((target("avx512f"))) void Move512() {
  for (int i = 0; i < kMoves; ++i) {
    for (size_t at = 0; at < kMoved; at += 256) {
      for (size_t k = at; k < at + 256; k += 64) {
        _mm512_store_si512(target + k, _mm512_load_si512(source + k));
      }
    }
    __asm__ volatile("" : : : "memory");
  }
}
#endif

double Seconds(void (*loop)()) {
  const auto begin = std::chrono::steady_clock::now();
  loop();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double Rate(void (*loop)(), double macs_an_instruction) {
  return kLoops * kChains * macs_an_instruction / Seconds(loop);
}

}  // namespace

double PeakMacs(Isa isa) {
  switch (isa) {
#ifdef OCTET_ARCH_X86
    case Isa::kAvx2:
      return Rate(Avx2, 16);
    case Isa::kAvxVnni:
      return Rate(AvxVnni, 32);
    case Isa::kAvx512Vnni:
      return Rate(Avx512Vnni, 64);
#endif
    default:
      return 0;
  }
}

double PeakBytes(Isa isa) {
  switch (isa) {
#ifdef OCTET_ARCH_X86
    case Isa::kAvx2:
    case Isa::kAvxVnni:
      return kMoves * kMoved / Seconds(Move256);
    case Isa::kAvx512Vnni:
      return kMoves * kMoved / Seconds(Move512);
#endif
    default:
      return 0;
  }
}

}  // namespace octet
