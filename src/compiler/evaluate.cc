#include "src/compiler/evaluate.h"

#include "src/compiler/observe.h"

namespace octet {

Status Evaluate(const Graph& graph, const std::vector<std::vector<uint8_t>>& inputs,
                std::vector<std::vector<uint8_t>>* outputs) {
  ObserverOptions options;
  options.isa = "scalar";
  std::unique_ptr<Observer> observer;
  OCTET_RETURN_IF_ERROR(Observer::Create(graph, options, &observer));
  OCTET_RETURN_IF_ERROR(observer->Run(inputs, nullptr, outputs));
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const GraphTensor& t = graph.tensors[static_cast<size_t>(graph.outputs[i])];
    if (t.is_constant()) (*outputs)[i] = *t.data;
  }
  return OCTET_OK;
}

}  // namespace octet
