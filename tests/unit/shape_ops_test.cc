// The operators that move data, one at a time, against loops over elements: random shapes and
// options, all element sizes, sliced as for several threads, and everything that check refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "src/ops/op.h"

namespace octet {
namespace {

using Dims = std::vector<int32_t>;
using Bytes = std::vector<uint8_t>;

int64_t Count(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<int64_t>());
}

// One operator with its tensors, run straight through its OpDef.
class OneOp {
 public:
  explicit OneOp(OpKind kind) { op_.kind = kind; }

  OneOp& In(DType type, const Dims& dims, Bytes data = {}) {
    return Add(type, dims, std::move(data), &inputs_);
  }
  OneOp& Out(DType type, const Dims& dims) { return Add(type, dims, {}, &outputs_); }

  template <class T>
  OneOp& Options(const T& options) {
    using Table = typename T::TableType;
    builder_.Finish(Table::Pack(builder_, &options));
    op_.options_table = flatbuffers::GetRoot<Table>(builder_.GetBufferPointer());
    return *this;
  }

  Status Check() {
    in_views_.clear();
    out_views_.clear();
    for (const auto& t : inputs_) in_views_.push_back(&t->view);
    for (const auto& t : outputs_) out_views_.push_back(&t->view);
    op_.inputs = {in_views_.data(), in_views_.size()};
    op_.outputs = {out_views_.data(), out_views_.size()};
    return FindOp(op_.kind)->check(op_);
  }

  Status Run(size_t threads = 1) {
    const OpDef* def = FindOp(op_.kind);
    Binding binding;
    def->bind(op_, IsaSet{}, &binding);
    std::vector<uint64_t> params((binding.params_bytes + 7) / 8 + 1);
    def->init(op_, binding, params.data());
    std::vector<Buffer> in, out;
    for (const auto& t : inputs_) in.push_back({t->data.data(), 0});
    for (const auto& t : outputs_) {
      std::fill(t->data.begin(), t->data.end(), uint8_t{0xA5});
      out.push_back({t->data.data(), 0});
    }
    RunContext c;
    c.params = params.data();
    c.inputs = in.data();
    c.outputs = out.data();
    c.rows = {0, RowCount(op_.out())};
    c.threads.count = threads;
    return binding.run(c);
  }

  // Runs `step` output rows at a time out of rings that hold no more rows than these need. False
  // where the operator does not run by rows.
  bool RunByRows(int32_t step, Bytes* result) {
    const OpDef* def = FindOp(op_.kind);
    const int32_t rows = RowCount(op_.out());
    const size_t n = inputs_.size();
    std::vector<int32_t> ring(n, 1);
    for (int32_t y = 0; y < rows; y += step) {
      for (size_t i = 0; i < n; ++i) {
        RowRange need;
        if (def->input_rows == nullptr) return false;
        if (!def->input_rows(op_, i, {y, std::min(rows, y + step)}, &need)) return false;
        EXPECT_TRUE(need.begin >= 0 && need.begin <= need.end &&
                    need.end <= RowCount(inputs_[i]->view));
        ring[i] = std::max(ring[i], need.end - need.begin);
      }
    }
    Binding binding;
    def->bind(op_, IsaSet{}, &binding);
    std::vector<uint64_t> params((binding.params_bytes + 7) / 8 + 1);
    def->init(op_, binding, params.data());
    const auto row_bytes = [](const TensorView& t) { return RowElements(t) * TypeBytes(t.type); };
    const size_t out_row = row_bytes(op_.out());
    result->assign(op_.out().bytes(), 0);
    for (int32_t y = 0; y < rows; y += step) {
      const int32_t end = std::min(rows, y + step);
      std::vector<Bytes> memory(n);
      std::vector<Buffer> in(n);
      for (size_t i = 0; i < n; ++i) {
        const size_t row = row_bytes(inputs_[i]->view);
        memory[i].assign(row * static_cast<size_t>(ring[i]), 0x5A);
        RowRange need;
        def->input_rows(op_, i, {y, end}, &need);
        for (int32_t k = need.begin; k < need.end; ++k) {
          std::memcpy(memory[i].data() + static_cast<size_t>(k % ring[i]) * row,
                      inputs_[i]->data.data() + static_cast<size_t>(k) * row, row);
        }
        in[i] = {memory[i].data(), ring[i]};
      }
      Bytes band(out_row * static_cast<size_t>(step));
      const Buffer out = {band.data(), step};
      RunContext c;
      c.params = params.data();
      c.inputs = in.data();
      c.outputs = &out;
      c.rows = {y, end};
      if (binding.run(c) != OCTET_OK) return false;
      for (int32_t k = y; k < end; ++k) {
        std::memcpy(result->data() + static_cast<size_t>(k) * out_row,
                    band.data() + static_cast<size_t>(k % step) * out_row, out_row);
      }
    }
    return true;
  }

