// qs8_conv for the int8 matrix multiplication extension: smmla, tiles of 6 pixels by 16 channels,
// or 8 by 8 where a block is left. One smmla multiplies two pixels by two channels, 8 bytes of
// each. Bringing two pixels together takes the units that multiply, so more channels share it.
#define OCTET_CONV_ARM_ROWS 8
#define OCTET_CONV_ARM_TWO 6
#define OCTET_CONV_ARM_UNIT 2
#include "kernels/qs8_conv/qs8_conv_neon.h"

namespace octet {
namespace {

// 8 bytes of depth: a[pair] holds those of two pixels, w the weights of each block.
template <int kPairs, int kBlocks>
OCTET_NEON_INLINE void Step(const int8x16_t (&a)[kPairs], const int8_t* const (&w)[kBlocks],
                            size_t offset, int32x4_t (&sums)[kPairs][4 * kBlocks]) {
  constexpr int kLoads = kPairs > 2 ? 1 : 2;  // at a time, as one instruction
#pragma GCC unroll 8
  for (int n = 0; n < 4 * kBlocks; n += kLoads) {
    int8x16_t b[kLoads];
#pragma GCC unroll 2
    for (int i = 0; i < kLoads; ++i) {
      b[i] = vld1q_s8(w[n / 4] + offset + 16 * (n % 4 + i));
    }
#pragma GCC unroll 2
    for (int i = 0; i < kLoads; ++i) {
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) sums[p][n + i] = vmmlaq_s32(sums[p][n + i], a[p], b[i]);
    }
  }
}

OCTET_NEON_INLINE int64x2_t Load(const int8_t* at) { return vreinterpretq_s64_s8(vld1q_s8(at)); }

// Bytes kAt to kAt + 7 of both of pixels 2p and 2p + 1; of 2p twice if it is the last.
template <int kAt>
OCTET_NEON_INLINE int8x16_t Pair(const int8_t* const* in, int p, int rows, ptrdiff_t at) {
  if (2 * p + 1 == rows) {
    const int8x8_t x = vld1_s8(in[2 * p] + at + kAt);
    return vcombine_s8(x, x);
  }
  const int64x2_t even = Load(in[2 * p] + at), odd = Load(in[2 * p + 1] + at);
  return vreinterpretq_s8_s64(kAt == 0 ? vzip1q_s64(even, odd) : vzip2q_s64(even, odd));
}

OCTET_NEON_INLINE int32x4_t Low(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vget_low_s32(a), vget_low_s32(b));
}
OCTET_NEON_INLINE int32x4_t High(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vget_high_s32(a), vget_high_s32(b));
}

template <int kRows, int kBlocks>
OCTET_NEON_INLINE void Accumulate(const ConvArmJob& job, const Columns (&c)[kBlocks], int32_t first,
                                  int32x4_t (&acc)[kBlocks][kRows][2]) {
  constexpr int kPairs = (kRows + 1) / 2;
  const int8_t* in[kRows];
  const int8_t* w[kBlocks];
  int32x4_t sums[kPairs][4 * kBlocks];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) in[r] = job.in[first + r] + job.in_offset;
#pragma GCC unroll 8
  for (int n = 0; n < 4 * kBlocks; ++n) {
    const int32x2_t bias = vld1_s32(c[n / 4].constants->bias + 2 * (n % 4));
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) sums[p][n] = vcombine_s32(bias, bias);
  }
#pragma GCC unroll 2
  for (int b = 0; b < kBlocks; ++b) w[b] = c[b].weights;
  for (int32_t s = 0; s < job.segments; ++s) {
    ptrdiff_t at = job.segment_at[s];
    int32_t depth = job.depth;
    for (; depth >= 16; depth -= 16, at += 16) {
      int8x16_t a[kPairs];
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) a[p] = Pair<0>(in, p, kRows, at);
      Step<kPairs, kBlocks>(a, w, 0, sums);
      ptrdiff_t again = at;
      asm("" : "+r"(again));  // load again rather than keep: the sums need the registers
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) a[p] = Pair<8>(in, p, kRows, again);
      Step<kPairs, kBlocks>(a, w, 64, sums);
#pragma GCC unroll 2
      for (int b = 0; b < kBlocks; ++b) w[b] += 128;
    }
    if (depth != 0) {
      int8x16_t a[kPairs];
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        const int odd = 2 * p + 1 < kRows ? 2 * p + 1 : 2 * p;
        a[p] = vcombine_s8(vld1_s8(in[2 * p] + at), vld1_s8(in[odd] + at));
      }
      Step<kPairs, kBlocks>(a, w, 0, sums);
#pragma GCC unroll 2
      for (int b = 0; b < kBlocks; ++b) w[b] += 64;
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 4
    for (int h = 0; h < 2 * kBlocks; ++h) {
      const int32x4_t one = sums[p][2 * h], other = sums[p][2 * h + 1];
      acc[h / 2][2 * p][h % 2] = Low(one, other);
      if (2 * p + 1 < kRows) acc[h / 2][2 * p + 1][h % 2] = High(one, other);
    }
  }
}

#include "kernels/qs8_conv/qs8_conv_neon.inc"

}  // namespace

void QS8ConvNeonI8mmRun(const QS8ConvRun& run) { ConvArmRun(run, kConvArmI8mm, Compute); }

}  // namespace octet
