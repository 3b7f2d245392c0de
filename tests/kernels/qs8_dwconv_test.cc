// Every kernel of the qs8_dwconv table that this CPU runs against the scalar reference: same bytes,
// on random and edge shapes, in bands of rows, slices of channels and ring buffers; nothing outside
// its part of the output written, nothing outside the input read (buffers are of exact size, so
// that AddressSanitizer sees it).
#include "kernels/qs8_dwconv/qs8_dwconv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/qs8_dwconv/qs8_dwconv_arm.h"
#include "src/cpu/cpu.h"

namespace octet {
namespace {

struct Case {
  QS8DwConvShape shape;
  double scale = 0.01;  // of accumulators; each channel's lies within a factor of spread
  double spread = 4;
  int32_t bias = 3000;    // largest
  int32_t weights = 127;  // largest
  // If not empty: the magnitude of each tap's weights, and all inputs are -128 or 127.
  std::vector<int32_t> taps;
  std::string name() const {
    const QS8DwConvShape& s = shape;
    return "in " + std::to_string(s.batch) + "x" + std::to_string(s.in_h) + "x" +
           std::to_string(s.in_w) + "x" + std::to_string(s.in_c) + " m " +
           std::to_string(s.depth_multiplier) + " out " + std::to_string(s.out_h) + "x" +
           std::to_string(s.out_w) + " k " + std::to_string(s.kernel_h) + "x" +
           std::to_string(s.kernel_w) + " s " + std::to_string(s.stride_h) + "x" +
           std::to_string(s.stride_w) + " d " + std::to_string(s.dilation_h) + "x" +
           std::to_string(s.dilation_w) + " pad " + std::to_string(s.pad_top) + "," +
           std::to_string(s.pad_left) + " zp " + std::to_string(s.input_zero_point) + "," +
           std::to_string(s.weight_zero_point) + "," + std::to_string(s.output_zero_point) +
           " act " + std::to_string(s.act_min) + ".." + std::to_string(s.act_max) + " scale " +
           std::to_string(scale);
  }
};

// Outputs for "same" padding.
void Same(QS8DwConvShape* s) {
  const auto one = [](int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t* out,
                      int32_t* pad) {
    *out = (in + stride - 1) / stride;
    const int32_t need = (*out - 1) * stride + (kernel - 1) * dilation + 1 - in;
    *pad = need > 0 ? need / 2 : 0;
  };
  one(s->in_h, s->kernel_h, s->stride_h, s->dilation_h, &s->out_h, &s->pad_top);
  one(s->in_w, s->kernel_w, s->stride_w, s->dilation_w, &s->out_w, &s->pad_left);
}

QS8DwConvShape Shape(int32_t h, int32_t w, int32_t c, int32_t kernel, int32_t stride) {
  QS8DwConvShape s;
  s.in_h = h;
  s.in_w = w;
  s.in_c = c;
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.input_zero_point = -128;
  s.output_zero_point = -128;
  Same(&s);
  return s;
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Buffer = std::unique_ptr<T[], Free>;
template <class T>
Buffer<T> Allocate(size_t n) {  // exactly n, so that a sanitizer sees the first byte behind
  return Buffer<T>(static_cast<T*>(std::malloc(n > 0 ? n * sizeof(T) : 1)));
}
Buffer<uint8_t> AllocateAligned(size_t n) {
  return Buffer<uint8_t>(static_cast<uint8_t*>(std::aligned_alloc(64, (n + 64) / 64 * 64)));
}

class Runner {
 public:
  Runner(const Case& c, uint32_t seed) : case_(c), random_(seed) {
    const QS8DwConvShape& s = c.shape;
    in_row_ = static_cast<size_t>(s.in_w) * s.in_c;
    out_row_ = static_cast<size_t>(s.out_w) * s.out_c();
    input_ = Allocate<int8_t>(in_row_ * s.in_h * s.batch);
    FillBytes(input_.get(), in_row_ * s.in_h * s.batch, 127);
    const size_t n_weights = static_cast<size_t>(s.kernel_h) * s.kernel_w * s.out_c();
    weights_ = Allocate<int8_t>(n_weights);
    FillBytes(weights_.get(), n_weights, c.weights);
    if (!c.taps.empty()) {
      for (size_t i = 0; i < n_weights; ++i) {
        const int32_t w = c.taps[i / static_cast<size_t>(s.out_c())];
        weights_[i] = static_cast<int8_t>((random_() & 8) != 0 && w < 128 ? w : -w);
      }
      for (size_t i = 0; i < in_row_ * s.in_h * s.batch; ++i) {
        input_[i] = (random_() & 8) != 0 ? 127 : -128;
      }
    }
    bias_ = Allocate<int32_t>(static_cast<size_t>(s.out_c()));
    scales_ = Allocate<float>(static_cast<size_t>(s.out_c()));
    std::uniform_real_distribution<double> scale(std::log(c.scale / c.spread),
                                                 std::log(c.scale * c.spread));
    for (int32_t i = 0; i < s.out_c(); ++i) {
      bias_[i] = c.bias == 0 ? 0 : static_cast<int32_t>(random_()) % c.bias;
      scales_[i] = static_cast<float>(std::exp(scale(random_)));
    }
    constants_.weights = weights_.get();
    constants_.bias = bias_.get();
    constants_.scales.weights = {scales_.get(), static_cast<size_t>(s.out_c())};
    expected_ = Run(QS8DwConvTable()[QS8DwConvTable().size - 1], 1, 1, false);
  }

  size_t out_bytes() const {
    return out_row_ * static_cast<size_t>(case_.shape.out_h) * case_.shape.batch;
  }

  void Check(const QS8DwConvKernel& kernel, int32_t bands, int32_t slices, bool ring) {
    const Buffer<int8_t> got = Run(kernel, bands, slices, ring);
    if (std::memcmp(got.get(), expected_.get(), out_bytes()) == 0) return;
    size_t wrong = 0, first = 0;
    for (size_t i = out_bytes(); i-- > 0;) {
      if (got[i] != expected_[i]) {
        ++wrong;
        first = i;
      }
    }
    const size_t c = static_cast<size_t>(case_.shape.out_c());
    ADD_FAILURE() << kernel.name << " " << case_.name() << ": " << wrong << " of " << out_bytes()
                  << " bytes differ, first at row " << first / out_row_ << " x "
                  << first % out_row_ / c << " channel " << first % c << ": got " << int{got[first]}
                  << ", expected " << int{expected_[first]} << " (bands " << bands << ", slices "
                  << slices << ", ring " << ring << ")";
  }

 private:
  void FillBytes(int8_t* p, size_t n, int32_t most) {
    for (size_t i = 0; i < n; ++i) {
      const uint32_t r = random_();
      // Extremes more often than chance gives them.
      const int32_t v = static_cast<int32_t>(r >> 8) % (most + 1);
      p[i] = static_cast<int8_t>((r & 15) == 0 ? -most - 1
                                               : ((r & 15) == 1 ? most : (r & 16 ? v : -v)));
    }
  }

  Buffer<int8_t> Run(const QS8DwConvKernel& kernel, int32_t bands, int32_t slices, bool ring) {
    QS8DwConvShape s = case_.shape;
    const Buffer<uint8_t> pack = AllocateAligned(kernel.pack_bytes(s));
    kernel.pack(s, constants_, pack.get());
    if (ring) s.run_rows = 1;  // and the scratch that is enough for runs of one row
    EXPECT_EQ(kernel.pack_bytes(s), kernel.pack_bytes(case_.shape));
    const size_t guard = 80;
    const size_t scratch_bytes = kernel.scratch_bytes(s);
    EXPECT_LE(scratch_bytes, kernel.scratch_bytes(case_.shape));
    const Buffer<uint8_t> scratch = AllocateAligned(scratch_bytes + guard);
    std::memset(scratch.get(), 0x55, scratch_bytes + guard);
    const Buffer<int8_t> out = Allocate<int8_t>(out_bytes() + 2 * guard);
    std::memset(out.get(), 0x55, out_bytes() + 2 * guard);

    QS8DwConvRun run;
    run.shape = &s;
    run.pack = pack.get();
    run.weights = weights_.get();
    run.input = {input_.get(), in_row_, 0};
    run.output = {out.get() + guard, out_row_, 0};
    run.scratch = scratch.get();
    const int32_t rows = s.out_h * s.batch;
    const int32_t block = kernel.channel_block;
    const int32_t blocks = (s.in_c + block - 1) / block;
    if (bands > rows || (ring && s.batch > 1)) bands = rows;
    if (slices > blocks) slices = blocks;
    // A ring that holds what one band needs, at most the whole image.
    const int32_t tallest = (rows + bands - 1) / bands;
    int32_t ring_rows = (tallest - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
    if (ring_rows > s.in_h) ring_rows = s.in_h;
    const Buffer<int8_t> ring_buffer = Allocate<int8_t>(in_row_ * ring_rows);
    for (int32_t b = 0; b < bands; ++b) {
      run.row_begin = static_cast<int32_t>(int64_t{rows} * b / bands);
      run.row_end = static_cast<int32_t>(int64_t{rows} * (b + 1) / bands);
      if (ring) {
        const int32_t image = run.row_begin / s.out_h;
        const int32_t top = run.row_begin % s.out_h * s.stride_h - s.pad_top;
        const int32_t last = (run.row_end - 1) % s.out_h * s.stride_h - s.pad_top;
        for (int32_t y = top; y < last + (s.kernel_h - 1) * s.dilation_h + 1; ++y) {
          if (y < 0 || y >= s.in_h) continue;
          const int32_t row = image * s.in_h + y;
          std::memcpy(ring_buffer.get() + row % ring_rows * in_row_, input_.get() + row * in_row_,
                      in_row_);
        }
        run.input = {ring_buffer.get(), in_row_, ring_rows};
      }
      for (int32_t i = 0; i < slices; ++i) {
        run.channel_begin = blocks * i / slices * block;
        run.channel_end = i + 1 == slices ? s.in_c : blocks * (i + 1) / slices * block;
        const Buffer<int8_t> before = Allocate<int8_t>(out_bytes());
        if (slices > 1) std::memcpy(before.get(), out.get() + guard, out_bytes());
        kernel.run(run);
        if (slices > 1) CheckOutside(run, before.get(), out.get() + guard, kernel.name);
      }
    }
    for (size_t i = 0; i < guard; ++i) {
      if (out[i] != 0x55 || out[guard + out_bytes() + i] != 0x55) {
        ADD_FAILURE() << kernel.name << " " << case_.name() << ": wrote outside the output";
        break;
      }
      if (scratch[scratch_bytes + i] != 0x55) {
        ADD_FAILURE() << kernel.name << " " << case_.name() << ": wrote outside the scratch";
        break;
      }
    }
    Buffer<int8_t> result = Allocate<int8_t>(out_bytes());
    std::memcpy(result.get(), out.get() + guard, out_bytes());
    return result;
  }

  void CheckOutside(const QS8DwConvRun& run, const int8_t* before, const int8_t* after,
                    const char* name) {
    const QS8DwConvShape& s = case_.shape;
    const size_t c = static_cast<size_t>(s.out_c());
    for (size_t i = 0; i < out_bytes(); ++i) {
      const int32_t row = static_cast<int32_t>(i / out_row_);
      const int32_t channel = static_cast<int32_t>(i % c);
      const bool mine = row >= run.row_begin && row < run.row_end &&
                        channel >= run.channel_begin * s.depth_multiplier &&
                        channel < run.channel_end * s.depth_multiplier;
      if (!mine && before[i] != after[i]) {
        ADD_FAILURE() << name << " " << case_.name() << ": wrote row " << row << " channel "
                      << channel << " outside its part";
        return;
      }
    }
  }

  Case case_;
  std::mt19937 random_;
  size_t in_row_ = 0, out_row_ = 0;
  Buffer<int8_t> input_, weights_;
  Buffer<int32_t> bias_;
  Buffer<float> scales_;
  QS8DwConvConstants constants_;
  Buffer<int8_t> expected_;
};

void CheckAll(const Case& c, uint32_t seed) {
  Runner runner(c, seed);
  const IsaSet isa = DetectIsa();
  for (const QS8DwConvKernel& kernel : QS8DwConvTable()) {
    if (!isa.has(kernel.isa) || !kernel.supports(c.shape)) continue;
    runner.Check(kernel, 1, 1, false);
    runner.Check(kernel, 3, 2, false);
    if (seed % 4 == 0) {
      runner.Check(kernel, c.shape.out_h * c.shape.batch, 3, true);
      runner.Check(kernel, 3, 1, true);
    }
  }
}

void CheckActivations(QS8DwConvShape s, uint32_t seed) {
  Case c;
  c.shape = s;
  CheckAll(c, seed);  // ReLU into the whole range
  c.shape.act_min = -100;
  c.shape.act_max = 90;
  c.shape.output_zero_point = -110;
  CheckAll(c, seed + 1);  // ReLU, clamped
  c.shape.act_min = -128;
  c.shape.act_max = 127;
  c.shape.output_zero_point = 5;
  CheckAll(c, seed + 2);  // signed
  c.shape.act_min = -90;
  c.shape.act_max = 60;
  c.shape.output_zero_point = -7;
  c.shape.input_zero_point = 3;
  c.scale = 0.002;
  CheckAll(c, seed + 3);  // signed, clamped, small scale
}

TEST(QS8DwConv, ThreeByThree) {
  uint32_t seed = 0;
  for (int32_t stride = 1; stride <= 2; ++stride) {
    for (int32_t channels : {1, 3, 8, 16, 24, 32, 40, 48, 64, 72, 96, 112, 128, 144, 200}) {
      CheckActivations(Shape(7, 9, channels, 3, stride), seed += 4);
      CheckActivations(Shape(4, 26, channels, 3, stride), seed += 4);
    }
  }
}

TEST(QS8DwConv, FiveByFive) {
  uint32_t seed = 0;
  for (int32_t stride = 1; stride <= 2; ++stride) {
    for (int32_t channels : {5, 16, 32, 64, 88, 120}) {
      CheckActivations(Shape(9, 14, channels, 5, stride), seed += 4);
    }
  }
}

TEST(QS8DwConv, LegacyWeightZeroPoint) {
  uint32_t seed = 0;
  for (int32_t zero_point : {-128, -127, -78, -1, 1, 57, 127}) {
    for (int32_t channels : {8, 24, 64, 96}) {
      for (int32_t kernel : {3, 5}) {
        QS8DwConvShape s = Shape(6, 11, channels, kernel, 1 + (seed & 1));
        s.weight_zero_point = zero_point;
        CheckActivations(s, ++seed);
        s.dilation_h = s.dilation_w = 2;
        s.stride_h = s.stride_w = 1;
        Same(&s);
        CheckActivations(s, ++seed);
      }
    }
  }
}

// Layers of real models that are neither 3x3 nor 5x5, or have one input channel.
TEST(QS8DwConv, OtherKernels) {
  struct Kernel {
    int32_t in_h, in_w, in_c, kernel_h, kernel_w, stride, multiplier;
  };
  const Kernel kernels[] = {
      {49, 40, 1, 10, 8, 2, 8}, {1, 30, 40, 1, 3, 1, 1},   {30, 1, 40, 3, 1, 1, 1},
      {28, 1, 128, 5, 1, 1, 1}, {24, 1, 128, 10, 1, 1, 1}, {15, 1, 128, 15, 1, 1, 1},
      {9, 9, 3, 3, 3, 2, 8},    {7, 7, 24, 7, 7, 1, 1},    {12, 12, 20, 2, 2, 2, 3},
      {6, 6, 130, 1, 1, 1, 1},  {6, 6, 33, 4, 4, 3, 2},    {5, 40, 2, 3, 11, 1, 5},
      {24, 24, 1, 3, 3, 2, 8},  {9, 9, 1, 3, 3, 1, 40},    {9, 9, 1, 4, 5, 1, 70},
      {3, 20, 1, 1, 6, 3, 20},  {7, 7, 1, 5, 5, 2, 130},
  };
  uint32_t seed = 0;
  for (const Kernel& k : kernels) {
    QS8DwConvShape s = Shape(k.in_h, k.in_w, k.in_c, k.kernel_h, k.stride);
    s.kernel_w = k.kernel_w;
    s.depth_multiplier = k.multiplier;
    Same(&s);
    CheckActivations(s, seed += 4);
    s.pad_top = s.pad_left = 0;
    s.out_h = (s.in_h - s.kernel_h) / s.stride_h + 1;
    s.out_w = (s.in_w - s.kernel_w) / s.stride_w + 1;
    CheckActivations(s, seed += 4);
  }
}

// One pixel wide: kernels may take columns for rows.
TEST(QS8DwConv, Columns) {
  std::mt19937 random(2);
  const auto in = [&](int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
  };
  for (uint32_t seed = 0; seed < 800; seed += 4) {
    QS8DwConvShape s;
    s.batch = in(0, 3) ? 1 : 2;
    s.in_h = in(1, 70);
    s.in_c = in(0, 1) ? in(1, 20) : in(20, 200);
    s.depth_multiplier = in(0, 3) ? 1 : 2;
    s.kernel_h = in(2, 17);
    s.stride_h = in(0, 1) ? 1 : in(2, 3);
    s.dilation_h = in(0, 2) ? 1 : in(2, 3);
    s.pad_top = in(0, (s.kernel_h - 1) * s.dilation_h);
    s.out_h = in(1, (s.in_h + s.pad_top + s.stride_h - 1) / s.stride_h);
    s.input_zero_point = in(-128, 127);
    s.weight_zero_point = in(0, 2) ? 0 : in(-128, 127);
    s.output_zero_point = -128;
    CheckActivations(s, seed);
  }
}

TEST(QS8DwConv, Random) {
  std::mt19937 random(1);
  const auto in = [&](int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random() % static_cast<uint32_t>(high - low + 1));
  };
  for (uint32_t seed = 0; seed < 400; ++seed) {
    Case c;
    QS8DwConvShape& s = c.shape;
    s.batch = in(1, 2);
    s.in_h = in(1, 12);
    s.in_w = in(1, 30);
    s.in_c = in(0, 1) ? in(1, 20) : in(1, 150);
    s.depth_multiplier = in(0, 3) ? 1 : in(1, 9);
    s.kernel_h = in(1, 6);
    s.kernel_w = in(1, 6);
    s.stride_h = in(0, 1) ? 1 : in(1, 4);
    s.stride_w = in(0, 1) ? s.stride_h : in(1, 4);
    s.dilation_h = in(0, 2) ? 1 : in(1, 3);
    s.dilation_w = in(0, 2) ? 1 : in(1, 3);
    // Any padding and size that leave every window a row and column of the image or of the border.
    s.pad_top = in(0, (s.kernel_h - 1) * s.dilation_h);
    s.pad_left = in(0, (s.kernel_w - 1) * s.dilation_w);
    s.out_h = in(1, (s.in_h + s.pad_top + s.stride_h - 1) / s.stride_h);
    s.out_w = in(1, (s.in_w + s.pad_left + s.stride_w - 1) / s.stride_w);
    s.input_zero_point = in(-128, 127);
    s.weight_zero_point = in(0, 2) ? 0 : in(-128, 127);
    s.output_zero_point = in(-128, 127);
    s.act_min = in(0, 1) ? -128 : in(-128, 127);
    s.act_max = in(0, 1) ? 127 : in(s.act_min, 127);
    if (in(0, 1) && s.act_max >= s.output_zero_point && s.act_min < s.output_zero_point) {
      s.act_min = s.output_zero_point;
    }
    c.scale = std::exp2(in(-16, 3));
    c.bias = 1 << in(0, 30);
    c.weights = in(0, 1) ? 127 : in(1, 127);
    CheckAll(c, seed);
  }
}

// Weights as large as can be summed in 16 bits by twos and threes, and a little larger.
TEST(QS8DwConv, LargestSums) {
  std::mt19937 random(2);
  uint32_t seed = 0;
  for (int32_t weight : {84, 85, 86, 127, 128}) {
    for (int32_t stride = 1; stride <= 2; ++stride) {
      Case c;
      c.shape = Shape(5, 14, 48, 3, stride);
      c.taps.assign(9, weight);
      CheckAll(c, ++seed);
      c.shape = Shape(5, 14, 16, 5, stride);
      c.taps.assign(25, weight);
      CheckAll(c, ++seed);
    }
  }
  for (int i = 0; i < 60; ++i) {
    Case c;
    c.shape = Shape(3, 10, 32, 3, 1);
    c.shape.output_zero_point = i % 3 == 0 ? 4 : -128;
    for (int tap = 0; tap < 9; ++tap) {
      c.taps.push_back(1 + static_cast<int32_t>(random() % (i % 2 == 0 ? 128 : 110)));
    }
    CheckAll(c, ++seed);
  }
}

// What the packs for baseline NEON say of that; any machine makes them.
TEST(QS8DwConv, NeonGroupsTaps) {
  const QS8DwConvKernel* neon = nullptr;
  for (const QS8DwConvKernel& kernel : QS8DwConvTable()) {
    if (kernel.isa == Isa::kNeon) neon = &kernel;
  }
  if (neon == nullptr) GTEST_SKIP() << "this build packs for no ARM CPU";
  QS8DwConvShape shape = Shape(8, 8, 16, 3, 1);
  const auto flags = [&](std::vector<int32_t> taps) {
    std::vector<int8_t> weights;
    for (int32_t w : taps) weights.insert(weights.end(), 16, static_cast<int8_t>(w));
    const std::vector<float> scales(16, 0.01f);
    QS8DwConvConstants k;
    k.weights = weights.data();
    k.scales.weights = {scales.data(), scales.size()};
    const Buffer<uint8_t> pack = AllocateAligned(neon->pack_bytes(shape));
    neon->pack(shape, k, pack.get());
    int32_t first;
    std::memcpy(&first, pack.get(), sizeof first);
    return first;
  };
  EXPECT_EQ(flags({85, 85, 85, 85, 85, 85, 85, 85, 85}), kDwArmThrees);
  EXPECT_EQ(flags({127, 127, 127, 1, 1, -127, -127, 1, 1}), kDwArmThrees);
  EXPECT_EQ(flags({100, 100, 50, -100, 100, 100, 50, 100, 100}), kDwArmThree);
  EXPECT_EQ(flags({86, 86, 86, 86, 86, 86, 86, 86, 86}), 0);
  EXPECT_EQ(flags({-128, 127, 0, 0, 0, 0, 0, 0, 0}), kDwArmThrees);
  EXPECT_EQ(flags({-128, -128, -128, -128, -128, -128, -128, -128, -128}), kDwArmApart);
  shape.weight_zero_point = 10;
  EXPECT_EQ(flags({90, 0, 0, 0, 0, 0, 0, 0, -70}), kDwArmThrees);
  EXPECT_EQ(flags({90, 0, 0, 0, 0, 0, 0, 0, -128}) & kDwArmWide, kDwArmWide);
}

// Multipliers at and beyond the ends of what one rounding can express.
TEST(QS8DwConv, ExtremeScales) {
  uint32_t seed = 0;
  for (int exponent = -40; exponent <= 12; ++exponent) {
    for (int32_t zero_point : {-128, 0, 127}) {
      Case c;
      c.shape = Shape(5, 6, 70, 3, 1);
      c.shape.output_zero_point = zero_point;
      c.scale = std::exp2(exponent);
      c.spread = 1.5;
      c.bias = exponent > 0 ? 100 : 2000000000;
      CheckAll(c, ++seed);
      c.bias = 1000;
      CheckAll(c, ++seed);
    }
  }
}

}  // namespace
}  // namespace octet
