// Helpers for the operators' `check` functions.
#include <cstdio>
#include <cstring>

#include "src/ops/op.h"

namespace octet {

size_t TypeBytes(DType type) {
  switch (type) {
    case DType::INT8:
    case DType::UINT8:
    case DType::BOOL:
      return 1;
    case DType::INT16:
      return 2;
    case DType::INT32:
    case DType::FLOAT32:
      return 4;
    case DType::INT64:
      return 8;
    default:
      return 0;
  }
}

const char* TypeName(DType type) {
  switch (type) {
    case DType::INT8:
      return "int8";
    case DType::UINT8:
      return "uint8";
    case DType::INT16:
      return "int16";
    case DType::INT32:
      return "int32";
    case DType::INT64:
      return "int64";
    case DType::FLOAT32:
      return "float32";
    case DType::BOOL:
      return "bool";
    default:
      return "no type";
  }
}

bool SameShape(const TensorView& a, const TensorView& b) {
  if (a.rank != b.rank) return false;
  for (int32_t i = 0; i < a.rank; ++i) {
    if (a.dims[i] != b.dims[i]) return false;
  }
  return true;
}

int32_t RowCount(const TensorView& t) { return t.rank == 4 ? t.dims[0] * t.dims[1] : 1; }

size_t RowElements(const TensorView& t) {
  return t.rank == 4 ? static_cast<size_t>(t.dims[2]) * static_cast<size_t>(t.dims[3])
                     : static_cast<size_t>(t.elements());
}

Status CheckCounts(const OpView& op, size_t min_in, size_t max_in, size_t min_out, size_t max_out) {
  OCTET_CHECK_OP(op.inputs.size >= min_in && op.inputs.size <= max_in,
                 "it has %zu inputs, where %zu to %zu belong", op.inputs.size, min_in, max_in);
  OCTET_CHECK_OP(op.outputs.size >= min_out && op.outputs.size <= max_out,
                 "it has %zu outputs, where %zu to %zu belong", op.outputs.size, min_out, max_out);
  return CheckPresent(op, min_in);
}

Status CheckPresent(const OpView& op, size_t required) {
  for (size_t i = 0; i < required; ++i) {
    OCTET_CHECK_OP(op.input(i) != nullptr, "input %zu is missing", i);
  }
  return OCTET_OK;
}

Status CheckType(const TensorView& t, const char* role, std::initializer_list<DType> types) {
  char wanted[128] = "";
  for (DType type : types) {
    if (t.type == type) return OCTET_OK;
    const size_t n = std::strlen(wanted);
    std::snprintf(wanted + n, sizeof wanted - n, "%s%s", n > 0 ? " or " : "", TypeName(type));
  }
  return Fail(OCTET_UNSUPPORTED, "%s \"%s\" is %s, where %s is supported", role, t.name,
              TypeName(t.type), wanted);
}

Status CheckRank(const TensorView& t, const char* role, int32_t min_rank, int32_t max_rank) {
  OCTET_CHECK_OP(t.rank >= min_rank && t.rank <= max_rank,
                 "%s \"%s\" has %d dimensions, where %d to %d belong", role, t.name, t.rank,
                 min_rank, max_rank);
  return OCTET_OK;
}

Status CheckQuantised(const TensorView& t, const char* role) {
  OCTET_CHECK_OP(t.scales.size == 1, "%s \"%s\" has %zu scales, where one belongs", role, t.name,
                 t.scales.size);
  return OCTET_OK;
}

Status CheckSameShape(const TensorView& a, const TensorView& b, const char* roles) {
  OCTET_CHECK_OP(SameShape(a, b), "%s (\"%s\", \"%s\") differ in shape", roles, a.name, b.name);
  return OCTET_OK;
}

Status CheckConstant(const TensorView& t, const char* role) {
  if (t.data == nullptr && !t.coded) {
    return Fail(OCTET_UNSUPPORTED, "%s \"%s\" must be a constant", role, t.name);
  }
  return OCTET_OK;
}

Status UnsupportedTypes(const OpView& op) {
  char text[512];
  size_t n = 0;
  auto append = [&](const char* format, const char* value) {
    const int m = std::snprintf(text + n, sizeof text - n, format, value);
    if (m > 0) n = n + static_cast<size_t>(m) < sizeof text ? n + static_cast<size_t>(m) : n;
  };
  for (size_t i = 0; i < op.inputs.size; ++i) {
    append(i > 0 ? ", %s" : "%s",
           op.inputs[i] != nullptr ? TypeName(op.inputs[i]->type) : "absent");
  }
  append("%s", ") -> (");
  for (size_t i = 0; i < op.outputs.size; ++i) {
    append(i > 0 ? ", %s" : "%s", TypeName(op.outputs[i]->type));
  }
  return Fail(OCTET_UNSUPPORTED, "unsupported types: (%s)", text);
}

bool SameRows(const OpView&, size_t, RowRange out, RowRange* in) {
  *in = out;
  return true;
}

}  // namespace octet
