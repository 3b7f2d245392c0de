// Rows of the importer: operators that reduce or normalise along axes.
#include <algorithm>

#include "src/import/tflite/op_import.h"

namespace octet {

// keep_dims changes nothing but the output's shape.
Status ImportReduce(OpImport& op) {
  fb::ReduceOptionsT options;
  OCTET_RETURN_IF_ERROR(
      op.Ints(1, "the list of axes", static_cast<size_t>(kMaxRank), &options.axes));
  for (int32_t& axis : options.axes) OCTET_RETURN_IF_ERROR(NormaliseAxis(Rank(op.in(0)), &axis));
  std::sort(options.axes.begin(), options.axes.end());
  options.axes.erase(std::unique(options.axes.begin(), options.axes.end()), options.axes.end());
  OpKind kind = OpKind::NONE;
  switch (op.code()) {
    case tflite::BuiltinOperator_MEAN:
      kind = OpKind::MEAN;
      break;
    case tflite::BuiltinOperator_SUM:
      kind = OpKind::SUM;
      break;
    case tflite::BuiltinOperator_REDUCE_MAX:
      kind = OpKind::REDUCE_MAX;
      break;
    default:
      kind = OpKind::REDUCE_MIN;
      break;
  }
  options.legacy_u8 = (kind == OpKind::MEAN || kind == OpKind::SUM) && op.legacy_u8(op.input(0));
  op.Emit(kind, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportArg(OpImport& op) {
  fb::ArgOptionsT options;
  OCTET_RETURN_IF_ERROR(op.Int(1, "the axis", &options.axis));
  OCTET_RETURN_IF_ERROR(NormaliseAxis(Rank(op.in(0)), &options.axis));
  const bool max = op.code() == tflite::BuiltinOperator_ARG_MAX;
  op.Emit(max ? OpKind::ARG_MAX : OpKind::ARG_MIN, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportSoftmax(OpImport& op) {
  const auto* source = op.options<tflite::SoftmaxOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  fb::SoftmaxOptionsT options;
  options.beta = source->beta();
  op.Emit(OpKind::SOFTMAX, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

// The uint8 reference of the next two rounds in other ways than the int8 one.
Status ImportLogSoftmax(OpImport& op) {
  if (op.legacy_u8(op.input(0))) return Fail(OCTET_UNSUPPORTED, "is there for int8, not for uint8");
  op.Emit(OpKind::LOG_SOFTMAX, {op.input(0)}, fb::SoftmaxOptionsT{});
  return OCTET_OK;
}

Status ImportL2Normalization(OpImport& op) {
  if (op.legacy_u8(op.input(0))) return Fail(OCTET_UNSUPPORTED, "is there for int8, not for uint8");
  op.Emit(OpKind::L2_NORMALIZATION, {op.input(0)});
  return OCTET_OK;
}

}  // namespace octet
