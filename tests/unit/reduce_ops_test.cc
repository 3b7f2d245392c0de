// Pooling, reductions, normalisations, matrix products and recurrent operators, one at a time:
// against loops over elements or real arithmetic, by rows through rings, run after run where they
// have a state, and everything that check refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "kernels/common/requant.h"
#include "src/ops/op.h"

namespace octet {
namespace {

using Dims = std::vector<int32_t>;

std::mt19937& Random() {
  static std::mt19937 random(20260101);
  return random;
}

int32_t Draw(int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(Random());
}

template <class T>
constexpr DType TypeOf() {
  return std::is_same<T, int8_t>::value    ? DType::INT8
         : std::is_same<T, int16_t>::value ? DType::INT16
         : std::is_same<T, int32_t>::value ? DType::INT32
         : std::is_same<T, int64_t>::value ? DType::INT64
                                           : DType::FLOAT32;
}

struct Tensor {
  TensorView view;
  std::vector<uint8_t> data;
  float scale = 0;

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data.data());
  }
};

// One operator with its tensors, run straight through its OpDef.
class OneOp {
 public:
  explicit OneOp(OpKind kind) { op_.kind = kind; }

  template <class T>
  Tensor& In(const Dims& dims, float scale = 1, int32_t zero_point = 0) {
    Tensor& t = Add<T>(dims, scale, zero_point, &inputs_);
    for (uint8_t& byte : t.data) byte = static_cast<uint8_t>(Draw(0, 255));
    return t;
  }
  void Absent() { inputs_.push_back(nullptr); }
  template <class T>
  Tensor& Out(const Dims& dims, float scale = 1, int32_t zero_point = 0) {
    return Add<T>(dims, scale, zero_point, &outputs_);
  }
  template <class T>
  OneOp& Options(const T& options) {
    builder_.Clear();
    builder_.Finish(T::TableType::Pack(builder_, &options));
    op_.options_table = flatbuffers::GetRoot<typename T::TableType>(builder_.GetBufferPointer());
    return *this;
  }

  const OpView& view() {
    ins_.clear();
    outs_.clear();
    for (const auto& t : inputs_) ins_.push_back(t ? &t->view : nullptr);
    for (const auto& t : outputs_) outs_.push_back(&t->view);
    op_.inputs = {ins_.data(), ins_.size()};
    op_.outputs = {outs_.data(), outs_.size()};
    return op_;
  }
  const OpDef& def() { return *FindOp(op_.kind); }
  Status Check() { return def().check(view()); }

  void Run(size_t threads = 1) {
    ASSERT_EQ(Check(), OCTET_OK) << octet_last_error();
    RunContext c = Prepare();
    c.rows = {0, RowCount(op_.out())};
    c.threads.count = threads;
    ASSERT_EQ(binding_.run(c), OCTET_OK);
  }

  // In bands of `band` output rows, input and output being rings.
  void RunByRows(int32_t band) {
    ASSERT_EQ(Check(), OCTET_OK) << octet_last_error();
    RunContext c = Prepare();
    const int32_t rows = RowCount(op_.out());
    Tensor& in = *inputs_[0];
    Tensor& out = *outputs_[0];
    const size_t in_row = RowElements(in.view) * TypeBytes(in.view.type);
    const size_t out_row = RowElements(out.view) * TypeBytes(out.view.type);
    int32_t ring = 1;
    for (int32_t y = 0; y < rows; y += band) {
      RowRange need;
      ASSERT_TRUE(def().input_rows(op_, 0, {y, std::min(rows, y + band)}, &need));
      ring = std::max(ring, need.end - need.begin);
    }
    std::vector<uint8_t> in_ring(in_row * static_cast<size_t>(ring));
    std::vector<uint8_t> out_ring(out_row * static_cast<size_t>(band));
    buffers_[0] = {in_ring.data(), ring};
    out_buffers_[0] = {out_ring.data(), band};
    for (int32_t y = 0; y < rows; y += band) {
      c.rows = {y, std::min(rows, y + band)};
      RowRange need;
      def().input_rows(op_, 0, c.rows, &need);
      std::fill(in_ring.begin(), in_ring.end(), uint8_t{0x5A});
      for (int32_t r = need.begin; r < need.end; ++r) {
        std::memcpy(&in_ring[static_cast<size_t>(r % ring) * in_row],
                    &in.data[static_cast<size_t>(r) * in_row], in_row);
      }
      ASSERT_EQ(binding_.run(c), OCTET_OK);
      for (int32_t r = c.rows.begin; r < c.rows.end; ++r) {
        std::memcpy(&out.data[static_cast<size_t>(r) * out_row],
                    &out_ring[static_cast<size_t>(r % band) * out_row], out_row);
      }
    }
  }

