// qs8_conv for the int8 matrix multiplication extension: smmla, tiles of 8 pixels by 8 channels.
// One smmla multiplies two pixels by two channels, 8 bytes of each.
#define OCTET_CONV_ARM_ROWS 8
#include "kernels/qs8_conv/qs8_conv_neon.h"

namespace octet {
namespace {

// 8 bytes of depth: a[pair] holds those of two pixels.
template <int kPairs>
OCTET_NEON_INLINE void Step(const int8x16_t (&a)[kPairs], const int8_t* w,
                            int32x4_t (&sums)[kPairs][4]) {
#pragma GCC unroll 4
  for (int n = 0; n < 4; ++n) {
    const int8x16_t b = vld1q_s8(w + 16 * n);
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) sums[p][n] = vmmlaq_s32(sums[p][n], a[p], b);
  }
}

OCTET_NEON_INLINE int32x4_t Low(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vget_low_s32(a), vget_low_s32(b));
}
OCTET_NEON_INLINE int32x4_t High(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vget_high_s32(a), vget_high_s32(b));
}

template <int kRows>
OCTET_NEON_INLINE void Accumulate(const ConvArmJob& job, const Columns& c, int32_t first,
                                  int32x4_t (&acc)[kRows][2]) {
  constexpr int kPairs = (kRows + 1) / 2;
  const int8_t* in[2 * kPairs];
  int32x4_t sums[kPairs][4];
#pragma GCC unroll 8
  for (int r = 0; r < 2 * kPairs; ++r) {  // an odd one is its own neighbour
    in[r] = job.in[first + (r < kRows ? r : kRows - 1)] + job.in_offset;
  }
#pragma GCC unroll 4
  for (int n = 0; n < 4; ++n) {
    const int32x2_t bias = vld1_s32(c.constants->bias + 2 * n);
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) sums[p][n] = vcombine_s32(bias, bias);
  }
  const int8_t* w = c.weights;
  for (int32_t s = 0; s < job.segments; ++s) {
    ptrdiff_t at = job.segment_at[s];
    int32_t depth = job.depth;
    int8x16_t a[kPairs];
    for (; depth >= 16; depth -= 16, at += 16, w += 128) {
      int64x2_t raw[2 * kPairs];
#pragma GCC unroll 8
      for (int r = 0; r < 2 * kPairs; ++r) raw[r] = vreinterpretq_s64_s8(vld1q_s8(in[r] + at));
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        a[p] = vreinterpretq_s8_s64(vzip1q_s64(raw[2 * p], raw[2 * p + 1]));
      }
      Step<kPairs>(a, w, sums);
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        a[p] = vreinterpretq_s8_s64(vzip2q_s64(raw[2 * p], raw[2 * p + 1]));
      }
      Step<kPairs>(a, w + 64, sums);
    }
    if (depth != 0) {
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        a[p] = vcombine_s8(vld1_s8(in[2 * p] + at), vld1_s8(in[2 * p + 1] + at));
      }
      Step<kPairs>(a, w, sums);
      w += 64;
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      acc[2 * p][h] = Low(sums[p][2 * h], sums[p][2 * h + 1]);
      if (2 * p + 1 < kRows) acc[2 * p + 1][h] = High(sums[p][2 * h], sums[p][2 * h + 1]);
    }
  }
}

#include "kernels/qs8_conv/qs8_conv_neon.inc"

}  // namespace

void QS8ConvNeonI8mmRun(const QS8ConvRun& run) { ConvArmRun(run, kConvArmI8mm, Compute); }

}  // namespace octet
