#include <algorithm>
#include <cmath>

#include "src/passes/passes.h"
#include "src/quantize/prepare.h"
#include "src/quantize/rules.h"
#include "src/quantize/weights.h"

namespace octet {
namespace {

struct Pair {
  size_t first, second;  // operators
};

int32_t Channels(const Graph& graph, const GraphOp& op) {
  return graph.tensors[op.outputs[0]].shape.back();
}

// Which output channel (of the first layer) or input channel (of the second) a weight belongs to.
size_t OutputChannel(const GraphOp& op, const GraphTensor& w, size_t i) {
  if (WeightAxis(op.kind) != 0) return i % static_cast<size_t>(w.shape.back());
  return i / (static_cast<size_t>(w.elements()) / static_cast<size_t>(w.shape[0]));
}
size_t InputChannel(const GraphTensor& w, size_t i) {
  return i % static_cast<size_t>(w.shape.back());
}

std::vector<Pair> FindPairs(const Graph& graph) {
  const Uses uses(graph);
  std::vector<int> readers(graph.tensors.size(), 0);
  for (const GraphOp& op : graph.ops) {
    for (const int32_t t : op.inputs) {
      if (t >= 0) ++readers[t];
    }
  }
  std::vector<Pair> pairs;
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    GraphOp first = graph.ops[i];
    if (RuleOf(graph, first) != QuantRule::kProduct || first.kind == OpKind::TRANSPOSE_CONV)
      continue;
    const FloatClamp clamp = ClampOf(&first);
    // Only functions f with f(s x) = s f(x) for s > 0.
    const bool homogeneous = *clamp.high > 3e38f && (*clamp.low < -3e38f || *clamp.low == 0);
    const int32_t t = first.outputs[0];
    if (!homogeneous || uses.is_output[t] || readers[t] != 1) continue;
    const size_t k = static_cast<size_t>(uses.consumers[t][0]);
    const GraphOp& second = graph.ops[k];
    if (RuleOf(graph, second) != QuantRule::kProduct || second.inputs[0] != t ||
        second.kind == OpKind::TRANSPOSE_CONV) {
      continue;
    }
    // Shared weights belong to more than this pair.
    if (readers[first.inputs[1]] != 1 || readers[second.inputs[1]] != 1) continue;
    if (first.inputs.size() > 2 && first.inputs[2] >= 0 && readers[first.inputs[2]] != 1) continue;
    const int32_t channels = Channels(graph, first);
    if (graph.tensors[second.inputs[1]].shape.back() != channels) continue;  // groups, multipliers
    if (second.kind == OpKind::DEPTHWISE_CONV_2D && Channels(graph, second) != channels) continue;
    pairs.push_back({i, k});
  }
  return pairs;
}

}  // namespace

int EqualizeLayers(Graph* graph, std::vector<std::string>* log) {
  const std::vector<Pair> pairs = FindPairs(*graph);
  if (pairs.empty()) return 0;
  std::vector<std::vector<float>> values(graph->tensors.size());
  const auto floats = [&](int32_t t) -> std::vector<float>& {
    if (values[t].empty()) values[t] = FloatsOf(graph->tensors[t]);
    return values[t];
  };
  for (int round = 0; round < 20; ++round) {
    double change = 0;
    for (const Pair& pair : pairs) {
      const GraphOp &first = graph->ops[pair.first], &second = graph->ops[pair.second];
      const size_t channels = static_cast<size_t>(Channels(*graph, first));
      const GraphTensor &shape1 = graph->tensors[first.inputs[1]],
                        &shape2 = graph->tensors[second.inputs[1]];
      std::vector<float>&w1 = floats(first.inputs[1]), &w2 = floats(second.inputs[1]);
      std::vector<double> r1(channels, 0), r2(channels, 0), s(channels, 1);
      for (size_t i = 0; i < w1.size(); ++i) {
        double& r = r1[OutputChannel(first, shape1, i)];
        r = std::max(r, std::fabs(static_cast<double>(w1[i])));
      }
      for (size_t i = 0; i < w2.size(); ++i) {
        double& r = r2[InputChannel(shape2, i)];
        r = std::max(r, std::fabs(static_cast<double>(w2[i])));
      }
      // A channel that is nearly all bias must not be blown up: it would widen the activations.
      if (first.inputs.size() > 2 && first.inputs[2] >= 0) {
        const std::vector<float>& bias = floats(first.inputs[2]);
        for (size_t c = 0; c < channels; ++c) {
          r1[c] = std::max(r1[c], std::fabs(static_cast<double>(bias[c])));
        }
      }
      for (size_t c = 0; c < channels; ++c) {
        if (r1[c] == 0 || r2[c] == 0) continue;
        s[c] = std::clamp(std::sqrt(r1[c] / r2[c]), 1e-3, 1e3);
        change = std::max(change, std::fabs(std::log(s[c])));
      }
      for (size_t i = 0; i < w1.size(); ++i) {
        w1[i] = static_cast<float>(static_cast<double>(w1[i]) / s[OutputChannel(first, shape1, i)]);
      }
      if (first.inputs.size() > 2 && first.inputs[2] >= 0) {
        std::vector<float>& bias = floats(first.inputs[2]);
        for (size_t c = 0; c < channels; ++c) {
          bias[c] = static_cast<float>(static_cast<double>(bias[c]) / s[c]);
        }
      }
      for (size_t i = 0; i < w2.size(); ++i) {
        w2[i] = static_cast<float>(static_cast<double>(w2[i]) * s[InputChannel(shape2, i)]);
      }
    }
    if (change < 1e-3) break;
  }
  for (size_t t = 0; t < values.size(); ++t) {
    if (values[t].empty()) continue;
    graph->tensors[t].data = BytesOf(values[t].data(), values[t].size() * sizeof(float));
  }
  log->push_back("equalised " + Count(static_cast<int>(pairs.size()), "pair", "pairs") +
                 " of layers");
  return static_cast<int>(pairs.size());
}

}  // namespace octet
