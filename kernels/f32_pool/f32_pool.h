// f32_pool: average and maximum pooling of float32, clamped. Padding counts for nothing.
// Source of the formulas: TFLite's reference_ops AveragePool and MaxPool, with their rule that a
// NaN is never the maximum.
#pragma once

#include "kernels/common/pool_shape.h"

namespace octet {

void F32AvgPoolRef(const PoolShape& shape, const Rows<const float>& input, int32_t y_begin,
                   int32_t y_end, float* output);
void F32MaxPoolRef(const PoolShape& shape, const Rows<const float>& input, int32_t y_begin,
                   int32_t y_end, float* output);

}  // namespace octet
