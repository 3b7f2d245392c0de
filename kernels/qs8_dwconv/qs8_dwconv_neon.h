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
  int8x8_t low, high;
  explicit DwFinish(const DwArmTile& t)
      : zero_point(vdupq_n_s16(static_cast<int16_t>(t.zero_point))),
        low(vdup_n_s8(static_cast<int8_t>(t.act_min))),
        high(vdup_n_s8(static_cast<int8_t>(t.act_max))) {}
};

template <bool kLeft, bool kRelu>
OCTET_NEON_INLINE void DwStore(const DwArmTile& t, const DwFinish& f, const int32x4_t (&acc)[4],
                               int8_t* out) {
  const DwArmConstants& k = *t.constants;
  int32x4_t y[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    RequantNeonChannels q;
    q.multiplier = vld1q_s32(k.multiplier + 4 * j);
    q.right = vld1q_s32(k.right + 4 * j);
    if (kLeft) q.left = vld1q_s32(k.left + 4 * j);
    y[j] = RequantNeon<kLeft, kRelu>(acc[j], q);
  }
  const int8x16_t bytes = vcombine_s8(RequantNeonBytes(y[0], y[1], f.zero_point, f.low, f.high),
                                      RequantNeonBytes(y[2], y[3], f.zero_point, f.low, f.high));
  if (t.channels == kDwArmBlock) {
    vst1q_s8(out, bytes);
  } else {
    int8_t lanes[16];
    vst1q_s8(lanes, bytes);
    for (int32_t i = 0; i < t.channels; ++i) out[i] = lanes[i];
  }
}

}  // namespace
}  // namespace octet
