// Our kernels beside XNNPACK's on the same layers, in turns, on one thread: `ratio` is XNNPACK's
// time / ours. XNNPACK chooses its kernels by itself, from all that the CPU has; each of ours is
// run against those. `differs` is the largest difference of the outputs: XNNPACK rounds otherwise
// than the reference.
#include <xnnpack.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "bench/conv_cases.h"
#include "kernels/qs8_add/qs8_add.h"
#include "kernels/qs8_mean/qs8_mean.h"
#include "kernels/s8_maxpool/s8_maxpool.h"

namespace octet {
namespace {

using benchmark::State;

struct Delete {
  void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
};
using Operator = std::unique_ptr<xnn_operator, Delete>;

int32_t Difference(const int8_t* a, const int8_t* b, size_t n) {
  int32_t most = 0;
  for (size_t i = 0; i < n; ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

// Both write to `output`; theirs was made by create and set up, each of which returned a status.
template <class Ours>
void Beside(State& state, const Work& work, xnn_status status, const Operator& theirs, Ours ours,
            const Aligned<int8_t>& output) {
  if (status != xnn_status_success) return state.SkipWithError("XNNPACK refuses this layer");
  const auto run = [&] { xnn_run_operator(theirs.get(), nullptr); };
  ours();
  const std::vector<int8_t> bytes(output.data, output.data + output.size);
  run();
  state.counters["differs"] = Difference(bytes.data(), output.data, output.size);
  Measure(state, work, ours, run);
}

// What lies below and to the right of the input with SAME padding.
uint32_t PadAfter(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t dilation,
                  int32_t before) {
  const int32_t all = (out - 1) * stride + (kernel - 1) * dilation + 1 - in;
  return static_cast<uint32_t>(std::max(all, 0) - before);
}

template <class Shape>
xnn_status MakeConv(const Shape& s, uint32_t groups, size_t group_in, size_t group_out,
                    const float* scales, const int8_t* weights, const int32_t* bias, uint32_t flags,
                    Operator* out) {
  xnn_operator_t op = nullptr;
  const size_t in_c = groups * group_in, out_c = groups * group_out;
  const xnn_status status = xnn_create_convolution2d_nhwc_qc8(
      static_cast<uint32_t>(s.pad_top),
      PadAfter(s.in_w, s.out_w, s.kernel_w, s.stride_w, s.dilation_w, s.pad_left),
      PadAfter(s.in_h, s.out_h, s.kernel_h, s.stride_h, s.dilation_h, s.pad_top),
      static_cast<uint32_t>(s.pad_left), static_cast<uint32_t>(s.kernel_h),
      static_cast<uint32_t>(s.kernel_w), static_cast<uint32_t>(s.stride_h),
      static_cast<uint32_t>(s.stride_w), static_cast<uint32_t>(s.dilation_h),
      static_cast<uint32_t>(s.dilation_w), groups, group_in, group_out, in_c, out_c,
      static_cast<int8_t>(s.input_zero_point), 1.f, scales, weights, bias,
      static_cast<int8_t>(s.output_zero_point), 1.f, static_cast<int8_t>(s.act_min),
      static_cast<int8_t>(s.act_max), flags, &op);
  out->reset(op);
  return status;
}

void Conv(State& state, const QS8ConvKernel& kernel, const ConvLayer& layer) {
  ConvCase c(layer);
  PackedConv ours(kernel, &c);
  const QS8ConvShape& s = c.shape;
  Operator theirs;
  xnn_status status = MakeConv(s, 1, static_cast<size_t>(s.in_c), static_cast<size_t>(s.out_c),
                               c.scales.data(), c.weights.data, c.bias.data(), 0, &theirs);
  if (status == xnn_status_success) {
    status = xnn_setup_convolution2d_nhwc_qc8(theirs.get(), 1, static_cast<size_t>(s.in_h),
                                              static_cast<size_t>(s.in_w), c.input.data,
                                              c.output.data, nullptr);
  }
  Beside(
      state, {kernel.isa, c.macs}, status, theirs, [&] { ours(); }, c.output);
}

void DwConv(State& state, const QS8DwConvKernel& kernel, const DwLayer& layer) {
  DwCase c(layer);
  PackedDwConv ours(kernel, &c);
  const QS8DwConvShape& s = c.shape;
  Operator theirs;
  xnn_status status = MakeConv(
      s, static_cast<uint32_t>(s.in_c), 1, static_cast<size_t>(s.depth_multiplier), c.scales.data(),
      c.weights.data, c.bias.data(), XNN_FLAG_DEPTHWISE_CONVOLUTION, &theirs);
  if (status == xnn_status_success) {
    status = xnn_setup_convolution2d_nhwc_qc8(theirs.get(), 1, static_cast<size_t>(s.in_h),
                                              static_cast<size_t>(s.in_w), c.input.data,
                                              c.output.data, nullptr);
  }
  Beside(
      state, {kernel.isa, c.macs}, status, theirs, [&] { ours(); }, c.output);
}

// One scale for all channels: XNNPACK has no other fully connected operator.
void FullyConnected(State& state, const QS8ConvKernel& kernel, const ConvLayer& layer) {
  ConvCase c(layer);
  std::fill(c.scales.begin(), c.scales.end(), c.scales[0]);
  PackedConv ours(kernel, &c);
  const QS8ConvShape& s = c.shape;
  const size_t in_c = static_cast<size_t>(s.in_c), out_c = static_cast<size_t>(s.out_c);
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_create_fully_connected_nc_qs8(
      in_c, out_c, in_c, out_c, static_cast<int8_t>(s.input_zero_point), 1.f, c.scales[0],
      c.weights.data, c.bias.data(), static_cast<int8_t>(s.output_zero_point), 1.f, -128, 127, 0,
      &op);
  const Operator theirs(op);
  if (status == xnn_status_success) {
    status = xnn_setup_fully_connected_nc_qs8(op, 1, c.input.data, c.output.data, nullptr);
  }
  Beside(
      state, {kernel.isa, c.macs}, status, theirs, [&] { ours(); }, c.output);
}

void Add(State& state, const BinaryKernel& kernel, size_t n) {
  Aligned<int8_t> a(n), b(n), output(n);
  a.Fill(1);
  b.Fill(2);
  AddParams p = {};
  p.a_zero = 3, p.b_zero = -7, p.out_zero = 5;
  p.left = 20;
  p.a = QuantizeMultiplier(0.5), p.b = QuantizeMultiplier(0.37);
  p.out = QuantizeMultiplier(2 * 0.81 / (1 << 20));
  p.low = -128, p.high = 127;
  MakeAddFixed(&p);
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_create_add_nd_qs8(3, 0.81f, -7, 0.74f * 0.81f, 5, 1.f, -128, 127, 0, &op);
  const Operator theirs(op);
  if (status == xnn_status_success) {
    status = xnn_setup_add_nd_qs8(op, 1, &n, 1, &n, a.data, b.data, output.data, nullptr);
  }
  const auto ours = [&] { kernel.run(n, a.data, 1, b.data, 1, output.data, &p); };
  Beside(state, {kernel.isa, 0, static_cast<double>(n)}, status, theirs, ours, output);
}

void GlobalAveragePool(State& state, const QS8MeanKernel& kernel, size_t pixels, size_t channels) {
  Aligned<int8_t> input(pixels * channels), output(channels);
  input.Fill(1);
  QS8MeanParams p;
  p.rows = pixels, p.stride = channels;
  p.multiplier = QuantizeMultiplier(1.0 / static_cast<double>(pixels));
  xnn_operator_t op = nullptr;
  xnn_status status = xnn_create_global_average_pooling_nwc_qs8(channels, channels, channels, 0,
                                                                1.f, 0, 1.f, -128, 127, 0, &op);
  const Operator theirs(op);
  if (status == xnn_status_success) {
    status =
        xnn_setup_global_average_pooling_nwc_qs8(op, 1, pixels, input.data, output.data, nullptr);
  }
  const auto ours = [&] { kernel.run(p, input.data, channels, output.data); };
  Beside(state, {kernel.isa, 0, static_cast<double>(input.size)}, status, theirs, ours, output);
}

void MaxPool(State& state, const S8MaxPoolKernel& kernel, int32_t side, int32_t channels,
             int32_t filter, int32_t stride) {
  PoolShape s;
  s.in_w = side, s.out_w = (side - filter) / stride + 1;
  s.filter_w = filter, s.stride_w = stride;
  s.channels = channels;
  s.act_min = -128, s.act_max = 127;
  const size_t c = static_cast<size_t>(channels), row = static_cast<size_t>(side) * c;
  const size_t out_row = static_cast<size_t>(s.out_w) * c;
  Aligned<int8_t> input(static_cast<size_t>(side) * row);
  Aligned<int8_t> output(static_cast<size_t>(s.out_w) * out_row);
  input.Fill(1);
  xnn_operator_t op = nullptr;
  const uint32_t f = static_cast<uint32_t>(filter), step = static_cast<uint32_t>(stride);
  xnn_status status = xnn_create_max_pooling2d_nhwc_s8(0, 0, 0, 0, f, f, step, step, 1, 1, c, c, c,
                                                       -128, 127, 0, &op);
  const Operator theirs(op);
  if (status == xnn_status_success) {
    status =
        xnn_setup_max_pooling2d_nhwc_s8(op, 1, static_cast<size_t>(side), static_cast<size_t>(side),
                                        input.data, output.data, nullptr);
  }
  const auto ours = [&] {
    for (int32_t y = 0; y < s.out_w; ++y) {
      kernel.run(s, {input.data, row, 0}, y * stride, y * stride + filter,
                 output.data + static_cast<size_t>(y) * out_row);
    }
  };
  Beside(state, {kernel.isa, 0, static_cast<double>(input.size)}, status, theirs, ours, output);
}

void RegisterAll() {
  for (const ConvLayer& layer : ConvLayers()) {
    const bool fully_connected = layer.in_h * layer.in_w == 1;
    const QS8ConvShape shape = ConvCase(layer).shape;
    ForEachVectorRow(QS8ConvTable(), [&](const QS8ConvKernel& kernel) {
      if (!kernel.supports(shape)) return;
      Register(std::string(kernel.name) + "/" + LayerName(layer), [&, fully_connected](State& s) {
        fully_connected ? FullyConnected(s, kernel, layer) : Conv(s, kernel, layer);
      });
    });
  }
  for (const DwLayer& layer : DwLayers()) {
    if (layer.weight_zero_point != 0) continue;
    ForEachVectorRow(QS8DwConvTable(), [&](const QS8DwConvKernel& kernel) {
      Register(std::string(kernel.name) + "/" + LayerName(layer),
               [&](State& s) { DwConv(s, kernel, layer); });
    });
  }
  ForEachVectorRow(Qs8AddTable(), [](const BinaryKernel& kernel) {
    for (const size_t n : {size_t{56 * 56 * 24}, size_t{14 * 14 * 96}, size_t{7 * 7 * 160}}) {
      Register(std::string(kernel.name) + "/mobilenet_v2/" + std::to_string(n),
               [&kernel, n](State& s) { Add(s, kernel, n); });
    }
  });
  ForEachVectorRow(QS8MeanTable(), [](const QS8MeanKernel& kernel) {
    Register(std::string(kernel.name) + "/mobilenet_v2/7x7x1280",
             [&](State& s) { GlobalAveragePool(s, kernel, 49, 1280); });
  });
  ForEachVectorRow(S8MaxPoolTable(), [](const S8MaxPoolKernel& kernel) {
    Register(std::string(kernel.name) + "/resnet50/112x112x64_3x3s2",
             [&](State& s) { MaxPool(s, kernel, 112, 64, 3, 2); });
  });
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  if (xnn_initialize(nullptr) != xnn_status_success) {
    std::fprintf(stderr, "XNNPACK does not run on this CPU\n");
    return 1;
  }
  octet::RegisterAll();
  return octet::RunBenchmarks(argc, argv);
}
