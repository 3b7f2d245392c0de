// What the ARM kernels of qs8_dwconv share. Packs and the walk over the output are in
// qs8_dwconv_arm_pack.cc and qs8_dwconv_arm.cc, compiled for any CPU; files with instruction-set
// flags supply the functions of DwArmNeon and DwArmDot and nothing else.
//
// Work is done in blocks of 16 output channels and pieces of an output row.
//
// Baseline NEON reads the input where it lies: every tap of the window is a pointer that moves from
// output to output. Rows that look beyond the image, the last channels, and depth multipliers are
// first copied into scratch as "plain" columns of 16 bytes, with zero points outside of the image.
//
// As many taps as possible are summed in 16 bits before they are widened. Products of bytes with
// weights whose magnitudes add up to 255 at most cannot overflow there, so two taps nearly always
// can share a sum, and three often. Which taps of a kernel of nine go together is chosen for each
// block when it is packed, and the tap pointers follow.
//
// With dot products, four rows under the window are interleaved in scratch: 64 bytes a column, the
// four bytes of a channel side by side, so that one sdot sums four taps. Where the stride is 1, two
// output rows share the four rows of 3x3: weights [w0 w1 w2 0] and [0 w0 w1 w2].
#pragma once

#include "kernels/common/requant_arm.h"
#include "kernels/qs8_dwconv/qs8_dwconv.h"

namespace octet {

constexpr int32_t kDwArmBlock = 16;

using DwArmConstants = ArmConstants<kDwArmBlock>;

// What is true of a block.
enum DwArmFlags : int32_t {
  kDwArmLeft = 1,    // some channel shifts left
  kDwArmApart = 2,   // products of neighbouring taps may overflow 16 bits
  kDwArmWide = 4,    // w - weight_zero_point takes all sets; else the first has it all
  kDwArmThrees = 8,  // of nine taps: sums of 3, 3 and 3 fit 16 bits
  kDwArmThree = 16,  // sums of 3, 2, 2 and 2 do
};

// From the shape alone. `dot`: for dot products.
struct DwArmPlan {
  int32_t weight_sets;  // w - weight_zero_point as a sum of this many int8 numbers
  int32_t pair;         // output rows that share interleaved columns: 1 or 2
  int32_t window_rows;  // kernel_h + pair - 1
  int32_t groups;       // of four rows; without dot products: of one
  int32_t taps;         // weights of one channel (of four bytes with dot products), all sets
  int32_t strip;        // most outputs of a piece
  int32_t columns;      // under the window of a strip
  int32_t blocks;
  bool odd;   // some block must be copied as plain columns
  bool nine;  // the taps' order, 16 bytes, follows each block's weights
  // Of the scratch, in this order.
  size_t rows_bytes, taps_bytes, plain_bytes, part_bytes, dot_bytes;
  // Of the pack; flags come first.
  size_t constants_at, weights_at, weight_bytes, block_bytes, bytes;

  DwArmPlan(const QS8DwConvShape& shape, bool dot);
};

// Outputs of one block: `outputs` neighbours in each of one or two rows.
struct DwArmTile {
  const int8_t* weights;
  const DwArmConstants* constants;
  int32_t flags;
  int32_t outputs;
  int32_t rows;     // 1 or 2
  int8_t* out[2];   // 16 channels of the first output
  size_t out_step;  // from one output to the next
  int32_t zero_point, act_min, act_max;
  // Baseline: where each tap of the first output lies, and the way to the next output's.
  int32_t taps;
  const int8_t* const* tap;
  size_t step;
  // Dot products: interleaved columns.
  const int8_t* staged;
  int32_t groups, group_columns;  // columns of a group
  int32_t weight_sets, kernel_w, stride_w, dilation_w;
  size_t row_weights;  // bytes of one output row's
};

// Interleaving: columns [0, columns) of four rows, of which [begin, end) exist.
struct DwArmInterleave {
  const int8_t* row[4];  // column `begin`; null: no such row
  size_t pixel;          // from one column to the next
  int32_t columns, begin, end;
  int8_t zero_point;
  int8_t* staged;
};

using DwArmTileFn = void (*)(const DwArmTile&);
using DwArmInterleaveFn = void (*)(const DwArmInterleave&);

void DwArmRunNeon(const QS8DwConvRun& run, DwArmTileFn tile);
void DwArmRunDot(const QS8DwConvRun& run, DwArmInterleaveFn interleave, DwArmTileFn tile);

}  // namespace octet
