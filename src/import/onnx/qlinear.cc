// Rows of the importer: ONNX's operator form, where each operator states the quantisation of its
// inputs and its output.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// Input i with the quantisation that inputs `scale` and `scale` + 1 state.
Status QuantInput(Node& n, int i, int scale, int32_t* id) {
  Quant quant;
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), scale, nullptr, &quant));
  if (!quant.per_tensor()) {
    return Fail(OCTET_UNSUPPORTED, "\"%s\" has a scale for each channel", n.value(i).name.c_str());
  }
  if (quant.type != n.value(i).type && !(n.has(scale + 1))) quant.type = n.value(i).type;
  return n.b.WithQuant(n.in(i), quant, id);
}

// Constant weights with a scale for each slice along `axis`, or one.
Status QuantWeights(Node& n, int i, int scale, int32_t axis, Weights* weights) {
  Quant quant;
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), scale, nullptr, &quant));
  quant.axis = axis;
  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(i, "the weights", &array));
  if (array->dims.size() <= static_cast<size_t>(axis) ||
      (!quant.per_tensor() &&
       quant.scale.size() != static_cast<size_t>(array->dims[static_cast<size_t>(axis)]))) {
    return Fail(OCTET_INVALID_MODEL, "has %zu scales for weights %s", quant.scale.size(),
                Text(array->dims).c_str());
  }
  if (array->type != quant.type) {
    return Fail(OCTET_INVALID_MODEL, "has %s weights with a zero point of %s",
                TypeName(array->type), TypeName(quant.type));
  }
  const int32_t id = n.b.NewConstant(n.value(i).name, *array);
  n.b[id].quant = quant;
  return IntegerWeights(n.b, id, axis, weights);
}

// The quantisation of the output.
Status OutputQuant(Node& n, int scale, Quant* quant) {
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), scale, nullptr, quant));
  if (!quant->per_tensor()) {
    return Fail(OCTET_UNSUPPORTED, "its output has a scale for each channel");
  }
  if (!Is8Bit(quant->type)) {
    return Fail(OCTET_UNSUPPORTED, "its output is %s", TypeName(quant->type));
  }
  return OCTET_OK;
}

int32_t IntegerResult(Node& n, const Quant& quant, Dims dims) {
  const int32_t id = n.Result(quant.type, std::move(dims));
  n.b[id].quant = quant;
  return id;
}

Status CheckBias(Node& n, int i, int32_t channels) {
  if (n.value(i).type != DType::INT32 || Elements(n.dims(i)) != channels) {
    return Fail(OCTET_INVALID_MODEL, "the bias is %s%s for %d channels", TypeName(n.value(i).type),
                Text(n.dims(i)).c_str(), channels);
  }
  return OCTET_OK;
}

}  // namespace

Status ImportQLinearConv(Node& n) {
  int32_t x;
  Weights weights;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(QuantWeights(n, 3, 4, 0, &weights));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 6, &quant));
  Dims out;
  OCTET_RETURN_IF_ERROR(ConvOutDims(n, n.b[x].dims, weights.array.dims, &out));
  if (n.has(8)) {
    OCTET_RETURN_IF_ERROR(CheckBias(n, 8, out[1]));
    OCTET_RETURN_IF_ERROR(IntegerBias(&n.b, n.in(8), true, *n.b[x].quant, &weights));
  }
  return EmitConv(n, x, std::move(weights), IntegerResult(n, quant, out));
}

Status ImportQLinearMatMul(Node& n) {
  int32_t x;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 6, &quant));
  Dims out;
  OCTET_RETURN_IF_ERROR(MatMulDims(n.dims(0), n.dims(3), &out));
  if (n.rank(3) == 2 && n.b.Constant(n.in(3))) {
    Weights weights;
    OCTET_RETURN_IF_ERROR(QuantWeights(n, 3, 4, 1, &weights));
    weights.array = weights.array.Transposed({1, 0});
    weights.quant->axis = 0;
    return EmitFullyConnected(n, x, std::move(weights), IntegerResult(n, quant, out));
  }
  int32_t y;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 3, 4, &y));
  return EmitMatMul(n, x, y, IntegerResult(n, quant, out));
}

