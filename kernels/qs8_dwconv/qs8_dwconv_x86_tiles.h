// Outputs from staged columns.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_x86_finish.h"

namespace octet {
namespace {

struct TileArgs {
  const uint8_t* staged;   // first column of the strip
  size_t plane;            // bytes between staged vectors j and j + 1 (times kParts)
  const int32_t* offsets;  // of the taps, in bytes
  const uint8_t* pack;     // the block's
  int32_t taps;
  int32_t vectors;  // of outputs in the strip
  int8_t* out[2];
  size_t out_step;  // bytes between vectors of outputs
  int32_t zero_point, act_min, act_max;
  // What isn't one whole store a vector: pixels of `width` lanes, `channels` of them stored.
  bool whole;
  int32_t width, channels, pixels;
  size_t pixel_step;
};

// A tile of outputs in pieces, none for pixels behind the row's end.
OCTET_NOINLINE void StorePieces(const int8_t* bytes, int rows, int vectors, const TileArgs& a,
                                int32_t vector) {
  const int32_t per_vector = DwX86Divide(kV, a.width);
  int32_t pixels = a.pixels - vector * per_vector;
  if (pixels > vectors * per_vector) pixels = vectors * per_vector;
  for (int r = 0; r < rows; ++r) {
    int8_t* to = a.out[r] + vector * a.out_step;
    const int8_t* from = bytes + r * vectors * kV;
    for (int32_t p = 0; p < pixels; ++p, from += a.width, to += a.pixel_step) {
      CopyPiece(to, from, a.channels);
    }
  }
}

// Where the taps of a kernel read, known when compiling: tap n its own column(n) of slot(n), where
// a slot is what one phase of one group staged. Such a kernel loads every staged vector of its tile
// once. Only for blocks of full width; the others, dilated kernels and the rest go by offsets.
struct ByOffset {
  static constexpr int kTaps = 0, kSlots = 0;
};
struct ThreeByOffset {
  static constexpr int kTaps = 3, kSlots = 0;
};
struct Five {  // 5x5 for two rows: four rows, then two rows by two columns
  static constexpr int kTaps = 8, kSlots = 2, kColumns = 5;
  static constexpr int slot(int n) { return n / 5; }
  static constexpr int column(int n) { return n < 5 ? n : 2 * (n - 5); }
};
struct FiveStride2 {  // 5x5 for one row: four rows, then one row by four columns
  static constexpr int kTaps = 7, kSlots = 3, kColumns = 3;
  static constexpr int slot(int n) { return n < 5 ? n % 2 : 2; }
  static constexpr int column(int n) { return n < 5 ? n / 2 : 2 * (n - 5); }
};

// Adds one quarter (staged vectors j of each part) of R rows of T vectors.
template <class Taps, int R, int T>
OCTET_INLINE void Accumulate(const TileArgs& a, const uint8_t* x, int j, Int (&acc)[R][T]) {
  const int32_t taps = Taps::kTaps > 0 ? Taps::kTaps : a.taps;
  const uint8_t* const weights = a.pack + (kDwWeights + j * kParts) * kV;
  const size_t row_weights = static_cast<size_t>(taps) * 4 * kParts * kV;
  if constexpr (Taps::kSlots > 0) {
    OCTET_UNROLL for (int slot = 0; slot < Taps::kSlots; ++slot) {
      OCTET_UNROLL for (int part = 0; part < kParts; ++part) {
        const uint8_t* const from = x + (slot * 4 * kParts + part) * a.plane;
        Int xs[T + Taps::kColumns - 1];
        OCTET_UNROLL for (int i = 0; i < T + Taps::kColumns - 1; ++i) {
          xs[i] = Ops::Load(from + i * kV);
          Ops::Keep(xs[i]);
        }
        OCTET_UNROLL for (int n = 0; n < Taps::kTaps; ++n) {
          if (Taps::slot(n) != slot) continue;
          OCTET_UNROLL for (int r = 0; r < R; ++r) {
            Int w = Ops::Load(weights + r * row_weights + (n * 4 * kParts + part) * kV);
            if (T > 1) Ops::Keep(w);
            OCTET_UNROLL for (int t = 0; t < T; ++t) {
              acc[r][t] = Ops::Dot(acc[r][t], xs[Taps::column(n) + t], w);
            }
          }
        }
      }
    }
  } else {
    const auto tap = [&](int n) __attribute__((always_inline)) {
      const uint8_t* const xn = x + a.offsets[n];
      const uint8_t* const wn = weights + static_cast<size_t>(n) * 4 * kParts * kV;
      OCTET_UNROLL for (int part = 0; part < kParts; ++part) {
        OCTET_UNROLL for (int t = 0; t < T; ++t) {
          Int xt = Ops::Load(xn + part * a.plane + t * kV);
          Ops::Keep(xt);
          OCTET_UNROLL for (int r = 0; r < R; ++r) {
            acc[r][t] = Ops::Dot(acc[r][t], xt, Ops::Load(wn + r * row_weights + part * kV));
          }
        }
      }
    };
    if constexpr (Taps::kTaps > 0) {
      OCTET_UNROLL for (int n = 0; n < Taps::kTaps; ++n) tap(n);
    } else {
      OCTET_NO_UNROLL for (int32_t n = 0; n < taps; ++n) tap(n);
    }
  }
}

// R rows of T vectors of outputs.
template <class Taps, int R, int T, Finish F>
OCTET_INLINE void Tile(const TileArgs& a, int32_t vector) {
  Int half[2][R][T];
  OCTET_UNROLL for (int h = 0; h < 2; ++h) {
    Int quarter[2][R][T];
    OCTET_UNROLL for (int q = 0; q < 2; ++q) {
      const int j = 2 * h + q;
      Int acc[R][T];
      const Int bias = Ops::Load(a.pack + (kDwBias + j) * kV);
      OCTET_UNROLL for (int r = 0; r < R; ++r) {
        OCTET_UNROLL for (int t = 0; t < T; ++t) acc[r][t] = bias;
      }
      Accumulate<Taps, R, T>(a, a.staged + static_cast<size_t>(vector) * kV + j * kParts * a.plane,
                             j, acc);
      OCTET_UNROLL for (int r = 0; r < R; ++r) {
        OCTET_UNROLL for (int t = 0; t < T; ++t) {
          quarter[q][r][t] = FinishInt<F>(acc[r][t], a.pack, j);
        }
      }
    }
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      OCTET_UNROLL for (int t = 0; t < T; ++t) {
        half[h][r][t] = Ops::Pack32(quarter[0][r][t], quarter[1][r][t]);
        if (AddsZeroPoint(F)) half[h][r][t] = Ops::AddSaturate16(half[h][r][t], a.zero_point);
      }
    }
  }
  Int out[R][T];
  OCTET_UNROLL for (int r = 0; r < R; ++r) {
    OCTET_UNROLL for (int t = 0; t < T; ++t) {
      out[r][t] = Ops::Pack16(half[0][r][t], half[1][r][t]);
      if (HasClamp(F)) out[r][t] = Ops::Clamp8(out[r][t], a.act_min, a.act_max);
    }
  }
  if (a.whole) {
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      int8_t* const to = a.out[r] + vector * a.out_step;
      OCTET_UNROLL for (int t = 0; t < T; ++t) Ops::Store(to + t * a.out_step, out[r][t]);
    }
  } else {
    alignas(64) int8_t bytes[R * T * kV];
    OCTET_UNROLL for (int r = 0; r < R; ++r) {
      OCTET_UNROLL for (int t = 0; t < T; ++t) Ops::Store(bytes + (r * T + t) * kV, out[r][t]);
    }
    StorePieces(bytes, R, T, a, vector);
  }
}

