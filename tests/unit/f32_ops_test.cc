// float32 operators against loops in double, their edge cases (NaN, infinities, ties), and what
// their checks refuse. Each runs as a graph of one operator, through the whole runtime.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "src/compiler/evaluate.h"
#include "src/graph/graph.h"
#include "src/passes/passes.h"

namespace octet {
namespace {

using Dims = std::vector<int32_t>;
using Values = std::vector<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

size_t Count(const Dims& dims) {
  size_t n = 1;
  for (int32_t d : dims) n *= static_cast<size_t>(d);
  return n;
}

std::mt19937& Random() {
  static std::mt19937 random(11);
  return random;
}

int32_t Draw(int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(Random());
}

Values RandomValues(const Dims& dims) {
  Values values(Count(dims));
  for (float& x : values) x = std::uniform_real_distribution<float>(-2, 2)(Random());
  return values;
}

// A graph of one operator whose tensors are float32.
class OneOp {
 public:
  explicit OneOp(OpKind kind) {
    op_.kind = kind;
    op_.name = "op";
  }
  template <class T>
  OneOp& Options(T options) {
    op_.options.Set(std::move(options));
    return *this;
  }
  OneOp& In(const Dims& dims, const Values& values) {
    const int32_t t = Add(dims);
    op_.inputs.push_back(t);
    graph_.inputs.push_back(t);
    inputs_.emplace_back(values.size() * sizeof(float));
    std::memcpy(inputs_.back().data(), values.data(), inputs_.back().size());
    return *this;
  }
  OneOp& Constant(const Dims& dims, const Values& values) {
    op_.inputs.push_back(graph_.AddConstant("constant", DType::FLOAT32, dims, values.data()));
    return *this;
  }
  OneOp& Absent() {
    op_.inputs.push_back(-1);
    return *this;
  }
  OneOp& Out(const Dims& dims) {
    const int32_t t = Add(dims);
    op_.outputs.push_back(t);
    graph_.outputs.push_back(t);
    return *this;
  }
  GraphTensor& tensor(size_t i) { return graph_.tensors[i]; }
  bool Accepts() { return Accepted(graph_, op_); }
  Values Run() {
    Graph graph = graph_;
    graph.ops.push_back(op_);
    std::vector<std::vector<uint8_t>> outputs;
    EXPECT_EQ(Evaluate(graph, inputs_, &outputs), OCTET_OK) << octet_last_error();
    if (outputs.empty()) return {};
    Values values(outputs[0].size() / sizeof(float));
    std::memcpy(values.data(), outputs[0].data(), outputs[0].size());
    return values;
  }

 private:
  int32_t Add(const Dims& dims) {
    GraphTensor t;
    t.name = "t" + std::to_string(graph_.tensors.size());
    t.type = DType::FLOAT32;
    t.shape = dims;
    return graph_.AddTensor(std::move(t));
  }
  Graph graph_;
  GraphOp op_;
  std::vector<std::vector<uint8_t>> inputs_;
};

void ExpectNear(const Values& got, const Values& wanted, float tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.f, std::fabs(wanted[i])))
        << "element " << i;
  }
}

int32_t OutSize(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad_before,
                int32_t pad_after) {
  return (in + pad_before + pad_after - ((kernel - 1) * dilation + 1)) / stride + 1;
}

// Weights are [out_c][kh][kw][in_c of a group]; depthwise ones are seen as such by the caller.
Values Convolve(const Dims& in, const Dims& out, const Values& x, const fb::Conv2DOptionsT& o,
                int32_t kh, int32_t kw, int32_t group_in, int32_t group_out,
                const std::function<float(int32_t, int32_t, int32_t, int32_t)>& weight,
                const Values& bias) {
  Values y;
  for (int32_t n = 0; n < out[0]; ++n) {
    for (int32_t oy = 0; oy < out[1]; ++oy) {
      for (int32_t ox = 0; ox < out[2]; ++ox) {
        for (int32_t c = 0; c < out[3]; ++c) {
          double sum = 0;
          for (int32_t ky = 0; ky < kh; ++ky) {
            for (int32_t kx = 0; kx < kw; ++kx) {
              const int32_t iy = oy * o.stride_h - o.pad_top + ky * o.dilation_h;
              const int32_t ix = ox * o.stride_w - o.pad_left + kx * o.dilation_w;
              if (iy < 0 || ix < 0 || iy >= in[1] || ix >= in[2]) continue;
              for (int32_t i = 0; i < group_in; ++i) {
                const int32_t ic = c / group_out * group_in + i;
                sum += static_cast<double>(x[((n * in[1] + iy) * in[2] + ix) * in[3] + ic]) *
                       static_cast<double>(weight(c, ky, kx, i));
              }
            }
          }
          const float biased = static_cast<float>(sum) + (bias.empty() ? 0.f : bias[c]);
          y.push_back(std::min(std::max(biased, o.act_min_f), o.act_max_f));
        }
      }
    }
  }
  return y;
}