  const Bytes& result(size_t i = 0) const { return outputs_[i]->data; }

 private:
  struct Tensor {
    TensorView view;
    Bytes data;
  };

  OneOp& Add(DType type, const Dims& dims, Bytes data,
             std::vector<std::unique_ptr<Tensor>>* tensors) {
    auto t = std::make_unique<Tensor>();
    t->view.type = type;
    t->view.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t->view.dims);
    // A wrong shape may be far too big to be stored.
    if (t->view.bytes() < (1 << 20)) t->data = std::move(data);
    if (t->view.bytes() < (1 << 20)) t->data.resize(t->view.bytes());
    tensors->push_back(std::move(t));
    return *this;
  }

  OpView op_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<std::unique_ptr<Tensor>> inputs_, outputs_;
  std::vector<const TensorView*> in_views_, out_views_;
};

std::mt19937& Random() {
  static std::mt19937 random(20240607);
  return random;
}

int32_t Draw(int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(Random());
}

Bytes RandomBytes(size_t n) {
  Bytes bytes(n);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(Draw(0, 255));
  return bytes;
}

Dims RandomDims(int32_t rank, int32_t most = 7) {
  Dims dims(static_cast<size_t>(rank));
  for (int32_t& d : dims) d = Draw(1, most);
  return dims;
}

constexpr DType kTypes[] = {DType::INT8, DType::INT16, DType::FLOAT32, DType::INT64};

DType RandomType() { return kTypes[Draw(0, 3)]; }

// The output whose element at `index` is the input's element at map(index), -1 being `fill`.
Bytes Expect(const Dims& out, size_t element, const Bytes& in, const Bytes& fill,
             const std::function<int64_t(const Dims&)>& map) {
  Bytes result(static_cast<size_t>(Count(out)) * element);
  Dims index(out.size(), 0);
  for (int64_t i = 0; i < Count(out); ++i) {
    int64_t rest = i;
    for (size_t d = out.size(); d-- > 0;) {
      index[d] = static_cast<int32_t>(rest % out[d]);
      rest /= out[d];
    }
    const int64_t from = map(index);
    const uint8_t* source =
        from < 0 ? fill.data() : in.data() + static_cast<size_t>(from) * element;
    std::memcpy(result.data() + static_cast<size_t>(i) * element, source, element);
  }
  return result;
}

int64_t Flat(const Dims& dims, const Dims& index) {
  int64_t at = 0;
  for (size_t d = 0; d < dims.size(); ++d) at = at * dims[d] + index[d];
  return at;
}

void ExpectRuns(OneOp& op, const Bytes& expected) {
  ASSERT_EQ(op.Check(), OCTET_OK) << octet_last_error();
  for (size_t threads : {1, 3}) {
    ASSERT_EQ(op.Run(threads), OCTET_OK) << octet_last_error();
    ASSERT_EQ(op.result(), expected) << threads << " threads";
  }
}

TEST(ShapeOps, Transpose) {
  for (int32_t round = 0; round < 400; ++round) {
    const DType type = RandomType();
    const Dims in = RandomDims(Draw(0, 6), round % 8 == 0 ? 2 : 6);
    fb::TransposeOptionsT options;
    options.perm.resize(in.size());
    std::iota(options.perm.begin(), options.perm.end(), 0);
    std::shuffle(options.perm.begin(), options.perm.end(), Random());
    Dims out(in.size());
    for (size_t i = 0; i < in.size(); ++i) out[i] = in[static_cast<size_t>(options.perm[i])];
    const Bytes data = RandomBytes(static_cast<size_t>(Count(in)) * TypeBytes(type));
    OneOp op(OpKind::TRANSPOSE);
    op.In(type, in, data).Out(type, out).Options(options);
    ExpectRuns(op, Expect(out, TypeBytes(type), data, {}, [&](const Dims& index) {
                 Dims from(in.size());
                 for (size_t i = 0; i < in.size(); ++i) {
                   from[static_cast<size_t>(options.perm[i])] = index[i];
                 }
                 return Flat(in, from);
               }));
  }
}

