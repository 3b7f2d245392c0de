// qs8_dwconv for baseline NEON, 64-bit and 32-bit: the products of two or three taps in 16 bits
// (smull, smlal), added to 32 bits (saddw). Where even two could overflow 16 bits, each product is
// widened by itself.
//
// Work is done for several outputs at a time, which share the loads of weights and constants, step
// by step: no instruction needs the one before, so CPUs that run in order need not wait.
#include "kernels/qs8_dwconv/qs8_dwconv_neon.h"

namespace octet {
namespace {

#if defined(__aarch64__)
constexpr int kOutputs = 4;
#else
constexpr int kOutputs = 2;  // 16 registers
#endif

// Where addresses are few registers: computed again for each output, not kept on the stack.
OCTET_NEON_INLINE void ForgetAddresses(DwArmTile* t) {
#if !defined(__aarch64__)
  asm("" : "+r"(t->weights), "+r"(t->constants));
#endif
}

OCTET_NEON_INLINE int32x4_t AddHigh(int32x4_t sum, int16x8_t x) {
#if defined(__aarch64__)
  return vaddw_high_s16(sum, x);
#else
  return vaddw_s16(sum, vget_high_s16(x));
#endif
}

// Adds a group of kTaps: `at` are theirs of the first output, `step` the way to those of the next.
template <int kX, int kTaps>
OCTET_NEON_INLINE void Group(const int8_t* const* at, size_t offset, size_t step, const int8_t* w,
                             int32x4_t (&acc)[kX][4]) {
  int16x8_t low[kX], high[kX];
#pragma GCC unroll 3
  for (int t = 0; t < kTaps; ++t) {
    const int8x16_t weights = vld1q_s8(w + 16 * t);
    int8x16_t x[kX];
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) x[i] = vld1q_s8(at[t] + offset + static_cast<size_t>(i) * step);
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) {
      low[i] = t == 0 ? vmull_s8(vget_low_s8(x[i]), vget_low_s8(weights))
                      : vmlal_s8(low[i], vget_low_s8(x[i]), vget_low_s8(weights));
    }
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) {
      high[i] = t == 0 ? MulHigh(x[i], weights) : MlaHigh(high[i], x[i], weights);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) acc[i][0] = vaddw_s16(acc[i][0], vget_low_s16(low[i]));
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) acc[i][1] = AddHigh(acc[i][1], low[i]);
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) acc[i][2] = vaddw_s16(acc[i][2], vget_low_s16(high[i]));
#pragma GCC unroll 4
  for (int i = 0; i < kX; ++i) acc[i][3] = AddHigh(acc[i][3], high[i]);
}

template <int kX>
OCTET_NEON_INLINE void Begin(const DwArmTile& t, int32x4_t (&acc)[kX][4]) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const int32x4_t bias = vld1q_s32(t.constants->bias + 4 * j);
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) acc[i][j] = bias;
  }
}

// Any taps, two at a time, or each by itself.
template <int kX, bool kApart, int kFinish>
OCTET_NEON_INLINE void Outputs(const DwArmTile& t, const DwFinish& finish, size_t offset,
                               int8_t* out) {
  int32x4_t acc[kX][4];
  Begin<kX>(t, acc);
  int32_t i = 0;
  if (!kApart) {
    for (; i + 1 < t.taps; i += 2) Group<kX, 2>(t.tap + i, offset, t.step, t.weights + 16 * i, acc);
  }
  for (; i < t.taps; ++i) Group<kX, 1>(t.tap + i, offset, t.step, t.weights + 16 * i, acc);
  DwStore<kX, kFinish>(t, finish, acc, out);
}

// Nine taps: kThrees groups of three, then pairs, and one if that leaves one.
template <int kX, int kThrees, int kFinish>
OCTET_NEON_INLINE void NineOutputs(const DwArmTile& t, const DwFinish& finish,
                                   const int8_t* const (&tap)[9], size_t offset, int8_t* out) {
  int32x4_t acc[kX][4];
  Begin<kX>(t, acc);
#pragma GCC unroll 3
  for (int i = 0; i < 3 * kThrees; i += 3) {
    Group<kX, 3>(tap + i, offset, t.step, t.weights + 16 * i, acc);
  }
#pragma GCC unroll 4
  for (int i = 3 * kThrees; i + 1 < 9; i += 2) {
    Group<kX, 2>(tap + i, offset, t.step, t.weights + 16 * i, acc);
  }
  if (kThrees % 2 == 0) Group<kX, 1>(tap + 8, offset, t.step, t.weights + 16 * 8, acc);
  DwStore<kX, kFinish>(t, finish, acc, out);
}

template <bool kApart, int kFinish>
void Piece(const DwArmTile& tile) {
  DwArmTile t = tile;  // the bytes written could be parts of `tile`, for all compilers know
  const DwFinish finish(t);
  int8_t* out = t.out[0];
  size_t offset = 0;
  int32_t left = t.outputs;
  for (; left >= kOutputs; left -= kOutputs) {
    ForgetAddresses(&t);
    Outputs<kOutputs, kApart, kFinish>(t, finish, offset, out);
    offset += kOutputs * t.step;
    out += kOutputs * t.out_step;
  }
  for (; left > 0; --left, offset += t.step, out += t.out_step) {
    Outputs<1, kApart, kFinish>(t, finish, offset, out);
  }
}

template <int kThrees, int kFinish>
void NinePiece(const DwArmTile& tile) {
  DwArmTile t = tile;
  const DwFinish finish(t);
  const int8_t* tap[9];
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) tap[i] = t.tap[i];
  int8_t* out = t.out[0];
  size_t offset = 0;
  int32_t left = t.outputs;
  for (; left >= kOutputs; left -= kOutputs) {
    ForgetAddresses(&t);
    NineOutputs<kOutputs, kThrees, kFinish>(t, finish, tap, offset, out);
    offset += kOutputs * t.step;
    out += kOutputs * t.out_step;
  }
  for (; left > 0; --left, offset += t.step, out += t.out_step) {
    NineOutputs<1, kThrees, kFinish>(t, finish, tap, offset, out);
  }
}

template <int kFinish>
void TileAs(const DwArmTile& t) {
  if (t.taps != 9) {
    Piece<false, kFinish>(t);
  } else if ((t.flags & kDwArmThrees) != 0) {
    NinePiece<3, kFinish>(t);
  } else if ((t.flags & kDwArmThree) != 0) {
    NinePiece<1, kFinish>(t);
  } else {
    NinePiece<0, kFinish>(t);
  }
}

void Tile(const DwArmTile& t) {
  if ((t.flags & (kDwArmLeft | kDwArmApart)) != 0) {  // rare
    Piece<true, kDwLeft>(t);
  } else if (DwReluOnly(t)) {
    TileAs<kDwReluOnly>(t);
  } else {
    TileAs<kDwAny>(t);
  }
}

}  // namespace

void QS8DwConvNeonRun(const QS8DwConvRun& run) { DwArmRunNeon(run, Tile); }

}  // namespace octet