TEST(F32Ops, ConvolutionsOfRandomShapes) {
  for (int round = 0; round < 150; ++round) {
    const int32_t groups = Draw(0, 3) == 0 ? Draw(2, 3) : 1;
    const int32_t group_in = Draw(1, 20), group_out = Draw(1, Draw(0, 1) ? 40 : 9);
    fb::Conv2DOptionsT o;
    const int32_t kh = Draw(1, 4), kw = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.dilation_h = Draw(1, 2), o.dilation_w = Draw(1, 2);
    o.pad_top = Draw(0, 2), o.pad_left = Draw(0, 2);
    if (Draw(0, 1)) o.act_min_f = 0, o.act_max_f = 6;
    const Dims in = {Draw(1, 2), Draw(8, 12), Draw(8, 15), groups * group_in};
    const Dims out = {in[0], OutSize(in[1], kh, o.stride_h, o.dilation_h, o.pad_top, Draw(0, 1)),
                      OutSize(in[2], kw, o.stride_w, o.dilation_w, o.pad_left, Draw(0, 1)),
                      groups * group_out};
    const Dims weights = {out[3], kh, kw, group_in};
    const Values x = RandomValues(in), w = RandomValues(weights);
    const Values bias = Draw(0, 1) ? RandomValues({out[3]}) : Values();
    OneOp op(OpKind::CONV_2D);
    op.Options(o).In(in, x).Constant(weights, w);
    if (!bias.empty()) op.Constant({out[3]}, bias);
    op.Out(out);
    ExpectNear(op.Run(),
               Convolve(
                   in, out, x, o, kh, kw, group_in, group_out,
                   [&](int32_t c, int32_t ky, int32_t kx, int32_t i) {
                     return w[((c * kh + ky) * kw + kx) * group_in + i];
                   },
                   bias),
               1e-4f);
    if (HasFatalFailure()) return;
  }
}

TEST(F32Ops, DepthwiseConvolutionsOfRandomShapes) {
  for (int round = 0; round < 150; ++round) {
    const int32_t channels = Draw(1, 40), multiplier = Draw(0, 2) == 0 ? Draw(2, 4) : 1;
    fb::Conv2DOptionsT o;
    const int32_t kh = Draw(1, 4), kw = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.dilation_h = Draw(1, 2), o.dilation_w = Draw(1, 2);
    o.pad_top = Draw(0, 2), o.pad_left = Draw(0, 2);
    if (Draw(0, 1)) o.act_min_f = -1, o.act_max_f = 1;
    const Dims in = {Draw(1, 2), Draw(8, 12), Draw(8, 15), channels};
    const Dims out = {in[0], OutSize(in[1], kh, o.stride_h, o.dilation_h, o.pad_top, Draw(0, 1)),
                      OutSize(in[2], kw, o.stride_w, o.dilation_w, o.pad_left, Draw(0, 1)),
                      channels * multiplier};
    const Dims weights = {1, kh, kw, out[3]};
    const Values x = RandomValues(in), w = RandomValues(weights);
    const Values bias = Draw(0, 1) ? RandomValues({out[3]}) : Values();
    OneOp op(OpKind::DEPTHWISE_CONV_2D);
    op.Options(o).In(in, x).Constant(weights, w);
    if (!bias.empty()) {
      op.Constant({out[3]}, bias);
    } else if (Draw(0, 1)) {
      op.Absent();
    }
    op.Out(out);
    ExpectNear(op.Run(),
               Convolve(
                   in, out, x, o, kh, kw, 1, multiplier,
                   [&](int32_t c, int32_t ky, int32_t kx, int32_t) {
                     return w[(ky * kw + kx) * out[3] + c];
                   },
                   bias),
               1e-5f);
    if (HasFatalFailure()) return;
  }
}

