#include "src/quantize/measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/quantize/weights.h"

namespace octet {

double Decibels(double signal, double noise) {
  if (noise <= 0) return std::numeric_limits<double>::infinity();
  return signal > 0 ? 10 * std::log10(signal / noise) : -std::numeric_limits<double>::infinity();
}

size_t ArgMax(const std::vector<float>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<uint8_t> AsInput(const GraphTensor& from, const GraphTensor& to,
                             const std::vector<uint8_t>& bytes) {
  if (from.type == to.type) return bytes;
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return QuantizeValues(values, to.type, Affine{to.scale[0], to.zero_point});
}

Status Measure(Reference* reference, const RewrittenGraph& rewritten,
               compiler::SampleSource* samples, size_t count, size_t threads, bool layers,
               const Progress& progress, Measurement* result) {
  const Graph &graph = reference->graph(), &other = rewritten.graph;
  std::unique_ptr<Observer> runner;
  OCTET_RETURN_IF_ERROR(MakeObserver(other, threads, &runner));
  const size_t n = graph.tensors.size();
  std::vector<int32_t> float_of(other.tensors.size(), -1);
  for (size_t t = 0; t < n; ++t) {
    if (graph.tensors[t].type == DType::FLOAT32 && rewritten.tensor_of[t] >= 0) {
      float_of[rewritten.tensor_of[t]] = static_cast<int32_t>(t);
    }
  }
  std::vector<double> signal(n, 0), noise(n, 0);
  std::vector<double> out_signal(graph.outputs.size(), 0), out_noise(graph.outputs.size(), 0);
  std::vector<bool> compared(n, false);
  std::vector<std::vector<float>> expected(n);
  std::vector<float> got, want;
  const auto keep = [&](int32_t t, const TensorView&, const void* data) {
    if (graph.tensors[t].type == DType::FLOAT32) ToReal(graph.tensors[t], data, &expected[t]);
  };
  const auto compare = [&](int32_t t, const TensorView&, const void* data) {
    const int32_t f = float_of[t];
    if (f < 0 || expected[f].empty()) return;
    ToReal(other.tensors[t], data, &got);
    double s = 0, e = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double x = static_cast<double>(expected[f][i]), d = x - static_cast<double>(got[i]);
      s += x * x;
      e += d * d;
    }
    signal[f] += s;
    noise[f] += e;
    compared[f] = true;
  };
  const size_t total = samples->size();
  count = std::min(count, total);
  size_t same = 0, right = 0, right_float = 0;
  *result = Measurement();
  compiler::Sample sample;
  std::vector<std::vector<uint8_t>> inputs(graph.inputs.size()), made;
  const std::vector<std::vector<uint8_t>>* outputs = nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (progress) progress("measuring", i, count);
    const size_t index = i * total / count;
    OCTET_RETURN_IF_ERROR(ReadSample(samples, index, graph, &sample));
    for (size_t k = 0; k < inputs.size(); ++k) {
      inputs[k] =
          AsInput(graph.tensors[graph.inputs[k]], other.tensors[other.inputs[k]], sample.inputs[k]);
    }
    if (layers) {
      OCTET_RETURN_IF_ERROR(reference->Run(sample.inputs, keep, &outputs));
      OCTET_RETURN_IF_ERROR(runner->Run(inputs, compare, &made));
    } else {
      OCTET_RETURN_IF_ERROR(reference->Outputs(index, sample.inputs, &outputs));
      OCTET_RETURN_IF_ERROR(runner->Run(inputs, nullptr, &made));
    }
    const std::vector<std::vector<uint8_t>>& wanted = *outputs;
    for (size_t k = 0; k < graph.outputs.size(); ++k) {
      if (wanted[k].empty() || made[k].empty()) continue;  // a constant
      ToReal(graph.tensors[graph.outputs[k]], wanted[k].data(), &want);
      ToReal(other.tensors[other.outputs[k]], made[k].data(), &got);
      for (size_t j = 0; j < want.size(); ++j) {
        const double x = static_cast<double>(want[j]), d = x - static_cast<double>(got[j]);
        out_signal[k] += x * x;
        out_noise[k] += d * d;
      }
      if (k > 0 || want.empty()) continue;
      const size_t a = ArgMax(want), b = ArgMax(got);
      same += a == b;
      if (sample.label < 0) continue;
      ++result->labelled;
      right_float += a == static_cast<size_t>(sample.label);
      right += b == static_cast<size_t>(sample.label);
    }
  }
  if (progress) progress("measuring", count, count);
  result->samples = count;
  result->sqnr_db.assign(n, std::numeric_limits<double>::quiet_NaN());
  for (size_t t = 0; t < n; ++t) {
    if (compared[t]) result->sqnr_db[t] = Decibels(signal[t], noise[t]);
  }
  result->output_sqnr_db = std::numeric_limits<double>::infinity();
  for (size_t k = 0; k < out_signal.size(); ++k) {
    result->output_sqnr_db =
        std::min(result->output_sqnr_db, Decibels(out_signal[k], out_noise[k]));
  }
  const double labelled = static_cast<double>(std::max<size_t>(result->labelled, 1));
  result->float_accuracy = static_cast<double>(right_float) / labelled;
  result->accuracy = static_cast<double>(right) / labelled;
  result->agreement = static_cast<double>(same) / static_cast<double>(std::max<size_t>(count, 1));
  return OCTET_OK;
}

}  // namespace octet
