// Rows of the importer: Where, and what is asked before it.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr float kLowest = -3.4028234e38f;
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

float Finite(float v) { return v != v ? 0 : std::clamp(v, kLowest, -kLowest); }

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

}  // namespace

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
    if (const Array* array = b.Constant(x)) {
      OCTET_RETURN_IF_ERROR(b.budget().Take(4 * array->size()));
      std::vector<float> finite;
      for (size_t k = 0; k < array->size(); ++k) finite.push_back(Finite(array->Float(k)));
      x = b.NewConstant(b[x].name, FloatArray(array->dims, finite));
    }
    Dims part;
    OCTET_RETURN_IF_ERROR(BroadcastDims(b[x].dims, n.dims(0), &part));
    parts[i] = b.New(n.out_name(), DType::FLOAT32, part);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MUL, x, i == 0 ? chosen : other, parts[i]));
  }
  return EmitBinary(&b, OpKind::ADD, parts[0], parts[1], n.Result(DType::FLOAT32, dims));
}

// Exporters ask it of a softmax that might have nothing but masked values; here masks are finite.
Status ImportIsNaN(Node& n) {
  const Dims dims = n.dims(0);
  const auto producer = n.b.producers.find(n.proto().input(0));
  const bool never = n.b.IsView(n.in(0)) ||
                     (producer != n.b.producers.end() &&
                      n.b.nodes[static_cast<size_t>(producer->second)]->op_type() == "Softmax");
  if (!never) {
    if (n.value(0).type != DType::FLOAT32) {
      return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
    }
    return EmitBinary(&n.b, OpKind::NOT_EQUAL, n.in(0), n.in(0), n.Result(DType::BOOL, dims));
  }
  const int64_t elements = Elements(dims);
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(static_cast<uint64_t>(elements)));
  n.ConstantResult(
      IntArray(dims, std::vector<int64_t>(static_cast<size_t>(elements), 0), DType::BOOL));
  return OCTET_OK;
}

}  // namespace octet::onnx
