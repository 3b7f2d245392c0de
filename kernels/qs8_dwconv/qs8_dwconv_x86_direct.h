// 3x3 with full blocks: nothing is staged, three interleaved columns stay in registers.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_x86_finish.h"

namespace octet {
namespace {

// A vector holds P pieces: one of kV channels, or narrower ones of as many stretches of output rows
// (for two rows a piece: of pairs of rows), at the same column (Direct) or each at its own
// (Pieces). So taps stay whole vectors apart.
constexpr int kMostPieces = kV / 16;

struct DirectArgs {
  // [row][piece] at the block's first channel of the first column that is read; null: outside
  const int8_t* rows[4 * kMostPieces];
  int8_t* out[2 * kMostPieces];  // [row][piece]; null: none
  const int8_t* zeros;           // a vector of zero points
  size_t pixel;                  // bytes between columns, in and out
  // Columns that the outputs read, dilation_w apart: so many before the image, then inside it, of
  // which loads of whole pieces stay in their rows in [0, plain).
  int32_t before, inside;
  int32_t out_w;     // outputs (of a piece), as far apart
  int32_t channels;  // of a piece
  // Of Pieces: the first column of each, negative before the image. In columns [together, apart)
  // all of them are inside it, and in [together, plain) loads of whole pieces stay in their rows.
  int32_t start[kMostPieces];
  int32_t together, apart, plain;
  const uint8_t* pack;
  int32_t zero_point, act_min, act_max;
};

// The pieces of one row of the window where whole loads would run past the row.
template <int P>
OCTET_NOINLINE Int LoadCarefully(const int8_t* const* from, size_t channels) {
  alignas(64) int8_t bytes[kV] = {};
  for (int p = 0; p < P; ++p) std::memcpy(bytes + p * (kV / P), from[p], channels);
  return Ops::Load(bytes);
}

// One column of pieces of which some lie outside the image.
template <int kRows, int P>
OCTET_NOINLINE void LoadBorder(const DirectArgs& a, int32_t column, Ops::Mask mask,
                               const size_t* step, const int8_t** from, Int* in) {
  for (int k = 0; k < kRows; ++k) {
    const int8_t* at[P];
    for (int p = 0; p < P; ++p) {
      const int32_t x = a.start[p] + column;
      const bool inside = x >= 0 && x < a.inside;
      at[p] = inside ? from[k * P + p] : a.zeros;
      if (inside) from[k * P + p] += step[k * P + p];
    }
    in[k] = Ops::kMasks ? Ops::LoadPieces<P>(at, mask)
                        : LoadCarefully<P>(at, static_cast<size_t>(a.channels));
  }
}

OCTET_INLINE void Move(Int (&to)[4], const Int (&from)[4]) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
}

// The bytes of one pixel, or one a piece, in R rows, from the three columns that it reads.
template <int kSets, int R, Finish F>
OCTET_INLINE void Outputs(const DirectArgs& a, const uint8_t* pack, const Int (&x0)[4],
                          const Int (&x1)[4], const Int (&x2)[4], Int (&out)[R]) {
  constexpr int kTaps = 3 * kSets;
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
              // The second set is the same for every tap and channel.
              const int tap = (r * kTaps + (set == 0 ? n : 3)) * 4 + (set == 0 ? j : 0);
              acc[r] = Ops::Dot(acc[r], parts[part],
                                Ops::Load(pack + (kDwWeights + tap * kParts + part) * kV));
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
    out[r] = Ops::Pack16(half[0][r], half[1][r]);
    if (HasClamp(F)) out[r] = Ops::Clamp8(out[r], a.act_min, a.act_max);
  }
}

