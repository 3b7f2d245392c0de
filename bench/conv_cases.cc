#include "bench/conv_cases.h"

#include <cmath>

namespace octet {
namespace {

// 1x1 first, by the number of input channels.
constexpr ConvLayer kConvLayers[] = {
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
    {"micro_speech", 49, 40, 1, 8, 10, 8, 2, true},
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

constexpr DwLayer kDwLayers[] = {
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
    {"efficientnet", 56, 56, 72, 5, 5, 2},
    {"efficientnet", 28, 28, 120, 5, 5, 1},
    {"efficientnet_signed", 14, 14, 480, 5, 5, 1, 1, 1, false},
    {"efficientnet_signed", 7, 7, 672, 5, 5, 1, 1, 1, false},
};

QS8ConvShape Shape(const ConvLayer& l) {
  QS8ConvShape s;
  s.in_h = l.in_h, s.in_w = l.in_w, s.in_c = l.in_c, s.out_c = l.out_c;
  s.kernel_h = l.kernel_h, s.kernel_w = l.kernel_w;
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

QS8DwConvShape Shape(const DwLayer& l) {
  QS8DwConvShape s;
  s.in_h = l.in_h, s.in_w = l.in_w, s.in_c = l.in_c;
  s.depth_multiplier = l.depth_multiplier;
  s.kernel_h = l.kernel_h, s.kernel_w = l.kernel_w;
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

size_t Product(std::initializer_list<int32_t> factors) {
  size_t n = 1;
  for (const int32_t f : factors) n *= static_cast<size_t>(f);
  return n;
}

std::string Window(int32_t h, int32_t w, int32_t c, int32_t kh, int32_t kw, int32_t stride) {
  return std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(c) + "_" +
         std::to_string(kh) + "x" + std::to_string(kw) + "s" + std::to_string(stride);
}

}  // namespace

Span<const ConvLayer> ConvLayers() {
  return {kConvLayers, sizeof kConvLayers / sizeof kConvLayers[0]};
}
Span<const DwLayer> DwLayers() { return {kDwLayers, sizeof kDwLayers / sizeof kDwLayers[0]}; }

std::string LayerName(const ConvLayer& l) {
  return std::string(l.network) + "/" +
         Window(l.in_h, l.in_w, l.in_c, l.kernel_h, l.kernel_w, l.stride) + "_" +
         std::to_string(l.out_c) + (l.relu ? "_relu" : "");
}

std::string LayerName(const DwLayer& l) {
  return std::string(l.network) + "/" +
         Window(l.in_h, l.in_w, l.in_c, l.kernel_h, l.kernel_w, l.stride) +
         (l.dilation > 1 ? "d" + std::to_string(l.dilation) : "");
}

ConvCase::ConvCase(const ConvLayer& layer)
    : shape(Shape(layer)),
      input(Product({shape.in_h, shape.in_w, shape.in_c})),
      output(Product({shape.out_h, shape.out_w, shape.out_c})),
      weights(Product({shape.out_c, shape.kernel_h, shape.kernel_w, shape.in_c})),
      bias(static_cast<size_t>(shape.out_c), 100),
      scales(bias.size()) {
  const double taps = static_cast<double>(weights.size / bias.size());
  macs = static_cast<double>(output.size) * taps;
  std::mt19937 random(1);
  input.Fill(2);
  for (size_t i = 0; i < weights.size; ++i) {
    weights.data[i] = static_cast<int8_t>(static_cast<int>(random() % 161) - 80);
  }
  for (float& v : scales) {
    v = static_cast<float>((1.0 + static_cast<double>(random() % 1000) / 1000) /
                           (120 * std::sqrt(taps)));
  }
}

DwCase::DwCase(const DwLayer& layer)
    : shape(Shape(layer)),
      input(Product({shape.in_h, shape.in_w, shape.in_c})),
      output(Product({shape.out_h, shape.out_w, shape.out_c()})),
      weights(Product({shape.kernel_h, shape.kernel_w, shape.out_c()})),
      bias(static_cast<size_t>(shape.out_c()), 100),
      scales(shape.weight_zero_point != 0 ? 1 : bias.size()) {
  macs = static_cast<double>(output.size) * shape.kernel_h * shape.kernel_w;
  std::mt19937 random(1);
  input.Fill(2);
  weights.Fill(3);
  // As real layers have them (float_requant.h).
  for (float& v : scales) v = 0.002f + 0.01f * static_cast<float>(random() % 1000) / 1000;
}

PackedConv::PackedConv(const QS8ConvKernel& kernel, ConvCase* c)
    : kernel_(kernel),
      pack_(kernel.pack_bytes(c->shape)),
      scratch_(kernel.scratch_bytes(c->shape)) {
  QS8ConvConstants k;
  k.weights = c->weights.data;
  k.bias = c->bias.data();
  k.scales.weights = {c->scales.data(), c->scales.size()};
  kernel.pack(c->shape, k, pack_.data);
  run_.shape = &c->shape;
  run_.pack = pack_.data;
  run_.weights = c->weights.data;
  run_.input = {c->input.data, Product({c->shape.in_w, c->shape.in_c}), 0};
  run_.output = {c->output.data, Product({c->shape.out_w, c->shape.out_c}), 0};
  run_.row_end = c->shape.out_h;
  run_.channel_end = c->shape.out_c;
  run_.scratch = scratch_.data;
}

PackedDwConv::PackedDwConv(const QS8DwConvKernel& kernel, DwCase* c)
    : kernel_(kernel),
      pack_(kernel.pack_bytes(c->shape)),
      scratch_(kernel.scratch_bytes(c->shape)) {
  QS8DwConvConstants k;
  k.weights = c->weights.data;
  k.bias = c->bias.data();
  k.scales.weights = {c->scales.data(), c->scales.size()};
  kernel.pack(c->shape, k, pack_.data);
  run_.shape = &c->shape;
  run_.pack = pack_.data;
  run_.weights = c->weights.data;
  run_.input = {c->input.data, Product({c->shape.in_w, c->shape.in_c}), 0};
  run_.output = {c->output.data, Product({c->shape.out_w, c->shape.out_c()}), 0};
  run_.row_end = c->shape.out_h;
  run_.channel_end = c->shape.in_c;
  run_.scratch = scratch_.data;
}

}  // namespace octet
