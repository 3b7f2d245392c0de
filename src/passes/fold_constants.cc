#include <algorithm>
#include <map>

#include "src/compiler/evaluate.h"
#include "src/passes/passes.h"

namespace octet {
namespace {

constexpr size_t kMaxGrowth = size_t{1} << 20;

// The operator alone in a graph whose outputs are its outputs.
Graph Alone(const Graph& graph, const GraphOp& op) {
  Graph g;
  std::map<int32_t, int32_t> index;
  const auto take = [&](int32_t t) {
    if (t < 0) return t;
    const auto [it, fresh] = index.emplace(t, static_cast<int32_t>(g.tensors.size()));
    if (fresh) g.tensors.push_back(graph.tensors[t]);
    return it->second;
  };
  GraphOp copy = op;
  for (int32_t& t : copy.inputs) t = take(t);
  for (int32_t& t : copy.outputs) t = take(t);
  g.outputs = copy.outputs;
  g.ops.push_back(std::move(copy));
  return g;
}

}  // namespace

int FoldConstantsPass(Graph* graph, std::vector<std::string>* log) {
  std::vector<bool> dead(graph->ops.size(), false);
  std::vector<bool> is_output(graph->tensors.size(), false);
  for (const int32_t t : graph->outputs) is_output[t] = true;
  int count = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    const GraphOp& op = graph->ops[i];
    size_t in_bytes = 0, out_bytes = 0;
    bool constant = !op.inputs.empty();
    for (const int32_t t : op.inputs) {
      if (t < 0) continue;
      constant = constant && graph->tensors[t].is_constant();
      in_bytes += graph->tensors[t].bytes();
    }
    // A graph output stays something that is computed.
    for (const int32_t t : op.outputs) {
      constant = constant && !is_output[t];
      out_bytes += graph->tensors[t].bytes();
    }
    if (!constant || out_bytes > std::max(in_bytes, kMaxGrowth)) continue;
    std::vector<std::vector<uint8_t>> values;
    // What fails here, e.g. an index out of range, is for the run to report.
    if (Evaluate(Alone(*graph, op), {}, &values) != OCTET_OK) continue;
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      graph->tensors[op.outputs[k]].data =
          std::make_shared<const std::vector<uint8_t>>(std::move(values[k]));
    }
    dead[i] = true;
    ++count;
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("computed " + Count(count, "operator", "operators") + " of constants");
  }
  return count;
}

}  // namespace octet
