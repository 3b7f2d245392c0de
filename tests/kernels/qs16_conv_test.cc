// Every qs16_conv kernel that this CPU can run against the scalar reference.
#include "kernels/qs16_conv/qs16_conv.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

enum class Kind { kConv, kGrouped, kDepthwise, kMultiplier, kLargeWindow };

QS16ConvShape Random(std::mt19937& rng, Kind kind) {
  QS16ConvShape s;
  const int32_t side = kind == Kind::kLargeWindow ? 20 : 4;
  s.batch = Uniform(rng, 1, 2);
  s.kernel_h = Uniform(rng, 1, side), s.kernel_w = Uniform(rng, 1, side);
  s.in_h = Uniform(rng, 1, side + 5), s.in_w = Uniform(rng, 1, side + 5);
  s.stride_h = Uniform(rng, 1, 3), s.stride_w = Uniform(rng, 1, 3);
  s.dilation_h = Uniform(rng, 1, 2), s.dilation_w = Uniform(rng, 1, 2);
  s.pad_top = Uniform(rng, 0, s.kernel_h), s.pad_left = Uniform(rng, 0, s.kernel_w);
  s.out_h = Uniform(rng, 1, 6), s.out_w = Uniform(rng, 1, 6);
  int32_t cin = Uniform(rng, 1, 70), cout = Uniform(rng, 1, 70);
  if (kind == Kind::kGrouped) {
    s.groups = Uniform(rng, 2, 4);
    cin = Uniform(rng, 1, 20), cout = Uniform(rng, 1, 9);
  } else if (kind != Kind::kConv) {
    s.groups = Uniform(rng, 2, 150);
    cin = 1;
    cout = kind == Kind::kMultiplier ? Uniform(rng, 2, 3) : 1;
  }
  s.in_c = cin * s.groups, s.out_c = cout * s.groups;
  if (kind == Kind::kConv || kind == Kind::kGrouped) {
    s.weight_x = cin;
    s.weight_y = s.kernel_w * cin;
    s.weight_n = s.kernel_h * s.weight_y;
  } else {
    s.weight_n = 1;
    s.weight_x = s.out_c;
    s.weight_y = s.kernel_w * s.out_c;
  }
  s.acc64 = Uniform(rng, 0, 1) == 1;
  if (Uniform(rng, 0, 1) == 0) s.act_min = 0;
  return s;
}

void Check(Kind kind) {
  std::mt19937 rng(static_cast<uint32_t>(kind));
  for (int i = 0; i < 40; ++i) {
    const QS16ConvShape s = Random(rng, kind);
    const size_t in_row = static_cast<size_t>(s.in_w) * static_cast<size_t>(s.in_c);
    const size_t out_row = static_cast<size_t>(s.out_w) * static_cast<size_t>(s.out_c);
    Exact<int16_t> in(in_row * static_cast<size_t>(s.batch * s.in_h));
    Exact<int8_t> weights(
        static_cast<size_t>(s.kernel_h * s.kernel_w * (s.in_c / s.groups) * s.out_c));
    const bool extreme = i % 4 == 0;
    Fill(in, rng, -32768, extreme ? -32768 : 32767);
    Fill(weights, rng, -128, extreme ? -128 : 127);
    std::vector<int64_t> bias64(static_cast<size_t>(s.out_c));
    std::vector<int32_t> bias32(bias64.size());
    std::vector<float> scales(bias64.size());
    for (size_t n = 0; n < bias64.size(); ++n) {
      bias32[n] = Uniform(rng, -1000000, 1000000);
      bias64[n] = int64_t{bias32[n]} * 1000;
      scales[n] = LogUniform(rng, 1e-7f, 1e-3f);
    }
    QS16ConvConstants k;
    k.weights = weights.get();
    k.bias = s.acc64 ? static_cast<const void*>(bias64.data()) : bias32.data();
    k.scales.weights = {scales.data(), scales.size()};
    const auto run = [&](const QS16ConvKernel& kernel) {
      std::vector<int64_t> pack(kernel.pack_bytes(s) / 8 + 1);
      kernel.pack(s, k, pack.data());
      Exact<int16_t> out(out_row * static_cast<size_t>(s.batch * s.out_h));
      QS16ConvRun r;
      r.shape = &s;
      r.pack = pack.data();
      r.weights = weights.get();
      r.input = {in.get(), in_row, 0};
      r.output = {out.get(), out_row, 0};
      const int32_t half = s.out_c / 2, rows = s.batch * s.out_h;
      for (int part = 0; part < 2; ++part) {
        r.channel_begin = part == 0 ? 0 : half;
        r.channel_end = part == 0 ? half : s.out_c;
        r.row_begin = 0, r.row_end = rows;
        kernel.run(r);
      }
      return out.vector();
    };
    const Span<const QS16ConvKernel> table = QS16ConvTable();
    const std::vector<int16_t> want = run(table[table.size - 1]);
    ForEachRunnable(
        table, [&](const QS16ConvKernel& kernel) { ASSERT_EQ(run(kernel), want) << "case " << i; });
  }
}

TEST(QS16Conv, TableInOrder) { ExpectTableInOrder(QS16ConvTable()); }
TEST(QS16Conv, Convolution) { Check(Kind::kConv); }
TEST(QS16Conv, Groups) { Check(Kind::kGrouped); }
TEST(QS16Conv, Depthwise) { Check(Kind::kDepthwise); }
TEST(QS16Conv, DepthwiseMultiplier) { Check(Kind::kMultiplier); }
TEST(QS16Conv, LargeWindows) { Check(Kind::kLargeWindow); }

}  // namespace
}  // namespace octet
