// Rows of the importer: matrix products.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// A constant added to a product: the node that adds it, and which input it is.
struct Addend {
  int32_t node = -1;
  int input = 0;
};

// Adds the vector of `channels` that the only reader of the node's output adds to it, if that is
// what it does.
Addend FindAddend(Node& n, int32_t channels) {
  Addend found;
  const int32_t index = n.b.OnlyConsumer(n.out_name(), "Add");
  if (index < 0) return found;
  Node add(&n.b, index, false);
  if (add.inputs() != 2) return found;
  const int product = add.proto().input(0) == n.out_name() ? 0 : 1;
  const int32_t other = add.in(1 - product);
  if (other < 0 || add.proto().input(1 - product) == n.out_name()) return found;
  const Array* array = n.b.Constant(other);
  if (!array || array->type != DType::FLOAT32 || array->dims.empty() ||
      array->size() != static_cast<size_t>(channels) || array->dims.back() != channels) {
    return found;
  }
  found.node = index;
  found.input = product;
  return found;
}

int32_t AddendValue(Node& n, const Addend& addend) {
  Node add(&n.b, addend.node, false);
  return add.in(1 - addend.input);
}

void Transpose(Weights* weights) {
  weights->array = weights->array.Transposed({1, 0});
  if (weights->quant && !weights->quant->per_tensor()) {
    weights->quant->axis = 1 - weights->quant->axis;
  }
}

}  // namespace

Status EmitFullyConnected(Node& n, int32_t x, Weights weights, int32_t out) {
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(weights.array.bytes->size()));
  const Value& v = n.b[x];
  const Dims dims = v.dims;
  int32_t in = -1;
  if (v.flat_of >= 0 && v.at[kPlain] < 0 && dims.size() == 2) {
    // A flattened image: its channels stay last, and the weights' columns follow.
    const int32_t base = v.flat_of;
    const Dims image = n.b[base].dims;
    if (image.size() >= 3 && image[0] == dims[0] && n.b.Preferred(base) == kLast) {
      const int32_t rows = weights.array.dims[0], channels = image[1];
      weights.array = weights.array.Reshaped({rows, channels, dims[1] / channels})
                          .Transposed({0, 2, 1})
                          .Reshaped({rows, dims[1]});
      in = n.b.ReshapeTensor(n.b.Tensor(base, kLast), dims);
    }
  }
  if (in < 0) in = n.b.Tensor(x, kPlain);
  const int32_t w = n.b.ConstantTensor(n.b[out].name + "/weights", weights.array);
  if (weights.quant) SetQuant(*weights.quant, &n.b.graph().tensors[static_cast<size_t>(w)]);
  const int32_t bias =
      weights.bias ? n.b.ConstantTensor(n.b[out].name + "/bias", *weights.bias) : -1;
  n.b.Emit(OpKind::FULLY_CONNECTED, {in, w, bias}, n.b.Output(out, kPlain),
           fb::FullyConnectedOptionsT{});
  return OCTET_OK;
}

Status MatMulDims(const Dims& a, const Dims& b, Dims* out) {
  if (a.size() < 2 || b.size() < 2) {
    return Fail(OCTET_UNSUPPORTED, "multiplies vectors: %s by %s", Text(a).c_str(),
                Text(b).c_str());
  }
  if (a.back() != b[b.size() - 2]) {
    return Fail(OCTET_INVALID_MODEL, "multiplies %s by %s", Text(a).c_str(), Text(b).c_str());
  }
  OCTET_RETURN_IF_ERROR(
      BroadcastDims(Dims(a.begin(), a.end() - 2), Dims(b.begin(), b.end() - 2), out));
  out->push_back(a[a.size() - 2]);
  out->push_back(b.back());
  return OCTET_OK;
}

Status EmitMatMul(Node& n, int32_t x, int32_t y, int32_t out) {
  const int32_t lhs = n.b.Tensor(x, kPlain), rhs = n.b.Tensor(y, kPlain);
  n.b.Emit(OpKind::BATCH_MATMUL, {lhs, rhs}, n.b.Output(out, kPlain), fb::BatchMatMulOptionsT{});
  return OCTET_OK;
}

