// What the x86 kernels of qs8_conv for a single pixel share: a fully connected layer of batch 1, or
// a 1x1 convolution after global pooling. Such a layer uses each weight once, so nothing but their
// way from the second-level cache should take time: they lie in the order in which they are read,
// as columns of a few blocks of 16 channels, [column][step][block][16][4], each column followed
// by those of its blocks' constants that it needs. There is no panel, no job, no walk.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/qs8_conv/qs8_conv.h"
#include "kernels/qs8_conv/qs8_conv_x86.h"

namespace octet {

constexpr int32_t kConvPixelUnit = 4;  // elements of a step: what a 32-bit lane multiplies

struct ConvPixelIsa {
  ConvX86Lanes lanes;
  int32_t column_blocks;  // of a column but the last
};

// The parts of a pack: a form for each column, the rest of each block's constants, the columns.
struct ConvPixelLayout {
  int32_t blocks;
  size_t rest_at, columns_at;
  size_t weight_bytes;  // of a block
  size_t block_bytes;   // with its constants

  ConvPixelLayout(const QS8ConvShape& s, int32_t column_blocks)
      : blocks((s.out_c + kConvX86Block - 1) / kConvX86Block) {
    const size_t columns = static_cast<size_t>((blocks + column_blocks - 1) / column_blocks);
    rest_at = (columns * sizeof(int32_t) + 63) / 64 * 64;
    columns_at = rest_at + static_cast<size_t>(blocks) * sizeof(ConvX86Rest);
    const size_t steps = (static_cast<size_t>(s.in_c) + kConvPixelUnit - 1) / kConvPixelUnit;
    weight_bytes = steps * kConvPixelUnit * kConvX86Block;
    block_bytes = weight_bytes + sizeof(ConvX86Constants);
  }
  size_t bytes() const { return columns_at + static_cast<size_t>(blocks) * block_bytes; }
};

bool ConvPixelSupports(const QS8ConvShape& shape);
size_t ConvPixelPackBytes(const QS8ConvShape& shape, const ConvPixelIsa& isa);
void ConvPixelPack(const QS8ConvShape& shape, const QS8ConvConstants& k, const ConvPixelIsa& isa,
                   void* pack);

}  // namespace octet
