// qs8_conv for baseline NEON, 64-bit and 32-bit: 16 bytes of depth are two products in 16 bits
// (smull, smlal), which sadalp adds in pairs to 32 bits. Two products can overflow 16 bits only
// where a weight is -128; blocks with one widen each product by itself.
//
// An accumulator belongs to one pixel and one channel, its four lanes to different depths, so tiles
// are small (4 pixels by 4 channels; 2 by 4 with the 16 registers of ARMv7) and end in an addition
// across lanes.
#if defined(__aarch64__)
#define OCTET_CONV_ARM_ROWS 4
#else
#define OCTET_CONV_ARM_ROWS 2
#endif
#include "kernels/qs8_conv/qs8_conv_neon.h"

namespace octet {
namespace {

// 16 bytes of depth of kRows pixels and kGroup channels from n on: first all products, then all
// second products, then all sums, so that an in-order CPU waits for none of them. b has their
// weights.
template <int kRows, int kGroup, int kColumns, bool kLowest>
OCTET_NEON_INLINE void Mac16(const int8x16_t (&a)[kRows], const int8x16_t (&b)[kGroup], int n,
                             int32x4_t (&sums)[kRows][kColumns]) {
  int16x8_t products[kRows][kGroup];
#pragma GCC unroll 4
  for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      products[r][g] = vmull_s8(vget_low_s8(a[r]), vget_low_s8(b[g]));
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      if (kLowest) {
        sums[r][n + g] = vpadalq_s16(sums[r][n + g], products[r][g]);
        products[r][g] = MulHigh(a[r], b[g]);
      } else {
        products[r][g] = MlaHigh(products[r][g], a[r], b[g]);
      }
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      sums[r][n + g] = vpadalq_s16(sums[r][n + g], products[r][g]);
    }
  }
}

// The sums of each of four vectors.
OCTET_NEON_INLINE int32x4_t Across(const int32x4_t* v) {
#if defined(__aarch64__)
  return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
#else
  int32x2_t pair[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) pair[i] = vpadd_s32(vget_low_s32(v[i]), vget_high_s32(v[i]));
  return vcombine_s32(vpadd_s32(pair[0], pair[1]), vpadd_s32(pair[2], pair[3]));
#endif
}

// kColumns channels from `lane` on of a block.
template <int kRows, int kColumns, bool kLowest>
OCTET_NEON_INLINE void Sums(const ConvArmJob& job, const Columns& c, int32_t first, int32_t lane,
                            int32x4_t (&sums)[kRows][kColumns]) {
  const int8_t* in[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    in[r] = job.in[first + r] + job.in_offset;
#pragma GCC unroll 8
    for (int n = 0; n < kColumns; ++n) sums[r][n] = vdupq_n_s32(0);
  }
  const int8_t* w = c.weights;
  for (int32_t s = 0; s < job.segments; ++s) {
    ptrdiff_t at = job.segment_at[s];
    int32_t depth = job.depth;
    for (; depth >= 16; depth -= 16, at += 16, w += 128) {
      const int8_t* const b_at = w + 16 * lane;
      int8x16_t a[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) a[r] = vld1q_s8(in[r] + at);
      constexpr int kGroup = kRows == 1 ? 4 : 2;
      int8x16_t b[kGroup];
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) b[g] = vld1q_s8(b_at + 16 * g);
#pragma GCC unroll 8
      for (int n = 0; n < kColumns; n += kGroup) {
        int8x16_t next[kGroup];  // loaded ahead, for the same reason
#pragma GCC unroll 4
        for (int g = 0; g < kGroup; ++g) {
          next[g] = n + kGroup < kColumns ? vld1q_s8(b_at + 16 * (n + kGroup + g)) : b[g];
        }
        Mac16<kRows, kGroup, kColumns, kLowest>(a, b, n, sums);
#pragma GCC unroll 4
        for (int g = 0; g < kGroup; ++g) b[g] = next[g];
      }
    }
    if (depth != 0) {
      const int8_t* const b_at = w + 8 * lane;
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const int8x8_t a = vld1_s8(in[r] + at);
#pragma GCC unroll 8
        for (int n = 0; n < kColumns; ++n) {
          sums[r][n] = vpadalq_s16(sums[r][n], vmull_s8(a, vld1_s8(b_at + 8 * n)));
        }
      }
      w += 64;
    }
  }
}

template <int kRows, bool kLowest>
OCTET_NEON_INLINE void AccumulateAs(const ConvArmJob& job, const Columns& c, int32_t first,
                                    int32x4_t (&acc)[kRows][2]) {
  if (kRows == 1) {  // all 8 channels at once
    int32x4_t sums[1][8];
    Sums<1, 8, kLowest>(job, c, first, 0, sums);
    acc[0][0] = Across(sums[0]);
    acc[0][1] = Across(sums[0] + 4);
  } else {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      int32x4_t sums[kRows][4];
      Sums<kRows, 4, kLowest>(job, c, first, 4 * h, sums);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) acc[r][h] = Across(sums[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = AddNeon(acc[r][0], vld1q_s32(c.constants->bias));
    acc[r][1] = AddNeon(acc[r][1], vld1q_s32(c.constants->bias + 4));
  }
}

template <int kRows>
OCTET_NEON_INLINE void Accumulate(const ConvArmJob& job, const Columns (&c)[1], int32_t first,
                                  int32x4_t (&acc)[1][kRows][2]) {
  if ((c[0].flags & kConvArmLowest) != 0) {
    AccumulateAs<kRows, true>(job, c[0], first, acc[0]);
  } else {
    AccumulateAs<kRows, false>(job, c[0], first, acc[0]);
  }
}

#include "kernels/qs8_conv/qs8_conv_neon.inc"

}  // namespace

void QS8ConvNeonRun(const QS8ConvRun& run) { ConvArmRun(run, kConvArmNeon, Compute); }

}  // namespace octet