 private:
  template <class T>
  Tensor& Add(const Dims& dims, float scale, int32_t zero_point,
              std::vector<std::unique_ptr<Tensor>>* tensors) {
    auto t = std::make_unique<Tensor>();
    t->view.type = TypeOf<T>();
    t->view.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t->view.dims);
    t->scale = scale;
    t->view.scales = {&t->scale, 1};
    t->view.zero_point = zero_point;
    if (t->view.bytes() < (1 << 22)) t->data.resize(t->view.bytes());
    tensors->push_back(std::move(t));
    return *tensors->back();
  }

  RunContext Prepare() {
    binding_ = Binding();
    def().bind(op_, IsaSet{}, &binding_);
    params_.assign(binding_.params_bytes / 8 + 1, 0);
    scratch_.assign(binding_.scratch_bytes / 8 + 1, 0);
    def().init(op_, binding_, params_.data());
    pack_.assign(binding_.pack_bytes / 8 + 1, 0);
    if (binding_.pack_bytes > 0) def().pack(op_, binding_, params_.data(), pack_.data());
    buffers_.clear();
    out_buffers_.clear();
    for (const auto& t : inputs_) buffers_.push_back({t ? t->data.data() : nullptr, 0});
    for (const auto& t : outputs_) {
      std::fill(t->data.begin(), t->data.end(), uint8_t{0xA5});
      out_buffers_.push_back({t->data.data(), 0});
    }
    RunContext c;
    c.params = params_.data();
    c.pack = pack_.data();
    c.inputs = buffers_.data();
    c.outputs = out_buffers_.data();
    c.scratch = reinterpret_cast<uint8_t*>(scratch_.data());
    return c;
  }

  OpView op_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<std::unique_ptr<Tensor>> inputs_, outputs_;
  std::vector<const TensorView*> ins_, outs_;
  Binding binding_;
  std::vector<uint64_t> params_, pack_, scratch_;
  std::vector<Buffer> buffers_, out_buffers_;
};

// ---- Pooling -----------------------------------------------------------------------------------

template <class T>
void PoolCase(OpKind kind) {
  fb::PoolOptionsT o;
  o.filter_h = Draw(1, 4);
  o.filter_w = Draw(1, 4);
  o.stride_h = Draw(1, 3);
  o.stride_w = Draw(1, 3);
  o.pad_top = Draw(0, o.filter_h - 1);
  o.pad_left = Draw(0, o.filter_w - 1);
  o.legacy_u8 = Draw(0, 1) == 1;
  if (Draw(0, 1) == 1) o.act_min = -20, o.act_max = 90;
  const int32_t h = Draw(1, 9), w = Draw(1, 9), ch = Draw(1, 70);
  const int32_t oh = (h - 1 + o.pad_top) / o.stride_h + 1;
  const int32_t ow = (w - 1 + o.pad_left) / o.stride_w + 1;
  OneOp op(kind);
  T* in = op.In<T>({1, h, w, ch}).template as<T>();
  Tensor& out = op.Out<T>({1, oh, ow, ch});
  op.Options(o).Run(3);
  const T* got = out.as<T>();
  for (int32_t y = 0; y < oh; ++y) {
    for (int32_t x = 0; x < ow; ++x) {
      for (int32_t c = 0; c < ch; ++c) {
        int64_t sum = 0, count = 0, best = std::numeric_limits<T>::min();
        for (int32_t i = 0; i < o.filter_h * o.filter_w; ++i) {
          const int32_t iy = y * o.stride_h - o.pad_top + i / o.filter_w;
          const int32_t ix = x * o.stride_w - o.pad_left + i % o.filter_w;
          if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
          const int64_t v = in[(iy * w + ix) * ch + c];
          sum += v;
          best = std::max(best, v);
          ++count;
        }
        const double mean = static_cast<double>(sum) / static_cast<double>(count);
        int64_t want =
            static_cast<int64_t>(o.legacy_u8 ? std::floor(mean + 0.5) : std::round(mean));
        if (kind == OpKind::MAX_POOL_2D) want = best;
        want = std::max<int64_t>(std::min<int64_t>(want, o.act_max), o.act_min);
        ASSERT_EQ(got[(y * ow + x) * ch + c], want) << y << ' ' << x << ' ' << c;
      }
    }
  }
  const std::vector<uint8_t> whole = out.data;
  op.RunByRows(Draw(1, 3));
  EXPECT_EQ(out.data, whole);
}

TEST(PoolOps, MatchLoopsWholeAndByRows) {
  for (int i = 0; i < 150; ++i) {
    PoolCase<int8_t>(OpKind::AVERAGE_POOL_2D);
    PoolCase<int16_t>(OpKind::AVERAGE_POOL_2D);
    PoolCase<int8_t>(OpKind::MAX_POOL_2D);
    PoolCase<int16_t>(OpKind::MAX_POOL_2D);
  }
}

TEST(PoolOps, CheckRefuses) {
  const auto check = [](int32_t in, int32_t out, int32_t filter, int32_t stride, int32_t pad) {
    OneOp op(OpKind::AVERAGE_POOL_2D);
    op.In<int8_t>({1, in, 4, 1});
    op.Out<int8_t>({1, out, 4, 1});
    fb::PoolOptionsT o;
    o.filter_h = filter;
    o.stride_h = stride;
    o.pad_top = pad;
    return op.Options(o).Check();
  };
  EXPECT_EQ(check(8, 7, 2, 1, 0), OCTET_OK);
  EXPECT_EQ(check(8, 9, 2, 1, 0), OCTET_INVALID_MODEL);  // the last window is outside
  EXPECT_EQ(check(8, 7, 0, 1, 0), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(8, 7, 2, 0, 0), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(8, 7, 2, 1, 2), OCTET_INVALID_MODEL);  // the first window is outside
  EXPECT_EQ(check(8, 7, 2, 1, -1), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(8, 1, INT32_MAX, 1, 0), OCTET_UNSUPPORTED);
  EXPECT_EQ(check(8, INT32_MAX, 2, INT32_MAX, 0), OCTET_UNSUPPORTED);
}

