// Element-wise operators: broadcasting over random shapes against a loop over elements, the same
// bytes whole, in slices, in place and by rows through ring buffers, and edge cases of types.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "src/ops/op.h"

namespace octet {
namespace {

using Dims = std::vector<int32_t>;
using Bytes = std::vector<uint8_t>;

struct Tensor {
  TensorView view;
  float scale = 0;
  Bytes data;
};

template <class T>
Bytes ToBytes(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T>
std::vector<T> FromBytes(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

std::mt19937& Random() {
  static std::mt19937 random(7);
  return random;
}

int32_t Draw(int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(Random());
}

class OneOp {
 public:
  explicit OneOp(OpKind kind, const fb::ElementwiseOptionsT& options = {}) {
    builder_.Finish(fb::ElementwiseOptions::Pack(builder_, &options));
    op_.kind = kind;
    op_.options_table = flatbuffers::GetRoot<fb::ElementwiseOptions>(builder_.GetBufferPointer());
  }

  OneOp& In(DType type, const Dims& dims, Bytes data = {}, float scale = 0, int32_t zero = 0) {
    inputs_.push_back(Make(type, dims, std::move(data), scale, zero));
    return *this;
  }
  OneOp& Out(DType type, const Dims& dims, float scale = 0, int32_t zero = 0) {
    output_ = Make(type, dims, {}, scale, zero);
    return *this;
  }

  Status Check() {
    views_.clear();
    for (const auto& t : inputs_) views_.push_back(&t->view);
    out_view_ = &output_->view;
    op_.inputs = {views_.data(), views_.size()};
    op_.outputs = {&out_view_, 1};
    return FindOp(op_.kind)->check(op_);
  }

  Status Prepare() {
    const Status status = Check();
    if (status != OCTET_OK) return status;
    FindOp(op_.kind)->bind(op_, IsaSet{}, &binding_);
    params_.assign(binding_.params_bytes / 8 + 2, 0);
    FindOp(op_.kind)->init(op_, binding_, Params());
    return OCTET_OK;
  }

  Status Run(Bytes* result, size_t threads = 1) {
    result->assign(output_->view.bytes(), 0xA5);
    std::vector<Buffer> in;
    for (const auto& t : inputs_) in.push_back({t->data.data(), 0});
    const Buffer out{result->data(), 0};
    return Call(in, out, {0, RowCount(output_->view)}, threads);
  }

  // Over each input that may be overwritten.
  void ExpectSameInPlace(const Bytes& wanted) {
    const uint32_t mask = FindOp(op_.kind)->in_place(op_);
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if ((mask >> i & 1) == 0) continue;
      Bytes memory = inputs_[i]->data;
      std::vector<Buffer> in;
      for (const auto& t : inputs_) in.push_back({t->data.data(), 0});
      in[i].data = memory.data();
      ASSERT_EQ(Call(in, {memory.data(), 0}, {0, RowCount(output_->view)}, 1), OCTET_OK);
      EXPECT_EQ(memory, wanted) << "in place over input " << i;
    }
  }

  // A few rows at a time, all tensors in ring buffers. False where the operator cannot.
  bool RunByRows(Bytes* result) {
    const int32_t rows = RowCount(output_->view);
    RowRange range;
    const OpDef& def = *FindOp(op_.kind);
    if (!def.input_rows(op_, 0, {0, 1}, &range)) return false;
    const size_t out_row = RowElements(output_->view) * TypeBytes(output_->view.type);
    const int32_t height = output_->view.rank == 4 ? output_->view.dims[1] : 1;
    result->assign(output_->view.bytes(), 0xA5);
    constexpr int32_t kInRing = 5, kOutRing = 3;
    Bytes out_ring(out_row * kOutRing);
    for (int32_t y = 0; y < rows;) {
      const int32_t stop = std::min({y + 1 + y % kOutRing, rows, (y / height + 1) * height});
      std::vector<Bytes> rings(inputs_.size());
      std::vector<Buffer> in;
      for (size_t i = 0; i < inputs_.size(); ++i) {
        const TensorView& t = inputs_[i]->view;
        EXPECT_TRUE(def.input_rows(op_, i, {y, stop}, &range));
        EXPECT_GE(range.begin, 0);
        EXPECT_LE(range.end, RowCount(t));
        const size_t row = RowElements(t) * TypeBytes(t.type);
        rings[i].assign(row * kInRing, 0xEE);
        for (int32_t k = range.begin; k < range.end; ++k) {
          std::memcpy(&rings[i][static_cast<size_t>(k % kInRing) * row],
                      &inputs_[i]->data[static_cast<size_t>(k) * row], row);
        }
        in.push_back({rings[i].data(), kInRing});
      }
      EXPECT_EQ(Call(in, {out_ring.data(), kOutRing}, {y, stop}, 2), OCTET_OK);
      for (; y < stop; ++y) {
        std::memcpy(&(*result)[static_cast<size_t>(y) * out_row],
                    &out_ring[static_cast<size_t>(y % kOutRing) * out_row], out_row);
      }
    }
    return true;
  }

 private:
  static std::unique_ptr<Tensor> Make(DType type, const Dims& dims, Bytes data, float scale,
                                      int32_t zero) {
    auto t = std::make_unique<Tensor>();
    t->view.type = type;
    t->view.rank = static_cast<int32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t->view.dims);
    t->view.zero_point = zero;
    t->scale = scale;
    if (scale > 0) t->view.scales = {&t->scale, 1};
    t->data = std::move(data);
    t->data.resize(t->view.bytes());
    return t;
  }

  void* Params() {
    return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(params_.data()) + 15) &
                                   ~uintptr_t{15});
  }

