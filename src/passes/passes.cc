#include "src/passes/passes.h"

#include <algorithm>

namespace octet {

Uses::Uses(const Graph& graph)
    : producer(graph.tensors.size(), -1),
      consumers(graph.tensors.size()),
      is_output(graph.tensors.size(), false),
      is_input(graph.tensors.size(), false) {
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const int32_t op = static_cast<int32_t>(i);
    for (const int32_t t : graph.ops[i].outputs) producer[t] = op;
    for (const int32_t t : graph.ops[i].inputs) {
      if (t >= 0 && (consumers[t].empty() || consumers[t].back() != op)) {
        consumers[t].push_back(op);
      }
    }
  }
  for (const int32_t t : graph.outputs) is_output[t] = true;
  for (const int32_t t : graph.inputs) is_input[t] = true;
}

bool Accepted(const Graph& graph, const GraphOp& op) {
  const OpDef* def = FindOp(op.kind);
  if (!def || op.options.type != OpOptionsType(op.kind)) return false;
  const GraphOpView view(graph, op);
  return def->check(view.view()) == OCTET_OK;
}

bool SameQuantisation(const GraphTensor& a, const GraphTensor& b) {
  return a.type == b.type && a.scale == b.scale && a.zero_point == b.zero_point && a.axis == b.axis;
}

std::string Count(int n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

int DeadCodePass(Graph* graph, std::vector<std::string>* log) {
  std::vector<bool> needed(graph->tensors.size(), false);
  for (const int32_t t : graph->outputs) needed[t] = true;
  std::vector<bool> dead(graph->ops.size(), false);
  int count = 0;
  for (size_t i = graph->ops.size(); i-- > 0;) {
    const GraphOp& op = graph->ops[i];
    if (std::none_of(op.outputs.begin(), op.outputs.end(), [&](int32_t t) { return needed[t]; })) {
      dead[i] = true;
      ++count;
      continue;
    }
    for (const int32_t t : op.inputs) {
      if (t >= 0) needed[t] = true;
    }
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("dropped " + Count(count, "operator", "operators") + " that nothing needs");
  }
  return count;
}

void RunPasses(Graph* graph, std::vector<std::string>* log) {
  DeadCodePass(graph, log);
  // Each round can open new chances for the next; a graph settles in two or three.
  for (int round = 0; round < 8; ++round) {
    int changes = IdentityPass(graph, log);
    changes += FoldConstantsPass(graph, log);
    changes += TablePass(graph, log);
    changes += ClampPass(graph, log);
    changes += PadPass(graph, log);
    changes += DeadCodePass(graph, log);
    if (changes == 0) break;
  }
  // Before sums, which dense convolutions can take, depthwise ones cannot.
  OneChannelPass(graph, log);
  // Last: the others know nothing of sums within convolutions.
  SumPass(graph, log);
  ArgRowsPass(graph, log);
  MapRowsPass(graph, log);
  SinkPass(graph, log);
}

}  // namespace octet
