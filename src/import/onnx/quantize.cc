// Rows of the importer: between float32 and integers.
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

int32_t FloatConstant(Builder* b, float value) {
  return b->NewConstant("constant", FloatArray({}, {value}));
}

// A constant along one axis of something of this rank.
int32_t AlongAxis(Builder* b, const std::vector<float>& values, int32_t axis, size_t rank) {
  if (values.size() == 1) return FloatConstant(b, values[0]);
  Dims dims(rank - static_cast<size_t>(axis), 1);
  dims[0] = static_cast<int32_t>(values.size());
  return b->NewConstant("constants", FloatArray(dims, values));
}

int32_t Like(Node& n, int32_t x) { return n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims); }

// Round half to even: float32 keeps no fraction above 2^23. Right for |x| <= 2^22.
Status EmitRound(Node& n, int32_t x, int32_t out) {
  const int32_t big = FloatConstant(&n.b, 12582912.f);  // 1.5 * 2^23
  const int32_t moved = Like(n, x);
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::ADD, x, big, moved));
  return EmitBinary(&n.b, OpKind::SUB, moved, big, out);
}

void TypeRange(DType type, float* low, float* high) {
  *low = type == DType::UINT8 ? 0 : type == DType::INT8 ? -128 : -32768;
  *high = type == DType::UINT8 ? 255 : type == DType::INT8 ? 127 : 32767;
}

int32_t EmitCast(Node& n, int32_t x, DType type) {
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Tensor(x, layout);
  const int32_t out = n.b.New(n.out_name(), type, n.b[x].dims);
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(out, layout));
  return out;
}

// In float32, for what QUANTIZE does not do: a scale for each slice of an activation.
Status EmitQuantizeAlong(Node& n, int32_t x, const Quant& quant) {
  const size_t rank = n.b[x].dims.size();
  std::vector<float> zeros;
  for (size_t i = 0; i < quant.scale.size(); ++i) {
    zeros.push_back(static_cast<float>(quant.zero_at(i)));
  }
  const int32_t divided = Like(n, x), rounded = Like(n, x), shifted = Like(n, x);
  float low, high;
  TypeRange(quant.type, &low, &high);
  OCTET_RETURN_IF_ERROR(EmitBinary(
      &n.b, OpKind::DIV, x, AlongAxis(&n.b, quant.scale, quant.axis, rank), divided, -1e6f, 1e6f));
  OCTET_RETURN_IF_ERROR(EmitRound(n, divided, rounded));
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::ADD, rounded,
                                   AlongAxis(&n.b, zeros, quant.axis, rank), shifted, low, high));
  n.Alias(EmitCast(n, shifted, quant.type));
  return OCTET_OK;
}

// Is the scale or the zero point no constant?
bool IsComputed(Node& n) { return !n.b.Constant(n.in(1)) || (n.has(2) && !n.b.Constant(n.in(2))); }

Status CheckComputed(Node& n, DType type) {
  for (int i = 1; i < n.inputs(); ++i) {
    if (!n.has(i)) continue;
    if (Elements(n.dims(i)) != 1 || n.rank(i) > 1) {
      return Fail(OCTET_UNSUPPORTED, "computes %s scales", Text(n.dims(i)).c_str());
    }
  }
  if (n.value(1).type != DType::FLOAT32 || (n.has(2) && n.value(2).type != type)) {
    return Fail(OCTET_INVALID_MODEL, "has a scale of %s and a zero point of %s",
                TypeName(n.value(1).type), n.has(2) ? TypeName(n.value(2).type) : "nothing");
  }
  return OCTET_OK;
}

// Integers as float32.
int32_t EmitNumbers(Node& n, int32_t x) {
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Raw(x, layout);
  const int32_t out = Like(n, x);
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(out, layout));
  return out;
}

// As DynamicQuantizeLinear, where it is spelled out.
Status QuantizeByComputed(Node& n) {
  const DType type = n.has(2) ? n.value(2).type : DType::UINT8;
  OCTET_RETURN_IF_ERROR(CheckComputed(n, type));
  if (!Is8Bit(type) && type != DType::INT16) {
    return Fail(OCTET_UNSUPPORTED, "quantises to %s", TypeName(type));
  }
  const int32_t x = n.in(0);
  const int32_t divided = Like(n, x), rounded = Like(n, x), shifted = Like(n, x);
  float low, high;
  TypeRange(type, &low, &high);
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::DIV, x, n.in(1), divided, -1e6f, 1e6f));
  OCTET_RETURN_IF_ERROR(EmitRound(n, divided, rounded));
  const int32_t zero = n.has(2) ? EmitNumbers(n, n.in(2)) : FloatConstant(&n.b, 0);
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::ADD, rounded, zero, shifted, low, high));
  n.Alias(EmitCast(n, shifted, type));
  return OCTET_OK;
}

Status DequantizeByComputed(Node& n) {
  OCTET_RETURN_IF_ERROR(CheckComputed(n, n.value(0).type));
  int32_t x = EmitNumbers(n, n.in(0));
  if (n.has(2)) {
    const int32_t zero = EmitNumbers(n, n.in(2)), moved = Like(n, x);
    OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::SUB, x, zero, moved));
    x = moved;
  }
  return EmitBinary(&n.b, OpKind::MUL, x, n.in(1), n.Result(DType::FLOAT32, n.dims(0)));
}

}  // namespace

