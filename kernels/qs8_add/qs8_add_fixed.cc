#include <cmath>

#include "kernels/qs8_add/qs8_add.h"

namespace octet {
namespace {

double Real(const Multiplier& q) { return std::ldexp(static_cast<double>(q.m), q.shift - 31); }

struct Fraction {
  double p, q;
};

// The fraction nearest to x, 0 <= x <= 1, of denominators up to `most`: by its continued fraction,
// whose last term may be cut.
Fraction Nearest(double x, double most) {
  Fraction last = {1, 0}, best = {0, 1};
  const auto error = [x](Fraction f) { return std::fabs(x - f.p / f.q); };
  for (double rest = x; rest > 1e-12;) {
    rest = 1 / rest;
    const double term = std::floor(rest);
    rest -= term;
    const double fits = std::floor((most - last.q) / best.q);
    const double n = term < fits ? term : fits;
    const Fraction next = {n * best.p + last.p, n * best.q + last.q};
    if (n < term) return n > 0 && error(next) < error(best) ? next : best;
    last = best;
    best = next;
  }
  return best;
}

}  // namespace

void MakeAddFixed(AddParams* p) {
  p->fixed = {0, 0, 0, 0, 0};
  const double out = Real(p->out), unit = std::ldexp(1.0, p->left + 16);
  const double a = Real(p->a) * out * unit;
  const double b = Real(p->b) * out * unit;
  // Every intermediate result is at most this; it has to fit 32 bits.
  const double largest = (a + b) * 256 + (std::abs(static_cast<double>(p->out_zero)) + 2) * 65536;
  if (!(largest < 2e9)) return;
  const Fraction f = a < b ? Nearest(a / b, INT16_MAX) : Nearest(b / a, INT16_MAX);
  const double of_a = a < b ? f.p : f.q, of_b = a < b ? f.q : f.p;
  const double scale = static_cast<double>(static_cast<float>((a < b ? b : a) / f.q));
  // Of what is multiplied; then the rounding of the result where it is not clamped, which is below
  // 2^23, and of its conversion.
  double error = 128 * (std::fabs(a - scale * of_a) + std::fabs(b - scale * of_b)) + 0.25 + 0.5;
  // The integer form rounds a and b, twice each, by up to 1/2 ...
  error += 2 * out * 65536;
  // ... and the sum twice, which moves ties by up to 2^-(e+1) (requant_fixed.h).
  if (p->out.shift < 0) error += std::ldexp(65536.0, p->out.shift - 1);
  // What lies at a tie is to come out as up to `doubt` above it: the offset is rounded up.
  const double sign = p->subtract ? -1 : 1;
  const double tie = (p->out_zero + 0.5) * 65536 - a * p->a_zero - sign * b * p->b_zero;
  float offset = static_cast<float>(tie + error);
  if (offset < tie + error) offset = std::nextafter(offset, INFINITY);
  const double doubt = std::floor(offset - tie + error) + 2;
  if (doubt > 4096) return;
  p->fixed.a = static_cast<int16_t>(of_a);
  p->fixed.b = static_cast<int16_t>(sign * of_b);
  p->fixed.scale = static_cast<float>(scale / 256);
  p->fixed.offset = offset;
  p->fixed.doubt = static_cast<int32_t>(doubt);
}

}  // namespace octet
