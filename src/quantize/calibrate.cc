#include "src/quantize/calibrate.h"

#include <cmath>
#include <cstring>

#include "src/quantize/run_graph.h"

namespace octet {
namespace {

// The index of the first value that is not finite, or n.
size_t FirstBad(const float* values, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) return i;
  }
  return n;
}

const char* NameOf(float bad) { return std::isnan(bad) ? "NaN" : "infinite"; }

}  // namespace

Status ReadSample(compiler::SampleSource* samples, size_t index, const Graph& graph,
                  compiler::Sample* sample) {
  *sample = compiler::Sample();
  OCTET_RETURN_IF_ERROR(samples->Read(index, sample));
  if (sample->inputs.size() != graph.inputs.size()) {
    return Fail(OCTET_INVALID_ARGUMENT, "%s: %zu inputs, the model has %zu", sample->name.c_str(),
                sample->inputs.size(), graph.inputs.size());
  }
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const GraphTensor& t = graph.tensors[graph.inputs[i]];
    const std::vector<uint8_t>& bytes = sample->inputs[i];
    if (bytes.size() != t.bytes()) {
      return Fail(OCTET_INVALID_ARGUMENT, "%s: %zu bytes, the input \"%s\" takes %zu",
                  sample->name.c_str(), bytes.size(), t.name.c_str(), t.bytes());
    }
    if (t.type != DType::FLOAT32) continue;
    std::vector<float> values(bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    const size_t bad = FirstBad(values.data(), values.size());
    if (bad < values.size()) {
      return Fail(OCTET_INVALID_ARGUMENT, "%s: value %zu of the input \"%s\" is %s",
                  sample->name.c_str(), bad, t.name.c_str(), NameOf(values[bad]));
    }
  }
  return OCTET_OK;
}

Status Calibrate(const Graph& graph, compiler::SampleSource* samples, size_t threads,
                 const Progress& progress, std::vector<TensorStatistics>* statistics) {
  statistics->assign(graph.tensors.size(), TensorStatistics());
  std::unique_ptr<Observer> observer;
  OCTET_RETURN_IF_ERROR(MakeObserver(graph, threads, &observer));
  std::vector<float> values;
  int32_t bad_tensor = -1;
  float bad_value = 0;
  const auto visit = [&](int32_t t, const TensorView&, const void* data) {
    const GraphTensor& tensor = graph.tensors[t];
    if (tensor.type != DType::FLOAT32 || bad_tensor >= 0) return;
    ToReal(tensor, data, &values);
    const size_t bad = FirstBad(values.data(), values.size());
    if (bad < values.size()) {
      bad_tensor = t;
      bad_value = values[bad];
      return;
    }
    const size_t channels = tensor.shape.empty() ? 1 : static_cast<size_t>(tensor.shape.back());
    (*statistics)[t].Add(values.data(), values.size(), channels);
  };
  compiler::Sample sample;
  const size_t count = samples->size();
  for (size_t i = 0; i < count; ++i) {
    if (progress) progress("calibrating", i, count);
    OCTET_RETURN_IF_ERROR(ReadSample(samples, i, graph, &sample));
    if (Status status = observer->Run(sample.inputs, visit, nullptr); status != OCTET_OK) {
      PrefixError("%s: ", sample.name.c_str());
      return status;
    }
    if (bad_tensor >= 0) {
      return Fail(OCTET_INVALID_MODEL, "%s: the float model computes %s values in \"%s\"",
                  sample.name.c_str(), NameOf(bad_value), graph.tensors[bad_tensor].name.c_str());
    }
  }
  if (progress) progress("calibrating", count, count);
  return OCTET_OK;
}

}  // namespace octet
