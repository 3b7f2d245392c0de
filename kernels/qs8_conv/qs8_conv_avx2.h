// The end of qs8_conv's 256-bit kernels: from accumulators of pixels x 16-channel blocks, even
// channels in one vector, odd ones in the other, to bytes. For files compiled with AVX2 and FMA
// only; internal linkage throughout.
#pragma once

#include "kernels/common/requant_avx2.h"
#include "kernels/common/x86_intrinsics.h"
#include "kernels/qs8_conv/qs8_conv_x86.h"

namespace octet {
namespace {

// What a tile needs to know about its channels.
struct Columns {
  const uint8_t* weights;
  const ConvX86Constants* constants;
  const ConvX86Rest* rest;
  ConvX86Form form;
  int32_t lane_begin, lane_end;  // of each block: 0 and 16 but for the first and the last
  ptrdiff_t out_offset;  // of the block (not in a copy of the job: copies wait for its stores)
};

static inline __m256i Load(const void* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(p));
}

// The 16 bytes of a block, or those that the run is to write.
static inline __attribute__((always_inline)) void Store(__m128i bytes, const Columns& c, bool whole,
                                                        int8_t* out) {
  if (__builtin_expect(whole, 1)) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
  } else if (c.lane_begin == 0 && c.lane_end == 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), bytes);
  } else {
    alignas(16) int8_t stored[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(stored), bytes);
    for (int32_t i = c.lane_begin; i < c.lane_end; ++i) out[i] = stored[i];
  }
}

// The integer formula on accumulators in memory.
static __attribute__((noinline)) void StoreByInteger(const ConvX86Output& job, const Columns& c,
                                                     const int32_t* acc, int rows,
                                                     int8_t* const* out) {
  const ConvX86Rest& k = *c.rest;
  const bool whole = c.lane_begin == 0 && c.lane_end == 16;
  const __m256i top = _mm256_set1_epi32(32767);
  const __m256i bottom = _mm256_set1_epi32(-32768);
  const __m256i zero_point = _mm256_set1_epi32(job.zero_point);
  const __m256i low = _mm256_set1_epi32(job.act_min);
  const __m256i high = _mm256_set1_epi32(job.act_max);
  for (int r = 0; r < rows; ++r) {
    __m256i y[2];
    for (int v = 0; v < 2; ++v) {
      __m256i scaled = RequantInteger256(Load(acc + r * 16 + v * 8), Load(k.multiplier + v * 8),
                                         Load(k.shift + v * 8));
      // Saturating first changes nothing that the clamp would not.
      scaled = _mm256_max_epi32(_mm256_min_epi32(scaled, top), bottom);
      scaled = _mm256_add_epi32(scaled, zero_point);
      y[v] = _mm256_min_epi32(_mm256_max_epi32(scaled, low), high);
    }
    const __m256i wide = _mm256_blend_epi16(y[0], _mm256_slli_epi32(y[1], 16), 0xAA);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(wide, wide), 0xD8);
    Store(_mm256_castsi256_si128(bytes), c, whole, out[r] + c.out_offset);
  }
}

// What of the epilogue is the same for a whole tile.
struct Ends {
  bool clamp, whole, joined;
};
static inline __attribute__((always_inline)) Ends MakeEnds(const ConvX86Output& job,
                                                           const Columns& c) {
  Ends e;
  e.clamp = job.act_min != -128 || job.act_max != 127;
  e.whole = c.lane_begin == 0 && c.lane_end == kConvX86Block;
  e.joined = e.whole && job.out_pitch == kConvX86Block;
  return e;
}

