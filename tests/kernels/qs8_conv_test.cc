// Every qs8_conv kernel that this CPU can run against the scalar reference.
#include "kernels/qs8_conv/qs8_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "tests/support/amx_emulator.h"

namespace octet {

// For messages of parameterised tests.
static void PrintTo(const QS8ConvKernel& k, std::ostream* os) { *os << k.name; }

namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};

// A heap block of exactly n bytes, so that AddressSanitizer sees any access beyond it.
template <class T>
std::unique_ptr<T[], Free> Block(size_t bytes, size_t align = alignof(T)) {
  void* p = nullptr;
  if (bytes == 0) bytes = 1;
  if (posix_memalign(&p, align < sizeof(void*) ? sizeof(void*) : align, bytes) != 0) std::abort();
  return std::unique_ptr<T[], Free>(static_cast<T*>(p));
}

struct Case {
  QS8ConvShape shape;
  std::vector<int8_t> input, weights;
  std::vector<int32_t> bias;
  std::vector<float> scales;  // times 1 (input and output scale)
  bool has_bias = true;

  size_t in_row() const { return static_cast<size_t>(shape.in_w) * shape.in_c; }
  size_t out_row() const { return static_cast<size_t>(shape.out_w) * shape.out_c; }
  size_t k() const {
    return static_cast<size_t>(shape.kernel_h) * shape.kernel_w * shape.group_in_c();
  }
  QS8ConvConstants constants() {
    QS8ConvConstants c;
    c.weights = weights.data();
    c.bias = has_bias ? bias.data() : nullptr;
    c.scales.weights = {scales.data(), scales.size()};
    return c;
  }
};

