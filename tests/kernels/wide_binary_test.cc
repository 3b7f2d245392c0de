// Every wide_binary kernel that this CPU can run against the scalar reference.
#include "kernels/wide_binary/wide_binary.h"

#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

constexpr size_t kSizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 1000};

// Sizes, steps, unaligned places, and results over an input; bytes are compared.
template <class T, class Make>
void Check(Span<const BinaryKernel> table, const void* params, std::mt19937& rng,
           const Make& make) {
  ExpectTableInOrder(table);
  const BinaryFn reference = table[table.size - 1].run;
  for (const size_t n : kSizes) {
    for (size_t steps = 1; steps < 4; ++steps) {
      const size_t a_step = steps & 1, b_step = steps >> 1;
      Exact<T> a(a_step ? n : 1, 2 * n), b(b_step ? n : 1, 6 * n), want(n);
      for (size_t i = 0; i < a.size(); ++i) a[i] = make(rng);
      for (size_t i = 0; i < b.size(); ++i) b[i] = make(rng);
      reference(n, a.get(), a_step, b.get(), b_step, want.get(), params);
      ForEachRunnable(table, [&](const BinaryKernel& row) {
        Exact<T> got(n, 10 * n), first(a.size());
        row.run(n, a.get(), a_step, b.get(), b_step, got.get(), params);
        ASSERT_EQ(std::memcmp(got.get(), want.get(), n * sizeof(T)), 0) << n << " " << steps;
        if (a_step == 0) return;
        if (n > 0) std::memcpy(first.get(), a.get(), n * sizeof(T));
        row.run(n, first.get(), a_step, b.get(), b_step, first.get(), params);
        ASSERT_EQ(std::memcmp(first.get(), want.get(), n * sizeof(T)), 0) << n << " in place";
      });
    }
  }
}

int16_t RandomInt16(std::mt19937& rng) {
  const uint32_t x = rng();
  return x % 16 == 0 ? int16_t{-32768} : x % 16 == 1 ? int16_t{32767} : static_cast<int16_t>(x);
}

TEST(Qs16Add, EqualsTheReference) {
  std::mt19937 rng(1);
  for (int i = 0; i < 40; ++i) {
    AddParams p = {};
    p.left = 15;
    p.a = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-4f, 0.5f)));
    p.b = QuantizeMultiplier(i % 2 == 0 ? 0.5 : static_cast<double>(LogUniform(rng, 1e-4f, 0.5f)));
    p.out = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-6f, 2e-4f)));
    p.low = i % 3 == 0 ? Uniform(rng, -32768, 0) : -32768;
    p.high = i % 3 == 0 ? Uniform(rng, 0, 32767) : 32767;
    p.subtract = i % 5 == 0;
    Check<int16_t>(Qs16AddTable(), &p, rng, RandomInt16);
  }
}

TEST(Qs16PotAdd, EqualsTheReference) {
  std::mt19937 rng(2);
  for (int shift = 0; shift <= 15; ++shift) {
    for (const bool subtract : {false, true}) {
      PotAddParams p = {shift, 0, -32768, 32767, subtract};
      Check<int16_t>(Qs16PotAddTable(), &p, rng, RandomInt16);
      p = {0, shift, -1000, 20000, subtract};
      Check<int16_t>(Qs16PotAddTable(), &p, rng, RandomInt16);
    }
  }
}

TEST(Qs16Mul, EqualsTheReference) {
  std::mt19937 rng(3);
  for (int i = 0; i < 40; ++i) {
    MulParams p = {};
    p.q = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-6f, 1.f)));
    p.low = i % 3 == 0 ? -5 : -32768;
    p.high = i % 3 == 0 ? 30000 : 32767;
    Check<int16_t>(Qs16MulTable(), &p, rng, RandomInt16);
  }
}

TEST(S16MinMax, EqualsTheReference) {
  std::mt19937 rng(4);
  Check<int16_t>(S16MaxTable(), nullptr, rng, RandomInt16);
  Check<int16_t>(S16MinTable(), nullptr, rng, RandomInt16);
}

TEST(F32Div, EqualsTheReference) {
  std::mt19937 rng(5);
  const auto make = [](std::mt19937& random) {
    constexpr float kSpecial[] = {0.f, -0.f, 1e38f, -1e-38f,
                                  std::numeric_limits<float>::infinity()};
    const uint32_t x = random();
    return x % 8 == 0 ? kSpecial[random() % 5]
                      : static_cast<float>(static_cast<int32_t>(x)) * 1e-3f;
  };
  ExpectTableInOrder(F32DivTable());
  for (const F32DivParams p :
       {F32DivParams{-3.4028234e38f, 3.4028234e38f}, F32DivParams{0.f, 6.f}}) {
    // What is no number must be so in every kernel, but NaNs have signs that nobody promises.
    for (const size_t n : kSizes) {
      for (size_t steps = 1; steps < 4; ++steps) {
        const size_t a_step = steps & 1, b_step = steps >> 1;
        Exact<float> a(a_step ? n : 1), b(b_step ? n : 1), want(n);
        for (size_t i = 0; i < a.size(); ++i) a[i] = make(rng);
        for (size_t i = 0; i < b.size(); ++i) b[i] = make(rng);
        F32DivRef(n, a.get(), a_step, b.get(), b_step, want.get(), &p);
        ForEachRunnable(F32DivTable(), [&](const BinaryKernel& row) {
          Exact<float> got(n);
          row.run(n, a.get(), a_step, b.get(), b_step, got.get(), &p);
          for (size_t i = 0; i < n; ++i) {
            if (std::isnan(want[i])) {
              ASSERT_TRUE(std::isnan(got[i])) << i;
            } else {
              ASSERT_EQ(std::memcmp(&got[i], &want[i], 4), 0) << got[i] << " " << want[i];
            }
          }
        });
      }
    }
  }
}

}  // namespace
}  // namespace octet
