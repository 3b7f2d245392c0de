// Staging: rows under the window, interleaved.
// Part of qs8_dwconv_x86_impl.h: internal linkage, over the including file's class `Ops`.
#pragma once

#include <cstring>

#include "kernels/qs8_dwconv/qs8_dwconv_x86_finish.h"

namespace octet {
namespace {

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
  const int32_t pixels = DwX86Divide(kV, a.width);
  for (int k = 0; k < 4; ++k) {
    if (a.sources[k] == nullptr) continue;
    for (int32_t p = 0; p < pixels && v * pixels + p < a.job->staged_columns; ++p) {
      const int32_t column = a.job->first_column + (v * pixels + p) * s.stride_w + a.shifts[k];
      if (column < 0 || column >= s.in_w) continue;
      const int8_t* from = a.sources[k] + static_cast<size_t>(column) * s.in_c;
      int8_t* to = bytes[k] + p * a.width;
      if (s.depth_multiplier == 1) {
        CopyPiece(to, from, a.channels);
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
  const ptrdiff_t pixels = DwX86Divide(kV, a.width);
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
  OCTET_NO_UNROLL for (int32_t v = a.job->inside; v < a.job->outside; ++v) {
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
    OCTET_KEEP_POINTER(p0);
    OCTET_KEEP_POINTER(p1);
    OCTET_KEEP_POINTER(p2);
    OCTET_KEEP_POINTER(p3);
  }
}

void Stage(const StageArgs& a) {
  const StageJob& job = *a.job;
  const QS8DwConvShape& s = *a.shape;
  const int32_t pixels = DwX86Divide(kV, a.width);
  const int32_t vectors = DwX86Divide(job.staged_columns + pixels - 1, pixels);
  const bool loads = pixels == 1 && s.depth_multiplier == 1 && (Ops::kMasks || a.channels == kV);
  const Ops::Mask mask = Ops::MaskOf(a.channels);
  const auto border = [&](int32_t v) {
    if (!loads) return StageSlowly(a, v);
    Int in[4];
    for (int k = 0; k < 4; ++k) {
      const int32_t column = job.first_column + v * s.stride_w + a.shifts[k];
      const bool inside = a.sources[k] != nullptr && column >= 0 && column < s.in_w;
      in[k] = inside
                  ? Ops::LoadPixels<1>(a.sources[k] + static_cast<size_t>(column) * s.in_c, 0, mask)
                  : Ops::Load(a.zeros);
    }
    StageVector(in, a.staged + static_cast<size_t>(v) * kV, a.plane);
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

int32_t FloorDivide(int32_t a, int32_t b) {
  return a >= 0 ? DwX86Divide(a, b) : -DwX86Divide(b - 1 - a, b);
}

// The vectors of a job all of whose pixels lie in the image.
void FindInside(const QS8DwConvShape& s, const DwX86Block& block, StageJob* job) {
  const int32_t pixels = DwX86Divide(kV, block.width);
  const int32_t vectors = DwX86Divide(job->staged_columns + pixels - 1, pixels);
  const int32_t step = pixels * s.stride_w;
  int32_t last = s.in_w - 1;
  if (!Ops::kMasks && block.channels < block.width) {  // nor may a load run past its row
    const int32_t over = block.width - (s.in_c - block.begin / s.depth_multiplier);
    last -= (over + s.in_c - 1) / s.in_c;
  }
  last -= (job->columns - 1) * s.dilation_w + (pixels - 1) * s.stride_w;
  int32_t from = job->first_column >= 0 ? 0 : DwX86Divide(-job->first_column + step - 1, step);
  int32_t to = FloorDivide(last - job->first_column, step) + 1;
  if (to > vectors) to = vectors;
  if (s.depth_multiplier != 1 || to < 0) to = 0;
  if (from > to) from = to;
  job->inside = from;
  job->outside = to;
}

}  // namespace
}  // namespace octet