// A, a_scale, a_zero_point, B, b_scale, b_zero_point, C (int32), y_scale, y_zero_point.
Status ImportQGemm(Node& n) {
  float alpha = 1;
  int64_t trans_a = 0, trans_b = 0;
  OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
  OCTET_RETURN_IF_ERROR(n.Int("transA", &trans_a));
  OCTET_RETURN_IF_ERROR(n.Int("transB", &trans_b));
  if (trans_a) return Fail(OCTET_UNSUPPORTED, "transposes its first input");
  if (alpha != 1) return Fail(OCTET_UNSUPPORTED, "has alpha %g", static_cast<double>(alpha));
  if (!n.has(7)) return Fail(OCTET_UNSUPPORTED, "its output is not quantised");
  int32_t x;
  Weights weights;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(QuantWeights(n, 3, 4, trans_b ? 0 : 1, &weights));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 7, &quant));
  if (!trans_b) {
    weights.array = weights.array.Transposed({1, 0});
    weights.quant->axis = 0;
  }
  const Dims a = n.dims(0), w = weights.array.dims;
  if (a.size() != 2 || w.size() != 2 || a[1] != w[1]) {
    return Fail(OCTET_INVALID_MODEL, "multiplies %s by %s", Text(a).c_str(),
                Text(n.dims(3)).c_str());
  }
  if (n.has(6)) {
    OCTET_RETURN_IF_ERROR(CheckBias(n, 6, w[0]));
    OCTET_RETURN_IF_ERROR(IntegerBias(&n.b, n.in(6), true, *n.b[x].quant, &weights));
  }
  return EmitFullyConnected(n, x, std::move(weights), IntegerResult(n, quant, {a[0], w[0]}));
}

Status ImportQLinearBinary(Node& n) {
  int32_t a, c;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &a));
  OCTET_RETURN_IF_ERROR(QuantInput(n, 3, 4, &c));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 6, &quant));
  Dims out;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(3), &out));
  return EmitBinary(&n.b, n.type() == "QLinearAdd" ? OpKind::ADD : OpKind::MUL, a, c,
                    IntegerResult(n, quant, out));
}

// y_scale, y_zero_point, then value, scale and zero point of each part.
Status ImportQLinearConcat(Node& n) {
  Quant quant;
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 0, &quant));
  if ((n.inputs() - 2) % 3 != 0) return Fail(OCTET_INVALID_MODEL, "has %d inputs", n.inputs());
  std::vector<int32_t> parts;
  for (int i = 2; i < n.inputs(); i += 3) {
    if (!n.has(i)) return Fail(OCTET_INVALID_MODEL, "input %d is absent", i);
    int32_t part;
    OCTET_RETURN_IF_ERROR(QuantInput(n, i, i + 1, &part));
    parts.push_back(n.b.Requantised(part, quant));
  }
  const int32_t rank = static_cast<int32_t>(n.b[parts[0]].dims.size());
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", rank, &axis));
  const int32_t out = IntegerResult(n, quant, {});
  return EmitConcat(n, parts, axis, out);
}

Status ImportQLinearPool(Node& n) {
  int32_t x;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 3, &quant));
  int64_t last = 0;
  OCTET_RETURN_IF_ERROR(n.Int("channels_last", &last));
  if (last) return Fail(OCTET_UNSUPPORTED, "has its channels last");
  const Dims dims = n.dims(0);
  if (n.type() == "QLinearGlobalAveragePool") {
    if (dims.size() < 3) return Fail(OCTET_INVALID_MODEL, "has an input %s", Text(dims).c_str());
    Dims out(dims.size(), 1);
    out[0] = dims[0], out[1] = dims[1];
    return EmitGlobalPool(n, OpKind::MEAN, x, IntegerResult(n, quant, out));
  }
  // In the input's quantisation, then in the output's.
  const int32_t pooled = n.b.New(n.out_name(), n.b[x].type, {});
  n.b[pooled].quant = n.b[x].quant;
  OCTET_RETURN_IF_ERROR(EmitAveragePool(n, x, pooled));
  n.Alias(n.b.Requantised(pooled, quant));
  return OCTET_OK;
}

Status ImportQLinearUnary(Node& n) {
  int32_t x;
  Quant quant;
  RealFunction f;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 3, &quant));
  OCTET_RETURN_IF_ERROR(UnaryFunction(n, &f));
  if (!Is8Bit(n.b[x].type)) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.b[x].type));
  }
  FloatTable table = n.b.TableOf(n.b.NewView(n.out_name(), x));
  for (float& v : table) v = f(v);
  n.b.EmitTable(x, table, IntegerResult(n, quant, n.dims(0)), n.type());
  return OCTET_OK;
}

Status ImportQLinearSoftmax(Node& n) {
  int32_t x;
  Quant quant;
  OCTET_RETURN_IF_ERROR(QuantInput(n, 0, 1, &x));
  OCTET_RETURN_IF_ERROR(OutputQuant(n, 3, &quant));
  const int32_t out = n.b.New(n.out_name(), DType::INT8, n.dims(0));
  n.b[out].quant = Quant{DType::INT8, {1.f / 256}, {-128}, 0};
  OCTET_RETURN_IF_ERROR(EmitSoftmax(n, x, out));
  n.Alias(n.b.Requantised(out, quant));
  return OCTET_OK;
}

}  // namespace octet::onnx
