// Every s8_argmax kernel that this CPU can run against the scalar reference.
#include "kernels/s8_argmax/s8_argmax.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

constexpr ArgKind kKinds[] = {ArgKind::kMax, ArgKind::kMin};

// Values of a wide range, of a narrow one (many ties), and all the same.
void FillAnyhow(Exact<int8_t>& x, std::mt19937& rng) {
  const int32_t middle = Uniform(rng, -128, 127);
  switch (Uniform(rng, 0, 3)) {
    case 0:
      return Fill(x, rng);
    case 1:
      return Fill(x, rng, std::max(middle - 2, -128), std::min(middle + 2, 127));
    case 2:
      return Fill(x, rng, -128, -127);
    default:
      return Fill(x, rng, middle, middle);
  }
}

TEST(S8Argmax, TableInOrder) { ExpectTableInOrder(S8ArgTable()); }

TEST(S8Argmax, Rows) {
  std::mt19937 rng(1);
  for (size_t depth = 1; depth <= 600; depth += depth < 300 ? 1 : 7) {
    for (ArgKind kind : kKinds) {
      const size_t vectors = static_cast<size_t>(Uniform(rng, 1, 12));
      Exact<int8_t> in(depth * vectors, depth);
      FillAnyhow(in, rng);
      Exact<int32_t> want(vectors);
      S8ArgRefRows(kind, in.get(), depth, vectors, want.get());
      ForEachRunnable(S8ArgTable(), [&](const S8ArgKernel& row) {
        Exact<int32_t> got(vectors);
        row.rows(kind, in.get(), depth, vectors, got.get());
        ASSERT_EQ(got.vector(), want.vector()) << depth;
      });
    }
  }
}

TEST(S8Argmax, Columns) {
  std::mt19937 rng(2);
  for (size_t columns = 1; columns <= 70; ++columns) {
    for (ArgKind kind : kKinds) {
      const size_t rows = static_cast<size_t>(Uniform(rng, 1, columns % 8 == 0 ? 1000 : 40));
      const size_t stride = columns + static_cast<size_t>(Uniform(rng, 0, 3));
      Exact<int8_t> in((rows - 1) * stride + columns, columns);
      FillAnyhow(in, rng);
      Exact<int32_t> want(columns);
      S8ArgRefColumns(kind, in.get(), rows, stride, columns, want.get());
      ForEachRunnable(S8ArgTable(), [&](const S8ArgKernel& row) {
        Exact<int32_t> got(columns);
        row.columns(kind, in.get(), rows, stride, columns, got.get());
        ASSERT_EQ(got.vector(), want.vector()) << rows << " rows, " << columns << " columns";
      });
    }
  }
}

}  // namespace
}  // namespace octet
