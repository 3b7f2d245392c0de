// s8_pool_sums: sums of int8 over whole rows of an image, channel by channel, as int16:
//   out[c] = sum over y in [y_begin, y_end), x of in[y][x][c]
// A global average is the sum of such sums, divided.
#pragma once

#include "kernels/common/rows.h"
#include "kernels/common/table.h"

namespace octet {

// Elements that fit the sums whatever their values.
constexpr int32_t kMostPoolSums = 32767 / 128;

// At most kMostPoolSums elements a channel: (y_end - y_begin) * width.
using S8PoolSumsFn = void (*)(const Rows<const int8_t>& input, int32_t y_begin, int32_t y_end,
                              size_t width, size_t channels, int16_t* output);

struct S8PoolSumsKernel {
  const char* name;
  Isa isa;
  S8PoolSumsFn run;
};

// Declarations and table come from the rows of s8_pool_sums_table.inc.
#define OCTET_S8_POOL_SUMS(function, name, isa)                                                \
  void function(const Rows<const int8_t>& input, int32_t y_begin, int32_t y_end, size_t width, \
                size_t channels, int16_t* output);
#include "kernels/s8_pool_sums/s8_pool_sums_table.inc"
#undef OCTET_S8_POOL_SUMS

Span<const S8PoolSumsKernel> S8PoolSumsTable();

}  // namespace octet
