// Every s8_dot kernel that this CPU can run against the scalar reference.
#include "kernels/s8_dot/s8_dot.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

TEST(S8Dot, TableInOrder) { ExpectTableInOrder(S8DotTable()); }

TEST(S8Dot, Rows) {
  std::mt19937 rng(1);
  for (size_t k = 1; k <= 200; ++k) {
    const size_t n = static_cast<size_t>(Uniform(rng, 1, 9));
    const size_t stride = k + static_cast<size_t>(Uniform(rng, 0, 5));
    Exact<int8_t> x(k, k), w((n - 1) * stride + k, 3 * k);
    Fill(x, rng);
    Fill(w, rng);
    Exact<int32_t> start(n), want(n);
    Fill(start, rng, INT32_MIN, INT32_MAX);  // sums wrap
    const S8DotArgs args = {
        x.get(), 1, Uniform(rng, -128, 127), Uniform(rng, -128, 127), w.get(), stride, k, n};
    std::copy_n(start.get(), n, want.get());
    S8DotRowsRef(args, want.get());
    ForEachRunnable(S8DotTable(), [&](const S8DotKernel& row) {
      Exact<int32_t> got(n);
      std::copy_n(start.get(), n, got.get());
      row.rows(args, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << k << ", " << n;
    });
  }
}

TEST(S8Dot, Columns) {
  std::mt19937 rng(2);
  for (size_t n = 1; n <= 200; ++n) {
    const size_t k = static_cast<size_t>(Uniform(rng, 1, 9)), x_step = n % 3 + 1;
    const size_t stride = n + static_cast<size_t>(Uniform(rng, 0, 5));
    Exact<int8_t> x((k - 1) * x_step + 1, n), w((k - 1) * stride + n, 3 * n);
    Fill(x, rng);
    Fill(w, rng);
    Exact<int32_t> start(n), want(n);
    Fill(start, rng, INT32_MIN, INT32_MAX);
    const S8DotArgs args = {
        x.get(), x_step, Uniform(rng, -128, 127), Uniform(rng, -128, 127), w.get(), stride, k, n};
    std::copy_n(start.get(), n, want.get());
    S8DotColumnsRef(args, want.get());
    ForEachRunnable(S8DotTable(), [&](const S8DotKernel& row) {
      Exact<int32_t> got(n);
      std::copy_n(start.get(), n, got.get());
      row.columns(args, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << k << ", " << n;
    });
  }
}

TEST(S8Dot, Rows16) {
  std::mt19937 rng(3);
  for (size_t i = 1; i <= 220; ++i) {
    const size_t k = i <= 200 ? i : i * 100;  // long enough for several parts
    const size_t n = static_cast<size_t>(Uniform(rng, 1, 9));
    const size_t stride = k + static_cast<size_t>(Uniform(rng, 0, 5));
    Exact<int16_t> x(k, 2 * k);
    Exact<int8_t> w((n - 1) * stride + k, 3 * k);
    const bool extreme = i % 4 == 0;
    Fill(x, rng, -32768, extreme ? -32768 : 32767);
    Fill(w, rng, -128, extreme ? -128 : 127);
    Exact<int64_t> start(n), want(n);
    for (size_t j = 0; j < n; ++j) start[j] = int64_t{Uniform(rng, INT32_MIN, INT32_MAX)} * 1000;
    const S8DotArgs args = {x.get(), 1, 0, 0, w.get(), stride, k, n};
    std::copy_n(start.get(), n, want.get());
    S16DotRowsRef(args, want.get());
    ForEachRunnable(S8DotTable(), [&](const S8DotKernel& row) {
      Exact<int64_t> got(n);
      std::copy_n(start.get(), n, got.get());
      row.rows16(args, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << k << ", " << n;
    });
  }
}

TEST(S8Dot, Products16) {
  std::mt19937 rng(4);
  for (size_t n = 0; n <= 200; ++n) {
    Exact<int16_t> x(n, 2 * n);
    Exact<int8_t> w(n, 3 * n);
    Fill(x, rng);
    Fill(w, rng);
    Exact<int32_t> start(n), want(n);
    Fill(start, rng, -1000000, 1000000);
    std::copy_n(start.get(), n, want.get());
    S16ProductsRef(x.get(), w.get(), n, want.get());
    ForEachRunnable(S8DotTable(), [&](const S8DotKernel& row) {
      Exact<int32_t> got(n);
      std::copy_n(start.get(), n, got.get());
      row.products16(x.get(), w.get(), n, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << n;
    });
  }
}

}  // namespace
}  // namespace octet
