#include "kernels/common/float_requant.h"

#include <cmath>

namespace octet {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) {  // b > 0
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

// The smallest acc with R(acc) >= k. From the closed form above: acc * m >= (2k - 1) * 2^(30 + e)
// - sgn(acc) * 2^30 for e >= 1; without the second rounding (e <= 0) there is no sign term. acc >=
// 0 where k > 0, since R(0) = 0.
int64_t StepAt(int32_t k, Multiplier q) {
  const int e = -q.shift;
  const int64_t odd = int64_t{2} * k - 1;
  int64_t bound = odd * (int64_t{1} << 30);
  if (e >= 0) {
    // 2^62 and more is out of reach of 31-bit sums and multipliers.
    const int64_t most = int64_t{1} << (32 - e);
    bound = Clamp(odd, -most, most) * (int64_t{1} << (30 + e));
    if (e > 0) bound += k > 0 ? -(int64_t{1} << 30) : int64_t{1} << 30;
    return CeilDivide(bound, q.m);
  }
  return CeilDivide(bound, int64_t{q.m} * (int64_t{1} << -e));
}

constexpr int kMaxSteps = 255;

struct Steps {
  int n = 0;
  double threshold[kMaxSteps];  // k - 1/2, with the zero point where F has it
  double below[kMaxSteps];      // float(acc_k - 1), -inf where it can't occur
  double above[kMaxSteps];      // float(acc_k), +inf where it can't occur
  int32_t acc[kMaxSteps];       // acc_k
};

double Line(double acc, double scale, double offset, bool one_line) {
  return acc * scale + (one_line || acc >= 0 ? offset : -offset);
}

// The kernels' arithmetic. acc is a float already.
float Fma(double acc, float scale, float offset, bool one_line) {
  return std::fma(static_cast<float>(acc), scale, one_line || acc >= 0 ? offset : -offset);
}

struct Misses {
  int n = 0;
  int32_t acc = 0, delta = 0;
};

// Where F misses, counting no further than `limit`.
Misses Check(const Steps& steps, float scale, float offset, bool one_line, int limit) {
  // Half a unit in the last place where |y| < 256 (double's own errors are far below): outside
  // this distance of a threshold the float result can't be on its other side.
  constexpr double kMargin = 1.0 / (1 << 17) + 1.0 / (int64_t{1} << 36);
  Misses misses;
  for (int i = 0; i < steps.n; ++i) {
    const double t = steps.threshold[i];
    const double above = Line(steps.above[i], scale, offset, one_line) - t;
    const double below = t - Line(steps.below[i], scale, offset, one_line);
    if (above > kMargin && below > kMargin) continue;
    // round_to_nearest sends t = k - 1/2 to the even neighbour: down if k is odd.
    const bool tie_is_up = std::fmod(t + 0.5, 2.0) == 0.0;
    if (!(above > kMargin)) {
      const double y = static_cast<double>(Fma(steps.above[i], scale, offset, one_line));
      if (!(y > t || (y == t && tie_is_up))) {
        ++misses.n;
        misses.acc = steps.acc[i];
        misses.delta = 1;
      }
    }
    if (!(below > kMargin)) {
      const double y = static_cast<double>(Fma(steps.below[i], scale, offset, one_line));
      if (!(y < t || (y == t && !tie_is_up))) {
        ++misses.n;
        misses.acc = steps.acc[i] - 1;
        misses.delta = -1;
      }
    }
    if (misses.n >= limit) break;
  }
  return misses;
}

}  // namespace

FloatRequant FitFloatRequant(const FloatRequantTask& task) {
  FloatRequant best;
  const Multiplier q = task.q;
  const int64_t lo = task.acc_min, hi = task.acc_max;
  const int64_t reach = (hi > -lo ? hi : -lo) + 1;
  // Wrapping sums and shifts are the integer formula's; so is whatever float can't count.
  const int left = q.shift > 0 ? q.shift : 0;
  if (q.m < 0 || q.shift < -31 || left > 30 || reach >= (int64_t{1} << (31 - left)) - 1) {
    return best;
  }
  best.kind = FloatRequantKind::kExact;
  if (q.m == 0 || task.act_min >= task.act_max) {
    best.offset = task.one_line() ? static_cast<float>(task.output_zero_point) : 0.0f;
    return best;
  }

  const bool one_line = task.one_line();
  const int32_t zero_point = task.output_zero_point;
  Steps steps;
  const double inf = HUGE_VAL;
  for (int32_t v = task.act_min + 1; v <= task.act_max && steps.n < kMaxSteps; ++v) {
    const int32_t k = v - zero_point;
    int64_t acc = StepAt(k, q);
    // Steps out of reach: the nearest end must still be on the right side of them.
    if (acc <= lo) acc = lo;
    if (acc > hi + 1) acc = hi + 1;
    steps.threshold[steps.n] = (one_line ? v : k) - 0.5;
    steps.above[steps.n] =
        acc > hi ? inf : static_cast<double>(static_cast<float>(static_cast<int32_t>(acc)));
    steps.below[steps.n] =
        acc <= lo ? -inf : static_cast<double>(static_cast<float>(static_cast<int32_t>(acc - 1)));
    steps.acc[steps.n] = static_cast<int32_t>(acc);
    ++steps.n;
    if (acc > hi) break;  // the steps above it are further away
  }

  const double scale = std::ldexp(static_cast<double>(q.m), q.shift - 31);
  const double offset =
      (q.shift < 0 ? std::ldexp(0.5, q.shift) : 0.0) + (one_line ? zero_point : 0);
  // Neighbours to try, nearest first: scales by units in the last place, offsets by 2^-18.
  constexpr int kScales = 9, kOffsets = 15;
  Misses least;
  least.n = 1 << 20;
  for (int i = 0; i < kScales && least.n > 0; ++i) {
    float s = static_cast<float>(scale);
    for (int n = (i + 1) / 2; n > 0; --n) s = std::nextafterf(s, i % 2 == 1 ? HUGE_VALF : 0.0f);
    for (int j = 0; j < kOffsets && least.n > 0; ++j) {
      const int step = j % 2 == 1 ? (j + 1) / 2 : -(j / 2);
      const float c = static_cast<float>(offset + std::ldexp(step, -18));
      const Misses misses = Check(steps, s, c, one_line, least.n);
      if (misses.n < least.n) {
        least = misses;
        best.scale = s;
        best.offset = c;
      }
    }
  }
  if (least.n == 1) {
    best.kind = FloatRequantKind::kPatched;
    best.patch_acc = least.acc;
    best.patch_delta = least.delta;
  } else if (least.n > 1) {
    best.kind = FloatRequantKind::kInteger;
  }
  return best;
}

}  // namespace octet
