// s8_maxpool: maximum pooling, clamped; padding counts for nothing.
// Source of the formula: TFLite's reference_integer_ops::MaxPool.
#pragma once

#include "kernels/common/pool_shape.h"
#include "kernels/common/table.h"

namespace octet {

struct S8MaxPoolKernel {
  const char* name;
  Isa isa;
  PoolFn<int8_t> run;
};

// Declarations and table come from the rows of s8_maxpool_table.inc.
#define OCTET_S8_MAXPOOL(function, name, isa)                                             \
  void function(const PoolShape& shape, const Rows<const int8_t>& input, int32_t y_begin, \
                int32_t y_end, int8_t* output);
#include "kernels/s8_maxpool/s8_maxpool_table.inc"
#undef OCTET_S8_MAXPOOL

Span<const S8MaxPoolKernel> S8MaxPoolTable();

// The same of int16 elements.
void S16MaxPoolRef(const PoolShape& shape, const Rows<const int16_t>& input, int32_t y_begin,
                   int32_t y_end, int16_t* output);

}  // namespace octet
