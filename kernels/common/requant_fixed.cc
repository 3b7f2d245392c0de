#include "kernels/common/requant_fixed.h"

#include <cmath>

#include "kernels/common/requant.h"

namespace octet {

RequantFixedChannel MakeRequantFixedChannel(const Multiplier& q, int32_t zero_point) {
  const int32_t e = q.shift < 0 ? -q.shift : 0;
  const double s = std::ldexp(static_cast<double>(q.m), 16 - 31 - e);
  const double b = e > 0 ? std::ldexp(1.0, 16 - (e + 1)) : 0.0;
  const double offset = zero_point * 65536.0 + 32768.0 + kRequantFixedDoubt / 2;
  RequantFixedChannel c;
  c.scale = static_cast<float>(s);
  c.offset_relu = static_cast<float>(offset + b);
  c.offset = static_cast<float>(offset);
  c.bias = static_cast<float>(b);
  return c;
}

bool RequantFixedHolds(const Multiplier& q, int64_t max_abs_acc) {
  if (q.shift > 0 || q.shift < -31) return false;
  if (max_abs_acc >= int64_t{1} << 24) return false;  // float would round it
  // 32000 + 128 + 1 + 1/2 stays below 2^15.
  return std::ldexp(static_cast<double>(q.m), q.shift - 31) * static_cast<double>(max_abs_acc) <
         32000.0;
}

}  // namespace octet
