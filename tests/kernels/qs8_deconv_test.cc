// Transpose convolution by every s8_dot kernel that this CPU can run against the scalar reference.
#include "kernels/qs8_deconv/qs8_deconv.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

struct Case {
  DeconvShape shape;
  std::vector<DeconvChannel> channels;
  size_t in, weights, out;
};

Case Random(std::mt19937& rng, bool int16) {
  Case c;
  DeconvShape& s = c.shape;
  s.batch = Uniform(rng, 1, 2);
  s.in_h = Uniform(rng, 1, 5), s.in_w = Uniform(rng, 1, 5), s.in_c = Uniform(rng, 1, 70);
  s.kernel_h = Uniform(rng, 1, 5), s.kernel_w = Uniform(rng, 1, 5);
  s.stride_h = Uniform(rng, 1, 4), s.stride_w = Uniform(rng, 1, 4);
  s.pad_top = Uniform(rng, 0, s.kernel_h - 1), s.pad_left = Uniform(rng, 0, s.kernel_w - 1);
  s.out_h = Uniform(rng, 1, 12), s.out_w = Uniform(rng, 1, 12), s.out_c = Uniform(rng, 1, 80);
  if (!int16) {
    s.input_zero_point = Uniform(rng, -128, 127);
    s.weight_zero_point = Uniform(rng, 0, 1) == 0 ? 0 : Uniform(rng, -128, 127);
    s.output_zero_point = Uniform(rng, -128, 127);
  } else {
    s.act_min = -32768, s.act_max = 32767;
    s.acc64 = Uniform(rng, 0, 1) == 1;
  }
  c.channels.resize(static_cast<size_t>(s.out_c));
  for (DeconvChannel& channel : c.channels) {
    channel.bias = Uniform(rng, -100000, 100000);
    channel.multiplier = QuantizeMultiplier(
        static_cast<double>(int16 ? LogUniform(rng, 1e-6f, 1e-2f) : LogUniform(rng, 1e-4f, 0.1f)));
  }
  c.in = static_cast<size_t>(s.batch * s.in_h * s.in_w * s.in_c);
  c.weights = static_cast<size_t>(s.out_c * s.kernel_h * s.kernel_w * s.in_c);
  c.out = static_cast<size_t>(s.batch * s.out_h * s.out_w * s.out_c);
  return c;
}

template <class T, class Reference, class Dot>
void Check(const Reference& reference, const Dot& dot) {
  std::mt19937 rng(sizeof(T));
  for (int i = 0; i < 60; ++i) {
    const Case c = Random(rng, sizeof(T) == 2);
    Exact<T> in(c.in);
    Exact<int8_t> weights(c.weights);
    Fill(in, rng);
    Fill(weights, rng);
    const int32_t rows = c.shape.batch * c.shape.out_h;
    Exact<T> want(c.out);
    reference(c.shape, in.get(), weights.get(), c.channels.data(), 0, rows, want.get());
    ForEachRunnable(S8DotTable(), [&](const S8DotKernel& row) {
      Exact<T> got(c.out);
      const int32_t half = rows / 2;
      dot(row, c.shape, in.get(), weights.get(), c.channels.data(), 0, half, got.get());
      dot(row, c.shape, in.get(), weights.get(), c.channels.data(), half, rows, got.get());
      ASSERT_EQ(got.vector(), want.vector()) << "case " << i;
    });
  }
}

TEST(QS8Deconv, DotEqualsReference) { Check<int8_t>(QS8DeconvRef, QS8DeconvDot); }
TEST(QS16Deconv, DotEqualsReference) { Check<int16_t>(QS16DeconvRef, QS16DeconvDot); }

}  // namespace
}  // namespace octet
