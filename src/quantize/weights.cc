#include "src/quantize/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace octet {

std::vector<float> FloatsOf(const GraphTensor& tensor) {
  std::vector<float> values(tensor.data->size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.data->data(), tensor.data->size());
  return values;
}

std::shared_ptr<const std::vector<uint8_t>> BytesOf(const void* data, size_t bytes) {
  const uint8_t* begin = static_cast<const uint8_t*>(data);
  return std::make_shared<const std::vector<uint8_t>>(begin, begin + bytes);
}

ProductConstants QuantizeProduct(const GraphTensor& tensor, const std::vector<float>& bias,
                                 int axis, double input_scale, int bias_bits) {
  const std::vector<float> w = FloatsOf(tensor);
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < tensor.shape.size(); ++i) {
    inner *= static_cast<size_t>(tensor.shape[i]);
  }
  const size_t channels = static_cast<size_t>(tensor.shape[static_cast<size_t>(axis)]);
  const auto channel = [&](size_t i) { return i / inner % channels; };
  std::vector<double> most(channels, 0);
  for (size_t i = 0; i < w.size(); ++i) {
    double& m = most[channel(i)];
    m = std::max(m, std::fabs(static_cast<double>(w[i])));
  }
  const double largest = channels ? *std::max_element(most.begin(), most.end()) : 0;

  ProductConstants made;
  made.scales.resize(channels);
  made.bias.resize(bias.size());
  const double bias_most = std::ldexp(1.0, bias_bits) - 1;
  for (size_t c = 0; c < channels; ++c) {
    // A channel without weights takes a scale that is usual here.
    const double m = most[c] > 0 ? most[c] : largest > 0 ? largest : 1;
    double scale = m / 127;
    if (!bias.empty()) {
      scale = std::max(scale, std::fabs(static_cast<double>(bias[c])) / input_scale / bias_most);
    }
    made.scales[c] = static_cast<float>(std::max(scale, 1e-30));
    if (!bias.empty()) {
      const double unit = input_scale * static_cast<double>(made.scales[c]);
      const double steps = std::nearbyint(static_cast<double>(bias[c]) / unit);
      made.bias[c] = static_cast<int64_t>(std::clamp(steps, -bias_most, bias_most));
    }
  }
  made.weights.resize(w.size());
  double signal = 0, noise = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    const double scale = static_cast<double>(made.scales[channel(i)]);
    const double x = static_cast<double>(w[i]);
    const double q = std::clamp(std::nearbyint(x / scale), -127.0, 127.0);
    made.weights[i] = static_cast<int8_t>(q);
    signal += x * x;
    noise += (x - q * scale) * (x - q * scale);
  }
  made.weight_sqnr_db = noise > 0 ? 10 * std::log10(signal / noise) : HUGE_VAL;
  return made;
}

Range ConstantRange(const GraphTensor& tensor) {
  Range range;
  for (const float v : FloatsOf(tensor)) {
    range.low = std::min(range.low, static_cast<double>(v));
    range.high = std::max(range.high, static_cast<double>(v));
  }
  return range;
}

std::vector<uint8_t> QuantizeValues(const std::vector<float>& values, DType type,
                                    const Affine& affine) {
  const double scale = static_cast<double>(affine.scale);
  const double low = type == DType::INT16 ? -32768 : -128;
  const double high = type == DType::INT16 ? 32767 : 127;
  std::vector<uint8_t> bytes(values.size() * TypeBytes(type));
  for (size_t i = 0; i < values.size(); ++i) {
    const double steps = std::round(static_cast<double>(values[i]) / scale) + affine.zero_point;
    const int32_t q =
        steps == steps ? static_cast<int32_t>(std::clamp(steps, low, high)) : affine.zero_point;
    if (type == DType::INT16) {
      const int16_t narrow = static_cast<int16_t>(q);
      std::memcpy(&bytes[i * 2], &narrow, 2);
    } else {
      bytes[i] = static_cast<uint8_t>(static_cast<int8_t>(q));
    }
  }
  return bytes;
}

double Sparsity(const GraphTensor& tensor) {
  if (!tensor.is_constant() || tensor.type != DType::FLOAT32 || tensor.data->empty()) return 0;
  const std::vector<float> values = FloatsOf(tensor);
  const auto zeros = std::count(values.begin(), values.end(), 0.f);
  return static_cast<double>(zeros) / static_cast<double>(values.size());
}

}  // namespace octet
