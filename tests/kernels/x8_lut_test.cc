// Every x8_lut kernel that this CPU can run against the scalar reference.
#include "kernels/x8_lut/x8_lut.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

TEST(X8Lut, TableInOrder) { ExpectTableInOrder(X8LutTable()); }

TEST(X8Lut, EveryByteOfManyTables) {
  std::mt19937 rng(1);
  for (int i = 0; i < 50; ++i) {
    Exact<uint8_t> table(256, static_cast<size_t>(i)), in(256);
    Fill(table, rng);
    for (int x = 0; x < 256; ++x) {
      in[static_cast<size_t>(x)] = static_cast<uint8_t>(x);
      if (i % 5 == 0) table[static_cast<size_t>(x)] = static_cast<uint8_t>(x ^ (i * 0x80));
    }
    if (i % 10 == 5) table[static_cast<size_t>(Uniform(rng, 0, 255))] ^= 1;  // nearly a flip
    ForEachRunnable(X8LutTable(), [&](const X8LutKernel& row) {
      Exact<uint8_t> got(256, static_cast<size_t>(3 * i));
      row.run(in.get(), 256, table.get(), got.get());
      ASSERT_EQ(got.vector(), table.vector());
    });
  }
}

TEST(X8Lut, SizesAndInPlace) {
  std::mt19937 rng(2);
  for (size_t n = 0; n <= 300; ++n) {
    Exact<uint8_t> table(256), in(n, n);
    Fill(table, rng);
    Fill(in, rng);
    std::vector<uint8_t> want(n);
    X8LutRef(in.get(), n, table.get(), want.data());
    ForEachRunnable(X8LutTable(), [&](const X8LutKernel& row) {
      Exact<uint8_t> got(n, 3 * n), place(n, 5 * n);
      row.run(in.get(), n, table.get(), got.get());
      ASSERT_EQ(got.vector(), want) << n;
      std::copy_n(in.get(), n, place.get());
      row.run(place.get(), n, table.get(), place.get());
      ASSERT_EQ(place.vector(), want) << n << " in place";
    });
  }
}

}  // namespace
}  // namespace octet
