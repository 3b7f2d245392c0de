// Rows of the importer: Where, and what is asked before it.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// Minus infinity becomes this, so that sums of a few masks stay finite, and is known again below
// the limit, whatever was added to it.
constexpr float kLow = -0x1p126f, kInfinite = -0x1p125f;
// Masks of attention are as low, so that what is added to them does not count.
constexpr float kMasked = -1e9f;

bool AllBelow(const Array& array, float limit) {
  for (size_t i = 0; i < array.size(); ++i) {
    if (!(array.Float(i) <= limit)) return false;
  }
  return true;
}

bool AllAre(const Array& array, bool value) {
  for (size_t i = 0; i < array.size(); ++i) {
    if ((array.Int(i) != 0) != value) return false;
  }
  return true;
}

float Finite(float v) { return v != v ? 0 : std::isinf(v) ? (v < 0 ? kLow : -kLow) : v; }

// The mask is a constant, and where it is `picked` (true or false) a constant mask value stands:
// that is a sum, and nothing but a sum for the quantiser.
Status EmitMasked(Node& n, const Array& mask, bool picked, float low, int32_t x, int32_t out) {
  std::vector<float> values;
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(4 * mask.size()));
  for (size_t i = 0; i < mask.size(); ++i) {
    values.push_back((mask.Int(i) != 0) == picked ? Finite(low) : 0.f);
  }
  const int32_t added = n.b.NewConstant("mask", FloatArray(mask.dims, values));
  return EmitBinary(&n.b, OpKind::ADD, x, added, out);
}

const onnx_pb::NodeProto* ProducerOf(const Builder& b, const std::string& name) {
  const auto it = b.producers.find(name);
  return it == b.producers.end() ? nullptr : b.nodes[static_cast<size_t>(it->second)];
}

// Is there something along the last axis, everywhere, that `keeps`?
bool RowsKeep(const Array& array, const std::function<bool(size_t)>& keeps) {
  const size_t row = array.dims.empty() ? 1 : static_cast<size_t>(array.dims.back());
  bool kept = false;
  for (size_t i = 0; i < array.size(); ++i) {
    kept = (i % row != 0 && kept) || keeps(i);
    if (i % row == row - 1 && !kept) return false;
  }
  return true;
}

// Does this, which a softmax reads along its last axis, surely have a value that is not masked in
// each row? Masks that are constants are looked at; what is computed is not known.
bool IsOpen(Builder& b, const std::string& name, int depth = 0) {
  static const char* const kFinite[] = {"MatMul", "Gemm", "Conv", "Mul", "Div", "DequantizeLinear"};
  const onnx_pb::NodeProto* node = ProducerOf(b, name);
  if (!node) return true;  // an input
  const std::string& type = node->op_type();
  if (std::any_of(std::begin(kFinite), std::end(kFinite),
                  [&](const char* finite) { return type == finite; })) {
    return true;
  }
  const auto constant = [&](int i) -> const Array* {
    const int32_t id = i < node->input_size() ? b.Find(node->input(i)) : -1;
    return id < 0 ? nullptr : b.Constant(id);
  };
  if (depth > 0) return false;  // two masks may close what each leaves open
  if (type == "Add") {
    for (const int i : {0, 1}) {
      const Array* mask = constant(i);
      if (!mask) continue;
      return RowsKeep(*mask, [&](size_t k) { return mask->Float(k) > kInfinite; }) &&
             IsOpen(b, node->input(1 - i), depth + 1);
    }
  }
  if (type == "Where") {
    const Array* mask = constant(0);
    for (const int i : {1, 2}) {
      if (!mask || !constant(i)) continue;
      return RowsKeep(*mask, [&](size_t k) { return (mask->Int(k) != 0) == (i == 2); }) &&
             IsOpen(b, node->input(3 - i), depth + 1);
    }
  }
  return false;
}

}  // namespace

Status MakeFinite(Builder* b, int32_t* x) {
  const Array* array = (*b)[*x].type == DType::FLOAT32 ? b->Constant(*x) : nullptr;
  if (!array || array->type != DType::FLOAT32) return OCTET_OK;
  bool finite = true;
  for (size_t i = 0; i < array->size() && finite; ++i) finite = std::isfinite(array->Float(i));
  if (finite) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(b->budget().Take(4 * array->size()));
  std::vector<float> values;
  for (size_t i = 0; i < array->size(); ++i) values.push_back(Finite(array->Float(i)));
  *x = b->NewConstant((*b)[*x].name, FloatArray(array->dims, values));
  return OCTET_OK;
}

Status ImportEqualsInfinity(Node& n, int32_t x, bool* done) {
  const int32_t y = x == 0 ? 1 : 0;
  const Array* array = n.value(y).type == DType::FLOAT32 ? n.b.Constant(n.in(y)) : nullptr;
  *done = array && array->size() == 1 && array->Float(0) < 0 && std::isinf(array->Float(0)) &&
          n.value(x).type == DType::FLOAT32 && n.rank(y) <= n.rank(x);
  if (!*done) return OCTET_OK;
  const int32_t limit = n.b.NewConstant("limit", FloatArray({}, {kInfinite}));
  return EmitBinary(&n.b, OpKind::LESS_EQUAL, n.in(x), limit, n.Result(DType::BOOL, n.dims(x)));
}

