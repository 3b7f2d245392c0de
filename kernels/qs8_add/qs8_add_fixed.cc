#include <cmath>

#include "kernels/qs8_add/qs8_add.h"

namespace octet {
namespace {

double Real(const Multiplier& q) { return std::ldexp(static_cast<double>(q.m), q.shift - 31); }

}  // namespace

void MakeAddFixed(AddParams* p) {
  p->fixed = {0, 0, 0, 0};
  const double out = Real(p->out), unit = std::ldexp(1.0, p->left + 16);
  const double a = Real(p->a) * out * unit;
  const double b = Real(p->b) * out * unit * (p->subtract ? -1 : 1);
  // Every intermediate result is at most this; it has to fit 32 bits.
  const double largest =
      a * 256 + std::fabs(b) * 256 + (std::abs(static_cast<double>(p->out_zero)) + 2) * 65536;
  if (!(largest < 2e9)) return;
  // In float: the three constants and the two results are rounded to 24 bits; then to an integer.
  double error = 4 * std::ldexp(largest, -24) + 0.5;
  // The integer form rounds a and b, twice each, by up to 1/2 ...
  error += 2 * out * 65536;
  // ... and the sum twice, which moves ties by up to 2^-(e+1) (requant_fixed.h).
  if (p->out.shift < 0) error += std::ldexp(65536.0, p->out.shift - 1);
  const double doubt = 2 * std::ceil(error) + 2;
  if (doubt > 4096) return;
  p->fixed.a = static_cast<float>(a);
  p->fixed.b = static_cast<float>(b);
  p->fixed.offset =
      static_cast<float>((p->out_zero + 0.5) * 65536 + doubt / 2 - a * p->a_zero - b * p->b_zero);
  p->fixed.doubt = static_cast<int32_t>(doubt);
}

}  // namespace octet
