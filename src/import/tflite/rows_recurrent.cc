// Rows of the importer: operators with a state. Their inputs keep TensorFlow Lite's order.
#include "src/import/tflite/op_import.h"

namespace octet {
namespace {

Status RequireState(const OpImport& op, size_t input, const char* role) {
  if (!op.has(input)) return Fail(OCTET_INVALID_MODEL, "%s is absent", role);
  if (!op.in(input).is_state) {
    return Fail(OCTET_UNSUPPORTED, "%s is an ordinary tensor, not a variable", role);
  }
  return OCTET_OK;
}

}  // namespace

// Inputs: data, feature weights, time weights, bias (or absent), state.
Status ImportSvdf(OpImport& op) {
  const auto* source = op.options<tflite::SVDFOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  OCTET_RETURN_IF_ERROR(RequireState(op, 4, "the state"));
  fb::SvdfOptionsT options;
  options.rank = source->rank();
  // The integer reference has no activation but the output type's range: converters make it RELU
  // with an output that begins at zero.
  switch (source->fused_activation_function()) {
    case tflite::ActivationFunctionType_NONE:
    case tflite::ActivationFunctionType_RELU:
      break;
    default:
      return Fail(OCTET_UNSUPPORTED, "has a fused activation other than RELU");
  }
  op.Emit(OpKind::SVDF, op.inputs(), std::move(options));
  return OCTET_OK;
}

// Inputs: 0 data; 1-4 input weights and 5-8 recurrent weights of the input, forget, cell and output
// gates; 9-11 peephole weights; 12-15 biases; 16, 17 projection; 18 output state, 19 cell state;
// 20-23 layer normalisation. The quantisation of the states is all that the reference (TensorFlow
// Lite Micro's) needs besides; the tensors that TensorFlow Lite calls intermediates are not read.
Status ImportLstm(OpImport& op) {
  const auto* source = op.options<tflite::UnidirectionalSequenceLSTMOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  const size_t count = op.inputs().size();
  if (count != 20 && count != 24) {
    return Fail(OCTET_INVALID_MODEL, "has %zu inputs, not 20 or 24", count);
  }
  std::vector<int32_t> inputs = op.inputs();
  inputs.resize(24, -1);
  for (size_t i : {9, 10, 11}) {
    if (op.has(i)) return Fail(OCTET_UNSUPPORTED, "has peephole weights");
  }
  for (size_t i : {16, 17}) {
    if (op.has(i)) return Fail(OCTET_UNSUPPORTED, "has a projection");
  }
  for (size_t i : {20, 21, 22, 23}) {
    if (op.has(i)) return Fail(OCTET_UNSUPPORTED, "has layer normalisation");
  }
  if (source->diagonal_recurrent_tensors()) {
    return Fail(OCTET_UNSUPPORTED, "has diagonal recurrent weights");
  }
  if (!op.has(1) || !op.has(5)) {
    return Fail(OCTET_UNSUPPORTED, "has no input gate (coupled input and forget gates)");
  }
  if (source->fused_activation_function() != tflite::ActivationFunctionType_TANH) {
    return Fail(OCTET_UNSUPPORTED, "has an activation other than TANH");
  }
  OCTET_RETURN_IF_ERROR(RequireState(op, 18, "the output state"));
  OCTET_RETURN_IF_ERROR(RequireState(op, 19, "the cell state"));
  fb::LstmOptionsT options;
  options.cell_clip = source->cell_clip();
  options.time_major = source->time_major();
  op.Emit(OpKind::UNIDIRECTIONAL_SEQUENCE_LSTM, std::move(inputs), std::move(options));
  return OCTET_OK;
}

}  // namespace octet
