// qs16_conv: int16 activations with int8 weights, for every operator that is a convolution
// (grouped, depthwise, fully connected). Zero points are 0 by the 16x8 quantisation specification.
//
//   acc = bias[n] + sum x * w     in 64 bits (int64 bias, or none) or in 32 bits (int32 bias)
//   out = clamp(R(acc, multiplier[n]), act_min, act_max)
//
// with R = Requantize64 or Requantize of kernels/common/requant.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant.h"
#include "kernels/common/rows.h"
#include "kernels/common/table.h"

namespace octet {

struct QS16ConvShape {
  int32_t batch = 1;
  int32_t in_h = 1, in_w = 1, in_c = 1;
  int32_t out_h = 1, out_w = 1, out_c = 1;
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  int32_t groups = 1;
  // Elements between neighbours in the weights: convolutions store [out_c][kh][kw][cin],
  // depthwise ones [kh][kw][out_c].
  int32_t weight_n = 0, weight_y = 0, weight_x = 0;
  int32_t act_min = -32768, act_max = 32767;
  bool acc64 = true;
};

struct QS16ConvConstants {
  const int8_t* weights = nullptr;
  const void* bias = nullptr;  // [out_c] int64 (acc64) or int32, or null
  RequantScales scales;
};

struct QS16ConvRun {
  const QS16ConvShape* shape = nullptr;
  const void* pack = nullptr;
  const int8_t* weights = nullptr;
  Rows<const int16_t> input;
  Rows<int16_t> output;
  int32_t row_begin = 0, row_end = 0;
  int32_t channel_begin = 0, channel_end = 0;
};

struct QS16ConvKernel {
  const char* name;
  Isa isa;
  const char* pack_layout;
  int32_t channel_block;
  bool (*supports)(const QS16ConvShape&);
  size_t (*pack_bytes)(const QS16ConvShape&);
  void (*pack)(const QS16ConvShape&, const QS16ConvConstants&, void* pack);
  void (*run)(const QS16ConvRun&);
};

Span<const QS16ConvKernel> QS16ConvTable();
const QS16ConvKernel& SelectQS16Conv(const QS16ConvShape& shape, IsaSet isa);

}  // namespace octet
