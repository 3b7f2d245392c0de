// Every qs8_mul, qs8_prelu and x8_minmax kernel that this CPU can run against the scalar reference.
#include "kernels/qs8_mul/qs8_mul.h"

#include <cmath>

#include "kernels/qs8_prelu/qs8_prelu.h"
#include "kernels/x8_minmax/x8_minmax.h"
#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

MulParams Random(std::mt19937& rng, int kind) {
  MulParams p = {};
  const float scale = kind == 0   ? LogUniform(rng, 1e-4f, 0.5f)
                      : kind == 1 ? LogUniform(rng, 1e-9f, 1e6f)
                                  : std::ldexp(1.f, Uniform(rng, -12, 3));  // ties
  p.q = QuantizeMultiplier(static_cast<double>(scale));
  p.a_zero = Uniform(rng, -128, 127);
  p.b_zero = Uniform(rng, -128, 127);
  p.out_zero = Uniform(rng, -128, 127);
  p.low = (Uniform(rng, 0, 2) == 0 ? Uniform(rng, -128, 0) : -128) - p.out_zero;
  p.high = (Uniform(rng, 0, 2) == 0 ? Uniform(rng, 0, 127) : 127) - p.out_zero;
  MakeMulFixed(&p);
  return p;
}

// Sizes, steps, unaligned places, and results over an input.
void CheckSizes(Span<const BinaryKernel> table, const void* params, std::mt19937& rng, size_t n) {
  const BinaryFn reference = table[table.size - 1].run;
  for (size_t steps = 1; steps < 4; ++steps) {
    const size_t a_step = steps & 1, b_step = steps >> 1;
    Exact<int8_t> a(a_step ? n : 1, n), b(b_step ? n : 1, 3 * n), want(n);
    Fill(a, rng);
    Fill(b, rng);
    reference(n, a.get(), a_step, b.get(), b_step, want.get(), params);
    ForEachRunnable(table, [&](const BinaryKernel& row) {
      Exact<int8_t> got(n, 5 * n);
      row.run(n, a.get(), a_step, b.get(), b_step, got.get(), params);
      ASSERT_EQ(got.vector(), want.vector()) << n;
      if (a_step == 0) return;
      row.run(n, a.get(), a_step, b.get(), b_step, a.get(), params);
      ASSERT_EQ(a.vector(), want.vector()) << n << " in place";
      Fill(a, rng);
      reference(n, a.get(), a_step, b.get(), b_step, want.get(), params);
    });
  }
}

TEST(Qs8Mul, TableInOrder) {
  ExpectTableInOrder(Qs8MulTable());
  ExpectTableInOrder(S8MaxTable());
  ExpectTableInOrder(S8MinTable());
}

TEST(Qs8Mul, EveryPairOfManyScales) {
  const AllPairs pairs;
  std::vector<int8_t> want(pairs.kCount), got(pairs.kCount);
  std::mt19937 rng(1);
  for (int i = 0; i < 120; ++i) {
    const MulParams p = Random(rng, i % 3);
    Qs8MulRef(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, want.data(), &p);
    ForEachRunnable(Qs8MulTable(), [&](const BinaryKernel& row) {
      row.run(pairs.kCount, pairs.a.data(), 1, pairs.b.data(), 1, got.data(), &p);
      ASSERT_EQ(got, want) << "parameters " << i;
    });
  }
}

TEST(Qs8Mul, Sizes) {
  std::mt19937 rng(2);
  for (size_t n = 0; n <= 200; ++n) {
    const MulParams p = Random(rng, static_cast<int>(n % 3));
    CheckSizes(Qs8MulTable(), &p, rng, n);
  }
}

TEST(Qs8Prelu, Sizes) {
  ExpectTableInOrder(Qs8PreluTable());
  std::mt19937 rng(4);
  for (size_t n = 0; n <= 200; ++n) {
    PreluParams p = {};
    p.a_zero = Uniform(rng, -128, 127);
    p.b_zero = Uniform(rng, -128, 127);
    p.out_zero = Uniform(rng, -128, 127);
    p.positive = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-3f, 100.f)));
    p.negative = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-5f, 10.f)));
    p.low = -128 - p.out_zero;
    p.high = 127 - p.out_zero;
    CheckSizes(Qs8PreluTable(), &p, rng, n);
  }
}

TEST(S8MinMax, Sizes) {
  std::mt19937 rng(3);
  for (size_t n = 0; n <= 200; ++n) {
    CheckSizes(S8MaxTable(), nullptr, rng, n);
    CheckSizes(S8MinTable(), nullptr, rng, n);
  }
}

}  // namespace
}  // namespace octet
