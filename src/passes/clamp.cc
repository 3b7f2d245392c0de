#include <algorithm>

#include "src/passes/passes.h"

namespace octet {
namespace {

struct Limits {
  int32_t* min = nullptr;
  int32_t* max = nullptr;
};

template <class T>
Limits LimitsIn(T* options) {
  return options ? Limits{&options->act_min, &options->act_max} : Limits();
}

// The clamps that an operator applies to its int8 result as its last step.
Limits LimitsOf(GraphOp* op) {
  switch (op->kind) {
    case OpKind::CONV_2D:
    case OpKind::DEPTHWISE_CONV_2D:
      return LimitsIn(op->options.AsConv2DOptions());
    case OpKind::FULLY_CONNECTED:
      return LimitsIn(op->options.AsFullyConnectedOptions());
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
      return LimitsIn(op->options.AsElementwiseOptions());
    case OpKind::AVERAGE_POOL_2D:
    case OpKind::MAX_POOL_2D:
      return LimitsIn(op->options.AsPoolOptions());
    default:
      return {};
  }
}

// Is an int8 table x -> min(max(x, low), high)?
bool IsClamp(const std::vector<uint8_t>& table, int32_t* low, int32_t* high) {
  if (table.size() != 256) return false;
  const auto at = [&](int32_t x) {
    const int32_t v = table[static_cast<uint8_t>(x)];
    return v < 128 ? v : v - 256;
  };
  *low = at(-128);
  *high = at(127);
  if (*low > *high) return false;
  for (int32_t x = -128; x < 128; ++x) {
    if (at(x) != std::clamp(x, *low, *high)) return false;
  }
  return true;
}

}  // namespace

int ClampPass(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  int count = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    const GraphOp& lut = graph->ops[i];
    if (lut.kind != OpKind::LUT) continue;
    const int32_t in = lut.inputs[0], out = lut.outputs[0];
    const GraphTensor& a = graph->tensors[in];
    const GraphTensor& b = graph->tensors[out];
    if (a.type != DType::INT8 || !SameQuantisation(a, b) || uses.producer[in] < 0 ||
        uses.is_output[in] || uses.consumers[in].size() != 1) {
      continue;
    }
    GraphOp& producer = graph->ops[uses.producer[in]];
    // An earlier LUT of this round may have become this one's producer; the next round sees to it.
    if (dead[uses.producer[in]] || producer.outputs.size() != 1 || producer.outputs[0] != in) {
      continue;
    }
    const Limits limits = LimitsOf(&producer);
    int32_t low = 0, high = 0;
    if (!limits.min || !IsClamp(*graph->tensors[lut.inputs[1]].data, &low, &high)) continue;
    const int32_t new_min = std::max(*limits.min, low), new_max = std::min(*limits.max, high);
    if (new_min > new_max) continue;
    *limits.min = new_min;
    *limits.max = new_max;
    producer.outputs[0] = out;
    dead[i] = true;
    ++count;
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("fused " + Count(count, "activation", "activations"));
  }
  return count;
}

}  // namespace octet
