// Convolutions of real networks with random constants, ready to run: for the benchmarks of our
// kernels and for those beside other libraries.
#pragma once

#include <string>
#include <vector>

#include "bench/harness.h"
#include "kernels/qs8_conv/qs8_conv.h"
#include "kernels/qs8_dwconv/qs8_dwconv.h"

namespace octet {

struct ConvLayer {
  const char* network;
  int32_t in_h, in_w, in_c, out_c, kernel_h, kernel_w, stride;
  bool relu;  // else signed outputs, whose requantisation costs more
};

struct DwLayer {
  const char* network;
  int32_t in_h, in_w, in_c, kernel_h, kernel_w, stride;
  int32_t dilation = 1;
  int32_t depth_multiplier = 1;
  bool relu = true;
  int32_t weight_zero_point = 0;
};

// SAME padding.
Span<const ConvLayer> ConvLayers();
Span<const DwLayer> DwLayers();

std::string LayerName(const ConvLayer& layer);  // mobilenet_v2/56x56x24_1x1s1_144_relu
std::string LayerName(const DwLayer& layer);

struct ConvCase {
  explicit ConvCase(const ConvLayer& layer);
  QS8ConvShape shape;
  double macs;
  Aligned<int8_t> input, output, weights;
  std::vector<int32_t> bias;
  std::vector<float> scales;
};

struct DwCase {
  explicit DwCase(const DwLayer& layer);
  QS8DwConvShape shape;
  double macs;
  Aligned<int8_t> input, output, weights;
  std::vector<int32_t> bias;
  std::vector<float> scales;
};

// A kernel with its pack and scratch for a case, which must live as long.
class PackedConv {
 public:
  PackedConv(const QS8ConvKernel& kernel, ConvCase* c);
  void operator()() { kernel_.run(run_); }

 private:
  const QS8ConvKernel& kernel_;
  Aligned<uint8_t> pack_, scratch_;
  QS8ConvRun run_;
};

class PackedDwConv {
 public:
  PackedDwConv(const QS8DwConvKernel& kernel, DwCase* c);
  void operator()() { kernel_.run(run_); }

 private:
  const QS8DwConvKernel& kernel_;
  Aligned<uint8_t> pack_, scratch_;
  QS8DwConvRun run_;
};

}  // namespace octet
