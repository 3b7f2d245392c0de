// Every qs8_add kernel that this CPU can run against the scalar reference.
#include "kernels/qs8_add/qs8_add.h"

#include <cmath>

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

// Parameters as the operator makes them; false where it would not accept the scales.
bool Make(float a, float b, float out, AddParams* p) {
  const double twice_max = 2.0 * static_cast<double>(std::max(a, b));
  const double reals[] = {static_cast<double>(a) / twice_max, static_cast<double>(b) / twice_max,
                          twice_max / ((1 << 20) * static_cast<double>(out))};
  Multiplier* const to[] = {&p->a, &p->b, &p->out};
  for (int i = 0; i < 3; ++i) {
    if (!(reals[i] < 1)) return false;
    *to[i] = QuantizeMultiplier(reals[i]);
    if (to[i]->shift > 0) return false;
  }
  p->left = 20;
  MakeAddFixed(p);
  return true;
}

AddParams Random(std::mt19937& rng, int kind) {
  AddParams p = {};
  do {
    // Scales of models; any scales; scales that make ties.
    const float out = kind == 0 ? LogUniform(rng, 0.01f, 0.3f) : LogUniform(rng, 1e-6f, 1e3f);
    const float wide = kind == 0 ? 2.f : 1000.f;
    float a = out * LogUniform(rng, 1 / wide, wide), b = out * LogUniform(rng, 1 / wide, wide);
    if (kind == 2) {
      a = out * std::ldexp(static_cast<float>(Uniform(rng, 1, 7)), Uniform(rng, -6, 0));
      b = out * std::ldexp(static_cast<float>(Uniform(rng, 1, 7)), Uniform(rng, -6, 0));
    }
    p.a_zero = Uniform(rng, -128, 127);
    p.b_zero = Uniform(rng, -128, 127);
    p.out_zero = Uniform(rng, -128, 127);
    p.subtract = Uniform(rng, 0, 1) == 1;
    p.low = Uniform(rng, 0, 2) == 0 ? Uniform(rng, -128, 0) : -128;
    p.high = Uniform(rng, 0, 2) == 0 ? Uniform(rng, 0, 127) : 127;
    if (Make(a, b, out, &p)) return p;
  } while (true);
}

TEST(Qs8Add, TableInOrder) { ExpectTableInOrder(Qs8AddTable()); }

TEST(Qs8Add, EveryPairOfManyScales) {
  const AllPairs pairs;
  std::vector<int8_t> want(pairs.kCount), got(pairs.kCount);
  std::mt19937 rng(1);
  int fixed = 0;
  for (int i = 0; i < 150; ++i) {
    const AddParams p = Random(rng, i % 3);
    if (i % 3 == 0 && p.fixed.doubt > 0) ++fixed;
    Qs8AddRef(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, want.data(), &p);
    ForEachRunnable(Qs8AddTable(), [&](const BinaryKernel& row) {
      row.run(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, got.data(), &p);
      ASSERT_EQ(got, want) << "parameters " << i;
    });
  }
  EXPECT_EQ(fixed, 50) << "scales of models take the fast form";
}

// The fast form multiplies by two integers in the scales' ratio, as near as 15 bits allow: worst
// beside simple fractions.
TEST(Qs8Add, RatiosOfScales) {
  const AllPairs pairs;
  std::vector<int8_t> want(pairs.kCount), got(pairs.kCount);
  std::mt19937 rng(3);
  for (int i = 0; i < 150; ++i) {
    AddParams p = {};
    p.low = -128;
    p.high = 127;
    p.subtract = i % 2 == 1;
    const float ratio = i % 3 == 0   ? std::ldexp(1.f, -Uniform(rng, 0, 20))
                        : i % 3 == 1 ? 1.f / static_cast<float>(Uniform(rng, 1, 100))
                                     : static_cast<float>(Uniform(rng, 1, 8)) / 9.f;
    // A float or so beside it, up to where a better fraction is found.
    const float big = 0.05f, small = big * ratio * (1 + std::ldexp(1.f, -Uniform(rng, 12, 24)));
    if (!Make(i % 4 < 2 ? big : small, i % 4 < 2 ? small : big, 0.07f, &p)) continue;
    Qs8AddRef(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, want.data(), &p);
    ForEachRunnable(Qs8AddTable(), [&](const BinaryKernel& row) {
      row.run(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, got.data(), &p);
      ASSERT_EQ(got, want) << "parameters " << i;
    });
  }
}

TEST(Qs8Add, SizesStepsAndPlaces) {
  std::mt19937 rng(2);
  for (size_t n = 0; n <= 200; ++n) {
    const AddParams p = Random(rng, static_cast<int>(n % 3));
    for (int steps = 1; steps < 4; ++steps) {
      const size_t a_step = steps & 1, b_step = steps >> 1;
      Exact<int8_t> a(a_step ? n : 1, n), b(b_step ? n : 1, 3 * n);
      Fill(a, rng);
      Fill(b, rng);
      Exact<int8_t> want(n);
      Qs8AddRef(n, a.get(), a_step, b.get(), b_step, want.get(), &p);
      ForEachRunnable(Qs8AddTable(), [&](const BinaryKernel& row) {
        Exact<int8_t> got(n, 5 * n);
        row.run(n, a.get(), a_step, b.get(), b_step, got.get(), &p);
        ASSERT_EQ(got.vector(), want.vector()) << n;
        for (int side = 0; side < 2; ++side) {  // in place
          if ((side == 0 ? a_step : b_step) == 0) continue;
          Exact<int8_t> place(n, n);
          std::copy_n((side == 0 ? a : b).get(), n, place.get());
          row.run(n, side == 0 ? place.get() : a.get(), a_step, side == 1 ? place.get() : b.get(),
                  b_step, place.get(), &p);
          ASSERT_EQ(place.vector(), want.vector()) << n << " over input " << side;
        }
      });
    }
  }
}

}  // namespace
}  // namespace octet
