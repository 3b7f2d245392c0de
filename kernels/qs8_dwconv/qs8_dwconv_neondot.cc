// qs8_dwconv for the dot product extension: columns of four rows interleaved once, then four taps
// an sdot.
#include "kernels/qs8_dwconv/qs8_dwconv_neon.h"

namespace octet {
namespace {

OCTET_NEON_INLINE int16x8_t Zip16(int8x16_t a, int8x16_t b, bool high) {
  return vreinterpretq_s16_s8(high ? vzip2q_s8(a, b) : vzip1q_s8(a, b));
}

// 16 channels of four rows become four vectors of four channels, the rows of each side by side.
OCTET_NEON_INLINE void Interleave4(const int8x16_t (&rows)[4], int8_t* to) {
#pragma GCC unroll 2
  for (int h = 0; h < 2; ++h) {
    const int16x8_t a = Zip16(rows[0], rows[1], h != 0);
    const int16x8_t b = Zip16(rows[2], rows[3], h != 0);
    vst1q_s8(to + 32 * h, vreinterpretq_s8_s16(vzip1q_s16(a, b)));
    vst1q_s8(to + 32 * h + 16, vreinterpretq_s8_s16(vzip2q_s16(a, b)));
  }
}

void Interleave(const DwArmInterleave& a) {
  const int8x16_t zeros = vdupq_n_s8(a.zero_point);
  int8_t* to = a.staged;
  for (int32_t i = 0; i < a.begin; ++i) {
    for (int j = 0; j < 4; ++j, to += 16) vst1q_s8(to, zeros);
  }
  const int8_t* row[4];
  size_t step[4];
  int8_t outside[16];
  vst1q_s8(outside, zeros);
  for (int r = 0; r < 4; ++r) {
    row[r] = a.row[r] != nullptr ? a.row[r] : outside;
    step[r] = a.row[r] != nullptr ? a.pixel : 0;
  }
  for (int32_t i = a.begin; i < a.end; ++i, to += 64) {
    int8x16_t rows[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      rows[r] = vld1q_s8(row[r]);
      row[r] += step[r];
    }
    Interleave4(rows, to);
  }
  for (int32_t i = a.end; i < a.columns; ++i) {
    for (int j = 0; j < 4; ++j, to += 16) vst1q_s8(to, zeros);
  }
}

// What a step multiplies. It is loaded a step ahead, for CPUs that run in order.
template <int kRows, int kX>
struct Operands {
  int8x16_t weights[kRows], in[kX];

  inline __attribute__((always_inline)) void Load(const int8_t* w, size_t w_step, const int8_t* x,
                                                  size_t x_step) {
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) weights[r] = LoadHere(w + static_cast<size_t>(r) * w_step);
#pragma GCC unroll 4
    for (int i = 0; i < kX; ++i) in[i] = LoadHere(x + static_cast<size_t>(i) * x_step);
  }
};

// kX neighbours in each of kRows output rows. kKernelW: the kernel's width where that is known and
// there is one group of rows and one set of weights; else 0.
template <int kRows, int kX, int kKernelW, int kFinish>
OCTET_NEON_INLINE void Outputs(const DwArmTile& t, const DwFinish& finish, int32_t x) {
  int32x4_t acc[kRows][kX][4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const int32x4_t bias = vld1q_s32(t.constants->bias + 4 * j);
#pragma GCC unroll 4
    for (int i = 0; i < kRows * kX; ++i) acc[i / kX][i % kX][j] = bias;
  }
  const int32_t sets = kKernelW > 0 ? 1 : t.weight_sets;
  const int32_t groups = kKernelW > 0 ? 1 : t.groups;
  const int32_t kernel_w = kKernelW > 0 ? kKernelW : t.kernel_w;
  const size_t x_step = static_cast<size_t>(t.stride_w) * 64;
  const int8_t* w = t.weights;
  for (int32_t set = 0; set < sets; ++set) {
    const int8_t* group = t.staged + static_cast<size_t>(x) * x_step;
    for (int32_t g = 0; g < groups; ++g, group += static_cast<size_t>(t.group_columns) * 64) {
      const int8_t* at = group;
#pragma GCC unroll 3
      for (int32_t kx = 0; kx < kernel_w; ++kx, w += 64) {
        Operands<kRows, kX> now, next;
        now.Load(w, t.row_weights, at, x_step);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          if (j < 3) next.Load(w + 16 * (j + 1), t.row_weights, at + 16 * (j + 1), x_step);
#pragma GCC unroll 4
          for (int i = 0; i < kX; ++i) {
#pragma GCC unroll 2
            for (int r = 0; r < kRows; ++r) {
              acc[r][i][j] = vdotq_s32(acc[r][i][j], now.in[i], now.weights[r]);
            }
          }
          now = next;
        }
        at += static_cast<size_t>(t.dilation_w) * 64;
      }
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    DwStore<kX, kFinish>(t, finish, acc[r], t.out[r] + static_cast<size_t>(x) * t.out_step);
  }
}

template <int kRows, int kKernelW, int kFinish>
void Piece(const DwArmTile& t) {
  constexpr int kX = 4 / kRows;
  const DwFinish finish(t);
  int32_t x = 0;
  for (; x + kX <= t.outputs; x += kX) Outputs<kRows, kX, kKernelW, kFinish>(t, finish, x);
  for (; x < t.outputs; ++x) Outputs<kRows, 1, kKernelW, kFinish>(t, finish, x);
}

template <int kRows>
void TileOf(const DwArmTile& t) {
  const bool relu = DwReluOnly(t);
  if ((t.flags & kDwArmLeft) != 0) {
    Piece<kRows, 0, kDwLeft>(t);
  } else if (t.kernel_w == 3 && t.groups == 1 && t.weight_sets == 1) {
    relu ? Piece<kRows, 3, kDwReluOnly>(t) : Piece<kRows, 3, kDwAny>(t);
  } else {
    relu ? Piece<kRows, 0, kDwReluOnly>(t) : Piece<kRows, 0, kDwAny>(t);
  }
}

void Tile(const DwArmTile& t) { t.rows == 2 ? TileOf<2>(t) : TileOf<1>(t); }

}  // namespace

void QS8DwConvNeonDotRun(const QS8DwConvRun& run) { DwArmRunDot(run, Interleave, Tile); }

}  // namespace octet
