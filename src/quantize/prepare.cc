#include "src/quantize/prepare.h"

#include <algorithm>
#include <set>

#include "src/passes/passes.h"
#include "src/quantize/rules.h"
#include "src/quantize/weights.h"

namespace octet {
namespace {

// The only reader of a tensor that is no output of the graph, or -1.
int32_t OnlyReader(const Uses& uses, int32_t t) {
  if (uses.is_output[t] || uses.consumers[t].size() != 1) return -1;
  return uses.consumers[t][0];
}

bool Unclamped(GraphOp* op) {
  const FloatClamp clamp = ClampOf(op);
  return !clamp.low || (*clamp.low < -3e38f && *clamp.high > 3e38f);
}

// The other operand of a binary operator as one number a channel; empty where it is none such.
std::vector<float> PerChannel(const Graph& graph, int32_t t, int32_t channels) {
  const GraphTensor& tensor = graph.tensors[t];
  if (!tensor.is_constant() || tensor.type != DType::FLOAT32) return {};
  std::vector<float> values = FloatsOf(tensor);
  if (values.size() == 1) values.assign(static_cast<size_t>(channels), values[0]);
  const bool innermost = !tensor.shape.empty() && tensor.shape.back() == channels;
  if (values.size() != static_cast<size_t>(channels) || (tensor.elements() != 1 && !innermost)) {
    return {};
  }
  return values;
}

void SetFloats(Graph* graph, int32_t* slot, const std::string& name, std::vector<int32_t> shape,
               const std::vector<float>& values) {
  *slot = graph->AddConstant(name, DType::FLOAT32, std::move(shape), values.data());
}

}  // namespace

void MakeNamesUnique(Graph* graph) {
  std::set<std::string> seen;
  for (GraphTensor& t : graph->tensors) {
    if (seen.insert(t.name).second) continue;
    for (int i = 2;; ++i) {
      const std::string name = t.name + "#" + std::to_string(i);
      if (!seen.insert(name).second) continue;
      t.name = name;
      break;
    }
  }
}

int FuseFloatClamps(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  int count = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    GraphOp& relu = graph->ops[i];
    if (relu.kind != OpKind::RELU || !IsFloat(*graph, relu.inputs[0])) continue;
    const int32_t in = relu.inputs[0];
    const int32_t producer = uses.producer[in];
    if (producer < 0 || dead[producer] || OnlyReader(uses, in) < 0) continue;
    GraphOp& maker = graph->ops[producer];
    if (maker.kind == OpKind::RELU || maker.outputs.size() != 1 || maker.outputs[0] != in) continue;
    const FloatClamp to = ClampOf(&maker), from = ClampOf(&relu);
    if (!to.low) continue;
    const float low = std::max(*to.low, *from.low), high = std::min(*to.high, *from.high);
    if (low > high) continue;
    *to.low = low;
    *to.high = high;
    maker.outputs[0] = relu.outputs[0];
    maker.name = relu.name;
    dead[i] = true;
    ++count;
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("fused " + Count(count, "activation", "activations"));
  }
  return count;
}

int FoldAffines(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  std::vector<bool> touched(graph->ops.size(), false);
  int count = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    GraphOp& affine = graph->ops[i];
    const bool mul = affine.kind == OpKind::MUL, sub = affine.kind == OpKind::SUB;
    if (!mul && !sub && affine.kind != OpKind::ADD) continue;
    for (size_t side = 0; side < (sub ? 1u : 2u); ++side) {
      const int32_t in = affine.inputs[side];
      if (!IsFloat(*graph, in) || uses.producer[in] < 0 || OnlyReader(uses, in) < 0) continue;
      const int32_t at = uses.producer[in];
      GraphOp& product = graph->ops[at];
      if (dead[at] || touched[at] || RuleOf(*graph, product) != QuantRule::kProduct ||
          !Unclamped(&product) || product.outputs[0] != in ||
          graph->tensors[in].shape != graph->tensors[affine.outputs[0]].shape) {
        continue;
      }
      const GraphTensor weights = graph->tensors[product.inputs[1]];
      const int axis = WeightAxis(product.kind);
      const int32_t channels = weights.shape[static_cast<size_t>(axis)];
      const std::vector<float> values = PerChannel(*graph, affine.inputs[1 - side], channels);
      if (values.empty()) continue;
      std::vector<float> bias(static_cast<size_t>(channels), 0);
      product.inputs.resize(3, -1);
      std::string bias_name = weights.name + "/bias";
      if (product.inputs[2] >= 0) {
        bias = FloatsOf(graph->tensors[product.inputs[2]]);
        bias_name = graph->tensors[product.inputs[2]].name;
      }
      for (size_t c = 0; c < bias.size(); ++c) {
        bias[c] = mul ? bias[c] * values[c] : sub ? bias[c] - values[c] : bias[c] + values[c];
      }
      SetFloats(graph, &product.inputs[2], bias_name, {channels}, bias);
      if (mul) {
        std::vector<float> w = FloatsOf(weights);
        size_t inner = 1;
        for (size_t d = static_cast<size_t>(axis) + 1; d < weights.shape.size(); ++d) {
          inner *= static_cast<size_t>(weights.shape[d]);
        }
        for (size_t k = 0; k < w.size(); ++k) {
          w[k] *= values[k / inner % static_cast<size_t>(channels)];
        }
        SetFloats(graph, &product.inputs[1], weights.name, weights.shape, w);
      }
      const FloatClamp from = ClampOf(&affine), to = ClampOf(&product);
      *to.low = *from.low;
      *to.high = *from.high;
      product.outputs[0] = affine.outputs[0];
      product.name = affine.name;
      dead[i] = touched[at] = true;
      ++count;
      break;
    }
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("folded " + Count(count, "factor or summand", "factors and summands") +
                   " of channels into weights");
  }
  return count;
}

void PrepareFloatGraph(Graph* graph, std::vector<std::string>* log) {
  for (int round = 0; round < 16; ++round) {
    if (FoldAffines(graph, log) + FuseFloatClamps(graph, log) == 0) break;
  }
  MakeNamesUnique(graph);
}

}  // namespace octet
