#include "src/quantize/rules.h"

namespace octet {
namespace {

template <class T>
FloatClamp ClampIn(T* o) {
  if (!o) return {};
  return {&o->act_min_f, &o->act_max_f, &o->act_min, &o->act_max};
}

}  // namespace

bool IsFloat(const Graph& graph, int32_t tensor) {
  return tensor >= 0 && graph.tensors[tensor].type == DType::FLOAT32;
}

QuantRule RuleOf(const Graph& graph, const GraphOp& op) {
  if (op.inputs.empty() || !IsFloat(graph, op.inputs[0])) return QuantRule::kKeep;
  const auto constant = [&](size_t i) {
    return i < op.inputs.size() && op.inputs[i] >= 0 && graph.tensors[op.inputs[i]].is_constant();
  };
  switch (op.kind) {
    case OpKind::CONV_2D:
    case OpKind::DEPTHWISE_CONV_2D:
    case OpKind::TRANSPOSE_CONV:
    case OpKind::FULLY_CONNECTED: {
      const bool has_bias = op.inputs.size() > 2 && op.inputs[2] >= 0;
      const bool fits = constant(1) && !constant(0) && (!has_bias || constant(2));
      return fits && IsFloat(graph, op.inputs[1]) ? QuantRule::kProduct : QuantRule::kKeep;
    }
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
    case OpKind::SQUARED_DIFFERENCE:
    case OpKind::BATCH_MATMUL:
    case OpKind::PRELU:
    case OpKind::MEAN:
    case OpKind::SUM:
      return QuantRule::kOwn;
    case OpKind::MAXIMUM:
    case OpKind::MINIMUM:
    case OpKind::AVERAGE_POOL_2D:
    case OpKind::MAX_POOL_2D:
    case OpKind::REDUCE_MAX:
    case OpKind::REDUCE_MIN:
    case OpKind::RESHAPE:
    case OpKind::TRANSPOSE:
    case OpKind::PAD:
    case OpKind::MIRROR_PAD:
    case OpKind::CONCATENATION:
    case OpKind::SPLIT:
    case OpKind::PACK:
    case OpKind::UNPACK:
    case OpKind::SLICE:
    case OpKind::STRIDED_SLICE:
    case OpKind::GATHER:
    case OpKind::GATHER_ND:
    case OpKind::TILE:
    case OpKind::DEPTH_TO_SPACE:
    case OpKind::SPACE_TO_DEPTH:
    case OpKind::BATCH_TO_SPACE_ND:
    case OpKind::SPACE_TO_BATCH_ND:
    case OpKind::RESIZE_BILINEAR:
    case OpKind::RESIZE_NEAREST_NEIGHBOR:
      return QuantRule::kSame;
    case OpKind::SOFTMAX:
    case OpKind::LOG_SOFTMAX:
    case OpKind::L2_NORMALIZATION:
    case OpKind::LOGISTIC:
    case OpKind::TANH:
      return QuantRule::kFixed;
    case OpKind::RELU:
    case OpKind::LEAKY_RELU:
    case OpKind::SQRT:
    case OpKind::RSQRT:
    case OpKind::ABS:
    case OpKind::NEG:
    case OpKind::EXP:
    case OpKind::LOG:
    case OpKind::ELU:
    case OpKind::HARD_SWISH:
    case OpKind::GELU:
    case OpKind::ERF:
    case OpKind::FLOOR:
    case OpKind::CEIL:
    case OpKind::ROUND:
    case OpKind::SIN:
    case OpKind::COS:
      return QuantRule::kTable;
    case OpKind::ARG_MAX:
    case OpKind::ARG_MIN:
    case OpKind::EQUAL:
    case OpKind::NOT_EQUAL:
    case OpKind::LESS:
    case OpKind::LESS_EQUAL:
    case OpKind::GREATER:
    case OpKind::GREATER_EQUAL:
      return QuantRule::kIndex;
    default:
      return QuantRule::kKeep;
  }
}

int WeightAxis(OpKind kind) { return kind == OpKind::DEPTHWISE_CONV_2D ? 3 : 0; }

// Source: https://ai.google.dev/edge/litert/models/quantization_spec
Affine FixedInt8(OpKind kind) {
  switch (kind) {
    case OpKind::LOG_SOFTMAX:
      return {16.f / 256, 127};
    case OpKind::L2_NORMALIZATION:
    case OpKind::TANH:
      return {1.f / 128, 0};
    default:
      return {1.f / 256, -128};
  }
}

Affine FixedInt16(OpKind) { return {1.f / 32768, 0}; }

bool HasInt16(const Graph& graph, const GraphOp& op) {
  switch (op.kind) {
    case OpKind::PRELU:
    case OpKind::LOG_SOFTMAX:
    case OpKind::L2_NORMALIZATION:
    case OpKind::SQUARED_DIFFERENCE:
    case OpKind::ARG_MAX:
    case OpKind::ARG_MIN:
      return false;
    case OpKind::RELU:
    case OpKind::LEAKY_RELU:
      return true;
    default: {
      const QuantRule rule = RuleOf(graph, op);
      return rule != QuantRule::kTable && rule != QuantRule::kKeep && rule != QuantRule::kIndex;
    }
  }
}

FloatClamp ClampOf(GraphOp* op) {
  switch (op->kind) {
    case OpKind::CONV_2D:
    case OpKind::DEPTHWISE_CONV_2D:
    case OpKind::TRANSPOSE_CONV:
      return ClampIn(op->options.AsConv2DOptions());
    case OpKind::FULLY_CONNECTED:
      return ClampIn(op->options.AsFullyConnectedOptions());
    case OpKind::AVERAGE_POOL_2D:
    case OpKind::MAX_POOL_2D:
      return ClampIn(op->options.AsPoolOptions());
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
    case OpKind::RELU:
      return ClampIn(op->options.AsElementwiseOptions());
    default:
      return {};
  }
}

}  // namespace octet
