// f32_conv: convolutions of float32, the plain form: one code for every instruction set, every sum
// in the order of the window (rows, columns, input channels), then the bias, then the clamp.
// Source of the formulas: TFLite's reference_ops Conv, DepthwiseConv and TransposeConv.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/rows.h"

namespace octet {

struct F32ConvShape {
  int32_t batch = 1;
  int32_t in_h = 1, in_w = 1, in_c = 1;
  int32_t out_h = 1, out_w = 1, out_c = 1;
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  int32_t groups = 1;
  float act_min = 0, act_max = 0;

  int32_t group_in_c() const { return in_c / groups; }
  int32_t group_out_c() const { return out_c / groups; }
};

struct F32ConvRun {
  const F32ConvShape* shape = nullptr;
  const float* weights = nullptr;  // packed (conv, deconv) or as they are (dwconv)
  const float* bias = nullptr;     // dwconv; null: none
  Rows<const float> input;
  Rows<float> output;
  int32_t row_begin = 0, row_end = 0;      // output rows, over batches
  int32_t block_begin = 0, block_end = 0;  // of output channels: conv
};

// Weights of conv and deconv are packed in blocks of this many output channels of one group: their
// biases, then [kernel_h][kernel_w][group_in_c][kF32ConvBlock], zeros where channels are missing.
constexpr int32_t kF32ConvBlock = 8;

// Blocks in all, and bytes of a pack.
int32_t F32ConvBlocks(const F32ConvShape& shape);
size_t F32ConvPackBytes(const F32ConvShape& shape);
// From [out_c][kernel_h][kernel_w][group_in_c]; `bias` may be null.
void F32ConvPack(const F32ConvShape& shape, const float* weights, const float* bias, float* pack);

void F32ConvRef(const F32ConvRun& run);
// Weights [kernel_h][kernel_w][out_c]; out_c is a multiple of in_c.
void F32DwConvRef(const F32ConvRun& run);
// No groups, no dilation; whole tensors.
void F32DeconvRef(const F32ConvRun& run);

}  // namespace octet
