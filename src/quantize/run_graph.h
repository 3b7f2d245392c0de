// Runs of a graph on one sample after another.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "src/compiler/observe.h"

namespace octet {

Status MakeObserver(const Graph& graph, size_t threads, std::unique_ptr<Observer>* observer);

// A tensor that is no constant, and its values; not valid after the call.
using VisitTensor = std::function<void(int32_t tensor, const void* data)>;

// `visit` may be empty and `outputs`, the bytes of the graph's outputs, null.
Status RunGraph(Observer* observer, const std::vector<std::vector<uint8_t>>& inputs,
                const VisitTensor& visit, std::vector<std::vector<uint8_t>>* outputs);

// One tensor of a run as real numbers: dequantised, or the floats themselves.
void ToReal(const GraphTensor& tensor, const void* data, std::vector<float>* values);

}  // namespace octet