std::string Describe(const QS8ConvShape& s) {
  char text[400];
  std::snprintf(text, sizeof text,
                "batch %d, in %dx%dx%d, out %dx%dx%d, kernel %dx%d, stride %dx%d, dilation %dx%d, "
                "pad %d,%d, groups %d, zero points %d %d %d, clamp %d..%d",
                s.batch, s.in_h, s.in_w, s.in_c, s.out_h, s.out_w, s.out_c, s.kernel_h, s.kernel_w,
                s.stride_h, s.stride_w, s.dilation_h, s.dilation_w, s.pad_top, s.pad_left, s.groups,
                s.input_zero_point, s.weight_zero_point, s.output_zero_point, s.act_min, s.act_max);
  return text;
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int32_t Int(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(engine_);
  }
  bool Chance(int32_t one_in) { return Int(1, one_in) == 1; }
  double Real(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  template <class T>
  T Pick(std::initializer_list<T> values) {
    return values.begin()[Int(0, static_cast<int32_t>(values.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

// Output sizes of a shape whose other members are set; false if there is no output.
bool SetOutput(QS8ConvShape* s, bool same) {
  const int32_t span_h = (s->kernel_h - 1) * s->dilation_h + 1;
  const int32_t span_w = (s->kernel_w - 1) * s->dilation_w + 1;
  if (same) {
    s->out_h = (s->in_h + s->stride_h - 1) / s->stride_h;
    s->out_w = (s->in_w + s->stride_w - 1) / s->stride_w;
    const int32_t pad_h = (s->out_h - 1) * s->stride_h + span_h - s->in_h;
    const int32_t pad_w = (s->out_w - 1) * s->stride_w + span_w - s->in_w;
    s->pad_top = pad_h > 0 ? pad_h / 2 : 0;
    s->pad_left = pad_w > 0 ? pad_w / 2 : 0;
  } else {
    if (span_h > s->in_h || span_w > s->in_w) return false;
    s->out_h = (s->in_h - span_h) / s->stride_h + 1;
    s->out_w = (s->in_w - span_w) / s->stride_w + 1;
  }
  return true;
}

// Random constants, with scales that spread the results over and beyond the output's range.
void Fill(Random* r, Case* c) {
  const QS8ConvShape& s = c->shape;
  c->input.resize(static_cast<size_t>(s.batch) * s.in_h * c->in_row());
  c->weights.resize(static_cast<size_t>(s.out_c) * c->k());
  const int kind = r->Int(0, 9);  // mostly any value; sometimes the ends alone, or small weights
  for (int8_t& v : c->input)
    v = static_cast<int8_t>(kind == 0 ? r->Pick({-128, 127}) : r->Int(-128, 127));
  for (int8_t& v : c->weights) {
    v = static_cast<int8_t>(kind == 0   ? r->Pick({-128, 127})
                            : kind == 1 ? r->Int(-2, 2)
                                        : r->Int(-127, 127));
  }
  c->bias.resize(static_cast<size_t>(s.out_c));
  const int32_t reach = 1 << r->Int(4, 16);
  for (int32_t& v : c->bias) v = r->Int(-reach, reach);
  if (r->Chance(20)) {
    for (int32_t& v : c->bias) v = r->Pick({INT32_MIN, INT32_MAX, 0, 1 << 30});
  }
  if (r->Chance(4)) {  // channels without weights, whose bias may be anything
    for (int32_t n = 0; n < s.out_c; ++n) {
      if (!r->Chance(3)) continue;
      const auto w =
          c->weights.begin() + static_cast<std::ptrdiff_t>(n) * static_cast<std::ptrdiff_t>(c->k());
      std::fill_n(w, c->k(), static_cast<int8_t>(s.weight_zero_point));
      c->bias[static_cast<size_t>(n)] = r->Pick({-1, 1}) * (1 << r->Int(0, 30)) + r->Int(-9, 9);
    }
  }
  c->has_bias = !r->Chance(8);
  c->scales.resize(r->Chance(4) ? 1 : static_cast<size_t>(s.out_c));
  const double typical = 1.0 / (60.0 * std::sqrt(static_cast<double>(c->k())));
  const int scale_kind = r->Int(0, 9);
  for (float& v : c->scales) {
    double scale = typical * r->Real(0.1, 2.0);
    if (scale_kind == 0) scale = std::ldexp(1.0, -r->Int(0, 12));  // exact ties abound
    if (scale_kind == 1) scale = r->Real(0.3, 8.0);                // left shifts among them
    if (scale_kind == 2) scale = std::ldexp(r->Real(0.5, 1.0), -r->Int(0, 31));
    if (scale_kind == 3) scale = std::ldexp(r->Real(0.5, 1.0), r->Int(-3, 30));
    v = static_cast<float>(scale);
  }
}

void Quantisation(Random* r, QS8ConvShape* s, bool legacy) {
  s->input_zero_point = r->Pick({-128, 127, 0, -1, r->Int(-128, 127)});
  s->output_zero_point = r->Pick({-128, 127, 0, 3, r->Int(-128, 127)});
  s->weight_zero_point = legacy ? r->Pick({-128, 127, 5, r->Int(-128, 127)}) : 0;
  s->act_min = -128;
  s->act_max = 127;
  if (r->Chance(2)) s->act_min = s->output_zero_point;
  if (r->Chance(3)) s->act_max = r->Int(s->act_min, 127);
  if (r->Chance(8)) s->act_min = r->Int(-128, s->act_max);
}

// Runs a kernel in one piece, or in pieces of rows and channels, on tensors that may be rings.
class KernelRun {
 public:
  KernelRun(const QS8ConvKernel& kernel, Case* c) : kernel_(kernel), c_(*c) {
    const QS8ConvShape& s = c_.shape;
    const size_t pack_bytes = kernel.pack_bytes(s);
    pack_ = Block<uint8_t>(pack_bytes, 64);
    std::memset(pack_.get(), 0, pack_bytes);
    kernel.pack(s, c_.constants(), pack_.get());
    const size_t scratch_bytes = kernel.scratch_bytes(s);
    scratch_ = Block<uint8_t>(scratch_bytes, 64);
    std::memset(scratch_.get(), 0xAA, scratch_bytes);
    input_ = Block<int8_t>(c_.input.size());
    std::memcpy(input_.get(), c_.input.data(), c_.input.size());
    weights_ = Block<int8_t>(c_.weights.size());
    std::memcpy(weights_.get(), c_.weights.data(), c_.weights.size());
  }

  void Piece(Rows<const int8_t> in, Rows<int8_t> out, int32_t row_begin, int32_t row_end,
             int32_t channel_begin, int32_t channel_end) {
    QS8ConvRun run;
    run.shape = shape_;
    run.pack = pack_.get();
    run.weights = weights_.get();
    run.input = in;
    run.output = out;
    run.row_begin = row_begin;
    run.row_end = row_end;
    run.channel_begin = channel_begin;
    run.channel_end = channel_end;
    run.scratch = scratch_.get();
    kernel_.run(run);
  }

  int32_t rows() const { return c_.shape.batch * c_.shape.out_h; }
  size_t bytes() const { return static_cast<size_t>(rows()) * c_.out_row(); }
  Rows<const int8_t> input() const { return {input_.get(), c_.in_row(), 0}; }

  std::vector<int8_t> Whole() {
    auto out = Block<int8_t>(bytes());
    std::memset(out.get(), 0x55, bytes());
    Piece(input(), {out.get(), c_.out_row(), 0}, 0, rows(), 0, c_.shape.out_c);
    return std::vector<int8_t>(out.get(), out.get() + bytes());
  }

  // Pieces in random order, each checked to write nothing but its own bytes.
  std::vector<int8_t> Pieces(Random* r) {
    std::vector<int8_t> all(bytes(), 0x55);
    const int32_t block = kernel_.channel_block;
    const int32_t channels = c_.shape.out_c;
    for (int32_t y = 0; y < rows();) {
      const int32_t y_end = y + r->Int(1, r->Chance(2) ? 2 : rows() - y);
      const int32_t stop = y_end < rows() ? y_end : rows();
      for (int32_t n = 0; n < channels;) {
        int32_t n_end = n + block * r->Int(1, 3);
        if (n_end > channels) n_end = channels;
        auto out = Block<int8_t>(bytes());
        const int8_t guard = static_cast<int8_t>(r->Int(-128, 127));
        std::memset(out.get(), guard, bytes());
        Piece(input(), {out.get(), c_.out_row(), 0}, y, stop, n, n_end);
        for (size_t i = 0; i < bytes(); ++i) {
          const int32_t row = static_cast<int32_t>(i / c_.out_row());
          const int32_t channel = static_cast<int32_t>(i % static_cast<size_t>(channels));
          if (row >= y && row < stop && channel >= n && channel < n_end) {
            all[i] = out[i];
          } else if (out[i] != guard) {
            ADD_FAILURE() << kernel_.name << " wrote row " << row << ", channel " << channel
                          << " outside of rows " << y << ".." << stop << ", channels " << n << ".."
                          << n_end << ": " << Describe(c_.shape);
            return all;
          }
        }
        n = n_end;
      }
      y = stop;
    }
    return all;
  }

  // Row by row with the input and the output in rings that hold no more than they must.
  std::vector<int8_t> Streamed() {
    const QS8ConvShape& s = c_.shape;
    const int32_t in_ring = (s.kernel_h - 1) * s.dilation_h + 1;
    const int32_t out_ring = 2;
    auto in = Block<int8_t>(static_cast<size_t>(in_ring) * c_.in_row());
    auto out = Block<int8_t>(static_cast<size_t>(out_ring) * c_.out_row());
    std::vector<int8_t> all(bytes());
    const Rows<const int8_t> in_rows{in.get(), c_.in_row(), in_ring};
    const Rows<int8_t> out_rows{out.get(), c_.out_row(), out_ring};
    // Runs of one row, with the scratch that is enough for those.
    QS8ConvShape row_shape = s;
    row_shape.run_rows = 1;
    shape_ = &row_shape;
    const size_t scratch_bytes = kernel_.scratch_bytes(row_shape);
    EXPECT_LE(scratch_bytes, kernel_.scratch_bytes(s));
    constexpr size_t kGuard = 64;
    scratch_ = Block<uint8_t>(scratch_bytes + kGuard, 64);
    std::memset(scratch_.get(), 0xAA, scratch_bytes + kGuard);
    for (int32_t y = 0; y < s.out_h; ++y) {
      for (int32_t k = 0; k < in_ring; ++k) {
        const int32_t iy = y * s.stride_h - s.pad_top + k;
        if (iy < 0 || iy >= s.in_h) continue;
        std::memcpy(in.get() + static_cast<size_t>(iy % in_ring) * c_.in_row(),
                    input_.get() + static_cast<size_t>(iy) * c_.in_row(), c_.in_row());
      }
      Piece(in_rows, out_rows, y, y + 1, 0, s.out_c);
      std::memcpy(&all[static_cast<size_t>(y) * c_.out_row()], out_rows.row(y), c_.out_row());
    }
    for (size_t i = 0; i < kGuard; ++i) {
      EXPECT_EQ(scratch_[scratch_bytes + i], 0xAA)
          << kernel_.name << " wrote past its scratch: " << Describe(s);
    }
    shape_ = &c_.shape;
    return all;
  }

 private:
  const QS8ConvKernel& kernel_;
  Case& c_;
  const QS8ConvShape* shape_ = &c_.shape;  // of the runs
  std::unique_ptr<uint8_t[], Free> pack_, scratch_;
  std::unique_ptr<int8_t[], Free> input_, weights_;
};

void ExpectSame(const std::vector<int8_t>& got, const std::vector<int8_t>& want,
                const QS8ConvKernel& kernel, const QS8ConvShape& s, const char* how) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(static_cast<int>(got[i]), static_cast<int>(want[i]))
        << kernel.name << ", " << how << ", at " << i << " (row "
        << i / (static_cast<size_t>(s.out_w) * s.out_c) << ", x "
        << i / s.out_c % static_cast<size_t>(s.out_w) << ", channel " << i % s.out_c
        << "): " << Describe(s);
  }
}

class QS8Conv : public testing::TestWithParam<QS8ConvKernel> {
 protected:
  void SetUp() override {
    if (!test::TestIsa().has(GetParam().isa)) GTEST_SKIP() << "not on this CPU";
  }

  // Everything about one case.
  void Check(Random* r, Case* c) {
    const QS8ConvKernel& kernel = GetParam();
    if (!kernel.supports(c->shape)) return;
    const Span<const QS8ConvKernel> table = QS8ConvTable();
    KernelRun reference(table[table.size - 1], c);
    const std::vector<int8_t> want = reference.Whole();
    KernelRun run(kernel, c);
    ASSERT_NO_FATAL_FAILURE(ExpectSame(run.Whole(), want, kernel, c->shape, "whole"));
    if (want.size() < 1000u * static_cast<unsigned>(kernel.channel_block)) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(run.Pieces(r), want, kernel, c->shape, "in pieces"));
    }
    if (c->shape.batch == 1) {
      ASSERT_NO_FATAL_FAILURE(ExpectSame(run.Streamed(), want, kernel, c->shape, "streamed"));
    }
    ++checked_;
  }

  int checked_ = 0;
};

TEST_P(QS8Conv, Pointwise) {
  Random r(1);
  for (int i = 0; i < 400; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    s.in_h = r.Int(1, 9);
    s.in_w = r.Chance(3) ? r.Int(1, 60) : r.Int(1, 9);
    s.in_c = r.Pick({1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 32, 33, 63, 64, 65, r.Int(1, 200)});
    s.out_c = r.Pick(
        {1, 2, 3, 8, 10, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 144, r.Int(1, 200)});
    if (r.Chance(5)) s.batch = r.Int(2, 3);
    SetOutput(&s, false);
    Quantisation(&r, &s, r.Chance(6));
    Fill(&r, &c);
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
  EXPECT_GT(checked_, 0);
}

TEST_P(QS8Conv, FullyConnected) {
  Random r(2);
  for (int i = 0; i < 200; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    s.batch = r.Chance(2) ? 1 : r.Int(2, 30);
    s.in_c = r.Chance(5) ? r.Int(500, 4000) : r.Int(1, 300);
    s.out_c = r.Pick({1, 3, 10, 12, 64, 100, r.Int(1, 300)});
    Quantisation(&r, &s, r.Chance(6));
    Fill(&r, &c);
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
}

TEST_P(QS8Conv, Windows) {
  Random r(3);
  for (int i = 0; i < 600; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    s.kernel_h = r.Int(1, 5);
    s.kernel_w = r.Chance(3) ? r.Int(1, 7) : s.kernel_h;
    s.stride_h = r.Int(1, 3);
    s.stride_w = r.Chance(3) ? r.Int(1, 3) : s.stride_h;
    if (r.Chance(4)) s.dilation_h = r.Int(1, 3);
    if (r.Chance(4)) s.dilation_w = r.Int(1, 3);
    s.in_h = r.Int(1, 12);
    s.in_w = r.Chance(5) ? r.Int(1, 130) : r.Int(1, 14);
    s.in_c = r.Pick({1, 2, 3, 3, 4, 8, 13, 16, 20, r.Int(1, 40)});
    s.out_c = r.Pick({1, 3, 8, 16, 20, 32, 48, 70, r.Int(1, 80)});
    if (r.Chance(6)) s.batch = r.Int(2, 3);
    if (!SetOutput(&s, r.Chance(2))) continue;
    Quantisation(&r, &s, r.Chance(6));
    Fill(&r, &c);
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
}

// Few output channels and long rows: kernels may take neighbours together, and what their windows
// share.
TEST_P(QS8Conv, NarrowRows) {
  Random r(6);
  for (int i = 0; i < 300; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    s.kernel_h = r.Int(1, 3);
    s.kernel_w = r.Chance(4) ? r.Int(1, 5) : 3;
    s.stride_h = r.Int(1, 2);
    s.stride_w = r.Chance(4) ? 2 : 1;
    if (r.Chance(8)) s.dilation_w = 2;
    s.in_h = r.Int(1, 8);
    s.in_w = r.Chance(6) ? r.Int(120, 300) : r.Int(1, 64);
    s.in_c = r.Pick({4, 8, 12, 16, 16, 20, r.Int(1, 20)});
    s.out_c = r.Pick({1, 4, 9, 16, 16, 16, 32, 40});
    if (r.Chance(6)) s.batch = 2;
    if (!SetOutput(&s, r.Chance(2))) continue;
    Quantisation(&r, &s, r.Chance(6));
    Fill(&r, &c);
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
}

TEST_P(QS8Conv, Groups) {
  Random r(4);
  for (int i = 0; i < 200; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    s.groups = r.Int(2, 6);
    s.kernel_h = s.kernel_w = r.Int(1, 3);
    s.stride_h = s.stride_w = r.Int(1, 2);
    s.dilation_h = s.dilation_w = r.Chance(4) ? 2 : 1;
    s.in_h = r.Int(1, 9);
    s.in_w = r.Int(1, 9);
    s.in_c = s.groups * r.Pick({1, 2, 4, 8, r.Int(1, 30)});
    s.out_c = s.groups * r.Pick({1, 4, 8, 16, 24, r.Int(1, 40)});
    if (!SetOutput(&s, r.Chance(2))) continue;
    Quantisation(&r, &s, r.Chance(6));
    Fill(&r, &c);
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
}

// With inputs at the zero point the accumulators are the biases: every threshold between two
// outputs, from either side, with any multiplier and clamp; and the ends of the range.
TEST_P(QS8Conv, Thresholds) {
  Random r(5);
  for (int i = 0; i < 150; ++i) {
    Case c;
    QS8ConvShape& s = c.shape;
    Quantisation(&r, &s, false);
    s.in_c = r.Int(1, 9);
    const double scale = std::ldexp(r.Chance(4) ? 0.5 : r.Real(0.5, 1.0), 1 - (i % 22));
    for (int32_t k = -260; k <= 260; ++k) {
      const double threshold = (k - 0.5) / static_cast<double>(static_cast<float>(scale));
      for (int32_t d = -2; d <= 2; ++d) c.bias.push_back(static_cast<int32_t>(threshold) + d);
    }
    // Few of these: they take their block to the integer formula.
    for (int32_t v : {INT32_MIN, INT32_MAX, INT32_MIN + 1, 1 << 30, -(1 << 30), 1 << 24}) {
      c.bias.push_back(v);
    }
    while (c.bias.size() % 16 != 0) c.bias.push_back(r.Int(-2000000000, 2000000000));
    for (int j = 0; j < 64; ++j) c.bias.push_back(r.Int(-1, 1) * (1 << r.Int(0, 30)));
    s.out_c = static_cast<int32_t>(c.bias.size());
    c.scales = {static_cast<float>(scale)};
    c.input.assign(static_cast<size_t>(s.in_c), static_cast<int8_t>(s.input_zero_point));
    c.weights.resize(static_cast<size_t>(s.out_c) * c.k());
    for (int8_t& v : c.weights) v = static_cast<int8_t>(r.Int(-127, 127));
    ASSERT_NO_FATAL_FAILURE(Check(&r, &c));
  }
}

std::string Name(const testing::TestParamInfo<QS8ConvKernel>& info) { return info.param.name; }

std::vector<QS8ConvKernel> Kernels() {
  std::vector<QS8ConvKernel> kernels;
  for (QS8ConvKernel row : QS8ConvTable()) {
    if (row.run == nullptr) continue;  // packs for other machines
    // What AMX supports is a question of speed: it must be able to do all.
    if (row.isa == Isa::kAmx) row.supports = [](const QS8ConvShape&) { return true; };
    kernels.push_back(row);
  }
  return kernels;
}

INSTANTIATE_TEST_SUITE_P(Kernels, QS8Conv, testing::ValuesIn(Kernels()), Name);

}  // namespace
}  // namespace octet
