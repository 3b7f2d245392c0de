#include "src/passes/passes.h"

namespace octet {

int ArgRowsPass(Graph* g, std::vector<std::string>* log) {
  int count = 0;
  for (size_t i = 0; i < g->ops.size(); ++i) {
    if (g->ops[i].kind != OpKind::ARG_MAX && g->ops[i].kind != OpKind::ARG_MIN) continue;
    const int32_t out = g->ops[i].outputs[0];
    const GraphTensor& in = g->tensors[g->ops[i].inputs[0]];
    const auto* options = g->ops[i].options.AsArgOptions();
    if (options == nullptr || in.shape.size() != 4 || g->tensors[out].shape.size() != 3 ||
        (options->axis != 3 && options->axis != -1)) {
      continue;
    }
    GraphTensor kept = g->tensors[out];
    kept.shape.push_back(1);
    kept.name += "/rows";
    const int32_t t = g->AddTensor(kept);
    g->ops[i].outputs[0] = t;
    GraphOp reshape;
    reshape.kind = OpKind::RESHAPE;
    reshape.name = g->tensors[out].name;
    reshape.inputs = {t};
    reshape.outputs = {out};
    g->ops.insert(g->ops.begin() + static_cast<int64_t>(i) + 1, reshape);
    ++count;
  }
  if (count > 0) log->push_back("kept the rows of " + Count(count, "index map", "index maps"));
  return count;
}

}  // namespace octet
