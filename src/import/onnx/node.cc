#include "src/import/onnx/node.h"

#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr int kMany = 4096;

struct DomainRow {
  const char* domain;
  ImportRow row;
};

constexpr DomainRow kRows[] = {
#define ROW(op_type, function, required, most, most_out) \
  {"", {#op_type, function, required, most, most_out}},
#define MICROSOFT_ROW(op_type, function, required, most, most_out) \
  {"com.microsoft", {#op_type, function, required, most, most_out}},
#include "src/import/onnx/rows.inc"
#undef ROW
#undef MICROSOFT_ROW
};

// AttributeProto.AttributeType.
enum : int32_t { kFloat = 1, kInt = 2, kString = 3, kFloats = 6, kInts = 7 };

// Files of the first years leave the type out.
bool HasType(const onnx_pb::AttributeProto& a, int32_t type, bool present) {
  return a.has_type() ? a.type() == type : present;
}

Status WrongType(const char* name, const char* wanted) {
  return Fail(OCTET_INVALID_MODEL, "the attribute %s is not %s", name, wanted);
}

}  // namespace

const ImportRow* FindImportRow(const std::string& domain, const std::string& op_type) {
  const std::string name = domain == "ai.onnx" ? "" : domain;
  for (const DomainRow& row : kRows) {
    if (name == row.domain && op_type == row.row.op_type) return &row.row;
  }
  return nullptr;
}

bool Node::Unused(int i) const {
  if (!has_output(i)) return true;
  const auto it = b.consumers.find(out_name(i));
  return (it == b.consumers.end() || it->second.empty()) && b.outputs.count(out_name(i)) == 0;
}

// ---- Attributes ------------------------------------------------------------------------------

const onnx_pb::AttributeProto* Node::Attribute(const char* name) const {
  for (const auto& a : proto_.attribute()) {
    if (a.name() == name) return &a;
  }
  return nullptr;
}

Status Node::Int(const char* name, int64_t* value) const {
  const auto* a = Attribute(name);
  if (!a) return OCTET_OK;
  if (!HasType(*a, kInt, a->has_i())) return WrongType(name, "an integer");
  *value = a->i();
  return OCTET_OK;
}

Status Node::Int32(const char* name, int32_t* value) const {
  int64_t wide = *value;
  OCTET_RETURN_IF_ERROR(Int(name, &wide));
  if (wide < INT32_MIN || wide > INT32_MAX) {
    return Fail(OCTET_INVALID_MODEL, "the attribute %s is %lld", name,
                static_cast<long long>(wide));
  }
  *value = static_cast<int32_t>(wide);
  return OCTET_OK;
}

Status Node::Float(const char* name, float* value) const {
  const auto* a = Attribute(name);
  if (!a) return OCTET_OK;
  if (!HasType(*a, kFloat, a->has_f())) return WrongType(name, "a number");
  *value = a->f();
  return OCTET_OK;
}

Status Node::String(const char* name, std::string* value) const {
  const auto* a = Attribute(name);
  if (!a) return OCTET_OK;
  if (!HasType(*a, kString, a->has_s())) return WrongType(name, "a text");
  *value = ShortText(a->s());
  return OCTET_OK;
}

Status Node::Ints(const char* name, std::vector<int64_t>* values) const {
  const auto* a = Attribute(name);
  if (!a) return OCTET_OK;
  if (!HasType(*a, kInts, a->ints_size() > 0)) return WrongType(name, "a list of integers");
  if (a->ints_size() > kMany)
    return Fail(OCTET_INVALID_MODEL, "the attribute %s is too long", name);
  values->assign(a->ints().begin(), a->ints().end());
  return OCTET_OK;
}

Status Node::Axis(const char* name, int32_t rank, int32_t* axis) const {
  int64_t value = *axis;
  OCTET_RETURN_IF_ERROR(Int(name, &value));
  return NormaliseAxis(rank, value, axis);
}

// ---- Inputs ----------------------------------------------------------------------------------

Status Node::Constant(int i, const char* role, const Array** array) const {
  if (!has(i)) return Fail(OCTET_INVALID_MODEL, "%s is absent", role);
  *array = b.Constant(in(i));
  if (b.failure != OCTET_OK) return Fail(b.failure, "%s", b.failure_text.c_str());
  if (!*array) {
    return Fail(OCTET_UNSUPPORTED, "%s (\"%s\") is computed from the input, not a constant", role,
                value(i).name.c_str());
  }
  return OCTET_OK;
}

Status Node::InputInts(int i, const char* role, std::vector<int64_t>* values) const {
  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(Constant(i, role, &array));
  if (array->type != DType::INT64 && array->type != DType::INT32) {
    return Fail(OCTET_INVALID_MODEL, "%s has type %s, not int64", role, TypeName(array->type));
  }
  if (array->size() > static_cast<size_t>(kMany)) {
    return Fail(OCTET_INVALID_MODEL, "%s has %zu values", role, array->size());
  }
  values->clear();
  for (size_t k = 0; k < array->size(); ++k) values->push_back(array->Int(k));
  return OCTET_OK;
}

Status Node::IntsOf(int i, const char* name, std::vector<int64_t>* values, bool* given) const {
  *given = has(i) || HasAttribute(name);
  if (has(i)) return InputInts(i, name, values);
  return Ints(name, values);
}

Status Node::FloatOf(int i, const char* name, float* value, bool* given) const {
  *given = has(i) || HasAttribute(name);
  if (!has(i)) return Float(name, value);
  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(Constant(i, name, &array));
  if (array->size() != 1) {
    return Fail(OCTET_INVALID_MODEL, "%s has %zu values, not one", name, array->size());
  }
  *value = array->Float(0);
  return OCTET_OK;
}

// ---- Results ---------------------------------------------------------------------------------

int32_t Node::Result(DType result_type, Dims dims, int out) {
  const int32_t id = b.New(out_name(out), result_type, std::move(dims));
  b.Bind(out_name(out), id);
  return id;
}

int32_t Node::ViewResult(const Quant& quant, Dims dims, int out) {
  const int32_t id = b.New(out_name(out), quant.type, std::move(dims));
  b[id].quant = quant;
  b.Bind(out_name(out), b.NewView(out_name(out), id));
  return id;
}

void Node::ConstantResult(Array array, int out) {
  b.Bind(out_name(out), b.NewConstant(out_name(out), std::move(array)));
}

std::optional<Quant> Node::QuantMode(std::initializer_list<int> views, int out) const {
  if (as_float_) return std::nullopt;
  for (const int i : views) {
    if (has(i) && !b.IsView(in(i))) return std::nullopt;
  }
  const std::optional<Quant> quant = b.OutQuant(out_name(out));
  for (const int i : views) {
    if (!quant || !has(i) || b[b[in(i)].source].constant) continue;
    if ((quant->type == DType::INT16) != (b[b[in(i)].source].type == DType::INT16)) {
      return std::nullopt;
    }
  }
  return quant;
}

// ---- Helpers ---------------------------------------------------------------------------------

Status NormaliseAxis(int32_t rank, int64_t axis, int32_t* result) {
  if (axis < -int64_t{rank} || axis >= rank) {
    return Fail(OCTET_INVALID_MODEL, "has axis %lld for %d dimensions",
                static_cast<long long>(axis), rank);
  }
  *result = static_cast<int32_t>(axis < 0 ? axis + rank : axis);
  return OCTET_OK;
}

Status BroadcastDims(const Dims& a, const Dims& b, Dims* out) {
  const size_t rank = std::max(a.size(), b.size());
  Dims dims(rank, 1);  // `out` may be a or b
  for (size_t i = 0; i < rank; ++i) {
    const int32_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int32_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return Fail(OCTET_INVALID_MODEL, "the shapes %s and %s do not broadcast", Text(a).c_str(),
                  Text(b).c_str());
    }
    dims[rank - 1 - i] = x == 1 ? y : x;
  }
  *out = std::move(dims);
  return OCTET_OK;
}

}  // namespace octet::onnx
