// The multiplier by which MEAN scales a sum of `count` elements, from which their zero points are
// taken off. Source of the formula: TFLite's reference_ops::QuantizedMeanOrSum with 32-bit sums.
#pragma once

#include <cstdint>

#include "kernels/common/requant.h"

namespace octet {

inline Multiplier MeanMultiplier(float input_scale, float output_scale, int64_t count) {
  Multiplier q =
      QuantizeMultiplier(static_cast<double>(input_scale) / static_cast<double>(output_scale));
  int32_t shift = 0;
  while (count >> (shift + 1) > 0) ++shift;
  if (shift > 31 + q.shift) shift = 31 + q.shift;
  q.m = static_cast<int32_t>((int64_t{q.m} << shift) / count);
  q.shift -= shift;
  return q;
}

}  // namespace octet