  Status Call(const std::vector<Buffer>& in, const Buffer& out, RowRange rows, size_t threads) {
    RunContext c;
    c.params = Params();
    c.inputs = in.data();
    c.outputs = &out;
    c.rows = rows;
    c.threads.count = threads;
    return binding_.run(c);
  }

  OpView op_;
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<std::unique_ptr<Tensor>> inputs_;
  std::unique_ptr<Tensor> output_;
  std::vector<const TensorView*> views_;
  const TensorView* out_view_ = nullptr;
  Binding binding_;
  std::vector<uint64_t> params_;
};

// The element of a tensor that an output element reads.
size_t IndexOf(const Dims& dims, const Dims& out, size_t flat) {
  size_t index = 0, step = 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const size_t k = out.size() - 1 - i;
    const size_t at = flat % static_cast<size_t>(out[k]);
    flat /= static_cast<size_t>(out[k]);
    if (i >= dims.size()) continue;
    const size_t size = static_cast<size_t>(dims[dims.size() - 1 - i]);
    if (size > 1) index += at * step;
    step *= size;
  }
  return index;
}

size_t Count(const Dims& dims) {
  size_t n = 1;
  for (int32_t d : dims) n *= static_cast<size_t>(d);
  return n;
}

std::vector<int32_t> RandomInts(size_t n) {
  std::vector<int32_t> values(n);
  for (int32_t& v : values) v = Draw(-1000, 1000);
  return values;
}

TEST(ElementwiseOps, BroadcastLikeNumPy) {
  int by_rows = 0;
  for (int round = 0; round < 600; ++round) {
    const int32_t rank = round % 2 == 0 ? 4 : Draw(0, kMaxRank);
    Dims out(static_cast<size_t>(rank)), a, b;
    for (int32_t& d : out) d = Draw(0, 3) == 0 ? 1 : Draw(2, 7);
    a = b = out;
    for (size_t i = 0; i < out.size(); ++i) {
      const int32_t which = Draw(0, 5);
      if (which == 0) a[i] = 1;
      if (which == 1) b[i] = 1;
    }
    // One of them may lack leading dimensions of size 1.
    Dims& shorter = Draw(0, 1) == 0 ? a : b;
    while (!shorter.empty() && shorter[0] == 1 && Draw(0, 1) == 0) shorter.erase(shorter.begin());
    const std::vector<int32_t> x = RandomInts(Count(a)), y = RandomInts(Count(b));
    OneOp op(OpKind::SUB);
    op.In(DType::INT32, a, ToBytes(x)).In(DType::INT32, b, ToBytes(y)).Out(DType::INT32, out);
    ASSERT_EQ(op.Prepare(), OCTET_OK) << octet_last_error();
    std::vector<int32_t> wanted(Count(out));
    for (size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = x[IndexOf(a, out, i)] - y[IndexOf(b, out, i)];
    }
    Bytes got;
    ASSERT_EQ(op.Run(&got), OCTET_OK);
    ASSERT_EQ(FromBytes<int32_t>(got), wanted);
    op.ExpectSameInPlace(got);
    Bytes rows;
    if (op.RunByRows(&rows)) {
      ++by_rows;
      ASSERT_EQ(rows, got);
    }
  }
  EXPECT_GT(by_rows, 200);
}

