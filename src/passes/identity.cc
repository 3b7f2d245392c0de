#include <cstring>

#include "src/passes/passes.h"

namespace octet {
namespace {

bool IsPermutationOfOnes(const std::vector<int32_t>& shape, const std::vector<int32_t>& perm) {
  int32_t last = -1;
  for (const int32_t p : perm) {
    if (p < 0 || static_cast<size_t>(p) >= shape.size()) return false;
    if (shape[p] == 1) continue;
    if (p < last) return false;
    last = p;
  }
  return perm.size() == shape.size();
}

bool IsIdentityTable(const GraphTensor& table) {
  if (!table.is_constant() || table.data->size() != 256) return false;
  for (int i = 0; i < 256; ++i) {
    if ((*table.data)[i] != i) return false;
  }
  return true;
}

// Whether output 0 has exactly the bytes of input 0.
bool CopiesBytes(const Graph& g, const GraphOp& op) {
  if (op.inputs.empty() || op.inputs[0] < 0 || op.outputs.size() != 1) return false;
  const GraphTensor& in = g.tensors[op.inputs[0]];
  const GraphTensor& out = g.tensors[op.outputs[0]];
  if (in.is_constant() || in.is_state || in.type != out.type || in.bytes() != out.bytes()) {
    return false;
  }
  switch (op.kind) {
    case OpKind::RESHAPE:
      return true;
    case OpKind::LUT:
      return op.inputs.size() == 2 && IsIdentityTable(g.tensors[op.inputs[1]]);
    case OpKind::QUANTIZE:
      return SameQuantisation(in, out);
    case OpKind::CAST:
      return in.type != DType::BOOL;
    case OpKind::CONCATENATION:
      return op.inputs.size() == 1 && SameQuantisation(in, out);
    case OpKind::PACK:
      return op.inputs.size() == 1 && SameQuantisation(in, out);
    case OpKind::SPLIT:
    case OpKind::UNPACK:
      return true;  // into one piece
    case OpKind::TRANSPOSE: {
      const auto* o = op.options.AsTransposeOptions();
      return o && IsPermutationOfOnes(in.shape, o->perm);
    }
    case OpKind::PAD:
    case OpKind::MIRROR_PAD:
      return in.shape == out.shape;
    case OpKind::SLICE:
    case OpKind::STRIDED_SLICE: {
      const auto* o = op.options.AsSliceOptions();
      if (!o || in.shape.size() != o->begin.size()) return false;
      for (size_t i = 0; i < o->begin.size(); ++i) {
        if (o->begin[i] != 0 || (i < o->strides.size() && o->strides[i] != 1)) return false;
      }
      return true;  // of the same size, from the start
    }
    default:
      return false;
  }
}

}  // namespace

int IdentityPass(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  std::vector<bool> dead(graph->ops.size(), false);
  // Renaming one tensor must not disturb another decision of this round.
  std::vector<bool> touched(graph->tensors.size(), false);
  int dropped = 0, reshaped = 0;
  for (size_t i = 0; i < graph->ops.size(); ++i) {
    GraphOp& op = graph->ops[i];
    if (!CopiesBytes(*graph, op)) continue;
    const int32_t in = op.inputs[0], out = op.outputs[0];
    if (touched[in] || touched[out]) continue;
    const GraphTensor& a = graph->tensors[in];
    const GraphTensor& b = graph->tensors[out];
    if (a.shape == b.shape && SameQuantisation(a, b)) {
      if (!uses.is_output[out]) {
        graph->ReplaceUses(out, in);
        dead[i] = true;
      } else if (!uses.is_output[in] && !uses.is_input[in] && uses.producer[in] >= 0) {
        // Keep the output's tensor, for its name: the producer writes it.
        for (int32_t& t : graph->ops[uses.producer[in]].outputs) {
          if (t == in) t = out;
        }
        graph->ReplaceUses(in, out);
        dead[i] = true;
      }
      if (dead[i]) {
        touched[in] = touched[out] = true;
        ++dropped;
      }
    } else if (op.kind != OpKind::RESHAPE) {
      GraphOp reshape;
      reshape.kind = OpKind::RESHAPE;
      reshape.name = op.name;
      reshape.inputs = {in};
      reshape.outputs = {out};
      if (!Accepted(*graph, reshape)) continue;
      op = std::move(reshape);
      ++reshaped;
    }
  }
  if (dropped > 0) {
    graph->Remove(dead);
    log->push_back("dropped " + Count(dropped, "operator that copies", "operators that copy"));
  }
  if (reshaped > 0) {
    log->push_back("turned " + Count(reshaped, "operator", "operators") +
                   " that only copy bytes into reshapes");
  }
  return dropped + reshaped;
}

}  // namespace octet
