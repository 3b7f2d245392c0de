// Every qs8_conv kernel that this CPU can run on the layers of real networks.
//
// GMAC/s and the fraction of the instruction set's peak are the best of many runs, kernel and peak
// taking turns: other load on the machine disturbs both, and then neither.
#include "kernels/qs8_conv/qs8_conv.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "bench/peak.h"

namespace octet {
namespace {

struct Layer {
  const char* network;
  int32_t in_h, in_w, in_c, out_c, kernel_h, kernel_w, stride;
  bool relu;
};

// SAME padding. 1x1 first, by the number of input channels.
constexpr Layer kLayers[] = {
    {"mobilenet_v2", 56, 56, 24, 144, 1, 1, 1, true},
    {"mobilenet_v2", 56, 56, 24, 144, 1, 1, 1, false},
    {"mobilenet_v2", 28, 28, 32, 192, 1, 1, 1, true},
    {"mobilenet_v2", 28, 28, 32, 192, 1, 1, 1, false},
    {"mobilenet_v2", 112, 112, 16, 96, 1, 1, 1, true},
    {"mobilenet_v2", 112, 112, 32, 16, 1, 1, 1, false},
    {"mobilenet_v2", 56, 56, 144, 24, 1, 1, 1, false},
    {"mobilenet_v2", 28, 28, 192, 32, 1, 1, 1, false},
    {"mobilenet_v2", 14, 14, 384, 64, 1, 1, 1, false},
    {"mobilenet_v2", 14, 14, 96, 576, 1, 1, 1, true},
    {"mobilenet_v2", 14, 14, 96, 576, 1, 1, 1, false},
    {"mobilenet_v2", 7, 7, 960, 160, 1, 1, 1, false},
    {"mobilenet_v2", 7, 7, 320, 1280, 1, 1, 1, true},
    {"mobilenet_v2", 7, 7, 320, 1280, 1, 1, 1, false},
    {"mobilenet_v1", 112, 112, 32, 64, 1, 1, 1, true},
    {"mobilenet_v1", 56, 56, 64, 128, 1, 1, 1, true},
    {"mobilenet_v1", 56, 56, 64, 128, 1, 1, 1, false},
    {"mobilenet_v1", 28, 28, 256, 256, 1, 1, 1, true},
    {"mobilenet_v1", 14, 14, 512, 512, 1, 1, 1, true},
    {"mobilenet_v1", 14, 14, 512, 512, 1, 1, 1, false},
    {"mobilenet_v1", 7, 7, 1024, 1024, 1, 1, 1, true},
    {"classifier", 1, 1, 1280, 1000, 1, 1, 1, false},
    {"classifier", 1, 1, 64, 12, 1, 1, 1, false},
    {"autoencoder", 1, 1, 640, 128, 1, 1, 1, true},
    {"autoencoder", 1, 1, 128, 128, 1, 1, 1, true},
    {"ds_cnn", 49, 10, 1, 64, 10, 4, 2, true},
    {"ds_cnn", 25, 5, 64, 64, 1, 1, 1, true},
    {"vww", 96, 96, 3, 8, 3, 3, 2, true},
    {"vww", 48, 48, 8, 16, 1, 1, 1, true},
    {"vww", 24, 24, 32, 32, 1, 1, 1, true},
    {"vww", 6, 6, 128, 128, 1, 1, 1, true},
    {"vww", 3, 3, 256, 256, 1, 1, 1, true},
    {"mobilenet_v1", 224, 224, 3, 32, 3, 3, 2, true},
    {"resnet8", 32, 32, 3, 16, 3, 3, 1, true},
    {"resnet8", 32, 32, 16, 16, 3, 3, 1, true},
    {"resnet8", 32, 32, 16, 32, 3, 3, 2, true},
    {"resnet8", 8, 8, 64, 64, 3, 3, 1, true},
    {"resnet50", 224, 224, 3, 64, 7, 7, 2, true},
    {"resnet50", 56, 56, 64, 64, 3, 3, 1, true},
    {"resnet50", 28, 28, 128, 128, 3, 3, 1, true},
    {"resnet50", 14, 14, 256, 256, 3, 3, 1, true},
    {"resnet50", 7, 7, 512, 512, 3, 3, 1, true},
    {"resnet50", 56, 56, 256, 512, 1, 1, 2, false},
    {"resnet50", 14, 14, 1024, 256, 1, 1, 1, true},
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

QS8ConvShape Shape(const Layer& l) {
  QS8ConvShape s;
  s.in_h = l.in_h;
  s.in_w = l.in_w;
  s.in_c = l.in_c;
  s.out_c = l.out_c;
  s.kernel_h = l.kernel_h;
  s.kernel_w = l.kernel_w;
  s.stride_h = s.stride_w = l.stride;
  s.out_h = (l.in_h + l.stride - 1) / l.stride;
  s.out_w = (l.in_w + l.stride - 1) / l.stride;
  const int32_t pad_h = (s.out_h - 1) * s.stride_h + s.kernel_h - s.in_h;
  const int32_t pad_w = (s.out_w - 1) * s.stride_w + s.kernel_w - s.in_w;
  s.pad_top = pad_h > 0 ? pad_h / 2 : 0;
  s.pad_left = pad_w > 0 ? pad_w / 2 : 0;
  s.input_zero_point = -128;
  s.output_zero_point = l.relu ? -128 : 3;
  return s;
}

void Run(benchmark::State& state, const QS8ConvKernel* kernel, const Layer* layer) {
  const QS8ConvShape s = Shape(*layer);
  std::mt19937 random(1);
  const size_t taps = static_cast<size_t>(s.kernel_h) * s.kernel_w * s.in_c;
  const size_t in_row = static_cast<size_t>(s.in_w) * s.in_c;
  const size_t out_row = static_cast<size_t>(s.out_w) * s.out_c;
  Aligned<int8_t> input(static_cast<size_t>(s.in_h) * in_row);
  Aligned<int8_t> output(static_cast<size_t>(s.out_h) * out_row);
  Aligned<int8_t> weights(taps * s.out_c);
  for (size_t i = 0; i < s.in_h * in_row; ++i) input.data[i] = static_cast<int8_t>(random());
  for (size_t i = 0; i < taps * s.out_c; ++i) {
    weights.data[i] = static_cast<int8_t>(static_cast<int>(random() % 161) - 80);
  }
  std::vector<float> scales(static_cast<size_t>(s.out_c));
  for (float& v : scales) {
    v = static_cast<float>((1.0 + static_cast<double>(random() % 1000) / 1000) /
                           (120 * std::sqrt(static_cast<double>(taps))));
  }
  std::vector<int32_t> bias(static_cast<size_t>(s.out_c), 100);
  QS8ConvConstants constants;
  constants.weights = weights.data;
  constants.bias = bias.data();
  constants.scales.weights = {scales.data(), scales.size()};
  Aligned<uint8_t> pack(kernel->pack_bytes(s));
  Aligned<uint8_t> scratch(kernel->scratch_bytes(s));
  kernel->pack(s, constants, pack.data);
  QS8ConvRun run;
  run.shape = &s;
  run.pack = pack.data;
  run.weights = weights.data;
  run.input = {input.data, in_row, 0};
  run.output = {output.data, out_row, 0};
  run.row_end = s.out_h;
  run.channel_end = s.out_c;
  run.scratch = scratch.data;

  const double macs = static_cast<double>(s.out_h) * s.out_w * s.out_c * static_cast<double>(taps);
  // A turn of about a twentieth of a millisecond, short enough to fall between disturbances.
  const int repeat = macs < 4e6 ? static_cast<int>(4e6 / macs) + 1 : 1;
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
}

void Register() {
  const IsaSet isa = DetectIsa();
  for (const Layer& l : kLayers) {
    const QS8ConvShape s = Shape(l);
    for (const QS8ConvKernel& kernel : QS8ConvTable()) {
      if (kernel.isa == Isa::kScalar || !isa.has(kernel.isa) || !kernel.supports(s)) continue;
      const std::string name = std::string(kernel.name) + "/" + l.network + "/" +
                               std::to_string(l.in_h) + "x" + std::to_string(l.in_w) + "x" +
                               std::to_string(l.in_c) + "_" + std::to_string(l.kernel_h) + "x" +
                               std::to_string(l.kernel_w) + "s" + std::to_string(l.stride) + "_" +
                               std::to_string(l.out_c) + (l.relu ? "_relu" : "");
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
