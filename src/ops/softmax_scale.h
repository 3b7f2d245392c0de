// The scaled differences that SOFTMAX and LOG_SOFTMAX of 8 bits take the exp of.
#pragma once

#include <cmath>

#include "kernels/common/fixed_point.h"
#include "src/ops/op.h"

namespace octet {

// Differences -d of inputs, d in [0, limit], to Q5. Source of the formula: TFLite's
// PreprocessSoftmaxScaling and CalculateInputRadius.
struct SoftmaxScale {
  Multiplier multiplier;  // its shift is never negative
  int32_t limit = 0;      // larger differences do not count
  int32_t Scaled(int32_t d) const { return Requantize(-d, multiplier); }
};

// False where the scale is too small for the form: a difference of 1 must exceed 2^-26.
inline bool MakeSoftmaxScale(float beta, float input_scale, SoftmaxScale* out) {
  constexpr double kLargest = 2147483647.0;
  double real = static_cast<double>(beta) * static_cast<double>(input_scale) * (1 << 26);
  if (!(real > 1.0)) return false;
  if (real > kLargest) real = kLargest;
  out->multiplier = QuantizeMultiplier(real);
  const double limit = 31.0 * (1 << 26) / static_cast<double>(int64_t{1} << out->multiplier.shift);
  out->limit = limit < 255.0 ? static_cast<int32_t>(std::floor(limit)) : 255;
  return true;
}

}  // namespace octet
