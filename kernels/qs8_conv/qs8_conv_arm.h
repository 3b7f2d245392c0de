// What the ARM kernels of qs8_conv share. The pack, the geometry and the walk over the output are
// in qs8_conv_arm_pack.cc and qs8_conv_arm.cc, compiled for any CPU; a file with instruction-set
// flags supplies ConvArmIsa::compute and nothing else.
//
// How a convolution runs. The window of a pixel is a few runs of contiguous bytes ("segments": one
// a kernel row, or one a tap with dilation or groups), at the same distances for every pixel. So a
// tile is a GEMM whose left side is a pointer a pixel, windows overlap in place, and a tile may
// take its pixels from several rows. 1x1 convolutions without padding, and fully connected layers,
// read the input where it lies. Others, and those whose channels do not fill the last step, have
// their rows copied once into scratch, the "panel", with zero points where the window leaves the
// image.
//
// Weights are packed in blocks of 8 output channels, as [segment][step][8][unit]: a step is `unit`
// consecutive bytes of a channel. A segment ends in one shorter step if it is no multiple of unit;
// see ConvArmShape::depth.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant_arm.h"

namespace octet {

struct QS8ConvShape;
struct QS8ConvConstants;
struct QS8ConvRun;

constexpr int32_t kConvArmBlock = 8;
constexpr int32_t kConvArmMaxPixels = 64;  // of one job

using ConvArmConstants = ArmConstants<kConvArmBlock>;

// What is true of a block.
enum ConvArmFlags : int32_t {
  kConvArmLeft = 1,    // some channel shifts left
  kConvArmLowest = 2,  // some weight is -128: two products may overflow 16 bits
};

// Pixels times blocks of channels, of one group: what an instruction set computes at a time.
struct ConvArmJob {
  const int8_t* const* in = nullptr;    // where each pixel's window begins
  int8_t* const* out = nullptr;         // where each pixel's output begins
  ptrdiff_t in_offset = 0;              // to add to each of `in`: the group
  ptrdiff_t out_offset = 0;             // to add to each of `out`: the first block's lane 0
  const int32_t* correction = nullptr;  // to add to each pixel's accumulators; null: nothing
  int32_t pixels = 0;
  int32_t segments = 0;
  const ptrdiff_t* segment_at = nullptr;  // from the window's beginning
  int32_t depth = 0;                      // bytes of a segment, filled up
  const int8_t* weights = nullptr;
  size_t block_bytes = 0;  // of weights, from one block to the next
  const ConvArmConstants* constants = nullptr;
  const int32_t* flags = nullptr;  // ConvArmFlags of each block
  int32_t blocks = 0;
  int32_t lane_begin = 0, lane_end = 0;  // which channels, counted from the first block, are stored
  int32_t zero_point = 0, act_min = -128, act_max = 127;
};

// How an instruction set takes its weights: enough to pack them, anywhere.
struct ConvArmLayout {
  int32_t unit;      // bytes a step
  int32_t multiple;  // a segment's depth is filled up to a multiple of this
};
constexpr ConvArmLayout kConvArmNeon = {16, 8};
constexpr ConvArmLayout kConvArmDot = {4, 4};
constexpr ConvArmLayout kConvArmI8mm = {8, 8};

// The parts of a pack and the segments, from the shape alone.
struct ConvArmShape {
  int32_t outer, inner;  // segments: kernel rows, and taps of a row or 1
  int32_t segment;       // bytes
  int32_t depth;         // the same, filled up with zero weights
  int32_t group_blocks;
  size_t constants_at, weights_at, block_bytes, bytes;  // of the pack; flags come first

  ConvArmShape(const QS8ConvShape& shape, const ConvArmLayout& layout);
};

size_t ConvArmPackBytes(const QS8ConvShape& shape, const ConvArmLayout& layout);
void ConvArmPack(const QS8ConvShape& shape, const QS8ConvConstants& k, const ConvArmLayout& layout,
                 void* pack);

using ConvArmCompute = void (*)(const ConvArmJob& job);

size_t ConvArmScratchBytes(const QS8ConvShape& shape, const ConvArmLayout& layout);
void ConvArmRun(const QS8ConvRun& run, const ConvArmLayout& layout, ConvArmCompute compute);

}  // namespace octet