TEST(ShapeOps, TransposeBigEnoughForThreads) {
  const Dims in = {3, 301, 203}, out = {203, 3, 301};
  const Bytes data = RandomBytes(static_cast<size_t>(Count(in)));
  fb::TransposeOptionsT options;
  options.perm = Dims{2, 0, 1};
  OneOp op(OpKind::TRANSPOSE);
  op.In(DType::INT8, in, data).Out(DType::INT8, out).Options(options);
  ExpectRuns(op, Expect(out, 1, data, {}, [&](const Dims& index) {
               return Flat(in, {index[1], index[2], index[0]});
             }));
}

TEST(ShapeOps, StridedSlice) {
  for (int32_t round = 0; round < 400; ++round) {
    const DType type = RandomType();
    const Dims in = RandomDims(Draw(1, 6));
    fb::SliceOptionsT options;
    Dims out;
    for (int32_t n : in) {
      const int32_t begin = Draw(0, n - 1);
      int32_t stride = Draw(-3, 3);
      if (stride == 0) stride = 5;
      const int32_t most = stride > 0 ? (n - 1 - begin) / stride + 1 : begin / -stride + 1;
      const int32_t size = Draw(1, most);
      options.begin.push_back(begin);
      options.strides.push_back(stride);
      options.size.push_back(size);
      if (size != 1 || Draw(0, 1) == 0) out.push_back(size);  // some axes shrink away
    }
    const Bytes data = RandomBytes(static_cast<size_t>(Count(in)) * TypeBytes(type));
    OneOp op(OpKind::STRIDED_SLICE);
    op.In(type, in, data).Out(type, out).Options(options);
    ExpectRuns(op, Expect(options.size, TypeBytes(type), data, {}, [&](const Dims& index) {
                 Dims from(in.size());
                 for (size_t i = 0; i < in.size(); ++i) {
                   from[i] = options.begin[i] + index[i] * options.strides[i];
                 }
                 return Flat(in, from);
               }));
  }
}

TEST(ShapeOps, Tile) {
  for (int32_t round = 0; round < 200; ++round) {
    const DType type = RandomType();
    const Dims in = RandomDims(Draw(0, 6), 4);
    Dims out = in;
    for (int32_t& d : out) d *= Draw(1, 3);
    const Bytes data = RandomBytes(static_cast<size_t>(Count(in)) * TypeBytes(type));
    OneOp op(OpKind::TILE);
    op.In(type, in, data).Out(type, out);
    ExpectRuns(op, Expect(out, TypeBytes(type), data, {}, [&](Dims index) {
                 for (size_t i = 0; i < in.size(); ++i) index[i] %= in[i];
                 return Flat(in, index);
               }));
  }
}

TEST(ShapeOps, PadAndMirrorPad) {
  for (int32_t round = 0; round < 600; ++round) {
    const bool mirror = round % 3 != 0;
    const DType type = RandomType();
    const Dims in = RandomDims(Draw(0, 6), 5);
    fb::PadOptionsT options;
    options.reflect = mirror && round % 2 == 0;
    options.value = Draw(-100, 100);
    Dims out = in;
    for (int32_t& d : out) {
      const int32_t most = Draw(0, 1) == 0 ? 0 : mirror ? d - (options.reflect ? 1 : 0) : 4;
      options.before.push_back(Draw(0, most));
      options.after.push_back(Draw(0, most));
      d += options.before.back() + options.after.back();
    }
    if (Count(out) > (1 << 17)) continue;
    const Bytes data = RandomBytes(static_cast<size_t>(Count(in)) * TypeBytes(type));
    const int64_t wide = options.value;
    const int16_t narrow = static_cast<int16_t>(options.value);
    Bytes fill(8);
    if (type == DType::INT16) {
      std::memcpy(fill.data(), &narrow, 2);
    } else if (type == DType::FLOAT32) {
      std::memcpy(fill.data(), &options.value, 4);
    } else if (type == DType::INT64) {
      std::memcpy(fill.data(), &wide, 8);
    } else {
      fill[0] = static_cast<uint8_t>(options.value);
    }
    OneOp op(mirror ? OpKind::MIRROR_PAD : OpKind::PAD);
    op.In(type, in, data).Out(type, out).Options(options);
    ExpectRuns(op, Expect(out, TypeBytes(type), data, fill, [&](Dims index) -> int64_t {
                 for (size_t i = 0; i < in.size(); ++i) {
                   int32_t k = index[i] - options.before[i];
                   if (mirror && k < 0) k = options.reflect ? -k : -k - 1;
                   if (mirror && k >= in[i]) k = 2 * in[i] - (options.reflect ? 2 : 1) - k;
                   if (k < 0 || k >= in[i]) return -1;
                   index[i] = k;
                 }
                 return Flat(in, index);
               }));
  }
}