// R output rows (of each piece) of one block. kWhole: one piece of kV channels; else all pieces are
// at the same column.
template <int kStride, int kSets, int R, int P, bool kWhole, Finish F>
OCTET_NOINLINE void Direct(const DirectArgs& a) {
  constexpr int kRows = R == 2 ? 4 : 3;
  using Column = Int[4];
  const uint8_t* const pack = a.pack;
  // Rows outside the image never move on from the zero points. A pointer moves only in the image.
  const int8_t* from[kRows * P];
  size_t step[kRows * P];
  OCTET_UNROLL for (int i = 0; i < kRows * P; ++i) {
    from[i] = a.rows[i] != nullptr ? a.rows[i] : a.zeros;
    step[i] = a.rows[i] != nullptr ? a.pixel : 0;
  }
  // Rows that aren't wanted are written to a spare place.
  alignas(64) int8_t spare[kV];
  int8_t* to[R * P];
  OCTET_UNROLL for (int i = 0; i < R * P; ++i) {
    to[i] = kWhole || a.out[i] != nullptr ? a.out[i] : spare;
  }
  const Ops::Mask mask = Ops::MaskOf(kWhole ? kV : a.channels);
  const uint32_t inside = static_cast<uint32_t>(a.inside);
  uint32_t column = 0u - static_cast<uint32_t>(a.before);
  const Int zeros = Ops::Load(a.zeros);
  const auto next = [&](Column & x) __attribute__((always_inline)) {
    Int in[4] = {zeros, zeros, zeros, R == 2 ? zeros : Ops::Zero()};
    if (column < inside) {
      if (kWhole) {
        OCTET_UNROLL for (int k = 0; k < kRows; ++k) {
          in[k] = Ops::Load(from[k]);
          from[k] += step[k];
          OCTET_KEEP_POINTER(from[k]);
        }
      } else {
        const bool plain = Ops::kMasks || column < static_cast<uint32_t>(a.plain);
        OCTET_UNROLL for (int k = 0; k < kRows; ++k) {
          in[k] = plain ? Ops::LoadPieces<P>(from + k * P, mask)
                        : LoadCarefully<P>(from + k * P, static_cast<size_t>(a.channels));
          OCTET_UNROLL for (int p = 0; p < P; ++p) {
            from[k * P + p] += step[k * P + p];
            OCTET_KEEP_POINTER(from[k * P + p]);
          }
        }
      }
    }
    ++column;
    Ops::Interleave4(in, x);
  };
  const auto output = [&](const Column& x0, const Column& x1, const Column& x2)
      __attribute__((always_inline)) {
    Int out[R];
    Outputs<kSets, R, F>(a, pack, x0, x1, x2, out);
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      if (kWhole) {
        Ops::Store(to[r], out[r]);
      } else {
        Ops::StorePieces<P>(to + r * P, out[r], mask, a.channels);
      }
      OCTET_UNROLL for (int p = 0; p < P; ++p) {
        if (kWhole || to[r * P + p] != spare) to[r * P + p] += a.pixel;
      }
    }
  };

  Column x0, x1, x2;
  int32_t left = a.out_w;
  next(x0);
  if (kStride == 1) next(x1);
  if (kWhole && (F == Finish::kRelu || F == Finish::kSigned)) {  // columns take turns
    if (kStride == 1) {
      OCTET_NO_UNROLL for (; left > 0;) {
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
      OCTET_NO_UNROLL for (; left > 0;) {
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
  } else {  // a third of the code
    OCTET_NO_UNROLL for (; left > 0;) {
      if (kStride == 2) next(x1);
      next(x2);
      output(x0, x1, x2);
      if (--left == 0) break;
      Move(x0, kStride == 2 ? x2 : x1);
      if (kStride == 1) Move(x1, x2);
    }
  }
}

// R output rows of each piece of one block that isn't whole, each piece at its own column.
template <int kStride, int kSets, int R, int P, Finish F>
OCTET_NOINLINE void Pieces(const DirectArgs& a) {
  constexpr int kRows = R == 2 ? 4 : 3;
  using Column = Int[4];
  const uint8_t* const pack = a.pack;
  const int8_t* from[kRows * P];
  size_t step[kRows * P];
  OCTET_UNROLL for (int i = 0; i < kRows * P; ++i) {
    from[i] = a.rows[i] != nullptr ? a.rows[i] : a.zeros;
    step[i] = a.rows[i] != nullptr ? a.pixel : 0;
  }
  // Rows that aren't wanted are written to a spare place.
  alignas(64) int8_t spare[kV];
  int8_t* to[R * P];
  OCTET_UNROLL for (int i = 0; i < R * P; ++i) to[i] = a.out[i] != nullptr ? a.out[i] : spare;
  const Ops::Mask mask = Ops::MaskOf(a.channels);
  // Counted from the first column at which all pieces are in the image.
  const uint32_t inside = static_cast<uint32_t>(a.apart - a.together);
  const uint32_t plain = Ops::kMasks ? inside : static_cast<uint32_t>(a.plain - a.together);
  uint32_t column = 0u - static_cast<uint32_t>(a.together);
  const Int zeros = Ops::Load(a.zeros);
  const auto next = [&](Column & x) __attribute__((always_inline)) {
    Int in[4] = {zeros, zeros, zeros, R == 2 ? zeros : Ops::Zero()};
    if (column < plain) {
      OCTET_UNROLL for (int k = 0; k < kRows; ++k) {
        in[k] = Ops::LoadPieces<P>(from + k * P, mask);
        OCTET_UNROLL for (int p = 0; p < P; ++p) {
          from[k * P + p] += step[k * P + p];
          OCTET_KEEP_POINTER(from[k * P + p]);
        }
      }
    } else {
      // By way of copies, since what others may write to stays in memory.
      const int8_t* moved[kRows * P];
      Int loaded[4];
      OCTET_UNROLL for (int i = 0; i < kRows * P; ++i) moved[i] = from[i];
      LoadBorder<kRows, P>(a, static_cast<int32_t>(column) + a.together, mask, step, moved, loaded);
      OCTET_UNROLL for (int i = 0; i < kRows * P; ++i) from[i] = moved[i];
      OCTET_UNROLL for (int k = 0; k < kRows; ++k) in[k] = loaded[k];
    }
    ++column;
    Ops::Interleave4(in, x);
  };
  const auto output = [&](const Column& x0, const Column& x1, const Column& x2)
      __attribute__((always_inline)) {
    Int out[R];
    Outputs<kSets, R, F>(a, pack, x0, x1, x2, out);
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      Ops::StorePieces<P>(to + r * P, out[r], mask, a.channels);
      OCTET_UNROLL for (int p = 0; p < P; ++p) {
        if (to[r * P + p] != spare) to[r * P + p] += a.pixel;
      }
    }
  };

  Column x0, x1, x2;
  int32_t left = a.out_w;
  next(x0);
  if (kStride == 1) next(x1);
  OCTET_NO_UNROLL for (; left > 0;) {
    if (kStride == 2) next(x1);
    next(x2);
    output(x0, x1, x2);
    if (--left == 0) break;
    Move(x0, kStride == 2 ? x2 : x1);
    if (kStride == 1) Move(x1, x2);
  }
}

using DirectFn = void (*)(const DirectArgs&);

template <int kStride, int R>
DirectFn PickWhole(int32_t sets, Finish f) {
  if (sets == 1) {
    if (f == Finish::kInteger) return Direct<kStride, 1, R, 1, true, Finish::kInteger>;
    if (f == Finish::kRelu) return Direct<kStride, 1, R, 1, true, Finish::kRelu>;
    if (f == Finish::kReluPatched) return Direct<kStride, 1, R, 1, true, Finish::kReluPatched>;
    if (f == Finish::kSigned) return Direct<kStride, 1, R, 1, true, Finish::kSigned>;
    return Direct<kStride, 1, R, 1, true, Finish::kSignedPatched>;
  }
  constexpr int kSets = kDirectSets;
  if (f == Finish::kInteger) return Direct<kStride, kSets, R, 1, true, Finish::kInteger>;
  if (f == Finish::kRelu) return Direct<kStride, kSets, R, 1, true, Finish::kRelu>;
  return IsSigned(f) ? Direct<kStride, kSets, R, 1, true, Finish::kSignedPatched>
                     : Direct<kStride, kSets, R, 1, true, Finish::kReluPatched>;
}

DirectFn PickWhole(const QS8DwConvShape& s, const DwX86Plan& plan, int rows, Finish f) {
  if (s.stride_w == 2) return PickWhole<2, 1>(plan.weight_sets, f);
  return rows == 2 ? PickWhole<1, 2>(plan.weight_sets, f) : PickWhole<1, 1>(plan.weight_sets, f);
}

template <int kStride, int R, int P>
DirectFn PickPieces(int32_t sets, Finish f) {
  if (sets == 2) {
    return f == Finish::kInteger ? Pieces<kStride, kDirectSets, R, P, Finish::kInteger>
                                 : Pieces<kStride, kDirectSets, R, P, Finish::kReluPatched>;
  }
  if (f == Finish::kInteger) return Pieces<kStride, 1, R, P, Finish::kInteger>;
  return IsSigned(f) ? Pieces<kStride, 1, R, P, Finish::kSignedPatched>
                     : Pieces<kStride, 1, R, P, Finish::kReluPatched>;
}

// All at the same column, which is faster; null where there is none.
template <int P>
DirectFn PickTogether(const QS8DwConvShape& s, int32_t sets, Finish f) {
  if (f == Finish::kInteger) return nullptr;
  if (sets == 2) {
    return s.stride_w == 2 ? Direct<2, kDirectSets, 1, P, false, Finish::kReluPatched>
                           : Direct<1, kDirectSets, 2, P, false, Finish::kReluPatched>;
  }
  if (IsSigned(f)) {
    return s.stride_w == 2 ? Direct<2, 1, 1, P, false, Finish::kSignedPatched>
                           : Direct<1, 1, 2, P, false, Finish::kSignedPatched>;
  }
  return s.stride_w == 2 ? Direct<2, 1, 1, P, false, Finish::kReluPatched>
                         : Direct<1, 1, 2, P, false, Finish::kReluPatched>;
}

DirectFn PickTogether(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width, Finish f) {
  if (width == kV) return PickTogether<1>(s, plan.weight_sets, f);
  if (width == kV / 2) return PickTogether<2>(s, plan.weight_sets, f);
  return PickTogether<kMostPieces>(s, plan.weight_sets, f);
}

template <int P>
DirectFn PickPieces(const QS8DwConvShape& s, int32_t sets, Finish f) {
  return s.stride_w == 2 ? PickPieces<2, 1, P>(sets, f) : PickPieces<1, 2, P>(sets, f);
}

// Each at its own column; null where PickTogether has what a block needs.
DirectFn PickPieces(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width, Finish f) {
  if (width == kV) {  // a single one is always together
    if (f != Finish::kInteger) return nullptr;
    if (plan.weight_sets == 2) {
      return s.stride_w == 2 ? Pieces<2, kDirectSets, 1, 1, Finish::kInteger>
                             : Pieces<1, kDirectSets, 2, 1, Finish::kInteger>;
    }
    return s.stride_w == 2 ? Pieces<2, 1, 1, 1, Finish::kInteger>
                           : Pieces<1, 1, 2, 1, Finish::kInteger>;
  }
  if (width == kV / 2) return PickPieces<2>(s, plan.weight_sets, f);
  return PickPieces<kMostPieces>(s, plan.weight_sets, f);
}

// For single rows of what otherwise makes pairs; null where pairs must do. Narrow vectors gain
// nothing by it.
DirectFn PickSinglePieces(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width, Finish f) {
  if constexpr (kMostPieces >= 4) {
    if (s.stride_w == 1 && plan.weight_sets == 1 && f != Finish::kInteger && !IsSigned(f)) {
      if (width == kV) return Pieces<1, 1, 1, 1, Finish::kReluPatched>;
      if (width == kV / 2) return Pieces<1, 1, 1, 2, Finish::kReluPatched>;
      return Pieces<1, 1, 1, kMostPieces, Finish::kReluPatched>;
    }
  }
  return nullptr;
}

}  // namespace
}  // namespace octet
