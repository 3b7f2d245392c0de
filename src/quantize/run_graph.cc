#include "src/quantize/run_graph.h"

#include <cstring>

namespace octet {

Status MakeObserver(const Graph& graph, size_t threads, std::unique_ptr<Observer>* observer) {
  ObserverOptions options;
  options.threads = threads;
  // A cap, be it the highest, leaves out XNNPACK, whose float32 results depend on the CPU: a file
  // must depend on the model and the data alone.
#if defined(__x86_64__)
  options.isa = "amx";
#else
  options.isa = "neoni8mm";
#endif
  return Observer::Create(graph, options, observer);
}

Status RunGraph(Observer* observer, const std::vector<std::vector<uint8_t>>& inputs,
                const VisitTensor& visit, std::vector<std::vector<uint8_t>>* outputs) {
  const Graph& graph = observer->graph();
  std::vector<Span<const uint8_t>> spans;
  for (const std::vector<uint8_t>& input : inputs) spans.push_back({input.data(), input.size()});
  if (outputs) outputs->assign(graph.outputs.size(), {});
  return observer->Run(spans, [&](int32_t tensor, const TensorView& view, const void* data) {
    if (visit) visit(tensor, data);
    for (size_t k = 0; outputs && k < graph.outputs.size(); ++k) {
      if (graph.outputs[k] != tensor) continue;
      const uint8_t* bytes = static_cast<const uint8_t*>(data);
      (*outputs)[k].assign(bytes, bytes + view.bytes());
    }
  });
}

void ToReal(const GraphTensor& tensor, const void* data, std::vector<float>* values) {
  const size_t n = static_cast<size_t>(tensor.elements());
  values->resize(n);
  const double scale = tensor.scale.empty() ? 1.0 : static_cast<double>(tensor.scale[0]);
  const auto convert = [&](auto example) {
    using T = decltype(example);
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    for (size_t i = 0; i < n; ++i) {
      T x;
      std::memcpy(&x, bytes + i * sizeof x, sizeof x);
      (*values)[i] = static_cast<float>(scale * (static_cast<double>(x) - tensor.zero_point));
    }
  };
  switch (tensor.type) {
    case DType::FLOAT32:
      if (n > 0) std::memcpy(values->data(), data, n * sizeof(float));
      break;
    case DType::INT8:
      return convert(int8_t{});
    case DType::INT16:
      return convert(int16_t{});
    case DType::INT32:
      return convert(int32_t{});
    case DType::INT64:
      return convert(int64_t{});
    default:
      return convert(uint8_t{});
  }
}

}  // namespace octet
