#include "src/quantize/run_graph.h"

#include <cstring>

namespace octet {

Status MakeObserver(const Graph& graph, size_t threads, std::unique_ptr<Observer>* observer) {
  ObserverOptions options;
  options.threads = threads;
  options.xnnpack = false;
  return Observer::Create(graph, options, observer);
}

Status Reference::Create(const Graph& graph, size_t threads,
                         std::unique_ptr<Reference>* reference) {
  std::unique_ptr<Reference> made(new Reference(graph));
  OCTET_RETURN_IF_ERROR(MakeObserver(graph, threads, &made->observer_));
  *reference = std::move(made);
  return OCTET_OK;
}

Status Reference::Outputs(size_t index, const std::vector<std::vector<uint8_t>>& inputs,
                          const std::vector<std::vector<uint8_t>>** outputs) {
  const auto found = kept_.find(index);
  if (found != kept_.end()) {
    *outputs = &found->second;
    return OCTET_OK;
  }
  OCTET_RETURN_IF_ERROR(Run(inputs, nullptr, outputs));
  size_t bytes = 0;
  for (const std::vector<uint8_t>& output : last_) bytes += output.size();
  if (bytes > kMaxKeptBytes - kept_bytes_) return OCTET_OK;
  kept_bytes_ += bytes;
  *outputs = &(kept_[index] = last_);
  return OCTET_OK;
}

Status Reference::Run(const std::vector<std::vector<uint8_t>>& inputs,
                      const Observer::Callback& callback,
                      const std::vector<std::vector<uint8_t>>** outputs) {
  OCTET_RETURN_IF_ERROR(observer_->Run(inputs, callback, &last_));
  *outputs = &last_;
  return OCTET_OK;
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
