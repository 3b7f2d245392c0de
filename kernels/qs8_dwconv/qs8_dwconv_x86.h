// What the x86 kernels of qs8_dwconv share: how a shape is cut up, and what a pack holds.
//
// Work is done in blocks of output channels. For one block and one or two output rows, the input
// bytes under the window are first interleaved into the scratch ("staged"): four bytes that one
// vpdpbusd sums become neighbours, so that
//   acc[x] += dot(staged[x * stride + tap's column], weights[tap])
// is one instruction for every group of four kernel taps, and what is staged for one column serves
// all outputs whose windows hold it. Borders are staged as zero points; the inner loop knows none.
//
// Groups. The rows under the window (kernel_h, plus one where two output rows share the staging)
// are cut into groups of four rows; a rest of two rows becomes groups of two rows by two columns, a
// rest of one row groups of one row by four columns. So 3x3 for two rows is one group, three taps;
// 5x5 is 5 + 3 taps.
//
// 3x3 kernels with stride 1 or 2 need no scratch: their columns are interleaved in registers on the
// way ("direct"). Narrower blocks fill a vector with pieces of several rows, or of one: then each
// piece has a stretch of its columns, and all go through theirs side by side. What is dilated
// stages its narrow blocks.
//
// A column of pixels (width 1, kernel Kx1) lies in memory as a row does, so bands of its rows run
// as parts of a row and the kernel as 1xK ("column"): the same taps in the same groups, so that the
// same pack serves rows of a ring one by one.
//
// Lanes. A vector has V bytes of V channels of one pixel; a narrow block has B = V/2 or V/4
// channels, and a vector V/B pixels. Unpacking works on 16-byte lanes: staged vector j (of four)
// holds bytes 16 L + 4 j + {0..3} of each lane L, four taps of each. Packing the four results
// undoes exactly that.
#pragma once

#include "kernels/qs8_dwconv/qs8_dwconv.h"

namespace octet {

struct DwX86Isa {
  int32_t vector;  // V: bytes in a register
  bool dot;        // vpdpbusd; else vpmaddwd on 16-bit halves (bytes 0, 2 and 1, 3 of each four)
};
constexpr DwX86Isa kDwAvx512Vnni = {64, true};
constexpr DwX86Isa kDwAvxVnni = {32, true};
constexpr DwX86Isa kDwAvx2 = {32, false};

// n / d for n >= 0 and d > 0. Sizes of lanes and most strides are powers of two; in a band of a row
// or two the divisions of the set-up would cost as much as the outputs.
static inline int32_t DwX86Divide(int32_t n, int32_t d) {
  return (d & (d - 1)) == 0 ? n >> __builtin_ctz(static_cast<uint32_t>(d)) : n / d;
}

// How the outputs of one block become bytes.
enum class DwEpilogue : uint8_t { kFloat, kFloatPatched, kInteger };

// One group of taps: four staged bytes.
struct DwX86Group {
  int32_t row, rows;  // rows under the window: [row, row + rows)
  int32_t columns;    // 1, 2 or 4
  int32_t first_tap;  // in the order of taps
};

struct DwX86Plan {
  int32_t vector;
  int32_t parts;        // vectors that hold four staged bytes of V/4 channels: 1 or (16-bit) 2
  int32_t weight_sets;  // w - weight_zero_point as a sum of this many int8 numbers; 1 for 16-bit
  int32_t pair;         // output rows that share the staging: 1 or 2
  int32_t window_rows;  // kernel_h + pair - 1
  bool direct;          // full blocks need no staging: 3x3, stride 1 or 2
  bool pieces;          // nor do narrower ones
  bool staged;          // some block does
  int32_t groups;
  int32_t slots;                                 // phases that the groups use, in all
  int32_t taps;                                  // vpdpbusd per four outputs, weight sets included
  int32_t strip;                                 // outputs columns staged at once, in vectors
  size_t rows_bytes, jobs_bytes, offsets_bytes;  // of the scratch, in front of the staging
  int32_t blocks;                                // of channels (DwX86BlockCount)
  size_t pack_header;                            // DwEpilogue of each block
  size_t pack_block;                             // bytes of each block's part of the pack

  DwX86Group group(const QS8DwConvShape& s, int32_t g) const;
};

// Channels [begin, begin + channels) of the output, `width` lanes wide.
struct DwX86Block {
  int32_t begin, channels, width;
};

// Most bytes of one staging job (StageJob of qs8_dwconv_x86_impl.h).
constexpr size_t kDwX86JobBytes = 48;

DwX86Plan MakeDwX86Plan(const QS8DwConvShape& shape, DwX86Isa isa);
bool DwX86IsColumn(const QS8DwConvShape& shape);
// May bands of a column run as parts of a row? Plans that save RAM have no scratch for it.
bool DwX86RunsAsRow(const QS8DwConvShape& shape);
// The row that a column is.
QS8DwConvShape DwX86RowOfColumn(const QS8DwConvShape& shape);
int32_t DwX86BlockCount(const QS8DwConvShape& shape, int32_t vector);
DwX86Block DwX86BlockAt(const QS8DwConvShape& shape, int32_t vector, int32_t index);
// Staged columns (of one phase of the stride) that `outputs` outputs need.
int32_t DwX86StagedColumns(const QS8DwConvShape& shape, int32_t outputs);
// Bytes of one plane (one staged vector number of one phase of one group) of `vectors` vectors.
size_t DwX86PlaneBytes(const QS8DwConvShape& shape, const DwX86Plan& plan, int32_t width,
                       int32_t vectors);
// Phases of the stride that a group's taps use, at most stride_w.
bool DwX86PhaseUsed(const QS8DwConvShape& shape, const DwX86Group& group, int32_t phase);
int32_t DwX86PhasesUsed(const QS8DwConvShape& shape, const DwX86Group& group);

// A block of the pack: vectors of V bytes, four of each of these, in this order.
//   bias (int32, zero points folded in), scale and offset (float), two words for the epilogue
//   (patch_acc and patch_delta, or multiplier and shift), then weights
//   [pair][tap][part] of them.
enum DwX86PackPart {
  kDwBias = 0,
  kDwScale = 4,
  kDwOffset = 8,
  kDwWord0 = 12,
  kDwWord1 = 16,
  kDwWeights = 20
};

}  // namespace octet
