// Rows of the importer: operators on one or two tensors element by element.
#include <cmath>
#include <cstring>

#include "src/import/tflite/op_import.h"
#include "src/passes/unary_table.h"

namespace octet {
namespace {

// Source: TFLite's CheckedLog2.
bool PowerOfTwo(float scale, int* exponent) {
  const float log2 = std::log(scale) * (1.0f / std::log(2.0f));
  const float rounded = std::round(log2);
  *exponent = static_cast<int>(rounded);
  return std::abs(log2 - rounded) < 1e-3f;
}

// int16 ADD and SUB: does TFLite compute this one by shifts? Its Prepare refuses operators of that
// kind that would shift both inputs, or left; they take the general way here.
bool PotScaleInt16(const GraphTensor& a, const GraphTensor& b, const GraphTensor& out) {
  for (const GraphTensor* t : {&a, &b, &out}) {
    if (t->type != DType::INT16 || !IsQuantised(*t) || t->zero_point != 0) return false;
  }
  int a_log2, b_log2, out_log2;
  if (!PowerOfTwo(a.scale[0], &a_log2) || !PowerOfTwo(b.scale[0], &b_log2) ||
      !PowerOfTwo(out.scale[0], &out_log2)) {
    return false;
  }
  const int a_shift = a_log2 - out_log2, b_shift = b_log2 - out_log2;
  return a_shift <= 0 && b_shift <= 0 && (a_shift == 0 || b_shift == 0);
}

Status EmitBinary(OpImport& op, OpKind kind, tflite::ActivationFunctionType activation,
                  bool pot_scale) {
  Clamps clamps;
  OCTET_RETURN_IF_ERROR(FusedActivation(activation, op.out(), &clamps));
  fb::ElementwiseOptionsT options;
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  options.pot_scale = pot_scale;
  op.Emit(kind, op.inputs(), std::move(options));
  return OCTET_OK;
}

template <class Options>
tflite::ActivationFunctionType ActivationOf(const OpImport& op) {
  const Options* options = op.options<Options>();
  return options ? options->fused_activation_function() : tflite::ActivationFunctionType_NONE;
}

// A LUT, for an operator that UnaryTable knows.
Status EmitUnaryTable(OpImport& op, const char* name, float alpha) {
  const GraphTensor& in = op.in(0);
  const GraphTensor& out = op.out();
  if (!IsQuantised(in) || !IsQuantised(out)) {
    return Fail(OCTET_INVALID_MODEL, "has 8-bit tensors that are not quantised");
  }
  UnarySpec spec;
  spec.op = name;
  spec.alpha = alpha;
  spec.in_type = in.type;
  spec.out_type = out.type;
  spec.in_scale = in.scale[0];
  spec.in_zero_point = in.zero_point;
  spec.out_scale = out.scale[0];
  spec.out_zero_point = out.zero_point;
  spec.legacy_u8 = op.legacy_u8(op.input(0));
  uint8_t table[256];
  if (in.scale.size() != 1 || out.scale.size() != 1 || !UnaryTable(spec, table)) {
    return Fail(OCTET_UNSUPPORTED, "cannot be done with these types and scales");
  }
  op.EmitLut(name, table);
  return OCTET_OK;
}

// One element of a type of at most 8 bits, from a value that was cast to it as C++ does.
uint8_t CastByte(int32_t value, DType type) {
  return type == DType::BOOL ? value != 0 : static_cast<uint8_t>(value);
}

}  // namespace

Status ImportAdd(OpImport& op) {
  return EmitBinary(op, OpKind::ADD, ActivationOf<tflite::AddOptions>(op),
                    PotScaleInt16(op.in(0), op.in(1), op.out()));
}

Status ImportSub(OpImport& op) {
  return EmitBinary(op, OpKind::SUB, ActivationOf<tflite::SubOptions>(op),
                    PotScaleInt16(op.in(0), op.in(1), op.out()));
}

Status ImportMul(OpImport& op) {
  return EmitBinary(op, OpKind::MUL, ActivationOf<tflite::MulOptions>(op), false);
}

Status ImportDiv(OpImport& op) {
  return EmitBinary(op, OpKind::DIV, ActivationOf<tflite::DivOptions>(op), false);
}

Status ImportBinary(OpImport& op) {
  OpKind kind = OpKind::NONE;
  switch (op.code()) {
    case tflite::BuiltinOperator_MAXIMUM:
      kind = OpKind::MAXIMUM;
      break;
    case tflite::BuiltinOperator_MINIMUM:
      kind = OpKind::MINIMUM;
      break;
    case tflite::BuiltinOperator_SQUARED_DIFFERENCE:
      kind = OpKind::SQUARED_DIFFERENCE;
      break;
    default:
      kind = OpKind::FLOOR_DIV;
      break;
  }
  return EmitBinary(op, kind, tflite::ActivationFunctionType_NONE, false);
}

Status ImportComparison(OpImport& op) {
  OpKind kind = OpKind::NONE;
  switch (op.code()) {
    case tflite::BuiltinOperator_EQUAL:
      kind = OpKind::EQUAL;
      break;
    case tflite::BuiltinOperator_NOT_EQUAL:
      kind = OpKind::NOT_EQUAL;
      break;
    case tflite::BuiltinOperator_LESS:
      kind = OpKind::LESS;
      break;
    case tflite::BuiltinOperator_LESS_EQUAL:
      kind = OpKind::LESS_EQUAL;
      break;
    case tflite::BuiltinOperator_GREATER:
      kind = OpKind::GREATER;
      break;
    default:
      kind = OpKind::GREATER_EQUAL;
      break;
  }
  op.Emit(kind, op.inputs());
  return OCTET_OK;
}

Status ImportUnary(OpImport& op) {
  const char* name = tflite::EnumNameBuiltinOperator(op.code());
  float alpha = 0;
  if (const auto* leaky = op.options<tflite::LeakyReluOptions>()) alpha = leaky->alpha();
  if (Is8Bit(op.in(0)) && Is8Bit(op.out())) return EmitUnaryTable(op, name, alpha);

  Clamps clamps;
  OpKind kind = OpKind::NONE;
  fb::ElementwiseOptionsT options;
  switch (op.code()) {
    case tflite::BuiltinOperator_LOGISTIC:
      kind = OpKind::LOGISTIC;
      break;
    case tflite::BuiltinOperator_TANH:
      kind = OpKind::TANH;
      break;
    case tflite::BuiltinOperator_SQRT:
      kind = OpKind::SQRT;
      break;
    case tflite::BuiltinOperator_RSQRT:
      kind = OpKind::RSQRT;
      break;
    case tflite::BuiltinOperator_ABS:
      kind = OpKind::ABS;
      break;
    case tflite::BuiltinOperator_NEG:
      kind = OpKind::NEG;
      break;
    case tflite::BuiltinOperator_EXP:
      kind = OpKind::EXP;
      break;
    case tflite::BuiltinOperator_LOG:
      kind = OpKind::LOG;
      break;
    case tflite::BuiltinOperator_HARD_SWISH:
      kind = OpKind::HARD_SWISH;
      break;
    case tflite::BuiltinOperator_FLOOR:
      kind = OpKind::FLOOR;
      break;
    case tflite::BuiltinOperator_CEIL:
      kind = OpKind::CEIL;
      break;
    case tflite::BuiltinOperator_ROUND:
      kind = OpKind::ROUND;
      break;
    case tflite::BuiltinOperator_SIN:
      kind = OpKind::SIN;
      break;
    case tflite::BuiltinOperator_COS:
      kind = OpKind::COS;
      break;
    case tflite::BuiltinOperator_ELU:
      options.alpha = 1;
      op.Emit(OpKind::ELU, {op.input(0)}, std::move(options));
      return OCTET_OK;
    case tflite::BuiltinOperator_GELU:
      if (const auto* gelu = op.options<tflite::GeluOptions>()) {
        options.approximate = gelu->approximate();
      }
      op.Emit(OpKind::GELU, {op.input(0)}, std::move(options));
      return OCTET_OK;
    case tflite::BuiltinOperator_LEAKY_RELU:
      options.alpha = alpha;
      op.Emit(OpKind::LEAKY_RELU, {op.input(0)}, std::move(options));
      return OCTET_OK;
    case tflite::BuiltinOperator_RELU:
      kind = OpKind::RELU;
      OCTET_RETURN_IF_ERROR(ActivationClamps(0, -1, op.out(), &clamps));
      break;
    case tflite::BuiltinOperator_RELU6:
      kind = OpKind::RELU;
      OCTET_RETURN_IF_ERROR(ActivationClamps(0, 6, op.out(), &clamps));
      break;
    case tflite::BuiltinOperator_RELU_N1_TO_1:
      kind = OpKind::RELU;
      OCTET_RETURN_IF_ERROR(ActivationClamps(-1, 1, op.out(), &clamps));
      break;
    case tflite::BuiltinOperator_RELU_0_TO_1:
      kind = OpKind::RELU;
      OCTET_RETURN_IF_ERROR(ActivationClamps(0, 1, op.out(), &clamps));
      break;
    default:
      return Fail(OCTET_UNSUPPORTED, "is there for 8-bit tensors, not for %s to %s",
                  TypeName(op.in(0).type), TypeName(op.out().type));
  }
  if (kind != OpKind::RELU) {
    op.Emit(kind, {op.input(0)});
    return OCTET_OK;
  }
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  op.Emit(kind, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

// The square is a product, of float32 at least: the rounding of quantised ones is not a product's.
Status ImportSquare(OpImport& op) {
  if (op.out().type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is there for float32, not for %s", TypeName(op.out().type));
  }
  op.Emit(OpKind::MUL, {op.input(0), op.input(0)}, fb::ElementwiseOptionsT{});
  return OCTET_OK;
}

Status ImportPow(OpImport& op) {
  op.Emit(OpKind::POW, op.inputs());
  return OCTET_OK;
}

Status ImportPrelu(OpImport& op) {
  op.Emit(OpKind::PRELU, op.inputs());
  return OCTET_OK;
}

Status ImportQuantize(OpImport& op) {
  if (Is8Bit(op.in(0)) && Is8Bit(op.out())) return EmitUnaryTable(op, "QUANTIZE", 0);
  op.Emit(OpKind::QUANTIZE, {op.input(0)});
  return OCTET_OK;
}

Status ImportDequantize(OpImport& op) {
  // Constants of float16 have been read as float32: the output is that constant.
  if (op.in(0).type == DType::FLOAT32 && op.in(0).is_constant()) {
    GraphTensor& out = op.graph().tensors[static_cast<size_t>(op.output())];
    if (out.type != DType::FLOAT32 || out.shape != op.in(0).shape || out.is_constant()) {
      return Fail(OCTET_INVALID_MODEL, "makes another tensor of a float16 constant");
    }
    out.data = op.in(0).data;
    return OCTET_OK;
  }
  op.Emit(OpKind::DEQUANTIZE, {op.input(0)});
  return OCTET_OK;
}

// CAST takes stored values as they are, so that a shifted uint8 tensor must be shifted back.
Status ImportCast(OpImport& op) {
  const bool from_shifted = op.legacy_u8(op.input(0));
  const bool to_shifted = op.legacy_u8(op.output());
  if (Is8Bit(op.in(0)) && Is8Bit(op.out())) {
    uint8_t table[256];
    for (int32_t i = 0; i < 256; ++i) {
      int32_t value = from_shifted ? i ^ 0x80 : i;
      if (op.in(0).type == DType::INT8 && !from_shifted && value > 127) value -= 256;
      const uint8_t byte = CastByte(value, to_shifted ? DType::UINT8 : op.out().type);
      table[i] = to_shifted ? byte ^ 0x80 : byte;
    }
    op.EmitLut("CAST", table);
    return OCTET_OK;
  }
  ImportContext& context = op.context();
  int32_t from = op.input(0);
  if (from_shifted) {
    int32_t& raw = context.raw_u8[static_cast<size_t>(from)];
    if (raw < 0) {
      raw = context.AddRaw(from);
      context.EmitFlip(from, raw);
    }
    from = raw;
  }
  GraphOp& cast = op.Emit(OpKind::CAST, {from});
  if (to_shifted) {
    const int32_t raw = context.AddRaw(op.output());
    cast.outputs = {raw};
    context.EmitFlip(raw, op.output());
    context.raw_u8[static_cast<size_t>(op.output())] = raw;
  }
  return OCTET_OK;
}

}  // namespace octet
