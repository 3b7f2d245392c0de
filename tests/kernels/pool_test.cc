// Every qs8_avgpool, s8_maxpool, qs8_mean and s8_pool_sums kernel that this CPU can run against the
// scalar reference.
#include "kernels/qs8_avgpool/qs8_avgpool.h"
#include "kernels/qs8_mean/qs8_mean.h"
#include "kernels/s8_maxpool/s8_maxpool.h"
#include "kernels/s8_pool_sums/s8_pool_sums.h"
#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

template <class Row>
void CheckPools(Span<const Row> table, bool large) {
  std::mt19937 rng(large ? 1 : 2);
  const PoolFn<int8_t> reference = table[table.size - 1].run;
  for (int32_t channels = 1; channels <= 200; channels += large ? 37 : 1) {
    PoolShape s;
    s.channels = channels;
    s.in_w = large ? Uniform(rng, 200, 400) : Uniform(rng, 1, 9);
    s.filter_w = large ? Uniform(rng, 150, 400) : Uniform(rng, 1, 5);
    s.stride_w = Uniform(rng, 1, 3);
    s.pad_left = Uniform(rng, 0, s.filter_w - 1);
    s.out_w = (s.in_w + s.pad_left - 1) / s.stride_w + 1;  // each window has an element inside
    if (large && s.out_w > 3) s.out_w = 3;
    s.act_min = Uniform(rng, 0, 1) == 0 ? -128 : Uniform(rng, -128, 10);
    s.act_max = Uniform(rng, 0, 1) == 0 ? 127 : Uniform(rng, 10, 127);
    s.half_up = Uniform(rng, 0, 1) == 1;
    const int32_t height = large ? Uniform(rng, 1, 200) : Uniform(rng, 1, 7);
    const int32_t y_begin = Uniform(rng, 0, height - 1), y_end = Uniform(rng, y_begin + 1, height);
    const size_t row = static_cast<size_t>(s.in_w) * static_cast<size_t>(channels);
    Exact<int8_t> in(row * static_cast<size_t>(height), static_cast<size_t>(channels));
    // Extremes too: sums of 16 bits must not overflow.
    const int32_t kind = Uniform(rng, 0, 3);
    Fill(in, rng, kind == 0 ? 126 : -128, kind == 1 ? -127 : 127);
    const Rows<const int8_t> rows{in.get(), row, 0};
    const size_t n = static_cast<size_t>(s.out_w) * static_cast<size_t>(channels);
    Exact<int8_t> want(n);
    reference(s, rows, y_begin, y_end, want.get());
    ForEachRunnable(table, [&](const Row& kernel) {
      Exact<int8_t> got(n, 3 * n);
      kernel.run(s, rows, y_begin, y_end, got.get());
      ASSERT_EQ(got.vector(), want.vector())
          << channels << " channels, width " << s.in_w << ", window " << y_end - y_begin << "x"
          << s.filter_w << ", stride " << s.stride_w << ", padding " << s.pad_left;
    });
  }
}

TEST(Pool, TablesInOrder) {
  ExpectTableInOrder(QS8AvgPoolTable());
  ExpectTableInOrder(S8MaxPoolTable());
  ExpectTableInOrder(QS8MeanTable());
  ExpectTableInOrder(S8PoolSumsTable());
}
TEST(Pool, Average) { CheckPools(QS8AvgPoolTable(), false); }
TEST(Pool, AverageOfLargeWindows) { CheckPools(QS8AvgPoolTable(), true); }
TEST(Pool, Max) { CheckPools(S8MaxPoolTable(), false); }

// Every sum of every count: the division is exact.
TEST(Pool, EveryQuotient) {
  for (int32_t count : {1, 2, 3, 5, 7, 9, 49, 64, 121, 144}) {
    PoolShape s;
    s.channels = 200;
    s.in_w = s.filter_w = count;
    s.act_min = -128, s.act_max = 127;
    std::mt19937 rng(static_cast<uint32_t>(count));
    for (int32_t sum = -128 * count; sum <= 127 * count; sum += s.channels) {
      std::vector<int8_t> in(static_cast<size_t>(count * s.channels)), want(200), got(200);
      for (int32_t c = 0; c < s.channels; ++c) {
        const int32_t total = std::min(sum + c, 127 * count);
        int32_t left = total + 128 * count;
        for (int32_t i = 0; i < count; ++i) {
          const int32_t part = (left + (count - i) - 1) / (count - i);
          in[static_cast<size_t>(i * s.channels + c)] = static_cast<int8_t>(part - 128);
          left -= part;
        }
      }
      const Rows<const int8_t> rows{in.data(), in.size(), 0};
      for (bool half_up : {false, true}) {
        s.half_up = half_up;
        QS8AvgPoolRef(s, rows, 0, 1, want.data());
        ForEachRunnable(QS8AvgPoolTable(), [&](const QS8AvgPoolKernel& kernel) {
          kernel.run(s, rows, 0, 1, got.data());
          ASSERT_EQ(got, want) << "sums from " << sum << " over " << count;
        });
      }
    }
  }
}

TEST(Mean, ColumnsAndRows) {
  std::mt19937 rng(3);
  for (size_t columns = 1; columns <= 200; ++columns) {
    QS8MeanParams p;
    p.rows = columns % 10 == 0 ? Uniform(rng, 200, 1100) : Uniform(rng, 1, 60);
    p.stride = columns + static_cast<size_t>(Uniform(rng, 0, 5));
    p.bias = -p.rows * Uniform(rng, -128, 127);
    p.multiplier = QuantizeMultiplier(static_cast<double>(LogUniform(rng, 1e-5f, 2.f)));
    p.output_zero_point = Uniform(rng, -128, 127);
    Exact<int8_t> in(static_cast<size_t>(p.rows - 1) * p.stride + columns, columns);
    const int32_t kind = Uniform(rng, 0, 3);
    Fill(in, rng, kind == 0 ? 126 : -128, kind == 1 ? -127 : 127);
    Exact<int8_t> want(columns);
    QS8MeanRef(p, in.get(), columns, want.get());
    ForEachRunnable(QS8MeanTable(), [&](const QS8MeanKernel& kernel) {
      Exact<int8_t> got(columns, 3 * columns);
      kernel.run(p, in.get(), columns, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << p.rows << " rows, " << columns << " columns";
    });
  }
}

TEST(PoolSums, OfWholeRows) {
  std::mt19937 rng(4);
  for (size_t channels = 1; channels <= 200; ++channels) {
    const int32_t width = Uniform(rng, 1, channels % 10 == 0 ? kMostPoolSums : 12);
    const int32_t rows = Uniform(rng, 1, kMostPoolSums / width);
    const int32_t ring = rows + Uniform(rng, 0, 3), y = Uniform(rng, 0, 20);
    const size_t row = static_cast<size_t>(width) * channels;
    Exact<int8_t> in(row * static_cast<size_t>(ring), channels);
    const int32_t kind = Uniform(rng, 0, 3);
    Fill(in, rng, kind == 0 ? 127 : -128, kind == 1 ? -128 : 127);
    const Rows<const int8_t> source{in.get(), row, ring};
    Exact<int16_t> want(channels);
    S8PoolSumsRef(source, y, y + rows, static_cast<size_t>(width), channels, want.get());
    ForEachRunnable(S8PoolSumsTable(), [&](const S8PoolSumsKernel& kernel) {
      Exact<int16_t> got(channels, 2 * channels);
      kernel.run(source, y, y + rows, static_cast<size_t>(width), channels, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << rows << "x" << width << "x" << channels;
    });
  }
}

}  // namespace
}  // namespace octet
