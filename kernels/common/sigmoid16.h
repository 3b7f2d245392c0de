// Logistic and tanh on int16: linear interpolation in a table of the logistic function.
//
// Source of the formulas: TFLite's reference_integer_ops Logistic and Tanh for int16_t. The inputs
// here are already on the table's scale, 1 / (3 * 4096) a unit (Scale16 takes them there); outputs
// have scale 2^-15.
#pragma once

#include <cstdint>

namespace octet {

// About 65536 / (1 + exp(-i / 24)).
extern const uint16_t kSigmoid16Table[256];

// x * m / 2^shift, rounded half up: from an input's scale to the table's.
struct Scale16 {
  int32_t m = 0;
  int32_t shift = 0;

  int32_t operator()(int16_t x) const {
    const int64_t round = shift > 0 ? int64_t{1} << (shift - 1) : 0;
    return static_cast<int32_t>((int64_t{x} * m + round) >> shift);
  }
};

// For inputs of the given scale. Scales of 2^-12 to 2^(-12 + pot_shift) are shifts, exactly
// (pot_shift is 0 for logistic, 1 for tanh); others get 15 bits of multiplier. False
// where the reference overflows: scales above 32767 / (3 * 4096).
bool MakeScale16(float scale, int32_t pot_shift, Scale16* out);

inline int16_t Logistic16(int32_t x) {
  const uint32_t magnitude = static_cast<uint32_t>(x < 0 ? -int64_t{x} : x);
  const uint32_t i = magnitude >> 9;
  uint32_t y = uint32_t{0x7FFF} << 10;
  if (i < 255) {
    const uint32_t low = kSigmoid16Table[i], high = kSigmoid16Table[i + 1];
    y = (low << 9) + (magnitude & 511) * (high - low);
  }
  y = x >= 0 ? y + (1 << 9) : (1 << 25) - y + (1 << 9) - 1;
  return static_cast<int16_t>(y >> 10);
}

// tanh(x) = 2 logistic(2x) - 1.
inline int16_t Tanh16(int32_t x) {
  const uint32_t magnitude = static_cast<uint32_t>(x < 0 ? -int64_t{x} : x);
  const uint32_t i = magnitude >> 8;
  int32_t y = 0xFFFF << 8;
  if (i < 255) {
    const int32_t low = kSigmoid16Table[i], high = kSigmoid16Table[i + 1];
    y = low * 256 + static_cast<int32_t>(magnitude & 255) * (high - low);
  }
  y = x >= 0 ? y - (1 << 23) + (1 << 7) : (1 << 23) - y + (1 << 7) - 1;
  return static_cast<int16_t>(y >> 8);
}

}  // namespace octet
