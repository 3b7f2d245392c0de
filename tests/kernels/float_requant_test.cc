// FitFloatRequant: what it calls exact is exact, at every step of the staircase and between them.
#include "kernels/common/float_requant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace octet {
namespace {

int32_t Expected(const FloatRequantTask& t, int32_t acc) {
  return static_cast<int32_t>(
      Clamp<int64_t>(int64_t{Requantize(acc, t.q)} + t.output_zero_point, t.act_min, t.act_max));
}

// The kernels' arithmetic.
int32_t Got(const FloatRequantTask& t, const FloatRequant& f, int32_t acc) {
  const float a = static_cast<float>(acc);
  const float offset = t.one_line() || acc >= 0 ? f.offset : -f.offset;
  float y = std::nearbyint(std::fma(a, f.scale, offset));
  if (f.kind == FloatRequantKind::kPatched && acc == f.patch_acc) {
    y += static_cast<float>(f.patch_delta);
  }
  if (!t.one_line()) y += static_cast<float>(t.output_zero_point);
  return static_cast<int32_t>(
      Clamp(y, static_cast<float>(t.act_min), static_cast<float>(t.act_max)));
}

TEST(FloatRequant, ExactWhereItSaysSo) {
  std::mt19937 random(1);
  int kinds[3] = {};
  for (int round = 0; round < 3000; ++round) {
    FloatRequantTask t;
    t.q = {static_cast<int32_t>((1u << 30) + random() % (1u << 30)),
           -static_cast<int32_t>(random() % 16) + (random() % 8 == 0 ? 5 : 0)};
    t.output_zero_point = static_cast<int32_t>(random() % 256) - 128;
    if (random() % 2 == 0) t.act_min = t.output_zero_point;
    if (random() % 4 == 0)
      t.act_max = t.act_min + static_cast<int32_t>(random() % (128 - t.act_min));
    const int32_t reach = 1 << (random() % 22);
    t.acc_min = -static_cast<int32_t>(random() % static_cast<uint32_t>(reach)) - 1;
    t.acc_max = static_cast<int32_t>(random() % static_cast<uint32_t>(reach));
    const FloatRequant f = FitFloatRequant(t);
    ++kinds[static_cast<int>(f.kind)];
    if (f.kind == FloatRequantKind::kInteger) continue;
    const auto check = [&](int64_t acc) {
      if (acc < t.acc_min || acc > t.acc_max) return;
      const int32_t a = static_cast<int32_t>(acc);
      ASSERT_EQ(Got(t, f, a), Expected(t, a))
          << "acc " << a << " m " << t.q.m << " shift " << t.q.shift << " zero point "
          << t.output_zero_point << " act " << t.act_min << ".." << t.act_max;
    };
    const double scale = std::ldexp(static_cast<double>(t.q.m), t.q.shift - 31);
    for (int32_t k = t.act_min - t.output_zero_point; k <= t.act_max - t.output_zero_point; ++k) {
      for (int64_t d = -3; d <= 3; ++d) check(std::llround((k - 0.5) / scale) + d);
    }
    for (int64_t d = -3; d <= 3; ++d) {
      check(d);
      check(t.acc_min + d);
      check(t.acc_max + d);
    }
    for (int i = 0; i < 100; ++i) {
      check(t.acc_min +
            static_cast<int64_t>(random() % static_cast<uint64_t>(t.acc_max - t.acc_min + 1)));
    }
  }
  // The point of it: almost always exact.
  EXPECT_GT(kinds[0], 2500);
}

// Where many accumulators give one result, float arithmetic may put several on the wrong side of a
// step: one patch is not enough there.
TEST(FloatRequant, DenseAccumulators) {
  std::mt19937 random(3);
  int kinds[3] = {};
  for (int round = 0; round < 3000; ++round) {
    FloatRequantTask t;
    t.q = {static_cast<int32_t>((1u << 30) + random() % (1u << 30)),
           -static_cast<int32_t>(10 + random() % 11)};
    if (round % 5 == 0) t.q.m = 1 << 30;
    t.output_zero_point = static_cast<int32_t>(random() % 256) - 128;
    if (random() % 2 == 0) t.act_min = t.output_zero_point;
    t.acc_max = int64_t{1} << (8 + random() % 23);
    t.acc_min = -t.acc_max;
    const FloatRequant f = FitFloatRequant(t);
    ++kinds[static_cast<int>(f.kind)];
    if (f.kind == FloatRequantKind::kInteger) continue;
    const double scale = std::ldexp(static_cast<double>(t.q.m), t.q.shift - 31);
    for (int32_t k = t.act_min - t.output_zero_point; k <= t.act_max - t.output_zero_point; ++k) {
      for (int64_t d = -5; d <= 5; ++d) {
        const int64_t acc = std::llround((k - 0.5) / scale) + d;
        if (acc < t.acc_min || acc > t.acc_max) continue;
        const int32_t a = static_cast<int32_t>(acc);
        ASSERT_EQ(Got(t, f, a), Expected(t, a))
            << "acc " << a << " m " << t.q.m << " shift " << t.q.shift << " zero point "
            << t.output_zero_point << " act " << t.act_min << ".." << t.act_max;
      }
    }
  }
  for (const int n : kinds) EXPECT_GT(n, 0);
}

TEST(FloatRequant, EveryAccumulatorOfAFewChannels) {
  std::mt19937 random(2);
  for (int round = 0; round < 40; ++round) {
    FloatRequantTask t;
    t.q = {static_cast<int32_t>((1u << 30) + random() % (1u << 30)),
           -static_cast<int32_t>(random() % 12)};
    t.output_zero_point = round % 2 == 0 ? -128 : 7;
    t.acc_min = -40000;
    t.acc_max = 40000;
    const FloatRequant f = FitFloatRequant(t);
    if (f.kind == FloatRequantKind::kInteger) continue;
    for (int32_t acc = -40000; acc <= 40000; ++acc) ASSERT_EQ(Got(t, f, acc), Expected(t, acc));
  }
}

// Sums or shifts that wrap are left to the integer formula.
TEST(FloatRequant, RefusesWhatWraps) {
  FloatRequantTask t;
  t.q = {1 << 30, 3};
  t.acc_min = -(int64_t{1} << 29);
  t.acc_max = int64_t{1} << 29;
  EXPECT_EQ(FitFloatRequant(t).kind, FloatRequantKind::kInteger);
  t.q = {1 << 30, -3};
  t.acc_max = int64_t{1} << 31;
  EXPECT_EQ(FitFloatRequant(t).kind, FloatRequantKind::kInteger);
}

}  // namespace
}  // namespace octet