TEST(ElementwiseOps, ThreadsDoNotChangeBytes) {
  for (const Dims& b : {Dims{1, 37, 53, 31}, Dims{1, 1, 1, 31}, Dims{}, Dims{1, 37, 1, 1}}) {
    const Dims a = {1, 37, 53, 31};
    Bytes x(Count(a)), y(Count(b));
    for (uint8_t& v : x) v = static_cast<uint8_t>(Draw(0, 255));
    for (uint8_t& v : y) v = static_cast<uint8_t>(Draw(0, 255));
    OneOp op(OpKind::ADD);
    op.In(DType::INT8, a, x, 0.1f, 3).In(DType::INT8, b, y, 0.2f, -5).Out(DType::INT8, a, 0.25f, 1);
    ASSERT_EQ(op.Prepare(), OCTET_OK) << octet_last_error();
    Bytes one, several;
    ASSERT_EQ(op.Run(&one), OCTET_OK);
    for (size_t threads : {2, 3, 7}) {
      ASSERT_EQ(op.Run(&several, threads), OCTET_OK);
      EXPECT_EQ(one, several);
    }
  }
}

// Every pair of int8 values, against real arithmetic. Small products round twice, hence PRELU's
// tolerance.
TEST(ElementwiseOps, Int8FollowsTheRealFunction) {
  Bytes x(65536), y(65536);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<uint8_t>(i >> 8);
    y[i] = static_cast<uint8_t>(i);
  }
  const struct {
    OpKind kind;
    double (*f)(double, double);
    double tolerance;
  } kCases[] = {
      {OpKind::ADD, [](double a, double b) { return a + b; }, 0.51},
      {OpKind::SUB, [](double a, double b) { return a - b; }, 0.51},
      {OpKind::MUL, [](double a, double b) { return a * b; }, 0.51},
      {OpKind::DIV, [](double a, double b) { return a / b; }, 0.51},
      {OpKind::SQUARED_DIFFERENCE, [](double a, double b) { return (a - b) * (a - b); }, 0.6},
      {OpKind::PRELU, [](double a, double b) { return a < 0 ? a * b : a; }, 0.76},
  };
  for (const auto& c : kCases) {
    OneOp op(c.kind);
    op.In(DType::INT8, {65536}, x, 0.05f, 7).In(DType::INT8, {65536}, y, 0.03f, -11);
    op.Out(DType::INT8, {65536}, 0.11f, -9);
    ASSERT_EQ(op.Prepare(), OCTET_OK) << octet_last_error();
    Bytes got;
    ASSERT_EQ(op.Run(&got), OCTET_OK);
    for (size_t i = 0; i < got.size(); ++i) {
      const double a = 0.05 * (static_cast<int8_t>(x[i]) - 7);
      const double b = 0.03 * (static_cast<int8_t>(y[i]) + 11);
      double wanted = c.f(a, b) / 0.11 - 9;
      if (std::isnan(wanted)) wanted = -9;  // 0 / 0
      wanted = std::min(127., std::max(-128., wanted));
      ASSERT_NEAR(static_cast<int8_t>(got[i]), wanted, c.tolerance)
          << fb::EnumNameOpKind(c.kind) << " of " << a << " and " << b;
    }
  }
}

