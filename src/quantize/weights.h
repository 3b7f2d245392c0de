// Constants: weights, biases and operands of float32 as integers.
#pragma once

#include <string>
#include <vector>

#include "src/graph/graph.h"
#include "src/quantize/ranges.h"

namespace octet {

// The floats of a constant.
std::vector<float> FloatsOf(const GraphTensor& tensor);
std::shared_ptr<const std::vector<uint8_t>> BytesOf(const void* data, size_t bytes);

struct ProductConstants {
  std::vector<int8_t> weights;  // in [-127, 127], zero point 0
  std::vector<float> scales;    // one a channel
  std::vector<int64_t> bias;    // in units of input scale * scales
  double weight_sqnr_db = 0;    // of all weights together
};

// Symmetric int8 weights with a scale for each index of `axis`, and the bias that goes with an
// input of a scale. `bias` may be empty. Where a bias would not fit `bias_bits`, its channel's
// scale is raised until it does.
ProductConstants QuantizeProduct(const GraphTensor& weights, const std::vector<float>& bias,
                                 int axis, double input_scale, int bias_bits);

// A constant operand by its own least and greatest value.
Range ConstantRange(const GraphTensor& tensor);
std::vector<uint8_t> QuantizeValues(const std::vector<float>& values, DType type,
                                    const Affine& affine);

// The share of a float constant's elements that are 0.
double Sparsity(const GraphTensor& tensor);

}  // namespace octet
