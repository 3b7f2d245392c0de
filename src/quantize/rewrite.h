// From a float graph, the precision of each operator and the range of each tensor to the graph that
// runs in integers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/quantize/histogram.h"
#include "src/quantize/rules.h"

namespace octet {

enum class Precision : uint8_t { kInt8, kInt16, kFloat };

// What is known and decided about a float graph that is to be quantised.
struct QuantPlan {
  std::vector<TensorStatistics> statistics;  // one a tensor; empty for what is not float
  RangeMethod method = RangeMethod::kMinMax;
  double percentile = 99.99;
  std::vector<Precision> precision;  // one an operator
  bool float_inputs = false, float_outputs = false;
  // Added to each channel's bias in real units; empty: nothing. One an operator.
  std::vector<std::vector<float>> bias_correction;
};

struct QuantisedTensor {
  Range range;  // as found for its group
  Affine int8, int16;
  int32_t group = -1;
};

struct RewrittenGraph {
  Graph graph;
  std::vector<QuantisedTensor> tensors;  // one a tensor of the float graph
  std::vector<int32_t> tensor_of;        // of each float tensor: its form here, or -1
  std::vector<double> weight_sqnr_db;    // of each operator of the float graph; 0: no weights
  std::vector<int32_t> weights_of;       // the weights' tensor here, or -1
};

// Scales of all tensors. Tensors that an operator wants to share a scale form a group.
std::vector<QuantisedTensor> AssignScales(const Graph& graph, const QuantPlan& plan);

// Operators whose integer form the runtime refuses become float in `plan`, with a line in `log`.
Status Rewrite(const Graph& graph, QuantPlan* plan, RewrittenGraph* result,
               std::vector<std::string>* log);

}  // namespace octet
