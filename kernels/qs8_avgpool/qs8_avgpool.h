// qs8_avgpool: average pooling, rounded to nearest (half away from zero, or half up), clamped.
// Padding does not count: a window's divisor is the number of its elements inside the input.
// Source of the formula: TFLite's reference_integer_ops::AveragePool, and reference_ops' for uint8.
#pragma once

#include "kernels/common/pool_shape.h"
#include "kernels/common/table.h"

namespace octet {

struct QS8AvgPoolKernel {
  const char* name;
  Isa isa;
  PoolFn<int8_t> run;
};

// Declarations and table come from the rows of qs8_avgpool_table.inc.
#define OCTET_QS8_AVGPOOL(function, name, isa)                                            \
  void function(const PoolShape& shape, const Rows<const int8_t>& input, int32_t y_begin, \
                int32_t y_end, int8_t* output);
#include "kernels/qs8_avgpool/qs8_avgpool_table.inc"
#undef OCTET_QS8_AVGPOOL

Span<const QS8AvgPoolKernel> QS8AvgPoolTable();

// The same of int16 elements.
void QS16AvgPoolRef(const PoolShape& shape, const Rows<const int16_t>& input, int32_t y_begin,
                    int32_t y_end, int16_t* output);

}  // namespace octet