// The accumulators of one pixel or two, in fixed point, to bytes. Returns a minimum of each pixel's
// 16.16 values, for RequantIsDoubtful256.
template <int kPixels, bool kRelu>
static inline __attribute__((always_inline)) void StorePixels(const ConvX86Output& job,
                                                              const Columns& c, const Ends& e,
                                                              const __m256i (*acc)[2],
                                                              int8_t* const* out, __m256i* doubt) {
  __m256i halves[kPixels];
#pragma GCC unroll 2
  for (int r = 0; r < kPixels; ++r) {
    // Fetched for each pixel: kept in registers, they would be spilled and fetched from there.
    const ConvX86Constants* k = c.constants;
    __asm__("" : "+r"(k));
    __m256i y[2];
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const __m256 scale = _mm256_load_ps(k->scale + v * 8);
      y[v] = kRelu ? RequantRelu256(acc[r][v], scale, _mm256_load_ps(k->offset + v * 8))
                   : RequantSigned256(acc[r][v], scale, _mm256_load_ps(k->positive + v * 8),
                                      _mm256_load_ps(c.rest->negative + v * 8));
    }
    doubt[r] = _mm256_min_epu16(y[0], y[1]);
    halves[r] = RequantHalves256(y[0], y[1]);
  }
  __m256i bytes =
      _mm256_permute4x64_epi64(_mm256_packs_epi16(halves[0], halves[kPixels - 1]), 0xD8);
  if (e.clamp) {
    bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(static_cast<int8_t>(job.act_min)));
    bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8(static_cast<int8_t>(job.act_max)));
  }
  if (kPixels == 2 && e.joined) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[0] + c.out_offset), bytes);
    return;
  }
  Store(_mm256_castsi256_si128(bytes), c, e.whole, out[0] + c.out_offset);
  if (kPixels == 2) Store(_mm256_extracti128_si256(bytes, 1), c, e.whole, out[1] + c.out_offset);
}

// Which pixels are in doubt (a bit each).
template <int kRows>
static inline __attribute__((always_inline)) uint32_t Doubtful(const __m256i (&doubt)[kRows]) {
  __m256i all = doubt[0];
#pragma GCC unroll 8
  for (int r = 1; r < kRows; ++r) all = _mm256_min_epu16(all, doubt[r]);
  uint32_t again = 0;
  if (__builtin_expect(RequantIsDoubtful256(all), 0)) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      again |= static_cast<uint32_t>(RequantIsDoubtful256(doubt[r])) << r;
    }
  }
  return again;
}

// Pixels' accumulators, in fixed point, to bytes; which pixels are in doubt (a bit each).
template <int kRows, bool kRelu>
static inline __attribute__((always_inline)) uint32_t StoreByFixed(const ConvX86Output& job,
                                                                   const Columns& c, const Ends& e,
                                                                   const __m256i (&acc)[kRows][2],
                                                                   int8_t* const* out) {
  __m256i doubt[kRows];
#pragma GCC unroll 3
  for (int r = 0; r + 2 <= kRows; r += 2) {
    StorePixels<2, kRelu>(job, c, e, acc + r, out + r, doubt + r);
  }
  if (kRows % 2 != 0) {
    constexpr int r = kRows - 1;
    StorePixels<1, kRelu>(job, c, e, acc + r, out + r, doubt + r);
  }
  return Doubtful(doubt);
}

// Accumulators to bytes; which pixels are in doubt (a bit each).
template <int kRows>
static inline __attribute__((always_inline)) uint32_t Finish(const ConvX86Output& job,
                                                             const Columns& c, const Ends& e,
                                                             const __m256i (&acc)[kRows][2],
                                                             int8_t* const* out) {
  if (c.form == kConvX86Relu) return StoreByFixed<kRows, true>(job, c, e, acc, out);
  if (c.form == kConvX86Signed) return StoreByFixed<kRows, false>(job, c, e, acc, out);
  alignas(32) int32_t values[kRows * 16];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(values + r * 16), acc[r][0]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(values + r * 16 + 8), acc[r][1]);
  }
  StoreByInteger(job, c, values, kRows, out);
  return 0;
}

}  // namespace
}  // namespace octet
