// From accumulators to bytes in the ARM kernels of qs8_dwconv; for files with instruction-set
// flags.
#pragma once

#include "kernels/common/requant_neon.h"
#include "kernels/qs8_dwconv/qs8_dwconv_arm.h"
#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"

namespace octet {
namespace {

// What a tile does with its accumulators; chosen once a piece of a row.
struct DwFinish {
  int16x8_t zero_point;
  int8x16_t low, high;
  explicit DwFinish(const DwArmTile& t)
      : zero_point(vdupq_n_s16(static_cast<int16_t>(t.zero_point))),
        low(vdupq_n_s8(static_cast<int8_t>(t.act_min))),
        high(vdupq_n_s8(static_cast<int8_t>(t.act_max))) {}
};

// How: kDwLeft is right for all constants, kDwAny for those without left shifts, kDwReluOnly where
// DwReluOnly() besides.
enum { kDwLeft, kDwAny, kDwReluOnly };

// ReLU whose zero is -128 and whose upper end is 127 or more: saturation does all.
OCTET_NEON_INLINE bool DwReluOnly(const DwArmTile& t) {
  return t.zero_point == -128 && t.act_min == -128 && t.act_max == 127;
}

// kX neighbouring outputs, step by step.
template <int kX, int kFinish>
OCTET_NEON_INLINE void DwStore(const DwArmTile& t, const DwFinish& f, int32x4_t (&acc)[kX][4],
                               int8_t* out) {
  constexpr bool kLeft = kFinish == kDwLeft, kRelu = kFinish == kDwReluOnly;
  const DwArmConstants& k = *t.constants;
  // As RequantNeon.
  int32x4_t right[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const int32x4_t multiplier = vld1q_s32(k.multiplier + 4 * j);
    right[j] = vld1q_s32(k.right + 4 * j);
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) {
      if (kLeft) acc[i][j] = vshlq_s32(acc[i][j], vld1q_s32(k.left + 4 * j));
      acc[i][j] = vqrdmulhq_s32(acc[i][j], multiplier);
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) acc[i][j] = RoundingShiftNeon<kRelu>(acc[i][j], right[j]);
  }
  int16x8_t half[kX][2];
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) half[i][h] = NarrowNeon(acc[i][2 * h], acc[i][2 * h + 1]);
  }
  int8x16_t bytes[kX];
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) {
    if (kRelu) {
      bytes[i] = veorq_s8(NarrowUnsignedNeon(half[i][0], half[i][1]), vdupq_n_s8(-128));
    } else {
      bytes[i] =
          NarrowNeon(vqaddq_s16(half[i][0], f.zero_point), vqaddq_s16(half[i][1], f.zero_point));
      bytes[i] = vminq_s8(vmaxq_s8(bytes[i], f.low), f.high);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) vst1q_s8(out + static_cast<size_t>(i) * t.out_step, bytes[i]);
}

}  // namespace
}  // namespace octet