// Scales at the ends of float: refused or run, without undefined behaviour.
TEST(ElementwiseOps, ExtremeScalesAreSafe) {
  const float kScales[] = {
      std::numeric_limits<float>::denorm_min(), 1e-38f, 1e-9f, 0.9f, 1.f, 30000.f, 1e9f, 3e38f};
  const OpKind kKinds[] = {
      OpKind::ADD,   OpKind::SUB,   OpKind::MUL, OpKind::DIV, OpKind::SQUARED_DIFFERENCE,
      OpKind::PRELU, OpKind::EQUAL, OpKind::LESS};
  const Bytes x = {0, 127, 128, 255, 1, 0, 127, 128}, y = {128, 127, 0, 1, 255, 0, 128, 127};
  for (const DType type : {DType::INT8, DType::INT16}) {
    const int32_t n = type == DType::INT8 ? 8 : 4;
    for (const OpKind kind : kKinds) {
      const DType out_type = kind == OpKind::EQUAL || kind == OpKind::LESS ? DType::BOOL : type;
      for (const float a : kScales) {
        for (const float b : kScales) {
          for (const float out : kScales) {
            const int32_t zero = type == DType::INT8 ? -128 : 0;
            fb::ElementwiseOptionsT options;
            options.pot_scale = n == 4 && a == 1.f;
            OneOp op(kind, options);
            op.In(type, {n}, x, a, zero).In(type, {n}, y, b, zero).Out(out_type, {n}, out, zero);
            Bytes got;
            if (op.Prepare() == OCTET_OK) {
              EXPECT_EQ(op.Run(&got), OCTET_OK);
            }
          }
        }
      }
    }
  }
}

TEST(ElementwiseOps, IntegersWrapAndDivisionIsChecked) {
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  const std::vector<int32_t> x = {kMax, kMin, -7, 7, kMin}, y = {1, -1, 2, -2, kMin};
  const auto run = [&](OpKind kind, const std::vector<int32_t>& b, std::vector<int32_t>* result) {
    OneOp op(kind);
    op.In(DType::INT32, {5}, ToBytes(x)).In(DType::INT32, {5}, ToBytes(b)).Out(DType::INT32, {5});
    EXPECT_EQ(op.Prepare(), OCTET_OK);
    Bytes got;
    const Status status = op.Run(&got);
    *result = FromBytes<int32_t>(got);
    return status;
  };
  std::vector<int32_t> got;
  EXPECT_EQ(run(OpKind::ADD, y, &got), OCTET_OK);
  EXPECT_EQ(got, (std::vector<int32_t>{kMin, kMax, -5, 5, 0}));
  EXPECT_EQ(run(OpKind::MUL, y, &got), OCTET_OK);
  EXPECT_EQ(got, (std::vector<int32_t>{kMax, kMin, -14, -14, 0}));
  EXPECT_EQ(run(OpKind::DIV, y, &got), OCTET_OK);
  EXPECT_EQ(got, (std::vector<int32_t>{kMax, kMax, -3, -3, 1}));
  EXPECT_EQ(run(OpKind::FLOOR_DIV, y, &got), OCTET_OK);
  EXPECT_EQ(got, (std::vector<int32_t>{kMax, kMax, -4, -4, 1}));
  EXPECT_EQ(run(OpKind::DIV, {1, 1, 0, 1, 1}, &got), OCTET_RUN_ERROR);
  EXPECT_EQ(run(OpKind::FLOOR_DIV, {1, 1, 1, 1, 0}, &got), OCTET_RUN_ERROR);
}