TEST(F32Ops, TransposeConvolutionsOfRandomShapes) {
  for (int round = 0; round < 100; ++round) {
    fb::Conv2DOptionsT o;
    const int32_t kh = Draw(1, 4), kw = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.pad_top = Draw(0, kh - 1), o.pad_left = Draw(0, kw - 1);
    const Dims in = {Draw(1, 2), Draw(2, 5), Draw(2, 5), Draw(1, 9)};
    const Dims out = {in[0], (in[1] - 1) * o.stride_h + kh - o.pad_top,
                      (in[2] - 1) * o.stride_w + kw - o.pad_left, Draw(1, 19)};
    const Dims weights = {out[3], kh, kw, in[3]};
    const Values x = RandomValues(in), w = RandomValues(weights);
    const Values bias = Draw(0, 1) ? RandomValues({out[3]}) : Values();
    Values wanted(Count(out));
    for (size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = bias.empty() ? 0.f : bias[i % static_cast<size_t>(out[3])];
    }
    for (int32_t n = 0; n < in[0]; ++n) {
      for (int32_t iy = 0; iy < in[1]; ++iy) {
        for (int32_t ix = 0; ix < in[2]; ++ix) {
          for (int32_t ky = 0; ky < kh; ++ky) {
            for (int32_t kx = 0; kx < kw; ++kx) {
              const int32_t oy = iy * o.stride_h + ky - o.pad_top;
              const int32_t ox = ix * o.stride_w + kx - o.pad_left;
              if (oy < 0 || ox < 0 || oy >= out[1] || ox >= out[2]) continue;
              for (int32_t c = 0; c < out[3]; ++c) {
                for (int32_t i = 0; i < in[3]; ++i) {
                  wanted[((n * out[1] + oy) * out[2] + ox) * out[3] + c] +=
                      x[((n * in[1] + iy) * in[2] + ix) * in[3] + i] *
                      w[((c * kh + ky) * kw + kx) * in[3] + i];
                }
              }
            }
          }
        }
      }
    }
    OneOp op(OpKind::TRANSPOSE_CONV);
    op.Options(o).In(in, x).Constant(weights, w);
    if (!bias.empty()) op.Constant({out[3]}, bias);
    op.Out(out);
    ExpectNear(op.Run(), wanted, 1e-4f);
    if (HasFatalFailure()) return;
  }
}

TEST(F32Ops, FullyConnected) {
  for (int round = 0; round < 60; ++round) {
    const int32_t rows = Draw(1, 9), k = Draw(1, 70), n = Draw(1, 70);
    const Values x = RandomValues({rows, k}), w = RandomValues({n, k}), b = RandomValues({n});
    fb::FullyConnectedOptionsT o;
    if (Draw(0, 1)) o.act_min_f = 0;
    Values wanted;
    for (int32_t r = 0; r < rows; ++r) {
      for (int32_t c = 0; c < n; ++c) {
        double sum = static_cast<double>(b[c]);
        for (int32_t i = 0; i < k; ++i) sum += static_cast<double>(x[r * k + i] * w[c * k + i]);
        wanted.push_back(std::max(static_cast<float>(sum), o.act_min_f));
      }
    }
    // Whatever the tensors' ranks.
    const Dims out = Draw(0, 1) ? Dims{1, rows, 1, n} : Dims{rows, n};
    OneOp op(OpKind::FULLY_CONNECTED);
    op.Options(o).In({rows, k}, x).Constant({n, k}, w).Constant({n}, b).Out(out);
    ExpectNear(op.Run(), wanted, 1e-4f);
    if (HasFatalFailure()) return;
  }
}

