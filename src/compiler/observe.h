// Runs a graph and shows every value in it: for calibration and for comparing layer by layer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/base/span.h"
#include "src/base/status.h"
#include "src/graph/graph.h"

namespace octet {

struct ObserverOptions {
  std::string isa;      // as octet_model_options_set_isa; "": the best
  bool xnnpack = true;  // off: no float32 operator by XNNPACK, whose results depend on the CPU
  size_t threads = 1;   // of a run
};

class Observer {
 public:
  // `tensor` is an index into the graph's tensors; `data` has view.bytes() and is good until the
  // callback returns.
  using Callback = std::function<void(int32_t tensor, const TensorView& view, const void* data)>;

  // The graph is copied, and runs as it is: operators in their order, nothing fused or folded.
  static Status Create(const Graph& graph, const ObserverOptions& options,
                       std::unique_ptr<Observer>* observer);
  ~Observer();

  // Runs once on the graph's inputs, each of its tensor's size. Calls back for each input, then for
  // each output of each operator as soon as it is computed; constants are not shown.
  Status Run(const std::vector<Span<const uint8_t>>& inputs, const Callback& callback);
  // The same on vectors. `callback` may be empty and `outputs`, the bytes of the graph's outputs
  // (none where one is a constant), null.
  Status Run(const std::vector<std::vector<uint8_t>>& inputs, const Callback& callback,
             std::vector<std::vector<uint8_t>>* outputs);

  const Graph& graph() const;
  // Of a tensor of graph().
  const TensorView& view(int32_t tensor) const;

 private:
  struct State;
  Observer();
  std::unique_ptr<State> state_;
};

}  // namespace octet