// ---- Reductions --------------------------------------------------------------------------------

template <class T>
void ReduceCase(OpKind kind) {
  const int32_t rank = Draw(1, 5);
  Dims dims, kept;
  std::vector<bool> reduced;
  fb::ReduceOptionsT o;
  int64_t count = 1;
  const bool keep_dims = Draw(0, 1) == 1;
  for (int32_t i = 0; i < rank; ++i) {
    dims.push_back(Draw(1, rank < 3 ? 80 : 6));
    reduced.push_back(Draw(0, 1) == 1);
    if (reduced[i]) {
      o.axes.push_back(Draw(0, 1) == 1 ? i : i - rank);
      count *= dims[i];
    }
    if (!reduced[i] || keep_dims) kept.push_back(reduced[i] ? 1 : dims[i]);
  }
  const bool extremum = kind == OpKind::REDUCE_MAX || kind == OpKind::REDUCE_MIN;
  const bool narrow = sizeof(T) == 1;
  const int32_t zp = narrow ? Draw(-128, 127) : 0;
  const int32_t out_zp = extremum ? zp : narrow ? Draw(-128, 127) : 0;
  const float out_scale = extremum ? 0.5f : static_cast<float>(Draw(1, 100)) / 50;
  OneOp op(kind);
  const T* in = op.In<T>(dims, 0.5f, zp).template as<T>();
  Tensor& out = op.Out<T>(kept, out_scale, out_zp);
  op.Options(o).Run(3);
  std::vector<int64_t> sums(static_cast<size_t>(out.view.elements())), high(sums), low(sums);
  std::fill(high.begin(), high.end(), -40000);
  std::fill(low.begin(), low.end(), 40000);
  std::vector<int32_t> index(dims.size(), 0);
  for (int64_t i = 0;; ++i) {
    size_t at = 0;
    for (int32_t d = 0; d < rank; ++d) {
      if (!reduced[d]) at = at * static_cast<size_t>(dims[d]) + static_cast<size_t>(index[d]);
    }
    sums[at] += in[i];
    high[at] = std::max<int64_t>(high[at], in[i]);
    low[at] = std::min<int64_t>(low[at], in[i]);
    int32_t d = rank - 1;
    while (d >= 0 && ++index[d] == dims[d]) index[d--] = 0;
    if (d < 0) break;
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    const int32_t got = out.as<T>()[i];
    if (extremum) {
      ASSERT_EQ(got, kind == OpKind::REDUCE_MAX ? high[i] : low[i]);
      continue;
    }
    const double divisor = kind == OpKind::MEAN ? static_cast<double>(count) : 1.0;
    const double real = static_cast<double>(sums[i] - zp * count) / divisor * 0.5 / out_scale;
    const double limited =
        std::min<double>(std::max<double>(std::round(real) + out_zp, std::numeric_limits<T>::min()),
                         std::numeric_limits<T>::max());
    ASSERT_NEAR(got, limited, 1) << "of " << count;  // the multiplier has 31 bits
  }
}

TEST(ReduceOps, MatchLoops) {
  for (int i = 0; i < 200; ++i) {
    for (OpKind kind : {OpKind::MEAN, OpKind::SUM, OpKind::REDUCE_MAX, OpKind::REDUCE_MIN}) {
      ReduceCase<int8_t>(kind);
      ReduceCase<int16_t>(kind);
    }
  }
}