TEST(F32Ops, Pools) {
  for (int round = 0; round < 100; ++round) {
    fb::PoolOptionsT o;
    o.filter_h = Draw(1, 4), o.filter_w = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.pad_top = Draw(0, o.filter_h - 1), o.pad_left = Draw(0, o.filter_w - 1);
    if (Draw(0, 1)) o.act_min_f = -0.5f, o.act_max_f = 0.5f;
    const Dims in = {Draw(1, 2), Draw(5, 9), Draw(5, 9), Draw(1, 40)};
    const Dims out = {in[0], OutSize(in[1], o.filter_h, o.stride_h, 1, o.pad_top, 0),
                      OutSize(in[2], o.filter_w, o.stride_w, 1, o.pad_left, 0), in[3]};
    const Values x = RandomValues(in);
    for (bool average : {true, false}) {
      Values wanted;
      for (int32_t n = 0; n < out[0]; ++n) {
        for (int32_t oy = 0; oy < out[1]; ++oy) {
          for (int32_t ox = 0; ox < out[2]; ++ox) {
            for (int32_t c = 0; c < out[3]; ++c) {
              double sum = 0, max = -1e30;
              int32_t count = 0;
              for (int32_t iy = oy * o.stride_h - o.pad_top;
                   iy < oy * o.stride_h - o.pad_top + o.filter_h; ++iy) {
                for (int32_t ix = ox * o.stride_w - o.pad_left;
                     ix < ox * o.stride_w - o.pad_left + o.filter_w; ++ix) {
                  if (iy < 0 || ix < 0 || iy >= in[1] || ix >= in[2]) continue;
                  const double v =
                      static_cast<double>(x[((n * in[1] + iy) * in[2] + ix) * in[3] + c]);
                  sum += v;
                  max = std::max(max, v);
                  ++count;
                }
              }
              const float y = static_cast<float>(average ? sum / count : max);
              wanted.push_back(std::min(std::max(y, o.act_min_f), o.act_max_f));
            }
          }
        }
      }
      OneOp op(average ? OpKind::AVERAGE_POOL_2D : OpKind::MAX_POOL_2D);
      op.Options(o).In(in, x).Out(out);
      ExpectNear(op.Run(), wanted, 1e-5f);
      if (HasFatalFailure()) return;
    }
  }
}

Values Reduce(OpKind kind, const Dims& in, const Dims& out, const std::vector<int32_t>& axes,
              const Values& x) {
  fb::ReduceOptionsT o;
  o.axes = axes;
  OneOp op(kind);
  op.Options(o).In(in, x).Out(out);
  return op.Run();
}

TEST(F32Ops, Reductions) {
  const Dims in = {2, 3, 5, 4};
  const Values x = RandomValues(in);
  // Columns (spatial), rows (the last axis) and a walk of two separate axes.
  const std::vector<std::pair<std::vector<int32_t>, Dims>> cases = {
      {{1, 2}, {2, 4}}, {{3}, {2, 3, 5}}, {{0, 2}, {3, 4}}, {{0, 1, 2, 3}, {1}}};
  for (const auto& [axes, out] : cases) {
    std::vector<double> sum(Count(out)), max(Count(out), -1e30), min(Count(out), 1e30);
    const double count = static_cast<double>(Count(in)) / static_cast<double>(Count(out));
    for (size_t i = 0; i < x.size(); ++i) {
      size_t at = 0, rest = i;
      const size_t index[4] = {rest / 60, rest / 20 % 3, rest / 4 % 5, rest % 4};
      for (int32_t d = 0; d < 4; ++d) {
        if (std::count(axes.begin(), axes.end(), d)) continue;
        at = at * static_cast<size_t>(in[d]) + index[d];
      }
      const double v = static_cast<double>(x[i]);
      sum[at] += v;
      max[at] = std::max(max[at], v);
      min[at] = std::min(min[at], v);
    }
    const Values sums(sum.begin(), sum.end()), maxs(max.begin(), max.end()),
        mins(min.begin(), min.end());
    Values means;
    for (double s : sum) means.push_back(static_cast<float>(s / count));
    ExpectNear(Reduce(OpKind::SUM, in, out, axes, x), sums, 1e-5f);
    ExpectNear(Reduce(OpKind::MEAN, in, out, axes, x), means, 1e-5f);
    ExpectNear(Reduce(OpKind::REDUCE_MAX, in, out, axes, x), maxs, 0);
    ExpectNear(Reduce(OpKind::REDUCE_MIN, in, out, axes, x), mins, 0);
  }
}

