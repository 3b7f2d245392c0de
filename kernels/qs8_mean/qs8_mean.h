// qs8_mean: column sums of a matrix of int8, requantised. With the matrix [H * W][C] of an NHWC
// image that is the mean over height and width.
//   out[c] = clamp(R(sum over r of in[r][c] - rows * input_zero_point) + output_zero_point)
// The mean's 1 / rows is part of the multiplier of R.
#pragma once

#include "kernels/common/requant.h"
#include "kernels/common/table.h"

namespace octet {

struct QS8MeanParams {
  int32_t rows = 1;
  size_t stride = 1;  // elements from a row to the next
  int32_t bias = 0;   // -rows * input_zero_point; it and the sum stay in 32 bits
  Multiplier multiplier;
  int32_t output_zero_point = 0;
};

using QS8MeanFn = void (*)(const QS8MeanParams& params, const int8_t* input, size_t columns,
                           int8_t* output);

struct QS8MeanKernel {
  const char* name;
  Isa isa;
  QS8MeanFn run;
};

// Declarations and table come from the rows of qs8_mean_table.inc.
#define OCTET_QS8_MEAN(function, name, isa) \
  void function(const QS8MeanParams& params, const int8_t* input, size_t columns, int8_t* output);
#include "kernels/qs8_mean/qs8_mean_table.inc"
#undef OCTET_QS8_MEAN

Span<const QS8MeanKernel> QS8MeanTable();

}  // namespace octet
