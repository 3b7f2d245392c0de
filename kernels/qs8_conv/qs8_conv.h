// qs8_conv: convolution of int8 activations with int8 weights (per tensor or per channel), and
// everything that is one: 1x1 (a GEMM), fully connected (a 1x1 over "pixels" = batch), grouped,
// dilated.
//
//   acc[p][n] = bias[n] + sum over taps, channels of (x - input_zero_point) * (w -
//   weight_zero_point) out[p][n] = clamp(R(acc, multiplier[n]) + output_zero_point, act_min,
//   act_max)
//
// with R of kernels/common/requant.h. Accumulators wrap at 32 bits.
//
// No im2col: in NHWC the kernel_w neighbours of a window row are kernel_w * in_c contiguous bytes,
// so a convolution is a sum over kernel_h of GEMMs on overlapping rows. Kernels take row pointers
// (Rows), so the same kernel serves whole tensors, bands of rows and ring buffers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant.h"
#include "kernels/common/rows.h"
#include "kernels/common/table.h"

namespace octet {

// Geometry and constants of one convolution; trusted by the kernels.
struct QS8ConvShape {
  int32_t batch = 1;
  int32_t in_h = 1, in_w = 1, in_c = 1;     // in_c: of the whole input, all groups
  int32_t out_h = 1, out_w = 1, out_c = 1;  // out_c: of the whole output, all groups
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t dilation_h = 1, dilation_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  int32_t groups = 1;
  int32_t input_zero_point = 0;
  int32_t weight_zero_point = 0;  // non-zero in legacy uint8 models only
  int32_t output_zero_point = 0;
  int32_t act_min = -128, act_max = 127;
  // No run has more rows (of a plan that saves RAM: kernels take less scratch); 0: any number.
  // Packs don't depend on it.
  int32_t run_rows = 0;

  // The most rows of one image in a run.
  int32_t band_limit() const { return run_rows > 0 && run_rows < out_h ? run_rows : out_h; }
  // A division takes longer than much else before a small layer's first product.
  int32_t group_in_c() const { return groups == 1 ? in_c : in_c / groups; }
  int32_t group_out_c() const { return groups == 1 ? out_c : out_c / groups; }
  bool pointwise() const {  // every output pixel is made of the input pixel at the same place
    return kernel_h == 1 && kernel_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 &&
           pad_left == 0 && in_h == out_h && in_w == out_w;
  }
};

// Constants as the model has them.
struct QS8ConvConstants {
  const int8_t* weights = nullptr;  // [out_c][kernel_h][kernel_w][in_c / groups]
  const int32_t* bias = nullptr;    // [out_c], or null
  RequantScales scales;
};

// One band: output rows [row_begin, row_end), where row = batch index * out_h + y, and output
// channels [channel_begin, channel_end). Channel bounds are multiples of the kernel's
// channel_block, except that the last may be out_c.
struct QS8ConvRun {
  const QS8ConvShape* shape = nullptr;
  const void* pack = nullptr;
  const int8_t* weights = nullptr;  // as in QS8ConvConstants, for kernels that do not copy them
  Rows<const int8_t> input;         // rows of in_w * in_c bytes; row = batch index * in_h + y
  Rows<int8_t> output;              // rows of out_w * out_c bytes
  int32_t row_begin = 0, row_end = 0;
  int32_t channel_begin = 0, channel_end = 0;
  void* scratch = nullptr;  // scratch_bytes(), 64-byte aligned, contents undefined
};

// A kernel is stateless; the caller asks it for sizes, splits the work and threads it.
struct QS8ConvKernel {
  const char* name;  // qs8_conv_<MR>x<NR>__<isa>
  Isa isa;
  const char* pack_layout;  // of pack(): family/isa/revision
  int32_t channel_block;    // NR: granularity of channel ranges
  bool (*supports)(const QS8ConvShape&);
  size_t (*pack_bytes)(const QS8ConvShape&);
  size_t (*scratch_bytes)(const QS8ConvShape&);
  // Fills pack_bytes() zeroed bytes, 64-byte aligned. Data only, and any content is safe to run on.
  void (*pack)(const QS8ConvShape&, const QS8ConvConstants&, void* pack);
  void (*run)(const QS8ConvRun&);  // null: packs for CPUs of another architecture
};

// Best first; the last row is the scalar reference, which supports everything.
Span<const QS8ConvKernel> QS8ConvTable();
const QS8ConvKernel& SelectQS8Conv(const QS8ConvShape& shape, IsaSet isa);

}  // namespace octet