TEST(F32Ops, SoftmaxAndItsLogarithm) {
  const Dims dims = {3, 7};
  const Values x = RandomValues(dims);
  fb::SoftmaxOptionsT beta;
  beta.beta = 0.5f;
  Values soft, log;
  for (int v = 0; v < 3; ++v) {
    double sum = 0, sum1 = 0;
    for (int i = 0; i < 7; ++i) {
      sum += std::exp(0.5 * static_cast<double>(x[v * 7 + i]));
      sum1 += std::exp(static_cast<double>(x[v * 7 + i]));
    }
    for (int i = 0; i < 7; ++i) {
      const double xi = static_cast<double>(x[v * 7 + i]);
      soft.push_back(static_cast<float>(std::exp(0.5 * xi) / sum));
      log.push_back(static_cast<float>(xi - std::log(sum1)));
    }
  }
  ExpectNear(OneOp(OpKind::SOFTMAX).Options(beta).In(dims, x).Out(dims).Run(), soft, 1e-6f);
  ExpectNear(OneOp(OpKind::LOG_SOFTMAX).Options(fb::SoftmaxOptionsT{}).In(dims, x).Out(dims).Run(),
             log, 1e-6f);
  // Large values do not overflow.
  ExpectNear(OneOp(OpKind::SOFTMAX)
                 .Options(fb::SoftmaxOptionsT{})
                 .In({1, 2}, {1000, 1000})
                 .Out({1, 2})
                 .Run(),
             {0.5f, 0.5f}, 0);
}

TEST(F32Ops, L2NormalizationAndBatchMatMul) {
  ExpectNear(OneOp(OpKind::L2_NORMALIZATION).In({2, 2}, {3, 4, 0, 0}).Out({2, 2}).Run(),
             {0.6f, 0.8f, 0, 0}, 1e-6f);
  for (bool adj_x : {false, true}) {
    for (bool adj_y : {false, true}) {
      const Dims a = adj_x ? Dims{2, 5, 3} : Dims{2, 3, 5},
                 b = adj_y ? Dims{1, 4, 5} : Dims{1, 5, 4};
      const Values x = RandomValues(a), y = RandomValues(b);
      Values wanted;
      for (int n = 0; n < 2; ++n) {
        for (int i = 0; i < 3; ++i) {
          for (int j = 0; j < 4; ++j) {
            double sum = 0;
            for (int k = 0; k < 5; ++k) {
              sum += static_cast<double>(x[n * 15 + (adj_x ? k * 3 + i : i * 5 + k)] *
                                         y[adj_y ? j * 5 + k : k * 4 + j]);
            }
            wanted.push_back(static_cast<float>(sum));
          }
        }
      }
      fb::BatchMatMulOptionsT o;
      o.adj_x = adj_x, o.adj_y = adj_y;
      ExpectNear(OneOp(OpKind::BATCH_MATMUL).Options(o).In(a, x).In(b, y).Out({2, 3, 4}).Run(),
                 wanted, 1e-5f);
    }
  }
}

Values Unary(OpKind kind, const Values& x) {
  const Dims dims = {static_cast<int32_t>(x.size())};
  return OneOp(kind).In(dims, x).Out(dims).Run();
}

TEST(F32Ops, FunctionsOfOneValue) {
  ExpectNear(Unary(OpKind::EXP, {0, 1}), {1, 2.7182818f}, 1e-6f);
  ExpectNear(Unary(OpKind::LOG, {1, 2.7182818f}), {0, 1}, 1e-6f);
  ExpectNear(Unary(OpKind::HARD_SWISH, {-4, -1, 0, 1, 5}), {0, -1 / 3.f, 0, 2 / 3.f, 5}, 1e-6f);
  ExpectNear(Unary(OpKind::ERF, {0, 0.5f}), {0, 0.52049988f}, 1e-6f);
  ExpectNear(Unary(OpKind::FLOOR, {-1.5f, 1.5f}), {-2, 1}, 0);
  ExpectNear(Unary(OpKind::CEIL, {-1.5f, 1.5f}), {-1, 2}, 0);
  // Halves go to the even neighbour.
  ExpectNear(Unary(OpKind::ROUND, {-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f, 2.6f, 2.4f, 1e30f}),
             {-2, -2, 0, 0, 2, 2, 3, 2, 1e30f}, 0);
  ExpectNear(Unary(OpKind::SIN, {0, 1}), {0, 0.84147098f}, 1e-6f);
  ExpectNear(Unary(OpKind::COS, {0, 1}), {1, 0.54030231f}, 1e-6f);
  fb::ElementwiseOptionsT o;
  o.alpha = 2;
  ExpectNear(OneOp(OpKind::ELU).Options(o).In({3}, {-1, 0, 2}).Out({3}).Run(),
             {2 * -0.63212056f, 0, 2}, 1e-6f);
  ExpectNear(OneOp(OpKind::GELU).Options(o).In({3}, {-1, 0, 1}).Out({3}).Run(),
             {-0.15865525f, 0, 0.84134475f}, 1e-6f);
  o.approximate = true;
  ExpectNear(OneOp(OpKind::GELU).Options(o).In({2}, {-1, 1}).Out({2}).Run(),
             {-0.15880801f, 0.84119199f}, 1e-6f);
  ExpectNear(OneOp(OpKind::POW).In({2, 2}, {2, 3, 4, 9}).In({1, 2}, {3, 0.5f}).Out({2, 2}).Run(),
             {8, 1.7320508f, 64, 3}, 1e-6f);
}

