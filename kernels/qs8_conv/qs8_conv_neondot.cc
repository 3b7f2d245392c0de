// qs8_conv for the dot product extension: sdot by element, tiles of 8 pixels by 8 channels.
#define OCTET_CONV_ARM_ROWS 8
#include "kernels/qs8_conv/qs8_conv_neon.h"

namespace octet {
namespace {

// kSteps steps, whose bytes of each pixel are in a[row]. The weights of a step are loaded a step
// ahead, for CPUs that run in order.
template <int kRows, int kSteps>
OCTET_NEON_INLINE void Steps(const int8x16_t (&a)[kRows], const int8_t* w,
                             int32x4_t (&acc)[kRows][2]) {
  int8x16_t b0 = LoadHere(w), b1 = LoadHere(w + 16);
#define OCTET_STEP(i)                                                   \
  if (kSteps > i) {                                                     \
    const int8_t* const next = w + (i + 1 < kSteps ? 32 * (i + 1) : 0); \
    const int8x16_t next0 = i + 1 < kSteps ? LoadHere(next) : b0;       \
    const int8x16_t next1 = i + 1 < kSteps ? LoadHere(next + 16) : b1;  \
    _Pragma("GCC unroll 8") for (int r = 0; r < kRows; ++r) {           \
      acc[r][0] = vdotq_laneq_s32(acc[r][0], b0, a[r], i);              \
      acc[r][1] = vdotq_laneq_s32(acc[r][1], b1, a[r], i);              \
    }                                                                   \
    b0 = next0;                                                         \
    b1 = next1;                                                         \
  }
  OCTET_STEP(0)
  OCTET_STEP(1)
  OCTET_STEP(2)
  OCTET_STEP(3)
#undef OCTET_STEP
}

// One pixel: four chains, since one would wait for its own results.
OCTET_NEON_INLINE void FourChains(int8x16_t a, const int8_t* w, int32x4_t (&acc)[4][2]) {
#define OCTET_STEP(i)                                                 \
  acc[i][0] = vdotq_laneq_s32(acc[i][0], vld1q_s8(w + 32 * i), a, i); \
  acc[i][1] = vdotq_laneq_s32(acc[i][1], vld1q_s8(w + 32 * i + 16), a, i);
  OCTET_STEP(0)
  OCTET_STEP(1)
  OCTET_STEP(2)
  OCTET_STEP(3)
#undef OCTET_STEP
}

template <int kRows>
OCTET_NEON_INLINE void Accumulate(const ConvArmJob& job, const Columns (&columns)[1], int32_t first,
                                  int32x4_t (&blocks)[1][kRows][2]) {
  const Columns& c = columns[0];
  int32x4_t(&acc)[kRows][2] = blocks[0];
  const int8_t* in[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    in[r] = job.in[first + r] + job.in_offset;
    acc[r][0] = vld1q_s32(c.constants->bias);
    acc[r][1] = vld1q_s32(c.constants->bias + 4);
  }
  int32x4_t chains[4][2];
  if (kRows == 1) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) chains[i][0] = chains[i][1] = vdupq_n_s32(0);
  }
  const int8_t* w = c.weights;
  for (int32_t s = 0; s < job.segments; ++s) {
    ptrdiff_t at = job.segment_at[s];
    int32_t depth = job.depth;
    int8x16_t a[kRows];
    for (; depth >= 16; depth -= 16, at += 16, w += 128) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) a[r] = vld1q_s8(in[r] + at);
      if (kRows == 1) {
        FourChains(a[0], w, chains);
      } else {
        Steps<kRows, 4>(a, w, acc);
      }
    }
    if ((depth & 8) != 0) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) a[r] = vcombine_s8(vld1_s8(in[r] + at), vdup_n_s8(0));
      Steps<kRows, 2>(a, w, acc);
      at += 8;
      w += 64;
    }
    if ((depth & 4) != 0) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        int32_t word;
        __builtin_memcpy(&word, in[r] + at, 4);
        a[r] = vreinterpretq_s8_s32(vdupq_n_s32(word));
      }
      Steps<kRows, 1>(a, w, acc);
      w += 32;
    }
  }
  if (kRows == 1) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      acc[0][h] = AddNeon(acc[0][h], AddNeon(AddNeon(chains[0][h], chains[1][h]),
                                             AddNeon(chains[2][h], chains[3][h])));
    }
  }
}

#include "kernels/qs8_conv/qs8_conv_neon.inc"

}  // namespace

void QS8ConvNeonDotRun(const QS8ConvRun& run) { ConvArmRun(run, kConvArmDot, Compute); }

}  // namespace octet
