// Fixed-point requantisation: the scalar contract of every kernel.
//
// Source of the formulas: gemmlowp's double rounding, as in the TensorFlow Lite 8-bit quantization
// specification: a real multiplier M = m * 2^(shift - 31) with m in [2^30, 2^31).
//   R(acc) = RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(acc << left, m), right)
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "src/base/span.h"

namespace octet {

template <class T>
inline T Clamp(T value, T low, T high) {
  return value < low ? low : (value > high ? high : value);
}

// Shift: positive is left, negative is right.
struct Multiplier {
  int32_t m = 0;
  int32_t shift = 0;
};

// The nearest Multiplier to a real one; 0 for anything below 2^-32, the largest for anything that
// is too large, infinite or not a number.
inline Multiplier QuantizeMultiplier(double real) {
  if (real == 0.0) return {0, 0};
  if (!(std::fabs(real) < 2147483648.0)) return {std::numeric_limits<int32_t>::max(), 30};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);
  int64_t m = static_cast<int64_t>(std::round(fraction * (int64_t{1} << 31)));
  if (m == (int64_t{1} << 31)) {
    m /= 2;
    ++shift;
  }
  if (shift < -31) return {0, 0};
  if (shift > 30) return {std::numeric_limits<int32_t>::max(), 30};
  return {static_cast<int32_t>(m), shift};
}

// The scales of a product of activations and weights, and the multiplier of a channel.
struct RequantScales {
  float input = 1, output = 1;
  Span<const float> weights;   // one, or one a channel
  bool float_product = false;  // the reference multiplies input and weight scale in float here

  Multiplier multiplier(int32_t channel) const {
    const float w = weights[weights.size > 1 ? static_cast<size_t>(channel) : 0];
    const double product = float_product ? static_cast<double>(input * w)
                                         : static_cast<double>(input) * static_cast<double>(w);
    return QuantizeMultiplier(product / static_cast<double>(output));
  }
};

// One output channel in the packs of scalar kernels, whose weights stay where the model has them.
struct RequantChannel {
  int32_t bias;
  Multiplier multiplier;
};

// round(a * b / 2^31), saturating in the one case that overflows. The nudge's sign follows the
// product and the division truncates toward zero, so ties round toward positive infinity.
inline int32_t SaturatingRoundingDoublingHighMul(int32_t a, int32_t b) {
  if (a == b && a == std::numeric_limits<int32_t>::min())
    return std::numeric_limits<int32_t>::max();
  const int64_t product = static_cast<int64_t>(a) * b;
  const int64_t nudge = product >= 0 ? (int64_t{1} << 30) : 1 - (int64_t{1} << 30);
  return static_cast<int32_t>((product + nudge) / (int64_t{1} << 31));
}

// round(x / 2^exponent), ties away from zero; exponent in [0, 31].
inline int32_t RoundingDivideByPOT(int32_t x, int32_t exponent) {
  const int32_t mask = static_cast<int32_t>((int64_t{1} << exponent) - 1);
  const int32_t remainder = x & mask;
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

// R(acc). A left shift wraps. Checked models only have shifts in [-31, 30]; a multiplier from a
// file's pack may have any, and must not be undefined behaviour.
inline int32_t Requantize(int32_t acc, Multiplier q) {
  const int32_t left = q.shift > 0 ? q.shift & 31 : 0;
  const int32_t right = q.shift > 0 ? 0 : -q.shift & 31;
  const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(acc) << left);
  return RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(shifted, q.m), right);
}

// The 64-bit accumulator form of int16 activations: m is reduced to 16 bits, one rounding.
// Source: TFLite's MultiplyByQuantizedMultiplier(int64_t, ...).
inline int32_t Requantize64(int64_t acc, Multiplier q) {
  const int32_t reduced = q.m < 0x7FFF0000 ? (q.m + (1 << 15)) >> 16 : 0x7FFF;
  const int32_t total_shift = Clamp(15 - q.shift, 1, 62);
  const int64_t rounded =
      static_cast<int64_t>(static_cast<uint64_t>(acc) * static_cast<uint64_t>(int64_t{reduced}) +
                           (uint64_t{1} << (total_shift - 1)));
  return static_cast<int32_t>(rounded >> total_shift);
}

}  // namespace octet