Status ImportMatMul(Node& n) {
  Dims out;
  OCTET_RETURN_IF_ERROR(MatMulDims(n.dims(0), n.dims(1), &out));
  const bool matrix = n.rank(1) == 2;
  const int32_t channels = out.back();
  // Integers.
  if (!n.as_float() && n.b.IsView(n.in(0)) && n.b.IsView(n.in(1))) {
    const int32_t x = n.value(0).source, y = n.value(1).source;
    const Addend addend = matrix ? FindAddend(n, channels) : Addend();
    std::optional<Quant> quant = n.b.OutQuant(n.out_name(), n.b[x]);
    if (!quant && addend.node >= 0) {
      quant = n.b.OutQuant(n.b.nodes[static_cast<size_t>(addend.node)]->output(0), n.b[x]);
    }
    if (quant && n.b[y].constant && matrix) {
      Weights weights;
      OCTET_RETURN_IF_ERROR(IntegerWeights(n.b, y, 1, &weights));
      Transpose(&weights);
      if (addend.node >= 0 && !n.b.OutQuant(n.out_name())) {
        OCTET_RETURN_IF_ERROR(
            IntegerBias(&n.b, AddendValue(n, addend), false, *n.b[x].quant, &weights));
        n.b.absorbed[addend.node] = addend.input;
      }
      return EmitFullyConnected(n, x, std::move(weights), n.ViewResult(*quant, out));
    }
    if (quant && n.b[y].quant->per_tensor() && n.b.OutQuant(n.out_name(), n.b[y])) {
      return EmitMatMul(n, x, y, n.ViewResult(*quant, out));
    }
  }
  if (n.value(0).type != DType::FLOAT32 || n.value(1).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "multiplies %s by %s", TypeName(n.value(0).type),
                TypeName(n.value(1).type));
  }
  const Array* array = matrix ? n.b.Constant(n.in(1)) : nullptr;
  if (!array) return EmitMatMul(n, n.in(0), n.in(1), n.Result(DType::FLOAT32, out));
  Weights weights;
  weights.array = *array;
  Transpose(&weights);
  const Addend addend = FindAddend(n, channels);
  if (addend.node >= 0) {
    weights.bias = n.b.Constant(AddendValue(n, addend))->Reshaped({channels});
    n.b.absorbed[addend.node] = addend.input;
  }
  return EmitFullyConnected(n, n.in(0), std::move(weights), n.Result(DType::FLOAT32, out));
}

Status ImportGemm(Node& n) {
  float alpha = 1, beta = 1;
  int64_t trans_a = 0, trans_b = 0;
  OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
  OCTET_RETURN_IF_ERROR(n.Float("beta", &beta));
  OCTET_RETURN_IF_ERROR(n.Int("transA", &trans_a));
  OCTET_RETURN_IF_ERROR(n.Int("transB", &trans_b));
  if (n.rank(0) != 2 || n.rank(1) != 2) {
    return Fail(OCTET_INVALID_MODEL, "multiplies %s by %s", Text(n.dims(0)).c_str(),
                Text(n.dims(1)).c_str());
  }
  if (trans_a) return Fail(OCTET_UNSUPPORTED, "transposes its first input");
  const Dims a = n.dims(0), w = n.dims(1);
  const int32_t depth = trans_b ? w[1] : w[0], channels = trans_b ? w[0] : w[1];
  if (a[1] != depth) {
    return Fail(OCTET_INVALID_MODEL, "multiplies %s by %s", Text(a).c_str(), Text(w).c_str());
  }
  const Dims out = {a[0], channels};
  const Array* bias = n.has(2) ? n.b.Constant(n.in(2)) : nullptr;
  if (n.has(2)) {
    Dims joined;
    OCTET_RETURN_IF_ERROR(BroadcastDims(out, n.dims(2), &joined));
    if (joined != out) {
      return Fail(OCTET_INVALID_MODEL, "adds %s to %s", Text(n.dims(2)).c_str(), Text(out).c_str());
    }
  }
  const bool vector = bias &&
                      (bias->size() == static_cast<size_t>(channels) || bias->size() == 1) &&
                      (bias->dims.empty() || bias->dims.back() == channels || bias->size() == 1);

  const std::optional<Quant> quant = n.QuantMode({0, 1});
  if (quant && n.b[n.value(1).source].constant && alpha == 1 &&
      (!n.has(2) || (vector && beta == 1)) &&
      (!bias || bias->size() == static_cast<size_t>(channels))) {
    const int32_t x = n.value(0).source;
    Weights weights;
    OCTET_RETURN_IF_ERROR(IntegerWeights(n.b, n.value(1).source, trans_b ? 0 : 1, &weights));
    if (!trans_b) Transpose(&weights);
    if (n.has(2)) {
      OCTET_RETURN_IF_ERROR(IntegerBias(&n.b, n.in(2), false, *n.b[x].quant, &weights));
    }
    return EmitFullyConnected(n, x, std::move(weights), n.ViewResult(*quant, out));
  }

  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(1, "the second matrix", &array));
  if (array->type != DType::FLOAT32 || n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "multiplies %s by %s", TypeName(n.value(0).type),
                TypeName(array->type));
  }
  Weights weights;
  weights.array = *array;
  if (!trans_b) Transpose(&weights);
  if (alpha != 1) {
    std::vector<float> scaled(weights.array.size());
    for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = weights.array.Float(i) * alpha;
    weights.array = FloatArray(weights.array.dims, scaled);
  }
  if (n.has(2) && !vector) {
    if (beta != 1) return Fail(OCTET_UNSUPPORTED, "adds a scaled matrix");
    // A matrix, or one that is computed.
    const int32_t product = n.b.New(n.out_name(), DType::FLOAT32, out);
    OCTET_RETURN_IF_ERROR(EmitFullyConnected(n, n.in(0), std::move(weights), product));
    return EmitBinary(&n.b, OpKind::ADD, product, n.in(2), n.Result(DType::FLOAT32, out));
  }
  if (bias) {
    std::vector<float> values(static_cast<size_t>(channels));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = beta * bias->Float(bias->size() == 1 ? 0 : i);
    }
    weights.bias = FloatArray({channels}, values);
  }
  return EmitFullyConnected(n, n.in(0), std::move(weights), n.Result(DType::FLOAT32, out));
}

}  // namespace octet::onnx
