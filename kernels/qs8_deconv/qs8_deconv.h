// qs8_deconv, qs16_deconv: transpose convolution, as a gather.
//
//   acc[oy][ox][n] = bias[n] + sum over (ky, kx) with oy + pad_top - ky divisible by stride_h (and
//                    likewise in x) of the input at the quotient times w[n][ky][kx][:]
//
// Integer sums do not depend on order, so this equals the reference's scatter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/requant.h"
#include "kernels/s8_dot/s8_dot.h"

namespace octet {

struct DeconvShape {
  int32_t batch = 1;
  int32_t in_h = 1, in_w = 1, in_c = 1;
  int32_t out_h = 1, out_w = 1, out_c = 1;
  int32_t kernel_h = 1, kernel_w = 1;
  int32_t stride_h = 1, stride_w = 1;
  int32_t pad_top = 0, pad_left = 0;
  int32_t input_zero_point = 0, weight_zero_point = 0, output_zero_point = 0;
  int32_t act_min = -128, act_max = 127;
  bool acc64 = false;  // int16 activations with an int64 bias or none
};

struct DeconvChannel {
  int64_t bias;
  Multiplier multiplier;
};

// Output rows [row_begin, row_end) of whole tensors; weights are [out_c][kh][kw][in_c].
void QS8DeconvRef(const DeconvShape& shape, const int8_t* input, const int8_t* weights,
                  const DeconvChannel* channels, int32_t row_begin, int32_t row_end,
                  int8_t* output);
void QS16DeconvRef(const DeconvShape& shape, const int16_t* input, const int8_t* weights,
                   const DeconvChannel* channels, int32_t row_begin, int32_t row_end,
                   int16_t* output);

// The same by dot products over the input's channels; int16 with weights whose zero point is 0.
void QS8DeconvDot(const S8DotKernel& dot, const DeconvShape& shape, const int8_t* input,
                  const int8_t* weights, const DeconvChannel* channels, int32_t row_begin,
                  int32_t row_end, int8_t* output);
void QS16DeconvDot(const S8DotKernel& dot, const DeconvShape& shape, const int16_t* input,
                   const int8_t* weights, const DeconvChannel* channels, int32_t row_begin,
                   int32_t row_end, int16_t* output);

}  // namespace octet
