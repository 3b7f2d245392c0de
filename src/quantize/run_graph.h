// Runs of a graph on one sample after another, without XNNPACK: a file must depend on the model and
// the data alone.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "src/compiler/observe.h"

namespace octet {

Status MakeObserver(const Graph& graph, size_t threads, std::unique_ptr<Observer>* observer);

// The float graph, and its outputs on samples that it has run on, for comparing with one attempt
// after another.
class Reference {
 public:
  // Outputs beyond this are computed again each time.
  static constexpr size_t kMaxKeptBytes = size_t{256} << 20;

  // `graph` outlives this.
  static Status Create(const Graph& graph, size_t threads, std::unique_ptr<Reference>* reference);

  const Graph& graph() const { return graph_; }
  // The outputs on sample `index`, whose inputs are given; good until the next call.
  Status Outputs(size_t index, const std::vector<std::vector<uint8_t>>& inputs,
                 const std::vector<std::vector<uint8_t>>** outputs);
  // A run that shows every tensor as well.
  Status Run(const std::vector<std::vector<uint8_t>>& inputs, const Observer::Callback& callback,
             const std::vector<std::vector<uint8_t>>** outputs);

 private:
  explicit Reference(const Graph& graph) : graph_(graph) {}

  const Graph& graph_;
  std::unique_ptr<Observer> observer_;
  std::map<size_t, std::vector<std::vector<uint8_t>>> kept_;
  size_t kept_bytes_ = 0;
  std::vector<std::vector<uint8_t>> last_;
};

// One tensor of a run as real numbers: dequantised, or the floats themselves.
void ToReal(const GraphTensor& tensor, const void* data, std::vector<float>* values);

}  // namespace octet
