#include "src/compiler/evaluate.h"

#include "src/compiler/observe.h"

namespace octet {

Status Evaluate(const Graph& graph, const std::vector<std::vector<uint8_t>>& inputs,
                std::vector<std::vector<uint8_t>>* outputs) {
  ObserverOptions options;
  options.isa = "scalar";
  std::unique_ptr<Observer> observer;
  OCTET_RETURN_IF_ERROR(Observer::Create(graph, options, &observer));
  std::vector<Span<const uint8_t>> spans;
  for (const std::vector<uint8_t>& input : inputs) spans.push_back({input.data(), input.size()});
  outputs->assign(graph.outputs.size(), {});
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const GraphTensor& t = graph.tensors[static_cast<size_t>(graph.outputs[i])];
    if (t.is_constant()) (*outputs)[i] = *t.data;
  }
  return observer->Run(spans, [&](int32_t tensor, const TensorView& view, const void* data) {
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
      if (graph.outputs[i] != tensor) continue;
      const uint8_t* bytes = static_cast<const uint8_t*>(data);
      (*outputs)[i].assign(bytes, bytes + view.bytes());
    }
  });
}

}  // namespace octet
