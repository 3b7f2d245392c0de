// qs8_dwconv: depthwise convolution of int8 activations with int8 weights.
//
//   acc[y][x][c*m + j] = bias[c*m + j] + sum over taps of (in[..][c] - input_zero_point) *
//                                                        (w[tap][c*m + j] - weight_zero_point)
//
// with m the depth multiplier, then requantised as in qs8_conv. Kernels take row pointers (Rows),
// so the same kernel serves whole tensors, bands of rows and ring buffers. Rows above and below the
// image count as rows of the zero point, as do columns left and right of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant.h"
#include "kernels/common/rows.h"
#include "kernels/common/table.h"

namespace octet {

struct QS8DwConvShape {
  int32_t batch = 1;
  int32_t in_h = 1, in_w = 1, in_c = 1;
  int32_t out_h = 1, out_w = 1;
  int32_t depth_multiplier = 1;  // output channels = in_c * depth_multiplier
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  int32_t input_zero_point = 0;
  int32_t weight_zero_point = 0;  // non-zero in legacy uint8 models only
  int32_t output_zero_point = 0;
  int32_t act_min = -128, act_max = 127;
  // No run has more rows (of a plan that saves RAM: kernels take less scratch); 0: any number.
  // Packs don't depend on it.
  int32_t run_rows = 0;

  int32_t out_c() const { return in_c * depth_multiplier; }
};

struct QS8DwConvConstants {
  const int8_t* weights = nullptr;  // [kernel_h][kernel_w][out_c]
  const int32_t* bias = nullptr;    // [out_c], or null
  RequantScales scales;
};

// One band: output rows [row_begin, row_end), where row = batch index * out_h + y, and input
// channels [channel_begin, channel_end): multiples of the kernel's channel_block, except that the
// last may be in_c.
struct QS8DwConvRun {
  const QS8DwConvShape* shape = nullptr;
  const void* pack = nullptr;
  const int8_t* weights = nullptr;  // as in QS8DwConvConstants
  Rows<const int8_t> input;         // rows of in_w * in_c bytes; row = batch index * in_h + y
  Rows<int8_t> output;              // rows of out_w * out_c bytes
  int32_t row_begin = 0, row_end = 0;
  int32_t channel_begin = 0, channel_end = 0;
  void* scratch = nullptr;  // scratch_bytes(), 64-byte aligned, contents undefined
};

struct QS8DwConvKernel {
  const char* name;  // qs8_dwconv_<what>__<isa>
  Isa isa;
  const char* pack_layout;
  int32_t channel_block;
  bool (*supports)(const QS8DwConvShape&);
  size_t (*pack_bytes)(const QS8DwConvShape&);
  size_t (*scratch_bytes)(const QS8DwConvShape&);
  void (*pack)(const QS8DwConvShape&, const QS8DwConvConstants&, void* pack);
  void (*run)(const QS8DwConvRun&);  // null: packs for CPUs of another architecture
};

// Best first; the last row is the scalar reference, which supports everything.
Span<const QS8DwConvKernel> QS8DwConvTable();
const QS8DwConvKernel& SelectQS8DwConv(const QS8DwConvShape& shape, IsaSet isa);

}  // namespace octet