// int8 -> DEQUANTIZE -> float32 FULLY_CONNECTED -> QUANTIZE -> int8, as in models that keep some
// layers in float.
TEST(F32Ops, FloatBetweenIntegers) {
  Graph g;
  const auto add = [&](DType type, const Dims& dims, float scale, int32_t zero) {
    GraphTensor t;
    t.name = "t" + std::to_string(g.tensors.size());
    t.type = type;
    t.shape = dims;
    if (scale > 0) t.scale = {scale};
    t.zero_point = zero;
    return g.AddTensor(std::move(t));
  };
  const auto emit = [&](OpKind kind, std::vector<int32_t> inputs, int32_t output) {
    GraphOp op;
    op.kind = kind;
    op.name = "op";
    op.inputs = std::move(inputs);
    op.outputs = {output};
    if (kind == OpKind::FULLY_CONNECTED) op.options.Set(fb::FullyConnectedOptionsT{});
    g.ops.push_back(std::move(op));
  };
  const int32_t n = 6;
  const Values w = RandomValues({n, n}), b = RandomValues({n});
  const int32_t x = add(DType::INT8, {1, n}, 0.1f, 3), real = add(DType::FLOAT32, {1, n}, 0, 0);
  const int32_t sum = add(DType::FLOAT32, {1, n}, 0, 0), y = add(DType::INT8, {1, n}, 0.2f, -5);
  emit(OpKind::DEQUANTIZE, {x}, real);
  emit(OpKind::FULLY_CONNECTED,
       {real, g.AddConstant("w", DType::FLOAT32, {n, n}, w.data()),
        g.AddConstant("b", DType::FLOAT32, {n}, b.data())},
       sum);
  emit(OpKind::QUANTIZE, {sum}, y);
  g.inputs = {x};
  g.outputs = {y};
  std::vector<std::string> log;
  RunPasses(&g, &log);
  ASSERT_EQ(CheckGraph(g), OCTET_OK) << octet_last_error();
  std::vector<uint8_t> in(n);
  for (uint8_t& v : in) v = static_cast<uint8_t>(Draw(-128, 127));
  std::vector<std::vector<uint8_t>> out;
  ASSERT_EQ(Evaluate(g, {in}, &out), OCTET_OK) << octet_last_error();
  for (int32_t i = 0; i < n; ++i) {
    double total = static_cast<double>(b[i]);
    for (int32_t k = 0; k < n; ++k) {
      total += 0.1 * (static_cast<int8_t>(in[k]) - 3) * static_cast<double>(w[i * n + k]);
    }
    const double wanted = std::min(std::max(std::round(total / 0.2) - 5, -128.0), 127.0);
    EXPECT_NEAR(static_cast<int8_t>(out[0][static_cast<size_t>(i)]), wanted, 1);
  }
}