TEST(ReduceOps, CheckRefuses) {
  const auto check = [](std::vector<int32_t> axes, Dims in, Dims out) {
    OneOp op(OpKind::MEAN);
    op.In<int8_t>(in);
    op.Out<int8_t>(out);
    fb::ReduceOptionsT o;
    o.axes = axes;
    return op.Options(o).Check();
  };
  EXPECT_EQ(check({1}, {2, 3, 4}, {2, 4}), OCTET_OK);
  EXPECT_EQ(check({1, -2, 1}, {2, 3, 4}, {2, 1, 4}), OCTET_OK);
  EXPECT_EQ(check({3}, {2, 3, 4}, {2, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({-4}, {2, 3, 4}, {2, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({1}, {2, 3, 4}, {4, 2}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({1}, {2, 3, 4}, {2, 4, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({0}, {1 << 24}, {}), OCTET_UNSUPPORTED);  // 2^24 * 255 overflows
}

template <class T, class Out>
void ArgCase() {
  const int32_t rank = Draw(1, 4), axis = Draw(0, rank - 1);
  Dims dims, kept;
  size_t outer = 1, inner = 1;
  for (int32_t i = 0; i < rank; ++i) {
    dims.push_back(Draw(1, 7));
    if (i != axis) kept.push_back(dims[i]);
    if (i < axis) outer *= static_cast<size_t>(dims[i]);
    if (i > axis) inner *= static_cast<size_t>(dims[i]);
  }
  const bool max = Draw(0, 1) == 1;
  OneOp op(max ? OpKind::ARG_MAX : OpKind::ARG_MIN);
  Tensor& tensor = op.In<T>(dims);
  T* in = tensor.as<T>();
  for (int64_t i = 0; i < tensor.view.elements(); ++i) in[i] = static_cast<T>(Draw(-3, 3));
  Tensor& out = op.Out<Out>(kept);
  fb::ArgOptionsT o;
  o.axis = Draw(0, 1) == 1 ? axis : axis - rank;
  op.Options(o).Run(2);
  const size_t depth = static_cast<size_t>(dims[axis]);
  for (size_t i = 0; i < outer * inner; ++i) {
    const T* v = in + i / inner * depth * inner + i % inner;
    size_t best = 0;
    for (size_t k = 1; k < depth; ++k) {
      if (max ? v[k * inner] > v[best * inner] : v[k * inner] < v[best * inner]) best = k;
    }
    ASSERT_EQ(out.as<Out>()[i], static_cast<Out>(best));
  }
}

TEST(ArgOps, FindTheFirstExtremum) {
  for (int i = 0; i < 200; ++i) {
    ArgCase<int8_t, int32_t>();
    ArgCase<int8_t, int64_t>();
    ArgCase<int32_t, int64_t>();
    ArgCase<float, int32_t>();
  }
}

TEST(ArgOps, RunByRowsWhereTheAxisIsKept) {
  OneOp op(OpKind::ARG_MAX);
  op.In<int8_t>({1, 9, 5, 21});
  Tensor& out = op.Out<int64_t>({1, 9, 5, 1});
  fb::ArgOptionsT o;
  o.axis = 3;
  op.Options(o).Run();
  const std::vector<uint8_t> whole = out.data;
  op.RunByRows(2);
  EXPECT_EQ(out.data, whole);
}

TEST(ArgOps, NumbersBeatNan) {
  OneOp op(OpKind::ARG_MIN);
  float* in = op.In<float>({4}).as<float>();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  in[0] = in[2] = nan;
  in[1] = 5;
  in[3] = 4;
  Tensor& out = op.Out<int32_t>({});
  op.Options(fb::ArgOptionsT()).Run();
  EXPECT_EQ(out.as<int32_t>()[0], 3);
}

// ---- Global averages in two operators -----------------------------------------------------------

// POOL_SUMS and AVERAGE_OF_SUMS or MEAN_OF_SUMS return what AVERAGE_POOL_2D or MEAN does.
void SplitAverageCase(OpKind kind) {
  const int32_t batch = Draw(1, 4) == 1 ? 3 : 1, w = Draw(1, 12), ch = Draw(1, 80);
  const int32_t h = Draw(1, 30), rows = std::min(Draw(1, h + 2), 255 / w);
  const float scale = static_cast<float>(Draw(1, 100)) / 50;
  const int32_t zp = Draw(-128, 127), out_zp = Draw(-128, 127);
  const int32_t windows = (h + rows - 1) / rows;

  const bool mean = kind == OpKind::MEAN;
  OneOp whole(kind);
  const Tensor& image = whole.In<int8_t>({batch, h, w, ch}, 0.5f, zp);
  Tensor& want = whole.Out<int8_t>({batch, 1, 1, ch}, scale, out_zp);
  fb::PoolOptionsT sums, average;
  average.filter_h = h;
  average.filter_w = w;
  average.legacy_u8 = Draw(0, 1) == 1;
  if (Draw(0, 1) == 1) average.act_min = -20, average.act_max = 90;
  fb::ReduceOptionsT axes;
  axes.axes = {1, -2};
  if (mean) {
    whole.Options(axes).Run();
  } else {
    whole.Options(average).Run();
  }

  OneOp first(OpKind::POOL_SUMS);
  Tensor& in = first.In<int8_t>({batch, h, w, ch});
  in.data = image.data;
  if (Draw(0, 5) == 0) {  // the largest sums there are
    std::fill(in.data.begin(), in.data.end(), uint8_t{0x80});
  }
  Tensor& out = first.Out<int16_t>({batch, windows, 1, ch});
  sums.filter_h = sums.stride_h = rows;
  sums.filter_w = w;
  first.Options(sums).Run(3);
  for (int32_t i = 0; i < batch * windows * ch; ++i) {
    const int32_t c = i % ch, y = i / ch % windows, b = i / ch / windows;
    int32_t sum = 0;
    for (int32_t r = y * rows; r < std::min(h, (y + 1) * rows); ++r) {
      for (int32_t x = 0; x < w; ++x) {
        sum += in.as<int8_t>()[((b * h + r) * w + x) * ch + c];
      }
    }
    ASSERT_EQ(out.as<int16_t>()[i], sum) << rows << " rows of " << w << ", sum " << i;
  }
  if (batch == 1) {
    const std::vector<uint8_t> at_once = out.data;
    first.RunByRows(Draw(1, 3));
    EXPECT_EQ(out.data, at_once);
  }
  if (in.data != image.data) return;

  OneOp second(mean ? OpKind::MEAN_OF_SUMS : OpKind::AVERAGE_OF_SUMS);
  second.In<int16_t>({batch, windows, 1, ch}, 0.5f, zp).data = out.data;
  Tensor& got = second.Out<int8_t>({batch, ch}, scale, out_zp);
  second.Options(average).Run();
  EXPECT_EQ(got.data, want.data) << h << "x" << w << " by " << rows << " rows";
}

TEST(PoolSumsOps, MatchTheGlobalAverage) {
  for (int i = 0; i < 300; ++i) {
    SplitAverageCase(OpKind::AVERAGE_POOL_2D);
    SplitAverageCase(OpKind::MEAN);
  }
}

TEST(PoolSumsOps, CheckRefuses) {
  struct Sums {
    Dims in = {1, 25, 5, 4}, out = {1, 9, 1, 4};
    fb::PoolOptionsT o;
  };
  const auto sums = [](const std::function<void(Sums&)>& edit) {
    Sums s;
    s.o.filter_h = s.o.stride_h = 3;
    s.o.filter_w = 5;
    edit(s);
    OneOp op(OpKind::POOL_SUMS);
    op.In<int8_t>(s.in);
    op.Out<int16_t>(s.out);
    return op.Options(s.o).Check();
  };
  EXPECT_EQ(sums([](Sums&) {}), OCTET_OK);
  for (const int32_t rows : {0, -1, INT32_MIN, INT32_MAX, 52}) {  // 52 * 5 * 128 > 32767
    EXPECT_EQ(sums([&](Sums& s) { s.o.filter_h = s.o.stride_h = rows; }), OCTET_INVALID_MODEL);
  }
  EXPECT_EQ(sums([](Sums& s) { s.o.stride_h = 2; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.o.stride_w = 2; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.o.filter_w = 4; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.o.pad_top = 1; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.o.pad_left = -1; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.out[1] = 8; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.out[1] = 10; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.out[2] = 2; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.out[3] = 5; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.out[0] = 2; }), OCTET_INVALID_MODEL);
  EXPECT_EQ(sums([](Sums& s) { s.in = {25, 5, 4}; }), OCTET_INVALID_MODEL);
  OneOp wide(OpKind::POOL_SUMS);
  wide.In<int8_t>({1, 25, 5, 4});
  wide.Out<int8_t>({1, 25, 1, 4});
  fb::PoolOptionsT one_row;
  one_row.filter_w = 5;
  EXPECT_EQ(wide.Options(one_row).Check(), OCTET_UNSUPPORTED);

  const auto average = [](OpKind kind, Dims in, Dims out, int32_t h, int32_t w, int32_t low = -128,
                          int32_t zero_point = 0) {
    OneOp op(kind);
    op.In<int16_t>(in, 1, zero_point);
    op.Out<int8_t>(out);
    fb::PoolOptionsT o;
    o.filter_h = h;
    o.filter_w = w;
    o.act_min = low;
    return op.Options(o).Check();
  };
  for (const OpKind kind : {OpKind::AVERAGE_OF_SUMS, OpKind::MEAN_OF_SUMS}) {
    const Dims in = {1, 9, 1, 4}, out = {1, 4};
    EXPECT_EQ(average(kind, in, out, 25, 5), OCTET_OK);
    EXPECT_EQ(average(kind, in, out, 0, 5), OCTET_INVALID_MODEL);
    EXPECT_EQ(average(kind, in, out, 25, -5), OCTET_INVALID_MODEL);
    EXPECT_EQ(average(kind, in, out, INT32_MAX, INT32_MAX), OCTET_UNSUPPORTED);
    EXPECT_EQ(average(kind, {1, 40000, 1, 4}, out, 25, 5), OCTET_UNSUPPORTED);
    EXPECT_EQ(average(kind, in, {1, 5}, 25, 5), OCTET_INVALID_MODEL);
    EXPECT_EQ(average(kind, {1, 9, 2, 4}, out, 25, 5), OCTET_INVALID_MODEL);
    EXPECT_EQ(average(kind, {9, 4}, out, 25, 5), OCTET_INVALID_MODEL);
  }
  EXPECT_EQ(average(OpKind::AVERAGE_OF_SUMS, {1, 9, 1, 4}, {1, 4}, 25, 5, 128),
            OCTET_INVALID_MODEL);
  EXPECT_EQ(average(OpKind::MEAN_OF_SUMS, {1, 9, 1, 4}, {1, 4}, 25, 5, -128, 300),
            OCTET_INVALID_MODEL);
}

// ---- Normalisations ----------------------------------------------------------------------------

TEST(SoftmaxOps, AreNearRealArithmetic) {
  for (int i = 0; i < 60; ++i) {
    const int32_t depth = Draw(1, 90);
    const float scale = static_cast<float>(Draw(1, 200)) / 1000;
    OneOp soft(OpKind::SOFTMAX), wide(OpKind::SOFTMAX), log(OpKind::LOG_SOFTMAX);
    const int8_t* x = soft.In<int8_t>({1, 3, 2, depth}, scale, 5).as<int8_t>();
    const int16_t* x16 = wide.In<int16_t>({4, depth}, scale / 256, 0).as<int16_t>();
    const int8_t* xl = log.In<int8_t>({1, 3, 2, depth}, scale, 5).as<int8_t>();
    Tensor& y = soft.Out<int8_t>({1, 3, 2, depth}, 1.f / 256, -128);
    Tensor& y16 = wide.Out<int16_t>({4, depth}, 1.f / 32768, 0);
    Tensor& yl = log.Out<int8_t>({1, 3, 2, depth}, 1.f / 16, 127);
    soft.Options(fb::SoftmaxOptionsT()).Run(2);
    wide.Options(fb::SoftmaxOptionsT()).Run();
    log.Options(fb::SoftmaxOptionsT()).Run();
    const auto share = [&](const auto* v, double s, int32_t k) {
      double sum = 0;
      for (int32_t j = 0; j < depth; ++j) sum += std::exp(s * (v[j] - v[k]));
      return 1 / sum;
    };
    for (int32_t v = 0; v < 6; ++v) {
      for (int32_t k = 0; k < depth; ++k) {
        const double p = share(x + v * depth, scale, k);
        ASSERT_NEAR(y.as<int8_t>()[v * depth + k], std::min(p * 256 - 128, 127.0), 1);
        const double l = std::log(share(xl + v * depth, scale, k));
        const double wanted = std::max(l * 16 + 127, -128.0);
        // Close to the smallest value the form gives that.
        ASSERT_NEAR(yl.as<int8_t>()[v * depth + k], wanted, wanted < -112 ? 16 : 1);
        if (v < 4) {
          const double q = share(x16 + v * depth, scale / 256, k);
          // exp(-10) stands for all that is smaller.
          ASSERT_NEAR(y16.as<int16_t>()[v * depth + k], q * 32768, 32 + 2 * depth);
        }
      }
    }
    const std::vector<uint8_t> whole = y.data;
    soft.RunByRows(2);
    EXPECT_EQ(y.data, whole);
  }
}

// The reference aborts from 512 equal inputs on and overflows from 4096 on.
TEST(SoftmaxOps, ManyEqualInputsGiveZero) {
  for (OpKind kind : {OpKind::SOFTMAX, OpKind::LOG_SOFTMAX}) {
    OneOp op(kind);
    Tensor& in = op.In<int8_t>({1, 20000}, 0.1f, 0);
    std::fill(in.data.begin(), in.data.end(), uint8_t{7});
    const bool log = kind == OpKind::LOG_SOFTMAX;
    Tensor& out = op.Out<int8_t>({1, 20000}, log ? 1.f / 16 : 1.f / 256, log ? 127 : -128);
    op.Options(fb::SoftmaxOptionsT()).Run();
    const int8_t want = log ? static_cast<int8_t>(127 - 133) : int8_t{-128};  // ln(4096) * 16
    for (int i = 0; i < 20000; ++i) ASSERT_EQ(out.as<int8_t>()[i], want);
  }
}

TEST(SoftmaxOps, CheckRefuses) {
  const auto check = [](float scale, float beta, float out_scale, int32_t out_zp) {
    OneOp op(OpKind::SOFTMAX);
    op.In<int8_t>({1, 4}, scale, 0);
    op.Out<int8_t>({1, 4}, out_scale, out_zp);
    fb::SoftmaxOptionsT o;
    o.beta = beta;
    return op.Options(o).Check();
  };
  EXPECT_EQ(check(0.1f, 1, 1.f / 256, -128), OCTET_OK);
  EXPECT_EQ(check(1e30f, 1e30f, 1.f / 256, -128), OCTET_OK);  // only the maximum counts
  EXPECT_EQ(check(1e-9f, 1, 1.f / 256, -128), OCTET_UNSUPPORTED);
  EXPECT_EQ(check(0.1f, 0, 1.f / 256, -128), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(0.1f, NAN, 1.f / 256, -128), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(0.1f, 1, 1.f / 128, -128), OCTET_INVALID_MODEL);
  EXPECT_EQ(check(0.1f, 1, 1.f / 256, 0), OCTET_INVALID_MODEL);
}

TEST(L2Normalization, IsNearRealArithmetic) {
  for (int i = 0; i < 100; ++i) {
    const int32_t depth = Draw(1, 200), zp = Draw(-128, 127);
    OneOp op(OpKind::L2_NORMALIZATION);
    const int8_t* x = op.In<int8_t>({3, depth}, 0.1f, zp).as<int8_t>();
    Tensor& y = op.Out<int8_t>({3, depth}, 1.f / 128, 0);
    op.Run();
    for (int32_t v = 0; v < 3; ++v) {
      double squares = 0;
      for (int32_t k = 0; k < depth; ++k) squares += std::pow(x[v * depth + k] - zp, 2);
      for (int32_t k = 0; k < depth && squares > 0; ++k) {
        const double want = (x[v * depth + k] - zp) / std::sqrt(squares) * 128;
        ASSERT_NEAR(y.as<int8_t>()[v * depth + k], std::min(want, 127.0), 1);
      }
    }
  }
}

// ---- Products ----------------------------------------------------------------------------------

template <class T>
void MatMulCase() {
  fb::BatchMatMulOptionsT o;
  o.adj_x = Draw(0, 1) == 1;
  o.adj_y = Draw(0, 1) == 1;
  const int32_t m = Draw(1, 6), n = Draw(1, 80), k = Draw(1, 20), b = Draw(1, 3), a = Draw(1, 3);
  const bool left_once = Draw(0, 1) == 1, narrow = sizeof(T) == 1;
  const int32_t x_zp = narrow ? Draw(-128, 127) : 0, y_zp = narrow ? Draw(-128, 127) : 0;
  const Dims x_dims = {a, left_once ? 1 : b, o.adj_x ? k : m, o.adj_x ? m : k};
  const Dims y_dims = {b, o.adj_y ? n : k, o.adj_y ? k : n};  // rank 3: axis `a` is broadcast
  OneOp op(OpKind::BATCH_MATMUL);
  const T* x = op.In<T>(x_dims, 0.25f, x_zp).template as<T>();
  const T* y = op.In<T>(y_dims, 0.5f, y_zp).template as<T>();
  const float out_scale = narrow ? 100.f : 30000.f;
  Tensor& out = op.Out<T>({a, b, m, n}, out_scale, narrow ? 3 : 0);
  op.Options(o).Run(3);
  const Multiplier q = QuantizeMultiplier(0.125 / static_cast<double>(out_scale));
  for (int32_t i = 0; i < a * b * m * n; ++i) {
    const int32_t col = i % n, row = i / n % m, batch = i / n / m % b, outer = i / n / m / b;
    const T* xs = x + (left_once ? outer : outer * b + batch) * m * k;
    const T* ys = y + batch * k * n;
    int64_t sum = 0;
    for (int32_t j = 0; j < k; ++j) {
      sum += int64_t{(o.adj_x ? xs[j * m + row] : xs[row * k + j]) - x_zp} *
             ((o.adj_y ? ys[col * k + j] : ys[j * n + col]) - y_zp);
    }
    const int32_t r = narrow ? Requantize(static_cast<int32_t>(sum), q) + 3 : Requantize64(sum, q);
    const int32_t low = std::numeric_limits<T>::min();
    ASSERT_EQ(out.as<T>()[i], Clamp(r, low, -low - 1));
  }
}

TEST(BatchMatMul, MatchesLoops) {
  for (int i = 0; i < 150; ++i) {
    MatMulCase<int8_t>();
    MatMulCase<int16_t>();
  }
}

TEST(BatchMatMul, CheckRefuses) {
  const auto check = [](Dims x, Dims y, Dims out) {
    OneOp op(OpKind::BATCH_MATMUL);
    op.In<int8_t>(x);
    op.In<int8_t>(y);
    op.Out<int8_t>(out);
    return op.Options(fb::BatchMatMulOptionsT()).Check();
  };
  EXPECT_EQ(check({2, 3}, {3, 4}, {2, 4}), OCTET_OK);
  EXPECT_EQ(check({2, 3}, {4, 3}, {2, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({2, 2, 3}, {3, 3, 4}, {6, 2, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({2, 3}, {3, 4}, {1, 2, 4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({3}, {3, 4}, {4}), OCTET_INVALID_MODEL);
  EXPECT_EQ(check({2, 40000}, {40000, 4}, {2, 4}), OCTET_UNSUPPORTED);
}

// ---- Recurrent operators -----------------------------------------------------------------------

// A memory of the last activations: the output after n runs is a function of the last inputs.
template <class T>
void SvdfCase() {
  const int32_t batch = Draw(1, 3), inputs = Draw(1, 9), rank = Draw(1, 2), units = Draw(1, 5);
  const int32_t memory = Draw(1, 4), filters = units * rank, zp = Draw(-128, 127);
  const bool has_bias = Draw(0, 1) == 1;
  OneOp op(OpKind::SVDF);
  Tensor& x = op.In<int8_t>({batch, inputs}, 0.1f, zp);
  const int8_t* feature = op.In<int8_t>({filters, inputs}, 0.1f).as<int8_t>();
  T* time = op.In<T>({filters, memory}, 0.1f).template as<T>();
  for (int32_t i = 0; i < filters * memory; ++i) time[i] = static_cast<T>(Draw(-100, 100));
  int32_t* bias = nullptr;
  if (has_bias) {
    bias = op.In<int32_t>({units}).as<int32_t>();
    for (int32_t i = 0; i < units; ++i) bias[i] = Draw(-1000, 1000);
  } else {
    op.Absent();
  }
  Tensor& state = op.In<T>({batch, memory * filters}, 0.4f);
  state.view.is_state = true;
  std::fill(state.data.begin(), state.data.end(), uint8_t{0});
  Tensor& out = op.Out<int8_t>({batch, units}, 3.f, 7);
  fb::SvdfOptionsT o;
  o.rank = rank;
  op.Options(o);
  const Multiplier q1 = QuantizeMultiplier(static_cast<double>(0.1f * 0.1f / 0.4f));
  const Multiplier q2 = QuantizeMultiplier(static_cast<double>(0.4f * 0.1f / 3.f));
  const int32_t low = std::numeric_limits<T>::min();
  std::vector<int32_t> past(static_cast<size_t>(batch * filters * (memory + 6)), 0);
  for (int32_t step = 0; step < 6; ++step) {
    for (uint8_t& byte : x.data) byte = static_cast<uint8_t>(Draw(0, 255));
    op.Run(2);
    for (int32_t b = 0; b < batch; ++b) {
      for (int32_t u = 0; u < units; ++u) {
        int32_t sum = bias != nullptr ? bias[u] : 0;
        for (int32_t f = u * rank; f < (u + 1) * rank; ++f) {
          int32_t* line = &past[static_cast<size_t>((b * filters + f) * (memory + 6))];
          int32_t dot = 0;
          for (int32_t i = 0; i < inputs; ++i) {
            dot += feature[f * inputs + i] * (x.as<int8_t>()[b * inputs + i] - zp);
          }
          line[memory + step] = Clamp(Requantize(dot, q1), low, -low - 1);
          for (int32_t t = 0; t < memory; ++t) sum += time[f * memory + t] * line[step + 1 + t];
        }
        ASSERT_EQ(out.as<int8_t>()[b * units + u], Clamp(Requantize(sum, q2) + 7, -128, 127));
      }
    }
  }
}

TEST(Svdf, RemembersRunAfterRun) {
  for (int i = 0; i < 60; ++i) {
    SvdfCase<int8_t>();
    SvdfCase<int16_t>();
  }
}

struct Lstm {
  OneOp op{OpKind::UNIDIRECTIONAL_SEQUENCE_LSTM};
  Tensor *x, *hidden, *cell, *out;

  Lstm(int32_t time, int32_t inputs, int32_t units, const std::vector<uint8_t>& weights) {
    size_t at = 0;
    const auto fill = [&](Tensor& t) {
      for (uint8_t& byte : t.data) byte = weights[at++ % weights.size()];
    };
    x = &op.In<int8_t>({1, time, inputs}, 0.02f, 4);
    for (int i = 0; i < 4; ++i) fill(op.In<int8_t>({units, inputs}, 0.01f));
    for (int i = 0; i < 4; ++i) fill(op.In<int8_t>({units, units}, 0.01f));
    for (int i = 0; i < 3; ++i) op.Absent();
    for (int i = 0; i < 4; ++i) {
      int32_t* bias = op.In<int32_t>({units}).as<int32_t>();
      for (int32_t u = 0; u < units; ++u) bias[u] = weights[at++ % weights.size()] * 20;
    }
    for (int i = 0; i < 2; ++i) op.Absent();
    hidden = &op.In<int8_t>({1, units}, 1.f / 128, -3);
    cell = &op.In<int16_t>({1, units}, 1.f / 2048, 0);
    hidden->view.is_state = cell->view.is_state = true;
    std::fill(hidden->data.begin(), hidden->data.end(), static_cast<uint8_t>(-3));
    std::fill(cell->data.begin(), cell->data.end(), uint8_t{0});
    out = &op.Out<int8_t>({1, time, units}, 1.f / 128, -3);
    op.Options(fb::LstmOptionsT());
  }
};

// A sequence at once, or one vector a run.
TEST(LstmOp, KeepsItsStateBetweenRuns) {
  constexpr int32_t kTime = 7, kInputs = 5, kUnits = 11;
  std::vector<uint8_t> weights(301);
  for (uint8_t& byte : weights) byte = static_cast<uint8_t>(Draw(0, 255));
  Lstm whole(kTime, kInputs, kUnits, weights), single(1, kInputs, kUnits, weights);
  whole.op.Run();
  for (int32_t t = 0; t < kTime; ++t) {
    std::copy_n(whole.x->data.begin() + t * kInputs, kInputs, single.x->data.begin());
    single.op.Run();
    ASSERT_TRUE(std::equal(single.out->data.begin(), single.out->data.end(),
                           whole.out->data.begin() + t * kUnits));
  }
  EXPECT_EQ(single.cell->data, whole.cell->data);
  EXPECT_EQ(single.hidden->data, whole.hidden->data);
}

TEST(LstmOp, CheckRefuses) {
  const std::vector<uint8_t> weights(64, 1);
  Lstm lstm(2, 3, 4, weights);
  EXPECT_EQ(lstm.op.Check(), OCTET_OK);
  lstm.cell->scale = 0.001f;  // not a power of two
  EXPECT_EQ(lstm.op.Check(), OCTET_UNSUPPORTED);
  lstm.cell->scale = 1.f / 2048;
  lstm.cell->view.is_state = false;
  EXPECT_EQ(lstm.op.Check(), OCTET_INVALID_MODEL);
  lstm.cell->view.is_state = true;
  lstm.cell->view.dims[1] = 5;
  EXPECT_EQ(lstm.op.Check(), OCTET_INVALID_MODEL);
}

}  // namespace
}  // namespace octet
