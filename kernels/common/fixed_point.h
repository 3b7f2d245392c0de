// Fixed-point functions of one variable, in 32 bits: exp, log, 1/(1+x), 1/sqrt(x).
//
// A number "in Q<i>" has i bits before the binary point and 31 - i behind it. Every rounding here
// is part of the contract. Source of the formulas: gemmlowp's fixedpoint.h (exp_on_negative_values,
// one_over_one_plus_x_for_x_in_0_1) and TFLite's kernels/internal/common.h (GetReciprocal,
// log_x_for_x_greater_than_or_equal_to_1, GetInvSqrtQuantizedMultiplierExp).
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/common/requant.h"

namespace octet {
namespace fixed {

constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
constexpr int32_t kMin = std::numeric_limits<int32_t>::min();

// The product of numbers in Q<i> and Q<j>, in Q<i + j>.
inline int32_t Mul(int32_t a, int32_t b) { return SaturatingRoundingDoublingHighMul(a, b); }

// x * 2^bits, saturating.
inline int32_t ShiftLeft(int32_t x, int bits) {
  const int64_t y = int64_t{x} * (int64_t{1} << bits);
  return static_cast<int32_t>(Clamp<int64_t>(y, kMin, kMax));
}

inline int32_t SaturatingAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(Clamp<int64_t>(int64_t{a} + b, kMin, kMax));
}

// Number of zero bits above the highest one bit; 32 for 0.
inline int LeadingZeros(uint32_t x) {
  int n = 32;
  for (; x != 0; x >>= 1) --n;
  return n;
}

// exp(x) in Q0 for x <= 0 in Q5. exp(0) is the largest number, just below 1.
inline int32_t ExpOfNegative(int32_t x) {
  if (x == 0) return kMax;
  // x = -quarters/4 + r with r in [-1/4, 0); quarters are powers of exp that are multiplied in.
  constexpr int32_t kQuarter = 1 << 24;
  const int32_t r = (x & (kQuarter - 1)) - kQuarter;
  const uint32_t quarters = static_cast<uint32_t>(r) - static_cast<uint32_t>(x);
  // Taylor's series around -1/8 to the fourth power, in Q0.
  constexpr int32_t kExpOfMinusEighth = 1895147668;
  constexpr int32_t kThird = 715827883;
  const int32_t t = r * 32 + (1 << 28);
  const int32_t t2 = Mul(t, t);
  const int32_t t3 = Mul(t2, t);
  const int32_t t4 = Mul(t2, t2);
  const int32_t high_powers =
      RoundingDivideByPOT(Mul(RoundingDivideByPOT(t4, 2) + t3, kThird) + t2, 1);
  int32_t y = kExpOfMinusEighth + Mul(kExpOfMinusEighth, t + high_powers);
  // round(2^31 exp(-2^k)) for k = -2 ... 4.
  constexpr int32_t kPowers[] = {1672461947, 1302514674, 790015084, 290630308,
                                 39332535,   720401,     242};
  for (int k = 0; k < 7; ++k) {
    if (quarters >> (24 + k) & 1) y = Mul(y, kPowers[k]);
  }
  return y;
}

// 1 / (1 + x) in Q0 for x in [0, 1) in Q0.
inline int32_t OneOverOnePlus(int32_t x) {
  // Newton-Raphson on the halved denominator, which lies in [1/2, 1); estimates are in Q2.
  const int32_t half = static_cast<int32_t>((int64_t{x} + kMax + 1) / 2);
  constexpr int32_t k48Over17 = 1515870810;
  constexpr int32_t kMinus32Over17 = -1010580540;
  int32_t y = k48Over17 + Mul(half, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const int32_t error = (1 << 29) - Mul(half, y);
    y += ShiftLeft(Mul(y, error), 2);
  }
  return ShiftLeft(y, 1);  // y / 2 from Q1 to Q0
}

// 1 / x for x in Q<integer_bits>, x > 0: the result is OneOver * 2^-bits_over_unit.
inline int32_t Reciprocal(int32_t x, int integer_bits, int* bits_over_unit) {
  const int zeros = LeadingZeros(static_cast<uint32_t>(x));
  *bits_over_unit = integer_bits - zeros;
  const uint32_t fraction = (static_cast<uint32_t>(x) << zeros) - (uint32_t{1} << 31);
  return OneOverOnePlus(static_cast<int32_t>(fraction));
}

// ln(x) in Q5 for x >= 1 in Q12.
inline int32_t Log(int32_t x) {
  constexpr int kInputBits = 12, kOutputBits = 5;
  constexpr int kBits = kOutputBits + 1;  // of the sum, so that it has headroom
  constexpr int32_t kLn2 = 1488522236;
  constexpr int32_t kHalfPow1_4 = 1805811301;  // (1/2)^(1/4)
  constexpr int32_t kHalfPow1_2 = 1518500250;
  // With s = 2^(1/4): 11/240 s, 1/20 s, 2/s - s, 1/4 s.
  constexpr int32_t kAlphaN = 117049297, kAlphaD = 127690142, kAlphaI = 1057819769,
                    kAlphaF = 638450708;
  const int32_t quarter = RoundingDivideByPOT(1 << 29, kBits);

  // x = r * 2^z with r around (1/2)^(1/4), found in two ways of which the closer one is kept.
  const int zeros_a = LeadingZeros(static_cast<uint32_t>(x));
  const int32_t r_a = ShiftLeft(Mul(ShiftLeft(x, zeros_a - 1), kHalfPow1_2), 1);
  const int32_t z_a = SaturatingAdd(ShiftLeft(kInputBits - zeros_a, 31 - kBits), quarter);
  const int zeros_b = LeadingZeros(static_cast<uint32_t>(Mul(x, kHalfPow1_2))) - 1;
  const int32_t r_b = ShiftLeft(x, zeros_b);
  const int32_t z_b = SaturatingAdd(ShiftLeft(kInputBits - zeros_b, 31 - kBits), -quarter);
  const int32_t r = r_a < r_b ? r_a : r_b;
  const int32_t z = z_a > z_b ? z_a : z_b;

  // ln(r) as a quotient of polynomials in the distance q from (1/2)^(1/4).
  const int64_t p2 = int64_t{r} + kHalfPow1_4;
  const int32_t p = static_cast<int32_t>((p2 + 1) / 2);
  const int32_t q = 2 * (r - kHalfPow1_4);
  const int32_t q2 = Mul(q, q);
  const int32_t numerator = Mul(q, r) + Mul(Mul(q, q2), kAlphaN);
  const int32_t denominator = Mul(p, kAlphaI + q + Mul(kAlphaD, q2)) + Mul(kAlphaF, q);
  const int32_t ln_r = Mul(RoundingDivideByPOT(numerator, kBits), OneOverOnePlus(denominator));
  return ShiftLeft(Mul(z, kLn2) + ln_r, kBits - kOutputBits);
}

// 1 / sqrt(x) for an integer x >= 0; 0 counts as 1.
inline Multiplier InverseSqrt(int32_t x) {
  if (x <= 1) return {kMax, 0};
  int right = 11;
  while (x >= (1 << 29)) {
    x /= 4;
    ++right;
  }
  const int pairs = (LeadingZeros(static_cast<uint32_t>(x)) - 1) / 2 - 1;
  right -= pairs;
  x <<= 2 * pairs;  // now in [2^27, 2^29)
  // Five Newton-Raphson steps from 1, in Q3.
  const int32_t half_input = RoundingDivideByPOT(x >> 1, 1);
  constexpr int32_t kHalfThree = (1 << 28) + (1 << 27);
  constexpr int32_t kHalfSqrt2 = 1518500250;
  int32_t y = 1 << 28;
  for (int i = 0; i < 5; ++i) {
    const int32_t cube = ShiftLeft(Mul(Mul(y, y), y), 6);
    y = ShiftLeft(Mul(kHalfThree, y) - Mul(half_input, cube), 3);
  }
  y = Mul(y, kHalfSqrt2);
  if (right < 0) {
    y = static_cast<int32_t>(static_cast<uint32_t>(y) << -right);
    right = 0;
  }
  return {y, -right};
}

}  // namespace fixed
}  // namespace octet