TEST(ElementwiseOps, FloatsSaturateWhereTheyBecomeIntegers) {
  const float kInf = std::numeric_limits<float>::infinity();
  const float kNaN = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x = {kInf, -kInf, kNaN, 3e9f, -3e9f, 2.5f, -2.5f, 1e-40f};
  Bytes got;
  OneOp quantize(OpKind::QUANTIZE);
  quantize.In(DType::FLOAT32, {8}, ToBytes(x)).Out(DType::INT8, {8}, 1.f, 3);
  ASSERT_EQ(quantize.Prepare(), OCTET_OK) << octet_last_error();
  ASSERT_EQ(quantize.Run(&got), OCTET_OK);
  EXPECT_EQ(FromBytes<int8_t>(got), (std::vector<int8_t>{127, -128, 3, 127, -128, 6, 0, 3}));

  OneOp cast(OpKind::CAST);
  cast.In(DType::FLOAT32, {8}, ToBytes(x)).Out(DType::INT32, {8});
  ASSERT_EQ(cast.Prepare(), OCTET_OK) << octet_last_error();
  ASSERT_EQ(cast.Run(&got), OCTET_OK);
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  EXPECT_EQ(FromBytes<int32_t>(got), (std::vector<int32_t>{kMax, kMin, 0, kMax, kMin, 2, -2, 0}));
}

TEST(ElementwiseOps, EveryPairOfTypesCasts) {
  const DType kTypes[] = {DType::INT8,  DType::UINT8,   DType::INT16, DType::INT32,
                          DType::INT64, DType::FLOAT32, DType::BOOL};
  for (const DType in : kTypes) {
    for (const DType out : kTypes) {
      OneOp op(OpKind::CAST);
      op.In(in, {3, 5}).Out(out, {3, 5});
      ASSERT_EQ(op.Prepare(), OCTET_OK) << octet_last_error();
      Bytes got;
      ASSERT_EQ(op.Run(&got), OCTET_OK);
      EXPECT_EQ(got, Bytes(got.size(), 0));
    }
  }
}

TEST(ElementwiseOps, CheckRefuses) {
  const auto check = [](OpKind kind, DType a, const Dims& da, DType b, const Dims& db, DType out,
                        const Dims& dout, float scale = 0, float out_scale = 0) {
    OneOp op(kind);
    op.In(a, da, {}, scale).In(b, db, {}, scale).Out(out, dout, out_scale);
    return op.Check();
  };
  constexpr DType kI8 = DType::INT8, kI32 = DType::INT32, kF = DType::FLOAT32;
  EXPECT_EQ(check(OpKind::ADD, kI32, {2, 3}, kI32, {3}, kI32, {2, 3}), OCTET_OK);
  EXPECT_NE(check(OpKind::ADD, kI32, {2, 3}, kI32, {2}, kI32, {2, 3}), OCTET_OK);
  EXPECT_NE(check(OpKind::ADD, kI32, {2, 1}, kI32, {1, 3}, kI32, {2, 1}), OCTET_OK);
  EXPECT_NE(check(OpKind::ADD, kI32, {3}, kI32, {3}, kI32, {1, 3}), OCTET_OK);
  EXPECT_NE(check(OpKind::ADD, kI32, {3}, kF, {3}, kI32, {3}), OCTET_OK);
  EXPECT_NE(check(OpKind::ADD, kI8, {3}, kI8, {3}, kI8, {3}), OCTET_OK);  // no scales
  EXPECT_EQ(check(OpKind::ADD, kI8, {3}, kI8, {3}, kI8, {3}, 1.f, 1.f), OCTET_OK);
  EXPECT_EQ(check(OpKind::ADD, kI8, {3}, kI8, {3}, kI8, {3}, 1.f, 1e-9f), OCTET_UNSUPPORTED);
  EXPECT_NE(check(OpKind::EQUAL, kI32, {3}, kI32, {3}, kI8, {3}), OCTET_OK);
  EXPECT_EQ(check(OpKind::EQUAL, kI32, {3}, kI32, {3}, DType::BOOL, {3}), OCTET_OK);

  fb::ElementwiseOptionsT empty;
  empty.act_min = 5;
  empty.act_max = 4;
  OneOp op(OpKind::MUL, empty);
  op.In(kI32, {3}).In(kI32, {3}).Out(kI32, {3});
  EXPECT_EQ(op.Check(), OCTET_INVALID_MODEL);
}

}  // namespace
}  // namespace octet
