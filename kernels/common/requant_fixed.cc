#include "kernels/common/requant_fixed.h"

#include <cmath>
#include <cstdlib>

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

bool FitRequantFixed(const Multiplier& q, int32_t zero_point, int64_t low, int64_t high,
                     RequantFixedChannel* c) {
  *c = MakeRequantFixedChannel(q, zero_point);
  if (low < INT32_MIN || high > INT32_MAX) return false;  // accumulators wrap
  if (RequantFixedHolds(q, high > -low ? high : -low)) return true;
  if (q.shift > 0) return false;  // may wrap, too: results need not have the accumulator's sign
  // 255 on either side of the zero point is beyond any clamp.
  const int32_t result = Clamp(Requantize(static_cast<int32_t>(low), q), -255, 255);
  if (Clamp(Requantize(static_cast<int32_t>(high), q), -255, 255) != result) return false;
  // Without a scale only the offset is left. Where it has the accumulator's sign, so has the
  // result.
  c->scale = 0;
  c->offset_relu = static_cast<float>((zero_point + result) * 65536 + 32768);
  c->bias = static_cast<float>(std::abs(result) * 65536);
  return true;
}

}  // namespace octet