Status ImportQuantizeLinear(Node& n) {
  const Dims dims = n.dims(0);
  Quant quant;
  if (n.value(0).type == DType::FLOAT32 && IsComputed(n)) return QuantizeByComputed(n);
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), 1, &dims, &quant));
  if (quant.type == DType::INT32) return Fail(OCTET_UNSUPPORTED, "quantises to uint16 or int32");
  const int32_t x = n.in(0);
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "quantises %s", TypeName(n.value(0).type));
  }
  if (!quant.per_tensor()) return EmitQuantizeAlong(n, x, quant);
  const int32_t source = n.value(0).source;
  if (source >= 0 && n.b[source].quant && n.b[source].quant->per_tensor()) {
    if (!n.value(0).table) {
      n.Alias(n.b.Requantised(source, quant));
      return OCTET_OK;
    }
    if (Is8Bit(quant.type)) {
      const int32_t out = n.b.New(n.out_name(), quant.type, dims);
      n.b[out].quant = quant;
      n.b.EmitTable(source, n.b.TableOf(x), out, "QUANTIZE");
      n.Alias(out);
      return OCTET_OK;
    }
  }
  const int32_t out = n.Result(quant.type, dims);
  n.b[out].quant = quant;
  n.b.MapElements(x, out,
                  [&](int32_t from, int32_t to) { n.b.Emit(OpKind::QUANTIZE, {from}, to); });
  return OCTET_OK;
}

Status ImportDequantizeLinear(Node& n) {
  const Dims dims = n.dims(0);
  const int32_t x = n.in(0);
  Quant quant;
  if (n.value(0).type == DType::FLOAT32) return Fail(OCTET_INVALID_MODEL, "its input is float32");
  if (IsComputed(n)) return DequantizeByComputed(n);
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), 1, &dims, &quant));
  if (quant.type != n.value(0).type) {
    return Fail(OCTET_INVALID_MODEL, "its input is %s, its zero point %s",
                TypeName(n.value(0).type), TypeName(quant.type));
  }
  if (quant.type == DType::INT32 && !n.value(0).constant && quant.zero_point[0] != 0) {
    return Fail(OCTET_UNSUPPORTED, "its input is uint16, or int32 with a zero point");
  }
  if (n.value(0).constant || quant.per_tensor()) {
    int32_t q;
    if (n.value(0).constant && n.value(0).quant && !(*n.value(0).quant == quant)) {
      q = n.b.NewConstant(n.value(0).name, *n.value(0).constant);
      n.b[q].quant = quant;
    } else {
      OCTET_RETURN_IF_ERROR(n.b.WithQuant(x, quant, &q));
    }
    n.b.Bind(n.out_name(), n.b.NewView(n.out_name(), q));
    return OCTET_OK;
  }
  // A scale for each slice of an activation: in float32.
  std::vector<float> zeros;
  for (size_t i = 0; i < quant.scale.size(); ++i) {
    zeros.push_back(static_cast<float>(quant.zero_at(i)));
  }
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Raw(x, layout);
  const int32_t codes = Like(n, x), shifted = Like(n, x);
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(codes, layout));
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::SUB, codes,
                                   AlongAxis(&n.b, zeros, quant.axis, dims.size()), shifted));
  return EmitBinary(&n.b, OpKind::MUL, shifted,
                    AlongAxis(&n.b, quant.scale, quant.axis, dims.size()),
                    n.Result(DType::FLOAT32, dims));
}

// ONNX gives its formula: the range of x with 0 in it, in 255 steps. All in float32, where each of
// its steps is one rounding, as in ONNX Runtime.
Status ImportDynamicQuantizeLinear(Node& n) {
  const int32_t x = n.in(0);
  Builder& b = n.b;
  const Dims dims = n.dims(0);
  if (n.value(0).type != DType::FLOAT32)
    return Fail(OCTET_INVALID_MODEL, "its input is not float32");
  const auto scalar = [&] { return b.New(n.out_name(), DType::FLOAT32, {}); };
  const auto reduce = [&](OpKind kind) {
    fb::ReduceOptionsT options;
    const Layout layout = b.Preferred(x);
    const int32_t from = b.Tensor(x, layout), out = scalar();
    for (size_t i = 0; i < dims.size(); ++i) options.axes.push_back(static_cast<int32_t>(i));
    b.Emit(kind, {from}, b.Output(out, kPlain), std::move(options));
    return out;
  };
  const int32_t zero = FloatConstant(&b, 0);
  const int32_t low = scalar(), high = scalar(), range = scalar(), scale = scalar();
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MINIMUM, reduce(OpKind::REDUCE_MIN), zero, low));
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MAXIMUM, reduce(OpKind::REDUCE_MAX), zero, high));
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::SUB, high, low, range));
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::DIV, range, FloatConstant(&b, 255), scale, 1e-30f));
  const int32_t steps = scalar(), start = scalar(), point = scalar();
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::DIV, low, scale, steps));
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::SUB, zero, steps, start, 0, 255));
  OCTET_RETURN_IF_ERROR(EmitRound(n, start, point));
  const int32_t divided = Like(n, x), rounded = Like(n, x), codes = Like(n, x);
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::DIV, x, scale, divided));
  OCTET_RETURN_IF_ERROR(EmitRound(n, divided, rounded));
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::ADD, rounded, point, codes, 0, 255));
  b.Bind(n.out_name(0), EmitCast(n, codes, DType::UINT8));
  if (n.has_output(1)) b.Bind(n.out_name(1), scale);
  if (n.has_output(2)) b.Bind(n.out_name(2), EmitCast(n, point, DType::UINT8));
  return OCTET_OK;
}

}  // namespace octet::onnx
