// Maps of rank 3 between element-wise operators have no rows in our sense, so nothing there can
// run by rows. As [1, height, width, channels] they do, and the bytes are the same.
#include <algorithm>

#include "src/passes/passes.h"

namespace octet {
namespace {

enum class Arity { kOther, kUnary, kBinary };

Arity ArityOf(OpKind kind) {
  switch (kind) {
    case OpKind::LUT:
    case OpKind::QUANTIZE:
    case OpKind::DEQUANTIZE:
    case OpKind::CAST:
    case OpKind::RELU:
    case OpKind::ABS:
    case OpKind::NEG:
    case OpKind::SQRT:
    case OpKind::RSQRT:
    case OpKind::LOGISTIC:
    case OpKind::TANH:
      return Arity::kUnary;
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
    case OpKind::DIV:
    case OpKind::MAXIMUM:
    case OpKind::MINIMUM:
    case OpKind::SQUARED_DIFFERENCE:
      return Arity::kBinary;
    default:
      return Arity::kOther;
  }
}

// A constant that can be given a fourth dimension.
bool IsMap(const GraphTensor& t) {
  return t.is_constant() && t.shape.size() == 3 && t.scale.size() <= 1;
}

}  // namespace

int MapRowsPass(Graph* g, std::vector<std::string>* log) {
  const Uses uses(*g);
  std::vector<bool> chosen(g->tensors.size(), false);
  for (size_t i = 0; i < g->tensors.size(); ++i) {
    const GraphTensor& t = g->tensors[i];
    chosen[i] = t.shape.size() == 3 && t.shape[0] > 1 && !t.is_constant() && !t.is_state &&
                !uses.is_input[i] && !uses.is_output[i] && uses.producer[i] >= 0 &&
                t.scale.size() <= 1;
  }
  // Does an operator still make sense if the chosen tensors have four dimensions?
  const auto fits = [&](const GraphOp& op) {
    const Arity arity = ArityOf(op.kind);
    const int32_t out = op.outputs[0];
    if (arity == Arity::kUnary) return chosen[op.inputs[0]] == chosen[out];
    if (arity != Arity::kBinary) return false;
    if (!chosen[out]) return g->tensors[out].shape.size() == 4;
    // The output's rank is the larger of the inputs'.
    return std::any_of(op.inputs.begin(), op.inputs.end(), [&](int32_t t) {
      return chosen[t] || g->tensors[t].shape.size() == 4 || IsMap(g->tensors[t]);
    });
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (const GraphOp& op : g->ops) {
      const auto drop = [&](int32_t t) {
        if (t < 0 || !chosen[t]) return;
        chosen[t] = false;
        changed = true;
      };
      const bool any = std::any_of(op.inputs.begin(), op.inputs.end(),
                                   [&](int32_t t) { return t >= 0 && chosen[t]; }) ||
                       chosen[op.outputs[0]];
      if (!any || fits(op)) continue;
      for (const int32_t t : op.inputs) drop(t);
      for (const int32_t t : op.outputs) drop(t);
    }
  }
  const int count = static_cast<int>(std::count(chosen.begin(), chosen.end(), true));
  if (count == 0) return 0;
  const Graph before = *g;
  for (size_t i = 0; i < g->tensors.size(); ++i) {
    if (chosen[i]) g->tensors[i].shape.insert(g->tensors[i].shape.begin(), 1);
  }
  for (GraphOp& op : g->ops) {
    if (ArityOf(op.kind) == Arity::kBinary && chosen[op.outputs[0]]) {
      for (int32_t& t : op.inputs) {
        if (!IsMap(g->tensors[t])) continue;
        GraphTensor map = g->tensors[t];  // its own: others may read the constant as it is
        map.shape.insert(map.shape.begin(), 1);
        t = g->AddTensor(std::move(map));
      }
    }
    if (!Accepted(*g, op)) {
      *g = before;
      return 0;
    }
  }
  g->Remove(std::vector<bool>(g->ops.size(), false));  // constants that nobody reads as they were
  log->push_back("gave rows to " + Count(count, "map", "maps") + " of three dimensions");
  return count;
}

}  // namespace octet
