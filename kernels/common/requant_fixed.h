// Requantisation in 16.16 fixed point at floating-point speed: the constants of a channel, for the
// vector code of requant_avx2.h and requant_avx512.h.
//
// For q.shift <= 0, with e = -q.shift and the real multiplier s = q.m * 2^-(31 + e), the two
// roundings of R (requant.h) together equal one:
//
//   R(acc) = floor(s * acc + 1/2 + sgn(acc) * b),   b = 2^-(e+1) if e > 0, else 0
//
// in exact arithmetic. The vector code computes s * acc + zero_point + b in float, times 2^16,
// converts to int32 and takes the upper half. That is R(acc) + zero_point unless the lower half
// lies within the error of float arithmetic of a tie (less than 3 units where the
// result is not clamped anyway); the constants are offset so that such a doubtful value has a lower
// half below kRequantFixedDoubt, and then the caller computes it again with the integer formula.
//
// Layers whose clamp begins at or above the zero point (ReLU) need no sign: the result of a
// negative accumulator is clamped.
#pragma once

#include <cstdint>

namespace octet {

struct Multiplier;

// Lower halves below this are doubtful: 3 units on either side of a tie. In units, where the result
// is not clamped: the rounding of the scale makes 1 (|s * acc| < 256, 24 bits), of the fma 1/2, of
// the conversion 1/2, of the offset or the bias 1/2; the accumulator is below 2^24, so exact.
constexpr int32_t kRequantFixedDoubt = 6;

struct RequantFixedChannel {
  float scale;        // s * 2^16
  float offset_relu;  // (zero_point + 1/2 + b) * 2^16 + kRequantFixedDoubt / 2
  float offset;       // (zero_point + 1/2) * 2^16 + kRequantFixedDoubt / 2, exact
  float bias;         // b * 2^16, whose sign is to become the accumulator's
};

RequantFixedChannel MakeRequantFixedChannel(const Multiplier& q, int32_t zero_point);

// Does the fixed-point form hold for accumulators of at most this magnitude? Not for left shifts,
// nor from 2^24 on, nor where 16.16 could overflow; those take the integer formula.
bool RequantFixedHolds(const Multiplier& q, int64_t max_abs_acc);

// The constants of a channel whose accumulators lie in [low, high]; false where the form does not
// hold. It also does where they all give the same result, however large: quantised models have
// channels without weights, of any bias.
bool FitRequantFixed(const Multiplier& q, int32_t zero_point, int64_t low, int64_t high,
                     RequantFixedChannel* c);

}  // namespace octet
