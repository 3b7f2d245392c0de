// Chains of element-wise operators on 8-bit values as one table. The table is what the runtime
// itself returns for all 256 values, so it is exact by construction.
#include <algorithm>

#include "src/compiler/evaluate.h"
#include "src/passes/passes.h"

namespace octet {
namespace {

bool IsElementwise(OpKind kind) {
  switch (kind) {
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
    case OpKind::DIV:
    case OpKind::MAXIMUM:
    case OpKind::MINIMUM:
    case OpKind::SQUARED_DIFFERENCE:
    case OpKind::FLOOR_DIV:
    case OpKind::EQUAL:
    case OpKind::NOT_EQUAL:
    case OpKind::LESS:
    case OpKind::LESS_EQUAL:
    case OpKind::GREATER:
    case OpKind::GREATER_EQUAL:
    case OpKind::LUT:
    case OpKind::PRELU:
    case OpKind::LEAKY_RELU:
    case OpKind::RELU:
    case OpKind::LOGISTIC:
    case OpKind::TANH:
    case OpKind::SQRT:
    case OpKind::RSQRT:
    case OpKind::ABS:
    case OpKind::NEG:
    case OpKind::QUANTIZE:
    case OpKind::DEQUANTIZE:
    case OpKind::CAST:
      return true;
    default:
      return false;
  }
}

bool IsByte(DType type) { return type == DType::INT8 || type == DType::UINT8; }

// Is the operator a function of each element of x alone?
bool IsFunctionOf(const Graph& g, const GraphOp& op, int32_t x) {
  if (!IsElementwise(op.kind) || op.outputs.size() != 1) return false;
  if (g.tensors[op.outputs[0]].shape != g.tensors[x].shape) return false;
  bool reads = false;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    const int32_t t = op.inputs[i];
    if (t == x) {
      reads = true;
      continue;
    }
    const bool table = op.kind == OpKind::LUT && i == 1;
    if (t < 0 || !g.tensors[t].is_constant() || (!table && g.tensors[t].elements() != 1)) {
      return false;
    }
  }
  return reads;
}

// The chain's operators on a tensor of all 256 values.
bool Tabulate(const Graph& graph, int32_t x, const std::vector<int32_t>& chain,
              std::vector<uint8_t>* table) {
  Graph g;
  GraphTensor input = graph.tensors[x];
  input.shape = {256};
  int32_t current = g.AddTensor(std::move(input));
  g.inputs = {current};
  int32_t source = x;
  for (const int32_t index : chain) {
    GraphOp op = graph.ops[index];
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (op.inputs[i] == source) {
        op.inputs[i] = current;
        continue;
      }
      GraphTensor constant = graph.tensors[op.inputs[i]];
      if (!(op.kind == OpKind::LUT && i == 1)) {
        constant.shape = {1};
        constant.axis = 0;
      }
      op.inputs[i] = g.AddTensor(std::move(constant));
    }
    source = op.outputs[0];
    GraphTensor output = graph.tensors[source];
    output.shape = {256};
    current = g.AddTensor(std::move(output));
    op.outputs = {current};
    if (!Accepted(g, op)) return false;
    g.ops.push_back(std::move(op));
  }
  g.outputs = {current};
  std::vector<uint8_t> all(256);
  for (int i = 0; i < 256; ++i) all[i] = static_cast<uint8_t>(i);
  std::vector<std::vector<uint8_t>> outputs;
  if (Evaluate(g, {all}, &outputs) != OCTET_OK || outputs[0].size() != 256) return false;
  *table = std::move(outputs[0]);
  return true;
}

std::string OriginOf(const Graph& graph, const std::vector<int32_t>& chain) {
  std::string origin;
  for (const int32_t index : chain) {
    const GraphOp& op = graph.ops[index];
    const auto* lut = op.options.AsLutOptions();
    const std::string name = lut && !lut->origin.empty() ? lut->origin : OpName(op.kind);
    if (origin.size() + name.size() < 120) origin += (origin.empty() ? "" : "+") + name;
  }
  return origin;
}

}  // namespace

int TablePass(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  int count = 0, replaced = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    if (dead[i]) continue;
    // The first operator's only variable operand.
    int32_t x = -1;
    for (const int32_t t : graph->ops[i].inputs) {
      if (t >= 0 && !graph->tensors[t].is_constant()) x = t;
    }
    if (x < 0 || !IsByte(graph->tensors[x].type) || graph->tensors[x].is_state ||
        !IsFunctionOf(*graph, graph->ops[i], x)) {
      continue;
    }
    std::vector<int32_t> chain, best;
    int32_t current = static_cast<int32_t>(i), value = x;
    while (IsFunctionOf(*graph, graph->ops[current], value)) {
      chain.push_back(current);
      value = graph->ops[current].outputs[0];
      const DType type = graph->tensors[value].type;
      if (IsByte(type) || type == DType::BOOL) best = chain;
      if (uses.is_output[value] || uses.consumers[value].size() != 1) break;
      current = uses.consumers[value][0];
    }
    if (best.empty() || (best.size() == 1 && graph->ops[i].kind == OpKind::LUT)) continue;
    std::vector<uint8_t> table;
    if (!Tabulate(*graph, x, best, &table)) continue;

    GraphOp lut;
    lut.kind = OpKind::LUT;
    lut.name = graph->ops[best.back()].name;
    const int32_t out = graph->ops[best.back()].outputs[0];
    lut.inputs = {x, graph->AddConstant(lut.name + "/table", DType::UINT8, {256}, table.data())};
    lut.outputs = {out};
    fb::LutOptionsT options;
    options.origin = OriginOf(*graph, best);
    lut.options.Set(std::move(options));
    if (!Accepted(*graph, lut)) continue;
    // In the place of the first: nothing else of the chain is read by anyone.
    for (const int32_t op : best) dead[op] = true;
    dead[i] = false;
    graph->ops[i] = std::move(lut);
    ++count;
    replaced += static_cast<int>(best.size());
  }
  if (count > 0) {
    graph->Remove(dead);
    log->push_back("computed " + Count(count, "table", "tables") + " from " +
                   Count(replaced, "element-wise operator", "element-wise operators"));
  }
  return count;
}

}  // namespace octet