TEST(ShapeOps, ConcatenationAndSplitAreInverse) {
  for (int32_t round = 0; round < 200; ++round) {
    const DType type = RandomType();
    const Dims whole = RandomDims(Draw(1, 6));
    fb::AxisOptionsT options;
    options.axis = Draw(0, static_cast<int32_t>(whole.size()) - 1);
    const Bytes data = RandomBytes(static_cast<size_t>(Count(whole)) * TypeBytes(type));
    OneOp split(OpKind::SPLIT), join(OpKind::CONCATENATION);
    split.In(type, whole, data).Options(options);
    std::vector<Dims> parts;
    int32_t left = whole[static_cast<size_t>(options.axis)];
    while (left > 0) {
      Dims part = whole;
      part[static_cast<size_t>(options.axis)] = Draw(1, left);
      left -= part[static_cast<size_t>(options.axis)];
      split.Out(type, part);
      parts.push_back(part);
    }
    ASSERT_EQ(split.Check(), OCTET_OK) << octet_last_error();
    ASSERT_EQ(split.Run(2), OCTET_OK);
    for (size_t i = 0; i < parts.size(); ++i) join.In(type, parts[i], split.result(i));
    join.Out(type, whole).Options(options);
    ExpectRuns(join, data);
  }
}

TEST(ShapeOps, PackAndUnpackAreInverse) {
  const Dims whole = {3, 4, 5}, part = {3, 5};
  const Bytes data = RandomBytes(120);
  fb::AxisOptionsT options;
  options.axis = 1;
  OneOp unpack(OpKind::UNPACK), pack(OpKind::PACK);
  unpack.In(DType::INT16, whole, data).Options(options);
  for (int32_t i = 0; i < 4; ++i) unpack.Out(DType::INT16, part);
  ASSERT_EQ(unpack.Check(), OCTET_OK) << octet_last_error();
  ASSERT_EQ(unpack.Run(), OCTET_OK);
  for (size_t i = 0; i < 4; ++i) pack.In(DType::INT16, part, unpack.result(i));
  pack.Out(DType::INT16, whole).Options(options);
  ExpectRuns(pack, data);
}

TEST(ShapeOps, DepthAndSpaceAreInverse) {
  for (int32_t round = 0; round < 60; ++round) {
    const DType type = RandomType();
    fb::BlockOptionsT options;
    options.block = Dims{Draw(1, 4)};
    const int32_t b = options.block[0];
    const Dims deep = {Draw(1, 2), Draw(1, 4), Draw(1, 4), Draw(1, 5) * b * b};
    const Dims flat = {deep[0], deep[1] * b, deep[2] * b, deep[3] / b / b};
    const Bytes data = RandomBytes(static_cast<size_t>(Count(deep)) * TypeBytes(type));
    OneOp to_space(OpKind::DEPTH_TO_SPACE), to_depth(OpKind::SPACE_TO_DEPTH);
    to_space.In(type, deep, data).Out(type, flat).Options(options);
    ExpectRuns(
        to_space, Expect(flat, TypeBytes(type), data, {}, [&](const Dims& i) {
          return Flat(deep, {i[0], i[1] / b, i[2] / b, (i[1] % b * b + i[2] % b) * flat[3] + i[3]});
        }));
    to_depth.In(type, flat, to_space.result()).Out(type, deep).Options(options);
    ExpectRuns(to_depth, data);
  }
}

