// Numbers of 16 bits with a fraction.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace octet {

// IEEE 754 binary16 ("float16"). Exact.
inline float FromHalf(uint16_t h) {
  const uint32_t exponent = h >> 10 & 31, mantissa = h & 1023;
  float value;
  if (exponent == 31) {
    value =
        mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    value = std::ldexp(static_cast<float>(mantissa + 1024), static_cast<int>(exponent) - 25);
  }
  return h & 0x8000 ? -value : value;
}

}  // namespace octet
