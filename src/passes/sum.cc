#include "src/passes/passes.h"

namespace octet {
namespace {

// Operator `conv` with the sum that `add` makes of its result and another tensor.
GraphOp Fuse(const Graph& graph, const GraphOp& conv, const GraphOp& add, int32_t other) {
  const GraphTensor& result = graph.tensors[conv.outputs[0]];
  const auto& clamps = *add.options.AsElementwiseOptions();
  GraphOp fused = conv;
  fused.name = add.name;
  fused.inputs.resize(3, -1);
  fused.inputs.push_back(other);
  fused.outputs = add.outputs;
  auto& options = *fused.options.AsConv2DOptions();
  options.result_scale = result.scale[0];
  options.result_zero_point = result.zero_point;
  options.sum_min = clamps.act_min;
  options.sum_max = clamps.act_max;
  return fused;
}

}  // namespace

int SumPass(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  int count = 0;
  for (GraphOp& add : graph->ops) {
    if (add.kind != OpKind::ADD || add.options.AsElementwiseOptions() == nullptr) continue;
    // Of two convolutions the one that runs later.
    const size_t later =
        uses.producer[add.inputs[0]] >= uses.producer[add.inputs[1]] ? size_t{0} : size_t{1};
    for (const size_t side : {later, 1 - later}) {
      const int32_t result = add.inputs[side], other = add.inputs[1 - side];
      const int32_t producer = uses.producer[result];
      if (producer < 0 || result == other || uses.is_output[result] ||
          uses.consumers[result].size() != 1 || graph->tensors[other].is_constant()) {
        continue;
      }
      const GraphOp& conv = graph->ops[producer];
      if (conv.kind != OpKind::CONV_2D || conv.inputs.size() > 3 || dead[producer] ||
          conv.options.AsConv2DOptions() == nullptr || graph->tensors[result].scale.size() != 1) {
        continue;
      }
      GraphOp fused = Fuse(*graph, conv, add, other);
      if (!Accepted(*graph, fused)) continue;
      add = std::move(fused);
      dead[producer] = true;
      ++count;
      break;
    }
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("fused " + Count(count, "sum", "sums"));
  }
  return count;
}

}  // namespace octet