// a * c + b * (1 - c) with c 1 or 0: exact, as long as what is not picked is finite. Constants are
// made so; masks of attention have minus infinity in them.
Status ImportWhere(Node& n) {
  Dims chosen_dims, dims;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(1), &chosen_dims));
  OCTET_RETURN_IF_ERROR(BroadcastDims(chosen_dims, n.dims(2), &dims));
  if (n.value(1).type != DType::FLOAT32 || n.value(2).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "picks from %s and %s", TypeName(n.value(1).type),
                TypeName(n.value(2).type));
  }
  Builder& b = n.b;
  int32_t chosen, other;
  if (const Array* mask = b.Constant(n.in(0))) {
    for (const bool first : {true, false}) {
      if (AllAre(*mask, first) && n.dims(first ? 1 : 2) == dims) {
        n.Alias(n.in(first ? 1 : 2));
        return OCTET_OK;
      }
      const Array* low = b.Constant(n.in(first ? 1 : 2));
      const int32_t x = n.in(first ? 2 : 1);
      if (low && low->size() == 1 && !b.Constant(x) && AllBelow(*low, kMasked)) {
        Dims sum;
        OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), b[x].dims, &sum));
        if (sum != dims) continue;
        return EmitMasked(n, *mask, first, low->Float(0), x, n.Result(DType::FLOAT32, dims));
      }
    }
    std::vector<float> ones, zeros;
    OCTET_RETURN_IF_ERROR(b.budget().Take(8 * mask->size()));
    for (size_t i = 0; i < mask->size(); ++i) {
      ones.push_back(mask->Int(i) ? 1.f : 0.f);
      zeros.push_back(1 - ones.back());
    }
    chosen = b.NewConstant("mask", FloatArray(mask->dims, ones));
    other = b.NewConstant("mask", FloatArray(mask->dims, zeros));
  } else {
    const Dims shape = n.dims(0);
    const Layout layout = b.Preferred(n.in(0));
    const int32_t from = b.Tensor(n.in(0), layout);
    chosen = b.New(n.out_name(), DType::FLOAT32, shape);
    b.Emit(OpKind::CAST, {from}, b.Output(chosen, layout));
    other = b.New(n.out_name(), DType::FLOAT32, shape);
    const int32_t one = b.NewConstant("one", FloatArray({}, {1}));
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::SUB, one, chosen, other));
  }
  int32_t parts[2];
  for (int i = 0; i < 2; ++i) {
    int32_t x = n.in(i + 1);
    OCTET_RETURN_IF_ERROR(MakeFinite(&b, &x));
    Dims part;
    OCTET_RETURN_IF_ERROR(BroadcastDims(b[x].dims, n.dims(0), &part));
    parts[i] = b.New(n.out_name(), DType::FLOAT32, part);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MUL, x, i == 0 ? chosen : other, parts[i]));
  }
  return EmitBinary(&b, OpKind::ADD, parts[0], parts[1], n.Result(DType::FLOAT32, dims));
}

// Exporters ask it of a softmax: it is no number where all that it reads is minus infinity. Masks
// are finite here, so that this is asked of what the softmax reads; unless it cannot happen.
Status ImportIsNaN(Node& n) {
  const Dims dims = n.dims(0);
  Builder& b = n.b;
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
  }
  const onnx_pb::NodeProto* producer = ProducerOf(b, n.proto().input(0));
  const bool softmax = producer && producer->op_type() == "Softmax" && !b.IsView(n.in(0));
  if (b.IsView(n.in(0)) || (softmax && IsOpen(b, producer->input(0)))) {
    const int64_t elements = Elements(dims);
    OCTET_RETURN_IF_ERROR(b.budget().Take(static_cast<uint64_t>(elements)));
    n.ConstantResult(
        IntArray(dims, std::vector<int64_t>(static_cast<size_t>(elements), 0), DType::BOOL));
    return OCTET_OK;
  }
  if (!softmax) {
    return EmitBinary(&b, OpKind::NOT_EQUAL, n.in(0), n.in(0), n.Result(DType::BOOL, dims));
  }
  int64_t axis = b.opset < 13 ? 1 : -1;
  for (const auto& attribute : producer->attribute()) {
    if (attribute.name() == "axis") axis = attribute.i();
  }
  int32_t at;
  OCTET_RETURN_IF_ERROR(NormaliseAxis(n.rank(0), axis, &at));
  if (b.opset < 13 && at + 1 != n.rank(0)) {
    return Fail(OCTET_UNSUPPORTED, "is asked of a softmax over several axes");
  }
  const int32_t x = b.Find(producer->input(0));
  int32_t most;
  OCTET_RETURN_IF_ERROR(EmitReduced(n, OpKind::REDUCE_MAX, x, {at}, &most));
  const int32_t all = b.New(n.out_name(), DType::FLOAT32, dims);
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MAXIMUM, x, most, all));
  const int32_t limit = b.NewConstant("limit", FloatArray({}, {kInfinite}));
  return EmitBinary(&b, OpKind::LESS_EQUAL, all, limit, n.Result(DType::BOOL, dims));
}

}  // namespace octet::onnx
