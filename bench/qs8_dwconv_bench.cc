// Every qs8_dwconv kernel that this CPU can run on the depthwise layers of real networks.
//
// GMAC/s and the fraction of the instruction set's peak are the best of many runs, kernel and peak
// taking turns: other load on the machine disturbs both, and then neither.
#include "kernels/qs8_dwconv/qs8_dwconv.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "bench/peak.h"

namespace octet {
namespace {

struct Layer {
  const char* network;
  int32_t in_h, in_w, in_c, kernel_h, kernel_w, stride;
  int32_t dilation = 1;
  int32_t depth_multiplier = 1;
  bool relu = true;
  int32_t weight_zero_point = 0;
};

// SAME padding.
constexpr Layer kLayers[] = {
    {"mobilenet", 112, 112, 32, 3, 3, 1},
    {"mobilenet", 112, 112, 96, 3, 3, 2},
    {"mobilenet", 112, 112, 64, 3, 3, 2},
    {"mobilenet", 56, 56, 128, 3, 3, 1},
    {"mobilenet", 56, 56, 144, 3, 3, 1},
    {"mobilenet", 56, 56, 144, 3, 3, 2},
    {"mobilenet", 28, 28, 192, 3, 3, 1},
    {"mobilenet", 28, 28, 192, 3, 3, 2},
    {"mobilenet", 28, 28, 256, 3, 3, 1},
    {"mobilenet", 14, 14, 384, 3, 3, 1},
    {"mobilenet", 14, 14, 512, 3, 3, 1},
    {"mobilenet", 14, 14, 576, 3, 3, 1},
    {"mobilenet", 14, 14, 576, 3, 3, 2},
    {"mobilenet", 7, 7, 960, 3, 3, 1},
    {"mobilenet", 7, 7, 1024, 3, 3, 1},
    {"mobilenet_signed", 28, 28, 192, 3, 3, 1, 1, 1, false},
    {"mobilenet_uint8", 112, 112, 32, 3, 3, 1, 1, 1, true, 37},
    {"mobilenet_uint8", 56, 56, 144, 3, 3, 1, 1, 1, true, -76},
    {"mobilenet_uint8", 56, 56, 144, 3, 3, 2, 1, 1, true, 15},
    {"mobilenet_uint8", 14, 14, 576, 3, 3, 1, 1, 1, true, 31},
    {"deeplab_uint8", 33, 33, 480, 3, 3, 1, 2, 1, true, -15},
    {"deeplab", 33, 33, 480, 3, 3, 1, 2},
    {"vww", 48, 48, 8, 3, 3, 1},
    {"vww", 48, 48, 16, 3, 3, 2},
    {"vww", 24, 24, 32, 3, 3, 1},
    {"vww", 24, 24, 32, 3, 3, 2},
    {"vww", 12, 12, 64, 3, 3, 1},
    {"vww", 12, 12, 64, 3, 3, 2},
    {"vww", 6, 6, 128, 3, 3, 1},
    {"vww", 6, 6, 128, 3, 3, 2},
    {"vww", 3, 3, 256, 3, 3, 1},
    {"ds_cnn", 25, 5, 64, 3, 3, 1},
    {"movenet_signed", 96, 96, 24, 3, 3, 1, 1, 1, false},
    {"streaming_wakeword", 26, 1, 128, 5, 1, 1, 1, 1, false},
    {"streaming_wakeword", 17, 1, 128, 10, 1, 1, 1, 1, false},
    {"micro_speech", 49, 40, 1, 10, 8, 2, 1, 8},
    {"efficientnet", 56, 56, 72, 5, 5, 2},
    {"efficientnet", 28, 28, 120, 5, 5, 1},
    {"efficientnet_signed", 14, 14, 480, 5, 5, 1, 1, 1, false},
    {"efficientnet_signed", 7, 7, 672, 5, 5, 1, 1, 1, false},
};

template <class T>
struct Aligned {
  explicit Aligned(size_t n) {
    const size_t bytes = (n * sizeof(T) + 127) / 64 * 64;
    data = static_cast<T*>(std::aligned_alloc(64, bytes));
    for (size_t i = 0; i < bytes; ++i) reinterpret_cast<uint8_t*>(data)[i] = 0;
  }
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  T* data;
};

QS8DwConvShape Shape(const Layer& l) {
  QS8DwConvShape s;
  s.in_h = l.in_h;
  s.in_w = l.in_w;
  s.in_c = l.in_c;
  s.depth_multiplier = l.depth_multiplier;
  s.kernel_h = l.kernel_h;
  s.kernel_w = l.kernel_w;
  s.stride_h = s.stride_w = l.stride;
  s.dilation_h = s.dilation_w = l.dilation;
  s.out_h = (l.in_h + l.stride - 1) / l.stride;
  s.out_w = (l.in_w + l.stride - 1) / l.stride;
  const int32_t pad_h = (s.out_h - 1) * s.stride_h + (s.kernel_h - 1) * l.dilation + 1 - s.in_h;
  const int32_t pad_w = (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * l.dilation + 1 - s.in_w;
  s.pad_top = pad_h > 0 ? pad_h / 2 : 0;
  s.pad_left = pad_w > 0 ? pad_w / 2 : 0;
  s.input_zero_point = -128;
  s.weight_zero_point = l.weight_zero_point;
  s.output_zero_point = l.relu ? -128 : 3;
  return s;
}

void Run(benchmark::State& state, const QS8DwConvKernel* kernel, const Layer* layer) {
  const QS8DwConvShape s = Shape(*layer);
  std::mt19937 random(1);
  const size_t taps = static_cast<size_t>(s.kernel_h) * s.kernel_w;
  const size_t out_c = static_cast<size_t>(s.out_c());
  const size_t in_row = static_cast<size_t>(s.in_w) * s.in_c;
  const size_t out_row = s.out_w * out_c;
  Aligned<int8_t> input(static_cast<size_t>(s.in_h) * in_row);
  Aligned<int8_t> output(static_cast<size_t>(s.out_h) * out_row);
  Aligned<int8_t> weights(taps * out_c);
  for (size_t i = 0; i < s.in_h * in_row; ++i) input.data[i] = static_cast<int8_t>(random());
  for (size_t i = 0; i < taps * out_c; ++i) weights.data[i] = static_cast<int8_t>(random());
  // As real layers have them (float_requant.h).
  std::vector<float> scales(out_c);
  for (float& v : scales) v = 0.002f + 0.01f * static_cast<float>(random() % 1000) / 1000;
  std::vector<int32_t> bias(out_c, 100);
  QS8DwConvConstants constants;
  constants.weights = weights.data;
  constants.bias = bias.data();
  constants.scales.weights = {scales.data(), s.weight_zero_point != 0 ? 1 : out_c};
  Aligned<uint8_t> pack(kernel->pack_bytes(s));
  Aligned<uint8_t> scratch(kernel->scratch_bytes(s));
  kernel->pack(s, constants, pack.data);
  QS8DwConvRun run;
  run.shape = &s;
  run.pack = pack.data;
  run.weights = weights.data;
  run.input = {input.data, in_row, 0};
  run.output = {output.data, out_row, 0};
  run.row_end = s.out_h;
  run.channel_end = s.in_c;
  run.scratch = scratch.data;

  const double macs = static_cast<double>(s.out_h) * static_cast<double>(out_row * taps);
  // A turn of about a twentieth of a millisecond, short enough to fall between disturbances.
  const int repeat = macs < 2e6 ? static_cast<int>(2e6 / macs) + 1 : 1;
  double best = 1e9, peak = 0;
  for (auto _ : state) {
    const double now = PeakMacs(kernel->isa);
    if (now > peak) peak = now;
    for (int turn = 0; turn < 4; ++turn) {
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < repeat; ++i) kernel->run(run);
      const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
      if (time.count() / repeat < best) best = time.count() / repeat;
    }
  }
  state.counters["GMAC/s"] = macs / best * 1e-9;
  if (peak > 0) {
    state.counters["peak"] = peak * 1e-9;
    state.counters["of_peak"] = macs / best / peak;
  }
  state.counters["us"] = best * 1e6;
  state.counters["scratch"] = static_cast<double>(kernel->scratch_bytes(s));
}

void Register() {
  const IsaSet isa = DetectIsa();
  for (const Layer& l : kLayers) {
    const QS8DwConvShape s = Shape(l);
    for (const QS8DwConvKernel& kernel : QS8DwConvTable()) {
      if (kernel.isa == Isa::kScalar || !isa.has(kernel.isa) || !kernel.supports(s)) continue;
      std::string name = std::string(kernel.name) + "/" + l.network + "/" + std::to_string(l.in_h) +
                         "x" + std::to_string(l.in_w) + "x" + std::to_string(l.in_c) + "_" +
                         std::to_string(l.kernel_h) + "x" + std::to_string(l.kernel_w) + "s" +
                         std::to_string(l.stride);
      if (l.dilation > 1) name += "d" + std::to_string(l.dilation);
      benchmark::RegisterBenchmark(name.c_str(), Run, &kernel, &l)->MinTime(0.1);
    }
  }
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  octet::Register();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