TEST(ShapeOps, BatchAndSpace) {
  for (int32_t round = 0; round < 300; ++round) {
    const bool flat = round % 3 == 0;
    const int32_t bh = Draw(1, 3), bw = flat ? 1 : Draw(1, 3);
    const Dims many4 = {Draw(1, 2) * bh * bw, Draw(1, 5), flat ? 1 : Draw(1, 5), Draw(1, 3)};
    const int32_t top = Draw(0, many4[1] * bh - 1), left = flat ? 0 : Draw(0, many4[2] * bw - 1);
    const Dims few4 = {many4[0] / bh / bw, Draw(1, many4[1] * bh - top),
                       flat ? 1 : Draw(1, many4[2] * bw - left), many4[3]};
    const auto drop = [&](const Dims& d) { return flat ? Dims{d[0], d[1], d[3]} : d; };
    fb::BlockOptionsT options;
    options.block = flat ? Dims{bh} : Dims{bh, bw};
    options.before = flat ? Dims{top} : Dims{top, left};
    const Bytes data = RandomBytes(static_cast<size_t>(Count(many4)));
    OneOp to_space(OpKind::BATCH_TO_SPACE_ND), to_batch(OpKind::SPACE_TO_BATCH_ND);
    to_space.In(DType::INT8, drop(many4), data).Out(DType::INT8, drop(few4)).Options(options);
    ExpectRuns(
        to_space, Expect(few4, 1, data, {}, [&](const Dims& i) {
          const int32_t y = i[1] + top, x = i[2] + left;
          return Flat(many4, {(y % bh * bw + x % bw) * few4[0] + i[0], y / bh, x / bw, i[3]});
        }));
    const Bytes space = to_space.result();
    to_batch.In(DType::INT8, drop(few4), space).Out(DType::INT8, drop(many4)).Options(options);
    ExpectRuns(to_batch, Expect(many4, 1, space, {0}, [&](const Dims& i) -> int64_t {
                 const int32_t b = i[0] / few4[0];
                 const int32_t y = i[1] * bh + b / bw - top, x = i[2] * bw + b % bw - left;
                 if (y < 0 || y >= few4[1] || x < 0 || x >= few4[2]) return -1;
                 return Flat(few4, {i[0] % few4[0], y, x, i[3]});
               }));
  }
}

