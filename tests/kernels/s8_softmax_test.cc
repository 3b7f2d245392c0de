// Every s8_softmax kernel that this CPU can run against the scalar reference.
#include "kernels/s8_softmax/s8_softmax.h"

#include <cmath>

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

TEST(S8Softmax, TableInOrder) { ExpectTableInOrder(S8SoftmaxTable()); }

TEST(S8Softmax, DepthsAndVectors) {
  std::mt19937 rng(1);
  std::vector<size_t> depths;
  for (size_t n = 1; n <= 200; ++n) depths.push_back(n);
  depths.insert(depths.end(), {255, 511, 512, 513, 1000, 1001, 4095, 4097, 5000, 150000});
  for (size_t depth : depths) {
    int32_t exp[256];
    const double scale = static_cast<double>(LogUniform(rng, 1e-4f, 2.f));
    for (int d = 0; d < 256; ++d) {
      exp[d] = static_cast<int32_t>(std::min(std::ldexp(std::exp(-d * scale), 31), 2147483647.0));
      if (exp[d] < 1 << 8) exp[d] = 0;
    }
    const size_t vectors = depth > 1000 ? 1 : static_cast<size_t>(Uniform(rng, 1, 4));
    const size_t n = depth * vectors;
    Exact<int8_t> in(n, depth);
    const int32_t kind = Uniform(rng, 0, 3);
    Fill(in, rng, kind == 0 ? 127 : -128, kind == 1 ? -128 : 127);
    Exact<int8_t> want(n);
    Exact<int16_t> want16(n);
    S8SoftmaxRef(exp, depth, in.get(), vectors, want.get());
    S8Softmax16Ref(exp, depth, in.get(), vectors, want16.get());
    ForEachRunnable(S8SoftmaxTable(), [&](const S8SoftmaxKernel& row) {
      Exact<int8_t> place(n, 3 * depth);
      Exact<int16_t> got16(n, 2 * depth);
      row.run16(exp, depth, in.get(), vectors, got16.get());
      ASSERT_EQ(got16.vector(), want16.vector()) << depth;
      std::copy_n(in.get(), n, place.get());
      row.run(exp, depth, place.get(), vectors, place.get());
      ASSERT_EQ(place.vector(), want.vector()) << depth;
    });
  }
}

}  // namespace
}  // namespace octet
