// CheckGraph: what the rest of the compiler, and the operators' own checks, rely on.
#include <cmath>

#include "src/graph/graph.h"
#include "src/graph/problems.h"

namespace octet {
namespace {

constexpr int64_t kMaxTensorBytes = int64_t{1} << 40;

Status CheckTensor(const GraphTensor& t, size_t index) {
  const auto fail = [&](const char* what) {
    return Fail(OCTET_INVALID_MODEL, "tensor %zu \"%s\" (%s) %s", index, t.name.c_str(),
                DescribeTensor(t).c_str(), what);
  };
  if (TypeBytes(t.type) == 0) return fail("has no type");
  if (t.shape.size() > static_cast<size_t>(kMaxRank)) return fail("has too many dimensions");
  int64_t bytes = static_cast<int64_t>(TypeBytes(t.type));
  for (int32_t d : t.shape) {
    if (d <= 0) return fail("is empty or has a size that is not known");
    if (bytes >= kMaxTensorBytes / d) return fail("is too large");
    bytes *= d;
  }
  if (static_cast<uint64_t>(bytes) > SIZE_MAX) return fail("is too large");
  for (float s : t.scale) {
    if (!(std::isfinite(s) && s > 0)) return fail("has a scale that is not positive");
  }
  if (t.scale.size() > 1) {
    if (t.axis < 0 || static_cast<size_t>(t.axis) >= t.shape.size() ||
        t.scale.size() != static_cast<size_t>(t.shape[static_cast<size_t>(t.axis)])) {
      return fail("has a number of scales that does not fit its shape");
    }
  }
  if (t.data && t.data->size() != t.bytes()) return fail("has data of another size");
  if (t.data && t.is_state) return fail("is both a constant and state");
  return OCTET_OK;
}

bool InRange(const Graph& graph, int32_t tensor, bool may_be_absent) {
  return tensor < 0 ? may_be_absent && tensor == -1
                    : static_cast<size_t>(tensor) < graph.tensors.size();
}

// Indices, one writer a tensor, no reading before writing.
Status CheckFlow(const Graph& graph) {
  std::vector<bool> written(graph.tensors.size(), false);
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    written[i] = graph.tensors[i].is_constant() || graph.tensors[i].is_state;
  }
  for (int32_t t : graph.inputs) {
    if (!InRange(graph, t, false)) {
      return Fail(OCTET_INVALID_MODEL, "input tensor %d does not exist", t);
    }
    if (written[static_cast<size_t>(t)]) {
      return Fail(OCTET_INVALID_MODEL, "input \"%s\" is listed twice, a constant or state",
                  graph.tensors[static_cast<size_t>(t)].name.c_str());
    }
    written[static_cast<size_t>(t)] = true;
  }
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    const auto fail = [&](int32_t t, const char* what) {
      return Fail(OCTET_INVALID_MODEL, "operator %zu (%s \"%s\"): tensor %d %s", i, OpName(op.kind),
                  op.name.c_str(), t, what);
    };
    for (int32_t t : op.inputs) {
      if (!InRange(graph, t, true)) return fail(t, "does not exist");
      if (t >= 0 && !written[static_cast<size_t>(t)])
        return fail(t, "is read before it is written");
    }
    for (int32_t t : op.outputs) {
      if (!InRange(graph, t, false)) return fail(t, "does not exist");
      if (written[static_cast<size_t>(t)]) {
        return fail(t, "is an output, but is a constant, state, an input, or written already");
      }
      written[static_cast<size_t>(t)] = true;
    }
  }
  std::vector<bool> by_operator(graph.tensors.size(), false);
  for (const GraphOp& op : graph.ops) {
    for (int32_t t : op.outputs) by_operator[static_cast<size_t>(t)] = true;
  }
  if (graph.outputs.empty()) return Fail(OCTET_INVALID_MODEL, "the model has no outputs");
  for (int32_t t : graph.outputs) {
    if (!InRange(graph, t, false)) {
      return Fail(OCTET_INVALID_MODEL, "output tensor %d does not exist", t);
    }
    if (!by_operator[static_cast<size_t>(t)]) {
      return Fail(OCTET_UNSUPPORTED, "output \"%s\" is not written by any operator",
                  graph.tensors[static_cast<size_t>(t)].name.c_str());
    }
  }
  return OCTET_OK;
}

}  // namespace

void CheckOperators(const Graph& graph, Problems* problems) {
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    const OpDef* def = FindOp(op.kind);
    Status status;
    if (!def) {
      status = Fail(OCTET_UNSUPPORTED, "this build has no such operator");
    } else if (op.options.type != OpOptionsType(op.kind)) {
      status = Fail(OCTET_INVALID_MODEL, "carries options of another operator");
    } else {
      const GraphOpView view(graph, op);
      status = def->check(view.view());
    }
    if (status != OCTET_OK) {
      problems->Add(status, OpName(op.kind), octet_last_error(),
                    DescribeOperator(graph, i, op.name, op.inputs, op.outputs));
    }
  }
}

Status CheckGraph(const Graph& graph) {
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    OCTET_RETURN_IF_ERROR(CheckTensor(graph.tensors[i], i));
  }
  OCTET_RETURN_IF_ERROR(CheckFlow(graph));
  Problems problems;
  CheckOperators(graph, &problems);
  return problems.Report();
}

}  // namespace octet