template <class Taps, int R, Finish F>
OCTET_NOINLINE void Tiles(const TileArgs& a) {
  constexpr int T = F == Finish::kInteger ? 1 : Ops::kTile * (R == 1 ? Ops::kTileOneRow : 1);
  int32_t v = 0;
  OCTET_NO_UNROLL for (; v < a.vectors; v += T) {
    if (v + T > a.vectors) {
      if (v == 0 || a.vectors - v <= T / 2) break;
      v = a.vectors - T;  // the last tile begins within the one before it: same bytes again
    }
    Tile<Taps, R, T, F>(a, v);
  }
  if (T == 1) return;
  OCTET_NO_UNROLL for (; v < a.vectors; ++v) Tile<Taps, R, 1, F>(a, v);
}

using TilesFn = void (*)(const TileArgs&);

template <class Taps, int R>
TilesFn PickUnpatched(Finish f) {
  return f == Finish::kRelu ? Tiles<Taps, R, Finish::kRelu> : Tiles<Taps, R, Finish::kSigned>;
}

template <int R>
TilesFn PickByOffset(int32_t taps, Finish f) {
  if (f == Finish::kInteger) return Tiles<ByOffset, R, Finish::kInteger>;
  const bool one_line = !IsSigned(f);
  if (taps == 3) {
    if (f == Finish::kRelu) return Tiles<ThreeByOffset, R, Finish::kRelu>;
    return one_line ? Tiles<ThreeByOffset, R, Finish::kReluPatched>
                    : Tiles<ThreeByOffset, R, Finish::kSignedPatched>;
  }
  return one_line ? Tiles<ByOffset, R, Finish::kReluPatched>
                  : Tiles<ByOffset, R, Finish::kSignedPatched>;
}

// Each combination costs kilobytes of code, so rare ones share kernels that can do more: patched
// ones (whose patches may all be empty) and those that go by offsets.
TilesFn PickTiles(const QS8DwConvShape& s, const DwX86Plan& plan, int32_t width, int rows,
                  Finish f) {
  const bool square = s.kernel_h == 5 && s.kernel_w == 5 && s.stride_h == s.stride_w &&
                      s.dilation_w == 1 && width == kV && f != Finish::kInteger;
  if (square && rows == plan.pair && plan.weight_sets == 1 && !IsPatched(f)) {
    if (s.stride_w == 1) return PickUnpatched<Five, 2>(f);
    if (s.stride_w == 2) return PickUnpatched<FiveStride2, 1>(f);
  }
  return rows == 2 ? PickByOffset<2>(plan.taps, f) : PickByOffset<1>(plan.taps, f);
}

}  // namespace
}  // namespace octet
