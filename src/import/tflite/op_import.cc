#include "src/import/tflite/op_import.h"

#include <cmath>
#include <cstring>

namespace octet {
namespace {

constexpr size_t kMany = 4096;

constexpr ImportRow kRows[] = {
#define ROW(code, function, required, most, fewest_out, most_out) \
  {tflite::BuiltinOperator_##code, function, required, most, fewest_out, most_out},
#include "src/import/tflite/rows.inc"
#undef ROW
};

}  // namespace

const ImportRow* FindImportRow(tflite::BuiltinOperator code) {
  for (const ImportRow& row : kRows) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

// ---- uint8 models ----------------------------------------------------------------------------

int32_t ImportContext::AddRaw(int32_t shifted) {
  GraphTensor t = graph->tensors[static_cast<size_t>(shifted)];
  t.type = DType::UINT8;
  t.zero_point += 128;
  t.data = nullptr;
  return graph->AddTensor(std::move(t));
}

void ImportContext::EmitFlip(int32_t from, int32_t to) {
  const bool to_int8 = graph->tensors[static_cast<size_t>(to)].type == DType::INT8;
  uint8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i ^ 0x80);
  if (flip_table < 0) {
    flip_table = graph->AddConstant("uint8 <-> int8", DType::UINT8, {256}, table);
  }
  GraphOp op;
  op.kind = OpKind::LUT;
  op.name = graph->tensors[static_cast<size_t>(to)].name;
  op.inputs = {from, flip_table};
  op.outputs = {to};
  fb::LutOptionsT options;
  options.origin = to_int8 ? "UINT8_TO_INT8" : "INT8_TO_UINT8";
  op.options.Set(std::move(options));
  graph->ops.push_back(std::move(op));
}

void ImportContext::EmitLut(int32_t from, int32_t to, const std::string& origin,
                            const uint8_t table[256]) {
  GraphOp op;
  op.kind = OpKind::LUT;
  op.name = graph->tensors[static_cast<size_t>(to)].name;
  op.inputs = {from, graph->AddConstant(op.name + "/table", DType::UINT8, {256}, table)};
  op.outputs = {to};
  fb::LutOptionsT options;
  options.origin = origin;
  op.options.Set(std::move(options));
  graph->ops.push_back(std::move(op));
}

// ---- One operator ----------------------------------------------------------------------------

OpImport::OpImport(ImportContext* context, const tflite::Operator& source,
                   tflite::BuiltinOperator code)
    : context_(context), source_(source), code_(code) {
  if (source.inputs()) inputs_.assign(source.inputs()->begin(), source.inputs()->end());
  if (source.outputs()) outputs_.assign(source.outputs()->begin(), source.outputs()->end());
}

Status OpImport::Ints(size_t i, const char* role, size_t most, std::vector<int32_t>* values) const {
  if (!has(i)) return Fail(OCTET_INVALID_MODEL, "%s is absent", role);
  const GraphTensor& t = in(i);
  if (!t.is_constant()) return Fail(OCTET_UNSUPPORTED, "%s is computed, not a constant", role);
  if (t.type != DType::INT32 && t.type != DType::INT64) {
    return Fail(OCTET_UNSUPPORTED, "%s has type %s, not int32 or int64", role, TypeName(t.type));
  }
  const size_t count = static_cast<size_t>(t.elements());
  if (count > most) {
    return Fail(OCTET_INVALID_MODEL, "%s has %zu values, more than %zu", role, count, most);
  }
  values->clear();
  const uint8_t* bytes = t.data->data();
  for (size_t k = 0; k < count; ++k) {
    int64_t value;
    if (t.type == DType::INT64) {
      std::memcpy(&value, bytes + k * sizeof(int64_t), sizeof value);
    } else {
      int32_t narrow;
      std::memcpy(&narrow, bytes + k * sizeof(int32_t), sizeof narrow);
      value = narrow;
    }
    // Ends of slices are "as far as possible" in some models.
    if (value > INT32_MAX) value = INT32_MAX;
    if (value < INT32_MIN) value = INT32_MIN;
    values->push_back(static_cast<int32_t>(value));
  }
  return OCTET_OK;
}

Status OpImport::Int(size_t i, const char* role, int32_t* value) const {
  std::vector<int32_t> values;
  OCTET_RETURN_IF_ERROR(Ints(i, role, 1, &values));
  if (values.empty()) return Fail(OCTET_INVALID_MODEL, "%s is empty", role);
  *value = values[0];
  return OCTET_OK;
}

GraphOp& OpImport::Emit(OpKind kind, std::vector<int32_t> inputs) {
  GraphOp op;
  op.kind = kind;
  op.name = out().name;
  op.inputs = std::move(inputs);
  op.outputs = outputs_;
  graph().ops.push_back(std::move(op));
  return graph().ops.back();
}

// ---- Helpers ---------------------------------------------------------------------------------

// Source: TFLite's CalculateActivationRangeQuantized: zero_point + round(limit / scale), the
// division in float, half rounded away from zero.
Status ActivationClamps(float low, float high, const GraphTensor& out, Clamps* clamps) {
  const bool bounded = high >= 0;
  if (out.type == DType::FLOAT32) {
    clamps->min_f = low;
    if (bounded) clamps->max_f = high;
    return OCTET_OK;
  }
  if (!IsQuantised(out)) {
    if (out.type == DType::INT32 || out.type == DType::INT64) {
      clamps->min = static_cast<int32_t>(low);
      if (bounded) clamps->max = static_cast<int32_t>(high);
      return OCTET_OK;
    }
    return Fail(OCTET_INVALID_MODEL, "has a fused activation, but its output is not quantised");
  }
  int64_t type_min = INT32_MIN, type_max = INT32_MAX;
  if (out.type == DType::INT8) type_min = -128, type_max = 127;
  if (out.type == DType::UINT8) type_min = 0, type_max = 255;
  if (out.type == DType::INT16) type_min = -32768, type_max = 32767;
  const auto quantise = [&](float limit, int64_t* q) {
    const float steps = std::round(limit / out.scale[0]);
    // The reference refuses such scales as well.
    if (!(steps >= -2147483648.f && steps < 2147483648.f)) return false;
    *q = int64_t{out.zero_point} + static_cast<int64_t>(steps);
    return true;
  };
  int64_t min = type_min, max = type_max;
  if (!quantise(low, &min) || (bounded && !quantise(high, &max))) {
    return Fail(OCTET_INVALID_MODEL, "has a fused activation, but its output's scale is too small");
  }
  clamps->min = static_cast<int32_t>(min > type_min ? min : type_min);
  clamps->max = static_cast<int32_t>(max < type_max ? max : type_max);
  return OCTET_OK;
}

Status FusedActivation(tflite::ActivationFunctionType activation, const GraphTensor& out,
                       Clamps* clamps) {
  switch (activation) {
    case tflite::ActivationFunctionType_NONE:
      return OCTET_OK;
    case tflite::ActivationFunctionType_RELU:
      return ActivationClamps(0, -1, out, clamps);
    case tflite::ActivationFunctionType_RELU6:
      return ActivationClamps(0, 6, out, clamps);
    case tflite::ActivationFunctionType_RELU_N1_TO_1:
      return ActivationClamps(-1, 1, out, clamps);
    default:
      break;
  }
  const char* name = tflite::EnumNameActivationFunctionType(activation);
  return Fail(OCTET_UNSUPPORTED, "has the fused activation %s", *name ? name : "of unknown number");
}

// Source: TFLite's padding.h.
Status PaddingBefore(tflite::Padding padding, const char* dimension, int32_t in, int32_t filter,
                     int32_t stride, int32_t dilation, int32_t out, int32_t* before) {
  if (padding != tflite::Padding_SAME && padding != tflite::Padding_VALID) {
    return Fail(OCTET_INVALID_MODEL, "has padding scheme %d", static_cast<int>(padding));
  }
  if (stride <= 0 || dilation <= 0 || filter <= 0) {
    return Fail(OCTET_INVALID_MODEL, "has %s filter %d, stride %d, dilation %d", dimension, filter,
                stride, dilation);
  }
  const int64_t reach = (int64_t{filter} - 1) * dilation + 1;
  const int64_t covered = padding == tflite::Padding_SAME ? int64_t{in} - 1 : int64_t{in} - reach;
  const int64_t expected = covered < 0 ? 0 : covered / stride + 1;
  if (expected != out) {
    return Fail(OCTET_INVALID_MODEL, "has output %s %d where %lld follows from its options",
                dimension, out, static_cast<long long>(expected));
  }
  const int64_t total = (int64_t{out} - 1) * stride + reach - in;
  // `reach` may be as much as 2^62.
  if (total / 2 > INT32_MAX) return Fail(OCTET_INVALID_MODEL, "has too large a filter");
  *before = total > 0 ? static_cast<int32_t>(total / 2) : 0;
  return OCTET_OK;
}

Status NormaliseAxis(int32_t rank, int32_t* axis) {
  if (*axis < -rank || *axis >= rank) {
    return Fail(OCTET_INVALID_MODEL, "has axis %d for %d dimensions", *axis, rank);
  }
  if (*axis < 0) *axis += rank;
  return OCTET_OK;
}

}  // namespace octet