// No float leads to undefined behaviour, and not-a-number is not hidden.
TEST(F32Ops, OddValuesGoThrough) {
  const Values odd = {kNan, kInf, -kInf, 0.f, -0.f, 1e38f, -1e38f, 1e-45f};
  const Dims dims = {1, 2, 2, 2}, flat = {8};
  for (OpKind kind : {OpKind::EXP, OpKind::LOG, OpKind::HARD_SWISH, OpKind::ERF, OpKind::FLOOR,
                      OpKind::CEIL, OpKind::ROUND, OpKind::SIN, OpKind::COS, OpKind::LOGISTIC,
                      OpKind::TANH, OpKind::SQRT, OpKind::RSQRT}) {
    const Values y = Unary(kind, odd);
    ASSERT_EQ(y.size(), odd.size());
    EXPECT_TRUE(std::isnan(y[0])) << OpName(kind);
  }
  const Values y = OneOp(OpKind::CONV_2D)
                       .Options(fb::Conv2DOptionsT{})
                       .In(dims, odd)
                       .Constant({1, 1, 1, 2}, {1, 1})
                       .Out({1, 2, 2, 1})
                       .Run();
  ASSERT_EQ(y.size(), 4u);
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], std::numeric_limits<float>::lowest());  // the clamp of "none"
  EXPECT_EQ(y[2], 1e38f);
  fb::PoolOptionsT pool;
  pool.filter_h = pool.filter_w = 2;
  const Values max = OneOp(OpKind::MAX_POOL_2D).Options(pool).In(dims, odd).Out({1, 1, 1, 2}).Run();
  ASSERT_EQ(max.size(), 2u);
  EXPECT_EQ(max[0], 0.f);  // of NaN, -inf, -0 and -1e38
  OneOp(OpKind::SOFTMAX).Options(fb::SoftmaxOptionsT{}).In(flat, odd).Out(flat).Run();
}

TEST(F32Ops, ChecksRefuse) {
  const Values four(4, 1.f);
  const auto conv = [&](const fb::Conv2DOptionsT& o) {
    OneOp op(OpKind::CONV_2D);
    op.Options(o).In({1, 2, 2, 1}, four).Constant({1, 1, 1, 1}, {1.f}).Constant({1}, {0.f});
    op.Out({1, 2, 2, 1});
    return op;
  };
  fb::Conv2DOptionsT o;
  EXPECT_TRUE(conv(o).Accepts());
  o.act_min_f = 1, o.act_max_f = 0;
  EXPECT_FALSE(conv(o).Accepts());
  o.act_min_f = kNan, o.act_max_f = 1;
  EXPECT_FALSE(conv(o).Accepts());
  o = {};
  OneOp mixed = conv(o);
  mixed.tensor(1).type = DType::INT32;  // weights
  EXPECT_FALSE(mixed.Accepts());
  OneOp bias = conv(o);
  bias.tensor(2).type = DType::INT32;
  EXPECT_FALSE(bias.Accepts());
  OneOp long_bias = conv(o);
  long_bias.tensor(2).shape = {2};
  EXPECT_FALSE(long_bias.Accepts());
  OneOp out = conv(o);
  out.tensor(3).type = DType::INT32;
  EXPECT_FALSE(out.Accepts());
  OneOp variable(OpKind::CONV_2D);
  variable.Options(o).In({1, 2, 2, 1}, four).In({1, 1, 1, 1}, {1.f}).Out({1, 2, 2, 1});
  EXPECT_FALSE(variable.Accepts());

  fb::PoolOptionsT pool;
  pool.act_min_f = kNan;
  EXPECT_FALSE(
      OneOp(OpKind::MAX_POOL_2D).Options(pool).In({1, 2, 2, 1}, four).Out({1, 2, 2, 1}).Accepts());
  fb::FullyConnectedOptionsT fc;
  fc.act_max_f = kNan;
  EXPECT_FALSE(OneOp(OpKind::FULLY_CONNECTED)
                   .Options(fc)
                   .In({1, 4}, four)
                   .Constant({1, 4}, four)
                   .Out({1, 1})
                   .Accepts());
  fb::ElementwiseOptionsT elu;
  elu.alpha = kInf;
  EXPECT_FALSE(OneOp(OpKind::ELU).Options(elu).In({4}, four).Out({4}).Accepts());
  OneOp exp(OpKind::EXP);
  exp.In({4}, four).Out({4});
  EXPECT_TRUE(exp.Accepts());
  exp.tensor(1).type = DType::INT32;
  EXPECT_FALSE(exp.Accepts());
  EXPECT_FALSE(OneOp(OpKind::POW).In({4}, four).In({3}, four).Out({4}).Accepts());
}

}  // namespace
}  // namespace octet
