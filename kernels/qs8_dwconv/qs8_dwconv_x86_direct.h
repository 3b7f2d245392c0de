// 3x3 with full blocks: nothing is staged, three interleaved columns stay in registers.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include "kernels/qs8_dwconv/qs8_dwconv_x86_finish.h"

namespace octet {
namespace {

struct DirectArgs {
  const int8_t* rows[4];  // at the block's first channel; null outside the image
  const int8_t* zeros;    // a vector of zero points
  size_t pixel;           // bytes between columns
  int32_t first_column;   // of the first output's window: -pad_left
  int32_t in_w, out_w;
  const uint8_t* pack;
  int8_t* out[2];
  size_t out_pixel;
  int32_t zero_point, act_min, act_max;
};

// R output rows, of one block.
template <int kStride, int kSets, int R, Finish F>
OCTET_NOINLINE void Direct(const DirectArgs& a) {
  constexpr int kTaps = 3 * kSets;
  using Column = Int[4];
  const uint8_t* const pack = a.pack;
  // Rows outside the image never move on from the zero points. A pointer moves only in the image.
  const int8_t *p0, *p1, *p2, *p3;
  size_t step0, step1, step2, step3;
  const auto source = [&](int k, const int8_t*& p, size_t& step) __attribute__((always_inline)) {
    p = a.rows[k] != nullptr ? a.rows[k] : a.zeros;
    step = a.rows[k] != nullptr ? a.pixel : 0;
  };
  source(0, p0, step0);
  source(1, p1, step1);
  source(2, p2, step2);
  source(3, p3, step3);
  const uint32_t in_w = static_cast<uint32_t>(a.in_w);
  uint32_t column = static_cast<uint32_t>(a.first_column);
  const Int zeros = Ops::Load(a.zeros);
  const auto next = [&](Column & x) __attribute__((always_inline)) {
    Int in[4] = {zeros, zeros, zeros, Ops::Zero()};
    if (column < in_w) {
      in[0] = Ops::Load(p0);
      in[1] = Ops::Load(p1);
      in[2] = Ops::Load(p2);
      p0 += step0;
      p1 += step1;
      p2 += step2;
      __asm__("" : "+r"(p0), "+r"(p1), "+r"(p2));
      if (R == 2) {
        in[3] = Ops::Load(p3);
        p3 += step3;
        __asm__("" : "+r"(p3));
      }
    } else if (R == 2) {
      in[3] = zeros;
    }
    ++column;
    Ops::Interleave4(in, x);
  };
  int8_t* out0 = a.out[0];
  int8_t* out1 = a.out[R - 1];
  const auto output = [&](const Column& x0, const Column& x1, const Column& x2)
      __attribute__((always_inline)) {
    Int half[2][R];
    OCTET_UNROLL for (int h = 0; h < 2; ++h) {
      Int quarter[2][R];
      OCTET_UNROLL for (int q = 0; q < 2; ++q) {
        const int j = 2 * h + q;
        const Int bias = Ops::Load(pack + (kDwBias + j) * kV);
        Int acc[R];
        OCTET_UNROLL for (int r = 0; r < R; ++r) acc[r] = bias;
        OCTET_UNROLL for (int n = 0; n < 3; ++n) {
          Int parts[kParts];
          Ops::Parts(n == 0 ? x0[j] : (n == 1 ? x1[j] : x2[j]), parts);
          OCTET_UNROLL for (int set = 0; set < kSets; ++set) {
            OCTET_UNROLL for (int part = 0; part < kParts; ++part) {
              OCTET_UNROLL for (int r = 0; r < R; ++r) {
                const int tap = r * kTaps + set * 3 + n;
                acc[r] =
                    Ops::Dot(acc[r], parts[part],
                             Ops::Load(pack + (kDwWeights + (tap * 4 + j) * kParts + part) * kV));
              }
            }
          }
        }
        OCTET_UNROLL for (int r = 0; r < R; ++r) quarter[q][r] = FinishInt<F>(acc[r], pack, j);
      }
      OCTET_UNROLL for (int r = 0; r < R; ++r) {
        half[h][r] = Ops::Pack32(quarter[0][r], quarter[1][r]);
        if (AddsZeroPoint(F)) half[h][r] = Ops::AddSaturate16(half[h][r], a.zero_point);
      }
    }
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      Int out = Ops::Pack16(half[0][r], half[1][r]);
      if (HasClamp(F)) out = Ops::Clamp8(out, a.act_min, a.act_max);
      Ops::Store(r == 0 ? out0 : out1, out);
    }
    out0 += a.out_pixel;
    if (R == 2) out1 += a.out_pixel;
  };

  Column x0, x1, x2;
  int32_t left = a.out_w;
  next(x0);
  if (kStride == 1) {
    next(x1);
    for (;;) {
      next(x2);
      output(x0, x1, x2);
      if (--left == 0) break;
      next(x0);
      output(x1, x2, x0);
      if (--left == 0) break;
      next(x1);
      output(x2, x0, x1);
      if (--left == 0) break;
    }
  } else {
    for (;;) {
      next(x1);
      next(x2);
      output(x0, x1, x2);
      if (--left == 0) break;
      next(x1);
      next(x0);
      output(x2, x1, x0);
      if (--left == 0) break;
    }
  }
}

using DirectFn = void (*)(const DirectArgs&);

template <int kStride, int R>
DirectFn PickDirect(int32_t sets, Finish f) {
  if (sets == 1) {
    if (f == Finish::kInteger) return Direct<kStride, 1, R, Finish::kInteger>;
    if (f == Finish::kRelu) return Direct<kStride, 1, R, Finish::kRelu>;
    if (f == Finish::kReluPatched) return Direct<kStride, 1, R, Finish::kReluPatched>;
    if (f == Finish::kSigned) return Direct<kStride, 1, R, Finish::kSigned>;
    return Direct<kStride, 1, R, Finish::kSignedPatched>;
  }
  if (f == Finish::kInteger) return Direct<kStride, kDirectSets, R, Finish::kInteger>;
  return IsSigned(f) ? Direct<kStride, kDirectSets, R, Finish::kSignedPatched>
                     : Direct<kStride, kDirectSets, R, Finish::kReluPatched>;
}

DirectFn PickDirect(const QS8DwConvShape& s, const DwX86Plan& plan, int rows, Finish f) {
  if (s.stride_w == 2) return PickDirect<2, 1>(plan.weight_sets, f);
  return rows == 2 ? PickDirect<1, 2>(plan.weight_sets, f) : PickDirect<1, 1>(plan.weight_sets, f);
}

}  // namespace
}  // namespace octet
