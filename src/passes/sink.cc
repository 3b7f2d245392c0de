// Operators that only widen values (int8 to float) run just before their result is read: until then
// the narrow input is kept, not the wide output.
#include "src/passes/passes.h"

namespace octet {

int SinkPass(Graph* g, std::vector<std::string>* log) {
  const Uses uses(*g);
  int count = 0;
  // From the back, so that an operator's consumer has found its place before it.
  for (size_t i = g->ops.size(); i-- > 0;) {
    const GraphOp& op = g->ops[i];
    if (op.kind != OpKind::DEQUANTIZE && op.kind != OpKind::QUANTIZE && op.kind != OpKind::CAST) {
      continue;
    }
    const int32_t in = op.inputs[0], out = op.outputs[0];
    if (in < 0 || uses.is_output[out] || g->tensors[in].is_constant() || g->tensors[in].is_state ||
        g->tensors[in].bytes() >= g->tensors[out].bytes()) {
      continue;
    }
    size_t reader = i + 1;
    const auto reads = [&](const GraphOp& other) {
      for (const int32_t t : other.inputs) {
        if (t == out) return true;
      }
      return false;
    };
    while (reader < g->ops.size() && !reads(g->ops[reader])) ++reader;
    if (reader == g->ops.size() || reader == i + 1) continue;
    GraphOp moved = g->ops[i];
    g->ops.insert(g->ops.begin() + static_cast<int64_t>(reader), std::move(moved));
    g->ops.erase(g->ops.begin() + static_cast<int64_t>(i));
    ++count;
  }
  if (count > 0) {
    log->push_back("moved " + Count(count, "widening operator", "widening operators") +
                   " down to where the result is read");
  }
  return count;
}

}  // namespace octet
