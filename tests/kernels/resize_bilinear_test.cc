// Every resize_bilinear kernel that this CPU can run against the scalar reference.
#include "kernels/resize_bilinear/resize_bilinear.h"

#include "tests/kernels/kernel_test.h"

namespace octet {
namespace {

ResizeWeight Weight(std::mt19937& rng) {
  ResizeWeight w;
  w.fixed = Uniform(rng, 0, 3) == 0 ? 512 * Uniform(rng, 0, 1) : Uniform(rng, 0, 1023);
  w.real = Uniform(rng, 0, 3) == 0 ? 0.5f * static_cast<float>(Uniform(rng, 0, 1))
                                   : std::uniform_real_distribution<float>(0, 1)(rng);
  return w;
}

template <class T>
void Check(ResizeBilinearKind kind) {
  std::mt19937 rng(static_cast<uint32_t>(kind));
  ResizeBilinearFn reference = nullptr;
  for (const ResizeBilinearKernel& row : ResizeBilinearTable()) {
    if (row.kind == kind && row.isa == Isa::kScalar) reference = row.run;
  }
  ASSERT_NE(reference, nullptr);
  for (size_t channels = 1; channels <= 70; ++channels) {
    const int32_t in_w = Uniform(rng, 1, 9);
    const size_t width = static_cast<size_t>(Uniform(rng, 1, 40));
    const size_t in = static_cast<size_t>(in_w) * channels;
    Exact<T> above(in, channels), below(in, 3 * channels), want(width * channels);
    for (size_t i = 0; i < in; ++i) {
      above[i] = static_cast<T>(Uniform(rng, -128, 127));
      below[i] = static_cast<T>(Uniform(rng, -128, 127));
      if (kind == ResizeBilinearKind::kF32) {
        above[i] *= static_cast<T>(1.1f);
        below[i] *= static_cast<T>(0.7f);
      }
    }
    std::vector<ResizeColumn> columns(width);
    for (size_t i = 0; i < width; ++i) {
      if (i == 0 || Uniform(rng, 0, 2) == 0) {
        const int32_t left = Uniform(rng, 0, in_w - 1);
        const int32_t right = std::min(left + Uniform(rng, 0, 1), in_w - 1);
        columns[i].left = static_cast<size_t>(left) * channels;
        columns[i].right = static_cast<size_t>(right) * channels;
      } else {
        columns[i] = columns[i - 1];
      }
      columns[i].weight = Weight(rng);
    }
    ResizeBilinearRow row = {above.get(), below.get(), Weight(rng), columns.data(),
                             width,       channels,    want.get()};
    reference(row);
    ForEachRunnable(ResizeBilinearTable(), [&](const ResizeBilinearKernel& kernel) {
      if (kernel.kind != kind) return;
      Exact<T> got(width * channels, 5 * channels);
      row.output = got.get();
      kernel.run(row);
      ASSERT_EQ(got.vector(), want.vector()) << channels << " channels, " << width << " columns";
    });
  }
}

TEST(ResizeBilinear, Int8) { Check<int8_t>(ResizeBilinearKind::kS8); }
TEST(ResizeBilinear, Uint8) { Check<int8_t>(ResizeBilinearKind::kU8); }
TEST(ResizeBilinear, Int16) { Check<int16_t>(ResizeBilinearKind::kS16); }
TEST(ResizeBilinear, Float32) { Check<float>(ResizeBilinearKind::kF32); }

}  // namespace
}  // namespace octet
