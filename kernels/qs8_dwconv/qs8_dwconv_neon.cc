// qs8_dwconv for baseline NEON, 64-bit and 32-bit: the products of two taps in 16 bits (smull,
// smlal), added to 32 bits (saddw). Two products can overflow 16 bits only where a weight is -128;
// blocks with one widen each product by itself.
#include "kernels/qs8_dwconv/qs8_dwconv_neon.h"

namespace octet {
namespace {

OCTET_NEON_INLINE int32x4_t AddHigh(int32x4_t sum, int16x8_t x) {
#if defined(__aarch64__)
  return vaddw_high_s16(sum, x);
#else
  return vaddw_s16(sum, vget_high_s16(x));
#endif
}

OCTET_NEON_INLINE void AddWide(int16x8_t low, int16x8_t high, int32x4_t (&acc)[4]) {
  acc[0] = vaddw_s16(acc[0], vget_low_s16(low));
  acc[1] = AddHigh(acc[1], low);
  acc[2] = vaddw_s16(acc[2], vget_low_s16(high));
  acc[3] = AddHigh(acc[3], high);
}

OCTET_NEON_INLINE void OneTap(int8x16_t x, int8x16_t w, int32x4_t (&acc)[4]) {
  AddWide(vmull_s8(vget_low_s8(x), vget_low_s8(w)), MulHigh(x, w), acc);
}

template <bool kLowest>
OCTET_NEON_INLINE void TwoTaps(int8x16_t x0, int8x16_t w0, int8x16_t x1, int8x16_t w1,
                               int32x4_t (&acc)[4]) {
  if (kLowest) {
    OneTap(x0, w0, acc);
    OneTap(x1, w1, acc);
    return;
  }
  int16x8_t low = vmull_s8(vget_low_s8(x0), vget_low_s8(w0));
  int16x8_t high = MulHigh(x0, w0);
  low = vmlal_s8(low, vget_low_s8(x1), vget_low_s8(w1));
  high = MlaHigh(high, x1, w1);
  AddWide(low, high, acc);
}

// kTaps: how many there are, where that is known; else 0.
template <int kTaps, bool kLowest, bool kLeft, bool kRelu>
void Piece(const DwArmTile& t) {
  const DwFinish finish(t);
  const int32_t taps = kTaps > 0 ? kTaps : t.taps;
  const int8_t* at[kTaps > 0 ? kTaps : 1];
  int8x16_t weights[kTaps > 0 ? kTaps : 1];
  if (kTaps > 0) {
#pragma GCC unroll 16
    for (int i = 0; i < kTaps; ++i) {
      at[i] = t.tap[i];
      weights[i] = vld1q_s8(t.weights + 16 * i);
    }
  }
  int8_t* out = t.out[0];
  size_t offset = 0;
  for (int32_t x = 0; x < t.outputs; ++x, offset += t.step, out += t.out_step) {
    int32x4_t acc[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) acc[j] = vld1q_s32(t.constants->bias + 4 * j);
    if (kTaps > 0) {
#pragma GCC unroll 16
      for (int i = 0; i + 1 < kTaps; i += 2) {
        TwoTaps<kLowest>(vld1q_s8(at[i] + offset), weights[i], vld1q_s8(at[i + 1] + offset),
                         weights[i + 1], acc);
      }
      if (kTaps % 2 != 0) {
        OneTap(vld1q_s8(at[kTaps > 0 ? kTaps - 1 : 0] + offset), weights[kTaps > 0 ? kTaps - 1 : 0],
               acc);
      }
    } else {
      int32_t i = 0;
      for (; i + 1 < taps; i += 2) {
        TwoTaps<kLowest>(vld1q_s8(t.tap[i] + offset), vld1q_s8(t.weights + 16 * i),
                         vld1q_s8(t.tap[i + 1] + offset), vld1q_s8(t.weights + 16 * (i + 1)), acc);
      }
      if (i < taps) OneTap(vld1q_s8(t.tap[i] + offset), vld1q_s8(t.weights + 16 * i), acc);
    }
    DwStore<kLeft, kRelu>(t, finish, acc, out);
  }
}

void Tile(const DwArmTile& t) {
  // Blocks with left shifts or weights of -128 are rare.
  const bool relu = t.act_min >= t.zero_point;
  if ((t.flags & (kDwArmLeft | kDwArmLowest)) != 0) {
    Piece<0, true, true, false>(t);
  } else if (t.taps == 9) {
    relu ? Piece<9, false, false, true>(t) : Piece<9, false, false, false>(t);
  } else {
    relu ? Piece<0, false, false, true>(t) : Piece<0, false, false, false>(t);
  }
}

}  // namespace

void QS8DwConvNeonRun(const QS8DwConvRun& run) { DwArmRunNeon(run, Tile); }

}  // namespace octet
