// The x86 kernels of qs8_dwconv, written once over a class `Ops` of vector operations that the
// including file defines. Everything here has internal linkage, since each including file is
// compiled with flags of its own. qs8_dwconv_x86.h explains staging, groups and lanes.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_kernels.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86.h"

#if defined(__clang__)
#define OCTET_UNROLL _Pragma("unroll")
#else
#define OCTET_UNROLL _Pragma("GCC unroll 16")
#endif
#define OCTET_INLINE inline __attribute__((always_inline))
#define OCTET_NOINLINE __attribute__((noinline))

namespace octet {
namespace {

using Int = Ops::Int;
constexpr int kV = Ops::kVector;
constexpr int kParts = Ops::kParts;

// ---------------------------------------------------------------------------------------------
// From accumulators to bytes.

enum class Finish {
  kRelu,           // one line, no clamp beyond that of int8
  kReluPatched,    // one line, patches, clamp
  kSigned,         // two lines, no clamp
  kSignedPatched,  // two lines, patches, clamp
  kInteger,
};
constexpr bool IsSigned(Finish f) { return f == Finish::kSigned || f == Finish::kSignedPatched; }
constexpr bool IsPatched(Finish f) {
  return f == Finish::kReluPatched || f == Finish::kSignedPatched;
}
constexpr bool HasClamp(Finish f) { return f != Finish::kRelu && f != Finish::kSigned; }
// Whether the zero point is still to be added to the rounded result.
constexpr bool AddsZeroPoint(Finish f) { return IsSigned(f) || f == Finish::kInteger; }

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
  const int32_t per_vector = kV / a.width;
  int32_t pixels = a.pixels - vector * per_vector;
  if (pixels > vectors * per_vector) pixels = vectors * per_vector;
  for (int r = 0; r < rows; ++r) {
    int8_t* to = a.out[r] + vector * a.out_step;
    const int8_t* from = bytes + r * vectors * kV;
    for (int32_t p = 0; p < pixels; ++p, from += a.width, to += a.pixel_step) {
      if (a.channels == 16) {
        std::memcpy(to, from, 16);
      } else if (a.channels == 32) {
        std::memcpy(to, from, 32);
      } else if (a.channels == 8) {
        std::memcpy(to, from, 8);
      } else {
        std::memcpy(to, from, static_cast<size_t>(a.channels));
      }
    }
  }
}

template <Finish F>
OCTET_INLINE Int FinishInt(Int acc, const uint8_t* pack, int j) {
  if (F == Finish::kInteger) {
    return Ops::Requantize(acc, Ops::Load(pack + (kDwWord0 + j) * kV),
                           Ops::Load(pack + (kDwWord1 + j) * kV));
  }
  Int r = Ops::template Round<IsSigned(F)>(acc, pack + (kDwScale + j) * kV,
                                           pack + (kDwOffset + j) * kV);
  if (IsPatched(F)) {
    r = Ops::AddWhereEqual(r, acc, Ops::Load(pack + (kDwWord0 + j) * kV),
                           Ops::Load(pack + (kDwWord1 + j) * kV));
  }
  return r;
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
template <int kSets>
struct Three {  // 3x3
  static constexpr int kTaps = 3 * kSets, kSlots = 1, kColumns = 3;
  static constexpr int slot(int) { return 0; }
  static constexpr int column(int n) { return n % 3; }
};
template <int kSets>
struct ThreeStride2 {
  static constexpr int kTaps = 3 * kSets, kSlots = 2, kColumns = 2;
  static constexpr int slot(int n) { return n % 3 % 2; }
  static constexpr int column(int n) { return n % 3 / 2; }
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
      for (int32_t n = 0; n < taps; ++n) tap(n);
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
  for (;; v += T) {
    if (v + T > a.vectors) {
      if (v == 0 || a.vectors - v <= T / 2) break;
      v = a.vectors - T;  // the last tile begins within the one before it: same bytes again
    }
    Tile<Taps, R, T, F>(a, v);
  }
  if (T == 1) return;
  for (; v < a.vectors; ++v) Tile<Taps, R, 1, F>(a, v);
}

using TilesFn = void (*)(const TileArgs&);

template <class Taps, int R>
TilesFn PickFinish(Finish f) {
  if (f == Finish::kRelu) return Tiles<Taps, R, Finish::kRelu>;
  if (f == Finish::kReluPatched) return Tiles<Taps, R, Finish::kReluPatched>;
  if (f == Finish::kSigned) return Tiles<Taps, R, Finish::kSigned>;
  return Tiles<Taps, R, Finish::kSignedPatched>;
}

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
  const bool square = s.kernel_h == s.kernel_w && s.stride_h == s.stride_w && s.dilation_w == 1 &&
                      width == kV && f != Finish::kInteger;
  if (square && rows == plan.pair) {
    const bool patched = IsPatched(f);
    if (s.kernel_w == 3 && s.stride_w == 1 && s.dilation_h == 1) {
      if (plan.weight_sets == 1) return PickFinish<Three<1>, 2>(f);
      if (plan.weight_sets == 2 && f == Finish::kRelu) return Tiles<Three<2>, 2, Finish::kRelu>;
    } else if (s.kernel_w == 3 && s.stride_w == 2) {
      if (plan.weight_sets == 1) return PickFinish<ThreeStride2<1>, 1>(f);
      if (plan.weight_sets == 2 && f == Finish::kRelu) {
        return Tiles<ThreeStride2<2>, 1, Finish::kRelu>;
      }
    } else if (s.kernel_w == 5 && s.stride_w == 1 && plan.weight_sets == 1 && !patched) {
      return PickUnpatched<Five, 2>(f);
    } else if (s.kernel_w == 5 && s.stride_w == 2 && plan.weight_sets == 1 && !patched) {
      return PickUnpatched<FiveStride2, 1>(f);
    }
  }
  return rows == 2 ? PickByOffset<2>(plan.taps, f) : PickByOffset<1>(plan.taps, f);
}

// ---------------------------------------------------------------------------------------------
// Staging.

// What one phase of the stride of one group takes: the same for all rows and blocks of one width.
struct StageJob {
  int32_t row, rows, columns;  // of the group
  int32_t first_column;        // image column of the first staged one
  int32_t staged_columns;      // to stage
  int32_t inside, outside;     // vectors [inside, outside) lie in the image wholly
  size_t offset;               // in the staging
};

static_assert(sizeof(StageJob) <= kDwX86JobBytes, "");

struct StageArgs {
  const QS8DwConvShape* shape;
  const StageJob* job;
  const int8_t* sources[4];  // rows of the four bytes, at the block's first channel; null: no row
  int32_t shifts[4];         // columns to the right of the staged column
  const int8_t* zeros;       // a vector of zero points
  int32_t width, channels;
  int32_t begin;  // first output channel
  uint8_t* staged;
  size_t plane;
};

OCTET_INLINE void StageVector(const Int* in, uint8_t* to, size_t plane) {
  Int out[4 * kParts];
  Ops::Interleave(in, out);
  OCTET_UNROLL for (int i = 0; i < 4 * kParts; ++i) Ops::Store(to + i * plane, out[i]);
}

// Any vector of any shape, a piece or byte at a time.
OCTET_NOINLINE void StageSlowly(const StageArgs& a, int32_t v) {
  const QS8DwConvShape& s = *a.shape;
  alignas(64) int8_t bytes[4][kV];
  std::memset(bytes, s.input_zero_point, sizeof bytes);
  const int32_t pixels = kV / a.width;
  for (int k = 0; k < 4; ++k) {
    if (a.sources[k] == nullptr) continue;
    for (int32_t p = 0; p < pixels && v * pixels + p < a.job->staged_columns; ++p) {
      const int32_t column = a.job->first_column + (v * pixels + p) * s.stride_w + a.shifts[k];
      if (column < 0 || column >= s.in_w) continue;
      const int8_t* from = a.sources[k] + static_cast<size_t>(column) * s.in_c;
      int8_t* to = bytes[k] + p * a.width;
      if (s.depth_multiplier == 1) {
        std::memcpy(to, from, static_cast<size_t>(a.channels));
      } else {
        int32_t c = a.begin / s.depth_multiplier, j = a.begin % s.depth_multiplier;
        for (int32_t i = 0; i < a.channels; ++i) {
          to[i] = from[c];
          if (++j == s.depth_multiplier) {
            j = 0;
            ++c;
          }
        }
      }
    }
  }
  Int in[4];
  for (int k = 0; k < 4; ++k) in[k] = Ops::Load(bytes[k]);
  StageVector(in, a.staged + static_cast<size_t>(v) * kV, a.plane);
}

// Vectors that lie in the image.
template <int Pixels>
OCTET_NOINLINE void StageInside(const StageArgs& a) {
  const size_t c = static_cast<size_t>(a.shape->in_c);
  const ptrdiff_t pixels = kV / a.width;
  const size_t pixel = c * a.shape->stride_w;
  const size_t step = pixel * pixels;
  const ptrdiff_t column = a.job->first_column + a.job->inside * pixels * a.shape->stride_w;
  const int8_t *p0, *p1, *p2, *p3;
  size_t in0, in1, in2, in3;  // all ones, or zero where every column has the same zero points
  const auto source = [&](int k, const int8_t*& p, size_t& in) {
    in = a.sources[k] != nullptr ? ~size_t{0} : 0;
    p = in ? a.sources[k] + (column + a.shifts[k]) * static_cast<ptrdiff_t>(c) : a.zeros;
  };
  source(0, p0, in0);
  source(1, p1, in1);
  source(2, p2, in2);
  source(3, p3, in3);
  const Ops::Mask mask = Ops::MaskOf(Pixels > 1 || a.channels < a.width ? a.channels : kV);
  uint8_t* to = a.staged + static_cast<size_t>(a.job->inside) * kV;
  const size_t step0 = step & in0, step1 = step & in1, step2 = step & in2, step3 = step & in3;
  for (int32_t v = a.job->inside; v < a.job->outside; ++v) {
    const Int in[4] = {Ops::LoadPixels<Pixels>(p0, pixel & in0, mask),
                       Ops::LoadPixels<Pixels>(p1, pixel & in1, mask),
                       Ops::LoadPixels<Pixels>(p2, pixel & in2, mask),
                       Ops::LoadPixels<Pixels>(p3, pixel & in3, mask)};
    StageVector(in, to, a.plane);
    to += kV;
    p0 += step0;
    p1 += step1;
    p2 += step2;
    p3 += step3;
    // gcc would keep the four pointers in one vector, through memory each time round.
    __asm__("" : "+r"(p0), "+r"(p1), "+r"(p2), "+r"(p3));
  }
}

void Stage(const StageArgs& a) {
  const StageJob& job = *a.job;
  const QS8DwConvShape& s = *a.shape;
  const int32_t pixels = kV / a.width;
  const int32_t vectors = (job.staged_columns + pixels - 1) / pixels;
  const auto border = [&](int32_t v) {
    if (pixels == 1 && job.columns == 1) {
      const int32_t column = job.first_column + v * s.stride_w;
      if (column < 0 || column >= s.in_w) {
        const Int zeros = Ops::Load(a.zeros);
        const Int in[4] = {zeros, zeros, zeros, zeros};
        StageVector(in, a.staged + static_cast<size_t>(v) * kV, a.plane);
        return;
      }
    }
    StageSlowly(a, v);
  };
  for (int32_t v = 0; v < job.inside; ++v) border(v);
  if (job.inside < job.outside) {
    if (pixels == 1 || (a.channels == s.in_c && s.in_c == a.width && s.stride_w == 1)) {
      StageInside<1>(a);
    } else if (pixels == 2) {
      StageInside<2>(a);
    } else {
      StageInside<kV / 16>(a);
    }
  }
  for (int32_t v = job.outside; v < vectors; ++v) border(v);
}

int32_t FloorDivide(int32_t a, int32_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// The vectors of a job all of whose pixels lie in the image.
void FindInside(const QS8DwConvShape& s, const DwX86Block& block, StageJob* job) {
  const int32_t pixels = kV / block.width;
  const int32_t vectors = (job->staged_columns + pixels - 1) / pixels;
  const int32_t step = pixels * s.stride_w;
  int32_t last = s.in_w - 1;
  if (!Ops::kMasks && block.channels < block.width) {  // nor may a load run past its row
    const int32_t over = block.width - (s.in_c - block.begin / s.depth_multiplier);
    last -= (over + s.in_c - 1) / s.in_c;
  }
  last -= (job->columns - 1) * s.dilation_w + (pixels - 1) * s.stride_w;
  int32_t from = job->first_column >= 0 ? 0 : (-job->first_column + step - 1) / step;
  int32_t to = FloorDivide(last - job->first_column, step) + 1;
  if (to > vectors) to = vectors;
  if (s.depth_multiplier != 1 || to < 0) to = 0;
  if (from > to) from = to;
  job->inside = from;
  job->outside = to;
}

// ---------------------------------------------------------------------------------------------

const int8_t* InputRow(const Rows<const int8_t>& rows, int32_t y) {
  return rows.base + static_cast<size_t>(rows.ring > 0 ? y % rows.ring : y) * rows.stride;
}
int8_t* OutputRow(const Rows<int8_t>& rows, int32_t y) {
  return rows.base + static_cast<size_t>(rows.ring > 0 ? y % rows.ring : y) * rows.stride;
}

// Everything that depends on the strip of columns and on the width of blocks, not on rows and
// channels.
struct Strip {
  int32_t x, outputs;
  int32_t jobs;
  StageJob* job;
  int32_t* offsets;
  size_t plane;
};

void MakeStrip(const QS8DwConvShape& s, const DwX86Plan& plan, const DwX86Block& block, int32_t x,
               int32_t outputs, Strip* strip) {
  strip->x = x;
  strip->outputs = outputs;
  const int32_t pixels = kV / block.width;
  strip->plane = DwX86PlaneBytes(s, plan, block.width, (outputs + pixels - 1) / pixels);
  strip->jobs = 0;
  const int32_t last_column = (s.kernel_w - 1) * s.dilation_w;
  const int32_t basic = plan.taps / plan.weight_sets;
  size_t at = 0;
  for (int32_t g = 0; g < plan.groups; ++g) {
    const DwX86Group group = plan.group(s, g);
    for (int32_t phase = 0; phase < s.stride_w && phase <= last_column; ++phase) {
      if (!DwX86PhaseUsed(s, group, phase)) continue;
      int32_t tap = group.first_tap;
      for (int32_t kx = 0; kx < s.kernel_w; kx += group.columns, ++tap) {
        const int32_t column = kx * s.dilation_w;
        if (column % s.stride_w != phase) continue;
        for (int32_t set = 0; set < plan.weight_sets; ++set) {
          strip->offsets[set * basic + tap] =
              static_cast<int32_t>(at) + column / s.stride_w * block.width;
        }
      }
      StageJob* const job = strip->job + strip->jobs++;
      job->row = group.row;
      job->rows = group.rows;
      job->columns = group.columns;
      job->first_column = x * s.stride_w - s.pad_left + phase;
      job->staged_columns = outputs + (last_column - phase) / s.stride_w;
      job->offset = at;
      FindInside(s, block, job);
      at += 4 * kParts * strip->plane;
    }
  }
}

Finish FinishOf(const QS8DwConvShape& s, uint8_t epilogue) {
  const bool one_line = s.act_min >= s.output_zero_point;
  const bool clamp = s.act_min > -128 || s.act_max < 127;
  if (epilogue == static_cast<uint8_t>(DwEpilogue::kInteger)) return Finish::kInteger;
  const bool patched = epilogue == static_cast<uint8_t>(DwEpilogue::kFloatPatched) || clamp;
  if (one_line) return patched ? Finish::kReluPatched : Finish::kRelu;
  return patched ? Finish::kSignedPatched : Finish::kSigned;
}

struct Context {
  const QS8DwConvRun* run;
  const DwX86Plan* plan;
  const int8_t** rows;  // the window's, at channel 0; null outside the image
  const int8_t* zeros;
  uint8_t* staged;
};

// One block of channels of a strip of one or two output rows.
void RunBlock(const Context& context, const Strip& strip, const DwX86Block& block,
              const uint8_t* pack, TilesFn tiles, int8_t* out0, int8_t* out1) {
  const QS8DwConvShape& s = *context.run->shape;
  StageArgs stage;
  stage.shape = &s;
  stage.zeros = context.zeros;
  stage.width = block.width;
  stage.channels = block.channels;
  stage.begin = block.begin;
  stage.plane = strip.plane;
  const int32_t channel = s.depth_multiplier == 1 ? block.begin : 0;
  for (int32_t i = 0; i < strip.jobs; ++i) {
    const StageJob& job = strip.job[i];
    stage.job = &job;
    for (int k = 0; k < 4; ++k) {
      const int row = job.columns == 1 ? k : (job.columns == 2 ? k & 1 : 0);
      const int column = job.columns == 1 ? 0 : (job.columns == 2 ? k >> 1 : k);
      const int8_t* const from = row < job.rows ? context.rows[job.row + row] : nullptr;
      stage.sources[k] = from != nullptr ? from + channel : nullptr;
      stage.shifts[k] = column * s.dilation_w;
    }
    stage.staged = context.staged + job.offset;
    Stage(stage);
  }

  const size_t out_c = static_cast<size_t>(s.in_c) * s.depth_multiplier;
  const size_t first = strip.x * out_c + block.begin;
  const int32_t pixels = kV / block.width;
  TileArgs tile;
  tile.staged = context.staged;
  tile.plane = strip.plane;
  tile.offsets = strip.offsets;
  tile.pack = pack;
  tile.taps = context.plan->taps;
  tile.vectors = (strip.outputs + pixels - 1) / pixels;
  tile.out[0] = out0 + first;
  tile.out[1] = out1 != nullptr ? out1 + first : nullptr;
  tile.out_step = pixels * out_c;
  tile.zero_point = s.output_zero_point;
  tile.act_min = s.act_min;
  tile.act_max = s.act_max;
  tile.whole = block.channels == kV;
  tile.width = block.width;
  tile.channels = block.channels;
  tile.pixels = strip.outputs;
  tile.pixel_step = out_c;
  tiles(tile);
}

void RunDwConv(const QS8DwConvRun& run, DwX86Isa isa) {
  const QS8DwConvShape& s = *run.shape;
  const DwX86Plan plan = MakeDwX86Plan(s, isa);
  const uint8_t* const pack = static_cast<const uint8_t*>(run.pack);
  // The scratch: row pointers, jobs, offsets, zero points, staging (ScratchBytes).
  uint8_t* scratch = static_cast<uint8_t*>(run.scratch);
  Context context;
  context.run = &run;
  context.plan = &plan;
  context.rows = reinterpret_cast<const int8_t**>(scratch);
  StageJob* const jobs = reinterpret_cast<StageJob*>(scratch + plan.rows_bytes);
  int32_t* const offsets = reinterpret_cast<int32_t*>(scratch + plan.rows_bytes + plan.jobs_bytes);
  int8_t* const zeros =
      reinterpret_cast<int8_t*>(scratch + plan.rows_bytes + plan.jobs_bytes + plan.offsets_bytes);
  std::memset(zeros, s.input_zero_point, 64);
  context.zeros = zeros;
  context.staged = reinterpret_cast<uint8_t*>(zeros) + 64;

  const int32_t channel_begin = run.channel_begin * s.depth_multiplier;
  const int32_t channel_end = run.channel_end * s.depth_multiplier;
  const int32_t blocks = DwX86BlockCount(s, isa.vector);
  // Blocks of the same width lie side by side: full ones, then at most two narrower.
  for (int32_t first = channel_begin / kV, next; first < blocks; first = next) {
    const DwX86Block kind = DwX86BlockAt(s, isa.vector, first);
    if (kind.begin >= channel_end) break;
    next = kind.channels == kV ? s.in_c * s.depth_multiplier / kV : first + 1;
    const int32_t last = kind.channels == kV && channel_end / kV < next ? channel_end / kV : next;
    const int32_t pixels = kV / kind.width;
    for (int32_t x = 0; x < s.out_w; x += plan.strip * pixels) {
      const int32_t left = s.out_w - x;
      Strip strip;
      strip.job = jobs;
      strip.offsets = offsets;
      MakeStrip(s, plan, kind, x, left < plan.strip * pixels ? left : plan.strip * pixels, &strip);
      const auto rows_of = [&](int32_t image, int32_t y, int rows) {
        const int32_t top = y * s.stride_h - s.pad_top;
        for (int32_t i = 0; i < plan.window_rows; ++i) {
          const int32_t iy = top + i * s.dilation_h;
          // A single row of a pair needs no row of the other's.
          const bool inside = iy >= 0 && iy < s.in_h && (rows == plan.pair || i < s.kernel_h);
          context.rows[i] = inside ? InputRow(run.input, image * s.in_h + iy) : nullptr;
        }
        int8_t* const out0 = OutputRow(run.output, image * s.out_h + y);
        int8_t* const out1 =
            rows == 2 ? OutputRow(run.output, image * s.out_h + y + s.dilation_h) : nullptr;
        DwX86Block block = kind;
        for (int32_t i = first; i < last; ++i, block.begin += kV) {
          RunBlock(context, strip, block, pack + plan.pack_header + plan.pack_block * i,
                   PickTiles(s, plan, block.width, rows, FinishOf(s, pack[i])), out0, out1);
        }
      };
      for (int32_t row = run.row_begin; row < run.row_end;) {
        const int32_t image = row / s.out_h, y = row % s.out_h;
        int32_t end = y + (run.row_end - row);
        if (end > s.out_h) end = s.out_h;
        row += end - y;
        if (plan.pair == 1) {
          for (int32_t i = y; i < end; ++i) rows_of(image, i, 1);
          continue;
        }
        const int32_t d = s.dilation_h;
        for (int32_t from = y; from < end; from += 2 * d) {
          for (int32_t i = from; i < from + d && i < end; ++i) {
            rows_of(image, i, i + d < end ? 2 : 1);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace octet
