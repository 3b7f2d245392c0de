// Every f32_quantize kernel that this CPU can run against the scalar reference.
#include "kernels/f32_quantize/f32_quantize.h"

#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

TEST(F32Quantize, TableInOrder) { ExpectTableInOrder(F32QuantizeTable()); }

TEST(F32Quantize, Quantize) {
  std::mt19937 rng(1);
  for (size_t n = 0; n <= 200; ++n) {
    F32QuantizeParams p;
    p.scale = n % 3 == 0 ? std::ldexp(1.f, Uniform(rng, -8, 2)) : LogUniform(rng, 1e-4f, 1e2f);
    p.zero_point = Uniform(rng, -128, 127);
    Exact<float> in(n, 4 * n);
    for (size_t i = 0; i < n; ++i) {
      // Near every tie, at random, and any bits at all.
      const float tie = (static_cast<float>(Uniform(rng, -300, 300)) + 0.5f) * p.scale;
      const uint32_t bits = static_cast<uint32_t>(rng());
      switch (Uniform(rng, 0, 3)) {
        case 0:
          in[i] = tie;
          break;
        case 1:
          in[i] = std::nextafter(tie, Uniform(rng, 0, 1) == 0 ? -1e9f : 1e9f);
          break;
        case 2:
          in[i] = std::normal_distribution<float>(0, 100 * p.scale)(rng);
          break;
        default:
          std::memcpy(&in[i], &bits, 4);
      }
    }
    Exact<int8_t> want(n);
    F32QuantizeRef(n, in.get(), want.get(), &p);
    ForEachRunnable(F32QuantizeTable(), [&](const F32QuantizeKernel& row) {
      Exact<int8_t> got(n, n);
      row.quantize(n, in.get(), got.get(), &p);
      ASSERT_EQ(got.vector(), want.vector()) << n;
    });
  }
}

// The rounding of the vector form, on every float of a few binades.
TEST(F32Quantize, RoundsLikeTheReference) {
  const F32QuantizeParams p = {1.f, 0};
  std::vector<float> in;
  for (int exponent = -2; exponent < 8; ++exponent) {
    for (int i = 0; i < 2000; ++i) {
      // Both ends of the steps around each half, where the rounding changes.
      const float half = std::ldexp(1.f, exponent) + static_cast<float>(i) * 0.5f;
      for (float x : {half, std::nextafter(half, 0.f), std::nextafter(half, 1e9f)}) {
        in.push_back(x);
        in.push_back(-x);
      }
    }
  }
  std::vector<int8_t> want(in.size()), got(in.size());
  F32QuantizeRef(in.size(), in.data(), want.data(), &p);
  ForEachRunnable(F32QuantizeTable(), [&](const F32QuantizeKernel& row) {
    row.quantize(in.size(), in.data(), got.data(), &p);
    ASSERT_EQ(got, want);
  });
}

TEST(F32Quantize, Dequantize) {
  std::mt19937 rng(2);
  for (size_t n = 0; n <= 200; ++n) {
    const F32QuantizeParams p = {LogUniform(rng, 1e-42f, 1e38f), Uniform(rng, -128, 127)};
    Exact<int8_t> in(n, n);
    Fill(in, rng);
    std::vector<float> want(n);
    for (size_t i = 0; i < n; ++i) {  // as the reference words it
      want[i] = static_cast<float>(static_cast<double>(p.scale) *
                                   static_cast<double>(in[i] - p.zero_point));
    }
    ForEachRunnable(F32QuantizeTable(), [&](const F32QuantizeKernel& row) {
      Exact<float> got(n, 4 * n);
      row.dequantize(n, in.get(), got.get(), &p);
      ASSERT_EQ(0, n == 0 ? 0 : std::memcmp(got.get(), want.data(), n * 4)) << n;
    });
  }
}

}  // namespace
}  // namespace octet
