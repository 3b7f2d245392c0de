// s8_dot: sums of products with int8 weights, for operators that are no convolution (or not hot as
// one): transpose convolution, batch matrix product, int16 activations, recurrent layers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/table.h"

namespace octet {

struct S8DotArgs {
  const void* x;  // int8 or int16, k of them
  size_t x_step;  // elements apart; 1 for `rows`
  int32_t x_zero, w_zero;
  const int8_t* w;
  size_t stride;  // elements between rows of w
  size_t k, n;
};

// acc[j] += sum over i < k of (x[i] - x_zero) * (w[j][i] - w_zero),  j < n: rows of w are
// contiguous along k. 32-bit sums wrap.
using S8DotRowsFn = void (*)(const S8DotArgs& args, int32_t* acc);
// The same with w[i][j]: rows of w are contiguous along n.
using S8DotColumnsFn = void (*)(const S8DotArgs& args, int32_t* acc);
// acc[j] += x[j] * w[j], j < n, of int16 x.
using S16ProductsFn = void (*)(const int16_t* x, const int8_t* w, size_t n, int32_t* acc);
// int16 x, whose zero point is 0, as is the weights'; 64-bit sums.
using S16DotRowsFn = void (*)(const S8DotArgs& args, int64_t* acc);

struct S8DotKernel {
  const char* name;
  Isa isa;
  S8DotRowsFn rows;
  S8DotColumnsFn columns;
  S16DotRowsFn rows16;
  S16ProductsFn products16;
};

// Declarations and table come from the rows of s8_dot_table.inc.
#define OCTET_S8_DOT(suffix, name, isa)                           \
  void S8DotRows##suffix(const S8DotArgs& args, int32_t* acc);    \
  void S8DotColumns##suffix(const S8DotArgs& args, int32_t* acc); \
  void S16DotRows##suffix(const S8DotArgs& args, int64_t* acc);   \
  void S16Products##suffix(const int16_t* x, const int8_t* w, size_t n, int32_t* acc);
#include "kernels/s8_dot/s8_dot_table.inc"
#undef OCTET_S8_DOT

Span<const S8DotKernel> S8DotTable();

}  // namespace octet
