// Every xx_transpose kernel that this CPU can run against its contract.
#include "kernels/xx_transpose/xx_transpose.h"

#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

TEST(XxTranspose, SizesAndStrides) {
  std::mt19937 rng(1);
  for (int i = 0; i < 150; ++i) {
    const size_t rows = static_cast<size_t>(Uniform(rng, 1, 50));
    const size_t columns = static_cast<size_t>(Uniform(rng, 1, 50));
    const size_t gap = static_cast<size_t>(Uniform(rng, 0, 3));
    ForEachRunnable(XxTransposeTable(), [&](const XxTransposeKernel& kernel) {
      const size_t e = kernel.element;
      const size_t from_stride = columns * e + gap, to_stride = rows * e + gap;
      Exact<uint8_t> in((rows - 1) * from_stride + columns * e, gap);
      Exact<uint8_t> got((columns - 1) * to_stride + rows * e, 3 * gap);
      Fill(in, rng);
      Fill(got, rng);
      std::vector<uint8_t> want = got.vector();
      for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < columns; ++c) {
          std::memcpy(&want[c * to_stride + r * e], &in[r * from_stride + c * e], e);
        }
      }
      if (i % 3 == 0) {  // the input's rows from the last to the first, and the output's columns
        const std::vector<uint8_t> straight = want;
        for (size_t r = 0; r < rows; ++r) {
          for (size_t c = 0; c < columns; ++c) {
            std::memcpy(&want[c * to_stride + (rows - 1 - r) * e], &straight[c * to_stride + r * e],
                        e);
          }
        }
        kernel.run(in.get() + (rows - 1) * from_stride, -static_cast<ptrdiff_t>(from_stride),
                   got.get(), static_cast<ptrdiff_t>(to_stride), rows, columns);
      } else {
        kernel.run(in.get(), static_cast<ptrdiff_t>(from_stride), got.get(),
                   static_cast<ptrdiff_t>(to_stride), rows, columns);
      }
      ASSERT_EQ(got.vector(), want) << rows << "x" << columns;
    });
  }
}

}  // namespace
}  // namespace octet
