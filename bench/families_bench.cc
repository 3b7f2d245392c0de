// Every kernel of the families that are no convolution, over shapes of real networks: bytes of the
// larger side, beside the bytes that vectors move in the first-level cache. Run with
// --benchmark_filter=family to see one.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness.h"
#include "kernels/f32_quantize/f32_quantize.h"
#include "kernels/qs8_add/qs8_add.h"
#include "kernels/qs8_avgpool/qs8_avgpool.h"
#include "kernels/qs8_mean/qs8_mean.h"
#include "kernels/qs8_mul/qs8_mul.h"
#include "kernels/qs8_prelu/qs8_prelu.h"
#include "kernels/resize_bilinear/resize_bilinear.h"
#include "kernels/s8_argmax/s8_argmax.h"
#include "kernels/s8_dot/s8_dot.h"
#include "kernels/s8_maxpool/s8_maxpool.h"
#include "kernels/s8_pool_sums/s8_pool_sums.h"
#include "kernels/s8_softmax/s8_softmax.h"
#include "kernels/wide_binary/wide_binary.h"
#include "kernels/x8_lut/x8_lut.h"
#include "kernels/x8_minmax/x8_minmax.h"
#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {
namespace {

using benchmark::State;

std::vector<int8_t> RandomBytes(size_t n) {
  std::mt19937 rng(static_cast<uint32_t>(n));
  std::vector<int8_t> x(n);
  for (int8_t& v : x) v = static_cast<int8_t>(rng());
  return x;
}

// Adds name/shape; `body` runs the kernel once and returns the bytes that count.
template <class F>
void Add(Isa isa, const char* name, const std::string& shape, F body) {
  Register(std::string(name) + "/" + shape, [isa, body](State& state) mutable {
    const double bytes = static_cast<double>(body());
    Measure(state, {isa, 0, bytes}, [&] {
      body();
      benchmark::ClobberMemory();
    });
  });
}

template <class Row, class F>
void ForEachRow(Span<const Row> table, const F& f) {
  const IsaSet isa = DetectIsa();
  for (const Row& row : table) {
    if (isa.has(row.isa)) f(row);
  }
}

template <class Params>
void Binary(Span<const BinaryKernel> table, const Params& p) {
  ForEachRow(table, [&](const BinaryKernel& row) {
    for (size_t n : {size_t{56 * 56 * 24}, size_t{7 * 7 * 160}}) {
      Add(row.isa, row.name, std::to_string(n),
          [row, p, n, a = RandomBytes(n), b = RandomBytes(n),
           out = std::vector<int8_t>(n)]() mutable {
            row.run(n, a.data(), 1, b.data(), 1, out.data(), &p);
            return n;
          });
    }
  });
}

template <class T, class Params>
void WideBinary(Span<const BinaryKernel> table, const Params& p) {
  ForEachRow(table, [&](const BinaryKernel& row) {
    const size_t n = 7 * 7 * 160;
    Add(row.isa, row.name, std::to_string(n),
        [row, p, n, a = std::vector<T>(n, T{77}), b = std::vector<T>(n, T{55}),
         out = std::vector<T>(n)]() mutable {
          row.run(n, a.data(), 1, b.data(), 1, out.data(), &p);
          return n * sizeof(T);
        });
  });
}

void RegisterBinary() {
  AddParams add = {};
  add.a_zero = 3, add.b_zero = -7, add.out_zero = 5;
  add.left = 20;
  add.a = QuantizeMultiplier(0.5), add.b = QuantizeMultiplier(0.37);
  add.out = QuantizeMultiplier(2 * 0.81 / (1 << 20));
  add.low = -128, add.high = 127;
  MakeAddFixed(&add);
  Binary(Qs8AddTable(), add);
  MulParams mul = {};
  mul.a_zero = 3, mul.b_zero = -7, mul.out_zero = 5;
  mul.q = QuantizeMultiplier(0.0123);
  mul.low = -133, mul.high = 122;
  MakeMulFixed(&mul);
  Binary(Qs8MulTable(), mul);
  PreluParams prelu = {};
  prelu.a_zero = 3;
  prelu.positive = QuantizeMultiplier(0.9), prelu.negative = QuantizeMultiplier(0.01);
  prelu.low = -128, prelu.high = 127;
  Binary(Qs8PreluTable(), prelu);
  Binary(S8MaxTable(), 0);
  WideBinary<int16_t>(Qs16MulTable(), mul);
  add.left = 15;
  add.out = QuantizeMultiplier(2 * 0.81 / (1 << 15));
  WideBinary<int16_t>(Qs16AddTable(), add);
  WideBinary<float>(F32DivTable(), F32DivParams{-3e38f, 3e38f});
}

void RegisterUnary() {
  const size_t n = 224 * 224 * 3;
  ForEachRow(X8LutTable(), [&](const X8LutKernel& row) {
    for (bool flip : {false, true}) {
      std::vector<int8_t> table = RandomBytes(256);
      for (size_t i = 0; flip && i < 256; ++i) table[i] = static_cast<int8_t>(i ^ 0x80);
      Add(row.isa, row.name, flip ? "224x224x3 uint8 to int8" : "224x224x3",
          [row, n, table, in = RandomBytes(n), out = std::vector<uint8_t>(n)]() mutable {
            row.run(reinterpret_cast<const uint8_t*>(in.data()), n,
                    reinterpret_cast<const uint8_t*>(table.data()), out.data());
            return n;
          });
    }
  });
  ForEachRow(F32QuantizeTable(), [&](const F32QuantizeKernel& row) {
    std::vector<float> real(n);
    for (size_t i = 0; i < n; ++i) real[i] = 0.01f * static_cast<float>(i % 999);
    const F32QuantizeParams p = {0.0213f, -3};
    Add(row.isa, row.name, "224x224x3", [=, out = std::vector<int8_t>(n)]() mutable {
      row.quantize(n, real.data(), out.data(), &p);
      return 4 * n;
    });
    Add(row.isa, row.dequantize_name, "224x224x3", [=, in = RandomBytes(n)]() mutable {
      row.dequantize(n, in.data(), real.data(), &p);
      return 4 * n;
    });
  });
}

void RegisterWindows() {
  PoolShape s;
  s.act_min = -128, s.act_max = 127;
  const auto pool = [&](const auto& row, const char* name) {
    PoolShape global = s;
    global.in_w = global.filter_w = 7, global.channels = 1280;
    Add(row.isa, row.name, std::string(name) + " 7x7x1280",
        [row, global, in = RandomBytes(7 * 7 * 1280), out = std::vector<int8_t>(1280)]() mutable {
          row.run(global, {in.data(), 7 * 1280, 0}, 0, 7, out.data());
          return in.size();
        });
    PoolShape small = s;
    small.in_w = 56, small.out_w = 28, small.filter_w = 3, small.stride_w = 2;
    small.channels = 64;
    Add(row.isa, row.name, std::string(name) + " 3x3 stride 2 row of 56x64",
        [row, small, in = RandomBytes(3 * 57 * 64), out = std::vector<int8_t>(28 * 64)]() mutable {
          row.run(small, {in.data(), 56 * 64, 0}, 0, 3, out.data());
          return size_t{3 * 56 * 64};
        });
  };
  ForEachRow(QS8AvgPoolTable(), [&](const QS8AvgPoolKernel& row) { pool(row, "window"); });
  ForEachRow(S8MaxPoolTable(), [&](const S8MaxPoolKernel& row) { pool(row, "window"); });
  ForEachRow(QS8MeanTable(), [&](const QS8MeanKernel& row) {
    QS8MeanParams p;
    p.rows = 49, p.stride = 1280;
    p.multiplier = QuantizeMultiplier(1.1 / 49);
    Add(row.isa, row.name, "7x7x1280",
        [row, p, in = RandomBytes(49 * 1280), out = std::vector<int8_t>(1280)]() mutable {
          row.run(p, in.data(), 1280, out.data());
          return in.size();
        });
  });
  ForEachRow(S8PoolSumsTable(), [&](const S8PoolSumsKernel& row) {
    Add(row.isa, row.name, "3x5x64",
        [row, in = RandomBytes(15 * 64), out = std::vector<int16_t>(64)]() mutable {
          row.run({in.data(), 5 * 64, 0}, 0, 3, 5, 64, out.data());
          return in.size();
        });
  });
}

void RegisterVectors() {
  ForEachRow(S8SoftmaxTable(), [&](const S8SoftmaxKernel& row) {
    std::vector<int32_t> exp(256);
    for (int d = 0; d < 256; ++d) {
      exp[static_cast<size_t>(d)] =
          static_cast<int32_t>(std::min(std::ldexp(std::exp(-0.05 * d), 31), 2147483647.0));
    }
    for (const auto& [vectors, depth] : {std::pair<size_t, size_t>{1, 1001}, {1000, 12}}) {
      const size_t n = vectors * depth;
      Add(row.isa, row.name, std::to_string(vectors) + "x" + std::to_string(depth),
          [row, exp, n, v = vectors, d = depth, in = RandomBytes(n),
           out = std::vector<int8_t>(n)]() mutable {
            row.run(exp.data(), d, in.data(), v, out.data());
            return n;
          });
    }
  });
  ForEachRow(S8ArgTable(), [&](const S8ArgKernel& row) {
    Add(row.isa, row.name, "513x21 rows",
        [row, in = RandomBytes(513 * 21), out = std::vector<int32_t>(513)]() mutable {
          row.rows(ArgKind::kMax, in.data(), 21, 513, out.data());
          return in.size();
        });
    Add(row.isa, row.name, "2304x17 columns",
        [row, in = RandomBytes(2304 * 17), out = std::vector<int32_t>(17)]() mutable {
          row.columns(ArgKind::kMax, in.data(), 2304, 17, 17, out.data());
          return in.size();
        });
  });
  ForEachRow(S8DotTable(), [&](const S8DotKernel& row) {
    const size_t k = 512, n = 64;
    Add(row.isa, row.name, "rows 512x64",
        [=, x = RandomBytes(k), w = RandomBytes(k * n), acc = std::vector<int32_t>(n)]() mutable {
          row.rows({x.data(), 1, 3, 0, w.data(), k, k, n}, acc.data());
          return k * n;
        });
    Add(row.isa, row.name, "columns 512x64",
        [=, x = RandomBytes(k), w = RandomBytes(k * n), acc = std::vector<int32_t>(n)]() mutable {
          row.columns({x.data(), 1, 3, 0, w.data(), n, k, n}, acc.data());
          return k * n;
        });
    Add(row.isa, row.name, "int16 rows 512x64",
        [=, x = std::vector<int16_t>(k, 12345), w = RandomBytes(k * n),
         acc = std::vector<int64_t>(n)]() mutable {
          row.rows16({x.data(), 1, 0, 0, w.data(), k, k, n}, acc.data());
          return k * n;
        });
  });
}

// One output row, eight times as wide as the input's.
void RegisterResize() {
  const size_t in_w = 65, width = 513, channels = 21;
  std::vector<ResizeColumn> columns(width);
  for (size_t i = 0; i < width; ++i) {
    const size_t left = i / 8, right = std::min(left + 1, in_w - 1);
    columns[i] = {left * channels,
                  right * channels,
                  {static_cast<int32_t>(i % 8 * 128), 0.125f * static_cast<float>(i % 8)}};
  }
  ForEachRow(ResizeBilinearTable(), [&](const ResizeBilinearKernel& row) {
    const size_t element = row.kind == ResizeBilinearKind::kF32   ? 4
                           : row.kind == ResizeBilinearKind::kS16 ? 2
                                                                  : 1;
    Add(row.isa, row.name, "65 to 513 columns of 21",
        [=, above = std::vector<float>(in_w * channels),
         below = std::vector<float>(in_w * channels),
         out = std::vector<float>(width * channels)]() mutable {
          row.run({above.data(),
                   below.data(),
                   {300, 0.3f},
                   columns.data(),
                   width,
                   channels,
                   out.data()});
          return width * channels * element;
        });
  });
}

void RegisterTranspose() {
  ForEachRow(XxTransposeTable(), [&](const XxTransposeKernel& row) {
    const size_t side = 256, n = side * side * row.element;
    Add(row.isa, row.name, "256x256",
        [=, in = std::vector<uint8_t>(n), out = std::vector<uint8_t>(n)]() mutable {
          const ptrdiff_t stride = static_cast<ptrdiff_t>(side * row.element);
          row.run(in.data(), stride, out.data(), stride, side, side);
          return n;
        });
  });
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  octet::RegisterBinary();
  octet::RegisterUnary();
  octet::RegisterWindows();
  octet::RegisterVectors();
  octet::RegisterResize();
  octet::RegisterTranspose();
  return octet::RunBenchmarks(argc, argv);
}
