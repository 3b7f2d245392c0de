#include "kernels/common/float_requant.h"

#include <cmath>

namespace octet {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) {  // b > 0
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

// Float arithmetic can miss a step only by values whose exact result lies near it. With |y| < 256
// the nearest scale is off by 2^-16, so is the accumulator, the fma by 2^-17, the offset by 2^-18:
// less than 2^-14 in all. Scales tried up to 4.5 units in the last place (2^-23) off make 2^-12.8,
// offsets 2^-15: less than 2^-12.
constexpr int kNearBits = 14, kNearAnyTryBits = 12;

constexpr int kMaxSteps = 255;

struct Steps {
  int n = 0;
  bool tie_is_up[kMaxSteps];    // round_to_nearest sends a threshold to the even neighbour
  double threshold[kMaxSteps];  // k - 1/2, with the zero point where F has it
  double below[kMaxSteps];      // float(acc_k - 1), -inf where it can't occur
  double above[kMaxSteps];      // float(acc_k), +inf where it can't occur
  int32_t acc[kMaxSteps];       // acc_k

  void Add(int32_t k, int64_t at, int64_t lo, int64_t hi) {
    threshold[n] = k - 0.5;
    tie_is_up[n] = k % 2 == 0;
    above[n] = at > hi ? HUGE_VAL : Float(at);
    below[n] = at <= lo ? -HUGE_VAL : Float(at - 1);
    acc[n] = static_cast<int32_t>(at);
    ++n;
  }
  static double Float(int64_t at) { return static_cast<float>(static_cast<int32_t>(at)); }
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
    const bool tie_is_up = steps.tie_is_up[i];
    if (!(above > kMargin)) {
      const double y = static_cast<double>(Fma(steps.above[i], scale, offset, one_line));
      if (!(y > t || (y == t && tie_is_up))) {
        // One accumulator can be patched. Where they are dense, its neighbour may be wrong, too.
        const double next = Fma(Steps::Float(int64_t{steps.acc[i]} + 1), scale, offset, one_line);
        misses.n += next > t || (next == t && tie_is_up) ? 1 : 2;
        misses.acc = steps.acc[i];
        misses.delta = 1;
      }
    }
    if (!(below > kMargin)) {
      const double y = static_cast<double>(Fma(steps.below[i], scale, offset, one_line));
      if (!(y < t || (y == t && !tie_is_up))) {
        const double next = Fma(Steps::Float(int64_t{steps.acc[i]} - 2), scale, offset, one_line);
        misses.n += next < t || (next == t && !tie_is_up) ? 1 : 2;
        misses.acc = steps.acc[i] - 1;
        misses.delta = -1;
      }
    }
    if (misses.n >= limit) break;
  }
  return misses;
}

// The steps that float arithmetic might miss, and those that the ends of the range stand for.
//
// acc_k is the smallest acc with R(acc) >= k. From the closed form of R: acc * m >= (2k - 1) *
// 2^(30 + e) - sgn(acc) * 2^30 for e >= 1; without the second rounding (e <= 0) there is no sign
// term. acc >= 0 where k > 0, since R(0) = 0. From one k to the next the right-hand side grows by
// the same amount, so that one division serves all k of a sign.
void FindSteps(const FloatRequantTask& task, int near_bits, Steps* steps) {
  const int64_t lo = task.acc_min, hi = task.acc_max;
  const int32_t zero_point = task.output_zero_point;
  const int e = task.q.shift < 0 ? -task.q.shift : 0;
  const int64_t divisor = int64_t{task.q.m} * (int64_t{1} << (task.q.shift > 0 ? task.q.shift : 0));
  const int64_t near = int64_t{1} << (31 + e - near_bits);
  const bool add = e <= 21;  // beyond, sums could overflow: divide for every k
  const int64_t growth = int64_t{1} << (add ? 31 + e : 0);
  const int64_t acc_growth = growth / divisor, rest_growth = growth % divisor;
  steps->n = 0;
  for (int32_t v = task.act_min + 1; v <= task.act_max;) {
    const int32_t first = v - zero_point;
    // 2^62 and more is out of reach of 31-bit sums and multipliers.
    const int64_t most = int64_t{1} << (32 - e);
    int64_t bound = Clamp(int64_t{2} * first - 1, -most, most) * (int64_t{1} << (30 + e));
    if (e > 0) bound += first > 0 ? -(int64_t{1} << 30) : int64_t{1} << 30;
    int64_t acc_k = CeilDivide(bound, divisor);
    int64_t rest = acc_k * divisor - bound;
    const int32_t positive = zero_point < task.act_max ? zero_point + 1 : task.act_max + 1;
    const int32_t end = !add ? v + 1 : (first > 0 ? task.act_max + 1 : positive);
    for (; v < end; ++v) {
      const bool last = acc_k > hi;  // the steps above it are further away
      // rest and divisor - rest: how far the exact results of acc_k and acc_k - 1 are from the step
      if (rest < near || divisor - rest < near || acc_k <= lo || last) {
        // Steps out of reach: the nearest end must still be on the right side of them.
        const int64_t acc = acc_k <= lo ? lo : (last ? hi + 1 : acc_k);
        steps->Add(task.one_line() ? v : v - zero_point, acc, lo, hi);
        if (last) return;
      }
      acc_k += acc_growth;
      rest -= rest_growth;
      if (rest < 0) {
        rest += divisor;
        ++acc_k;
      }
    }
  }
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
  const double scale = std::ldexp(static_cast<double>(q.m), q.shift - 31);
  const double offset =
      (q.shift < 0 ? std::ldexp(0.5, q.shift) : 0.0) + (one_line ? task.output_zero_point : 0);
  Steps steps;
  FindSteps(task, kNearBits, &steps);
  best.scale = static_cast<float>(scale);
  best.offset = static_cast<float>(offset);
  if (Check(steps, best.scale, best.offset, one_line, 1).n == 0) return best;

  FindSteps(task, kNearAnyTryBits, &steps);
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