template <class T>
Bytes Raw(std::initializer_list<T> values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

TEST(ShapeOps, GatherNd) {
  const Bytes data = RandomBytes(2 * 3 * 4);
  OneOp op(OpKind::GATHER_ND);
  op.In(DType::INT8, {2, 3, 4}, data)
      .In(DType::INT64, {2, 2}, Raw<int64_t>({1, 0, 0, 2}))
      .Out(DType::INT8, {2, 4});
  ExpectRuns(op, Expect({2, 4}, 1, data, {},
                        [](const Dims& i) { return i[0] == 0 ? 12 + i[1] : 8 + i[1]; }));
}

TEST(ShapeOps, IndicesOutsideFailTheRun) {
  for (int32_t bad : {-1, 3, INT32_MAX, INT32_MIN}) {
    OneOp gather(OpKind::GATHER), gather_nd(OpKind::GATHER_ND);
    gather.In(DType::INT8, {3, 2}).In(DType::INT32, {2}, Raw<int32_t>({0, bad}));
    gather.Out(DType::INT8, {2, 2}).Options(fb::GatherOptionsT());
    ASSERT_EQ(gather.Check(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(gather.Run(), OCTET_RUN_ERROR);
    gather_nd.In(DType::INT8, {2, 3}).In(DType::INT32, {1, 2}, Raw<int32_t>({0, bad}));
    gather_nd.Out(DType::INT8, {1});
    ASSERT_EQ(gather_nd.Check(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(gather_nd.Run(), OCTET_RUN_ERROR);
  }
  OneOp wide(OpKind::GATHER);
  wide.In(DType::INT8, {3}).In(DType::INT64, {}, Raw<int64_t>({int64_t{1} << 32}));
  wide.Out(DType::INT8, {}).Options(fb::GatherOptionsT());
  ASSERT_EQ(wide.Check(), OCTET_OK) << octet_last_error();
  EXPECT_EQ(wide.Run(), OCTET_RUN_ERROR);
}

// Every output is a mean of input elements, so constants stay what they are, and nothing outside
// of the input is read (the sanitizers watch), whatever the sizes.
TEST(ShapeOps, ResizingAConstantKeepsIt) {
  for (int32_t round = 0; round < 300; ++round) {
    const int32_t in = Draw(1, 9), out = round % 10 == 0 ? Draw(2000, 9000) : Draw(1, 40);
    fb::ResizeOptionsT options;
    options.align_corners = round % 3 == 1;
    options.half_pixel_centers = round % 3 == 2;
    options.legacy_u8 = round % 2 == 0;
    const uint8_t value = static_cast<uint8_t>(Draw(0, 255));
    for (const OpKind kind : {OpKind::RESIZE_BILINEAR, OpKind::RESIZE_NEAREST_NEIGHBOR}) {
      OneOp op(kind);
      op.In(DType::INT8, {2, 3, in, 2}, Bytes(static_cast<size_t>(12 * in), value));
      op.Out(DType::INT8, {2, 2, out, 2}).Options(options);
      ExpectRuns(op, Bytes(static_cast<size_t>(8 * out), value));
    }
  }
}

// Rows out of rings give the same bytes as the whole.
TEST(ShapeOps, ByRows) {
  const auto same = [](OneOp& op) {
    ASSERT_EQ(op.Check(), OCTET_OK) << octet_last_error();
    ASSERT_EQ(op.Run(), OCTET_OK);
    for (int32_t step = 1; step <= 4; ++step) {
      Bytes result;
      ASSERT_TRUE(op.RunByRows(step, &result));
      ASSERT_EQ(result, op.result()) << step << " rows at a time";
    }
  };
  for (int32_t round = 0; round < 100; ++round) {
    const Dims in = {1, Draw(2, 9), Draw(2, 6), Draw(1, 4)};
    const Bytes data = RandomBytes(static_cast<size_t>(Count(in)));
    for (OpKind kind : {OpKind::PAD, OpKind::MIRROR_PAD}) {
      fb::PadOptionsT options;
      options.reflect = round % 2 == 0;
      Dims out = in;
      for (size_t i = 0; i < 4; ++i) {
        const int32_t most = i == 0 ? 0 : in[i] - 1;
        options.before.push_back(Draw(0, most));
        options.after.push_back(Draw(0, most));
        out[i] += options.before.back() + options.after.back();
      }
      OneOp op(kind);
      op.In(DType::INT8, in, data).Out(DType::INT8, out).Options(options);
      same(op);
    }
    for (OpKind kind : {OpKind::RESIZE_BILINEAR, OpKind::RESIZE_NEAREST_NEIGHBOR}) {
      fb::ResizeOptionsT options;
      options.align_corners = round % 3 == 1;
      options.half_pixel_centers = round % 3 == 2;
      options.legacy_u8 = round % 2 == 0;
      OneOp op(kind);
      op.In(DType::INT8, in, data).Out(DType::INT8, {1, Draw(1, 20), Draw(1, 12), in[3]});
      op.Options(options);
      same(op);
    }
    fb::AxisOptionsT axis;
    axis.axis = Draw(2, 3);
    Dims out = in;
    out[static_cast<size_t>(axis.axis)] *= 2;
    OneOp join(OpKind::CONCATENATION);
    join.In(DType::INT8, in, data).In(DType::INT8, in, RandomBytes(data.size()));
    join.Out(DType::INT8, out).Options(axis);
    same(join);
    fb::BlockOptionsT block;
    block.block = Dims{Draw(1, 3)};
    const int32_t b = block.block[0];
    const Dims flat = {1, in[1] * b, in[2] * b, in[3]}, deep = {1, in[1], in[2], in[3] * b * b};
    OneOp to_space(OpKind::DEPTH_TO_SPACE), to_depth(OpKind::SPACE_TO_DEPTH);
    to_space.In(DType::INT8, deep, RandomBytes(static_cast<size_t>(Count(deep))));
    to_space.Out(DType::INT8, flat).Options(block);
    same(to_space);
    to_depth.In(DType::INT8, flat, RandomBytes(static_cast<size_t>(Count(flat))));
    to_depth.Out(DType::INT8, deep).Options(block);
    same(to_depth);
  }
}

TEST(ShapeOps, CheckRefuses) {
  const auto refused = [](OneOp& op) { return op.Check() == OCTET_INVALID_MODEL; };
  const DType s8 = DType::INT8;
  fb::TransposeOptionsT perm;
  for (const Dims& p : {Dims{0, 0}, Dims{1, 2}, Dims{-1, 0}, Dims{1}, Dims{}, Dims{0, 1, 2}}) {
    perm.perm = p;
    OneOp op(OpKind::TRANSPOSE);
    op.In(s8, {2, 2}).Out(s8, {2, 2}).Options(perm);
    EXPECT_TRUE(refused(op));
  }
  OneOp types(OpKind::RESHAPE);
  types.In(s8, {4}).Out(DType::INT16, {4});
  EXPECT_TRUE(refused(types));
  OneOp counts(OpKind::RESHAPE);
  counts.In(s8, {4}).Out(s8, {2, 3});
  EXPECT_TRUE(refused(counts));
  fb::PadOptionsT pad;
  for (const auto& ends : {std::pair<int32_t, int32_t>{-1, 2}, {0, 0}, {INT32_MAX, INT32_MAX}}) {
    pad.before = Dims{ends.first};
    pad.after = Dims{ends.second};
    OneOp op(OpKind::PAD);
    op.In(s8, {3}).Out(s8, {4}).Options(pad);
    EXPECT_TRUE(refused(op));
  }
  pad.before = Dims{3};
  pad.after = Dims{0};
  pad.reflect = true;
  OneOp mirror(OpKind::MIRROR_PAD);
  mirror.In(s8, {3}).Out(s8, {6}).Options(pad);
  EXPECT_TRUE(refused(mirror));
  fb::SliceOptionsT slice;
  struct {
    int32_t begin, stride, size, out;
  } const slices[] = {{-1, 1, 2, 2}, {5, 1, 1, 1},
                      {3, 1, 3, 3},  {0, 0, 1, 1},
                      {1, -1, 3, 3}, {0, 1, 0, 1},
                      {0, 1, 2, 3},  {0, INT32_MAX, 3, 3},
                      {0, 1, -1, 1}, {4, INT32_MIN, INT32_MAX, 3}};
  for (const auto& s : slices) {
    slice.begin = Dims{s.begin};
    slice.strides = Dims{s.stride};
    slice.size = Dims{s.size};
    OneOp op(OpKind::STRIDED_SLICE);
    op.In(s8, {5}).Out(s8, {s.out}).Options(slice);
    EXPECT_TRUE(refused(op)) << s.begin << " " << s.stride << " " << s.size;
  }
  fb::AxisOptionsT axis;
  for (int32_t a : {-1, 2, INT32_MAX}) {
    axis.axis = a;
    for (OpKind kind : {OpKind::CONCATENATION, OpKind::SPLIT, OpKind::PACK, OpKind::UNPACK}) {
      OneOp op(kind);
      op.In(s8, {2, 2}).Out(s8, {2, 2}).Options(axis);
      EXPECT_TRUE(refused(op));
    }
  }
  fb::BlockOptionsT block;
  for (int32_t b : {0, -1, 3, INT32_MAX}) {
    block.block = Dims{b};
    OneOp op(OpKind::DEPTH_TO_SPACE);
    op.In(s8, {1, 1, 1, 4}).Out(s8, {1, 2, 2, 1}).Options(block);
    EXPECT_TRUE(refused(op));
    block.block = Dims{b, 1};
    block.before = Dims{0, 0};
    OneOp batch(OpKind::BATCH_TO_SPACE_ND);
    batch.In(s8, {4, 1, 1, 1}).Out(s8, {2, 2, 1, 1}).Options(block);
    EXPECT_TRUE(refused(batch));
  }
  OneOp tile(OpKind::TILE);
  tile.In(s8, {3}).Out(s8, {4});
  EXPECT_TRUE(refused(tile));
  OneOp missing(OpKind::PAD);
  missing.In(s8, {3}).Out(s8, {3}).Options(fb::PadOptionsT());
  EXPECT_TRUE(refused(missing));
}

}  // namespace
}  // namespace octet
