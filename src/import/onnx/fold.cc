// What a model computes from constants alone: shapes mostly, and weights that exporters leave to be
// turned or scaled.
#include <algorithm>
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

using Numbers = std::vector<double>;

// Results up to this size are computed without asking where they came from.
constexpr uint64_t kElementsAtLeast = 1 << 16;

Status Take(Node& n, const Dims& dims, DType type) {
  const int64_t elements = Elements(dims);
  if (elements < 0 || dims.size() > static_cast<size_t>(kMaxRank)) {
    return Fail(OCTET_UNSUPPORTED, "makes a constant %s", Text(dims).c_str());
  }
  const uint64_t bytes = static_cast<uint64_t>(elements) * TypeBytes(type);
  return n.b.budget().Take(static_cast<uint64_t>(elements) <= kElementsAtLeast ? bytes / 64
                                                                               : bytes);
}

// Elements of `to` in order, as elements of something of shape `from` that broadcasts to it.
std::vector<size_t> BroadcastIndex(const Dims& from, const Dims& to) {
  const size_t rank = to.size();
  std::vector<size_t> step(rank, 0);
  size_t stride = 1;
  for (size_t i = 0; i < from.size(); ++i) {
    const int32_t d = from[from.size() - 1 - i];
    if (d != 1) step[rank - 1 - i] = stride;
    stride *= static_cast<size_t>(d);
  }
  std::vector<size_t> index(static_cast<size_t>(Elements(to)));
  std::vector<int32_t> at(rank, 0);
  size_t place = 0;
  for (size_t& entry : index) {
    entry = place;
    for (size_t i = rank; i-- > 0;) {
      place += step[i];
      if (++at[i] < to[i]) break;
      place -= step[i] * static_cast<size_t>(to[i]);
      at[i] = 0;
    }
  }
  return index;
}

double Divide(double a, double b, DType type) {
  if (type == DType::FLOAT32) return a / b;
  return b == 0 ? 0 : std::trunc(a / b);
}

using BinaryNumber = double (*)(double, double, DType);

// Null: no such operator.
BinaryNumber FindBinary(const std::string& type, bool* boolean) {
  *boolean = false;
  if (type == "Add") return [](double a, double b, DType) { return a + b; };
  if (type == "Sub") return [](double a, double b, DType) { return a - b; };
  if (type == "Mul") return [](double a, double b, DType) { return a * b; };
  if (type == "Div") return Divide;
  if (type == "Pow") return [](double a, double b, DType) { return std::pow(a, b); };
  if (type == "Min") return [](double a, double b, DType) { return std::min(a, b); };
  if (type == "Max") return [](double a, double b, DType) { return std::max(a, b); };
  if (type == "Mod") {
    return [](double a, double b, DType) { return b == 0 ? 0 : a - b * std::floor(a / b); };
  }
  *boolean = true;
  if (type == "Equal") return [](double a, double b, DType) { return double(a == b); };
  if (type == "Less") return [](double a, double b, DType) { return double(a < b); };
  if (type == "LessOrEqual") return [](double a, double b, DType) { return double(a <= b); };
  if (type == "Greater") return [](double a, double b, DType) { return double(a > b); };
  if (type == "GreaterOrEqual") return [](double a, double b, DType) { return double(a >= b); };
  if (type == "And") return [](double a, double b, DType) { return double(a != 0 && b != 0); };
  if (type == "Or") return [](double a, double b, DType) { return double(a != 0 || b != 0); };
  return nullptr;
}

Status FoldBinary(Node& n, BinaryNumber f, bool boolean, const Array& a, const Array& b) {
  Dims dims;
  OCTET_RETURN_IF_ERROR(BroadcastDims(a.dims, b.dims, &dims));
  const DType type = boolean ? DType::BOOL : a.type;
  OCTET_RETURN_IF_ERROR(Take(n, dims, type));
  const std::vector<size_t> at_a = BroadcastIndex(a.dims, dims),
                            at_b = BroadcastIndex(b.dims, dims);
  Numbers values;
  for (size_t i = 0; i < at_a.size(); ++i) {
    values.push_back(f(a.Number(at_a[i]), b.Number(at_b[i]), a.type));
  }
  n.ConstantResult(NumberArray(type, dims, values));
  return OCTET_OK;
}

Status FoldConstant(Node& n, bool* folded) {
  for (const auto& a : n.proto().attribute()) {
    *folded = true;
    if (a.name() == "value_int") {
      n.ConstantResult(IntArray({}, {a.i()}));
    } else if (a.name() == "value_ints") {
      n.ConstantResult(IntArray({a.ints_size()}, {a.ints().begin(), a.ints().end()}));
    } else if (a.name() == "value_float") {
      n.ConstantResult(FloatArray({}, {a.f()}));
    } else if (a.name() == "value_floats") {
      n.ConstantResult(FloatArray({a.floats_size()}, {a.floats().begin(), a.floats().end()}));
    } else {
      *folded = false;
      continue;
    }
    return OCTET_OK;
  }
  return OCTET_OK;
}

Status FoldConstantOfShape(Node& n, const Array& shape) {
  Dims dims;
  for (size_t i = 0; i < shape.size() && i < 64; ++i) {
    const int64_t d = shape.Int(i);
    if (d < 0 || d > INT32_MAX) {
      return Fail(OCTET_INVALID_MODEL, "has a dimension of %lld", static_cast<long long>(d));
    }
    dims.push_back(static_cast<int32_t>(d));
  }
  Array value = FloatArray({1}, {0});
  if (const auto* a = n.Attribute("value")) {
    OCTET_RETURN_IF_ERROR(ReadTensor(a->t(), "", &n.b.budget(), &value));
    if (value.size() != 1) return Fail(OCTET_INVALID_MODEL, "has a value that is not one number");
  }
  OCTET_RETURN_IF_ERROR(Take(n, dims, value.type));
  n.ConstantResult(
      NumberArray(value.type, dims, Numbers(static_cast<size_t>(Elements(dims)), value.Number(0))));
  return OCTET_OK;
}

Status FoldRange(Node& n, const Array& start, const Array& limit, const Array& delta) {
  if (start.size() != 1 || limit.size() != 1 || delta.size() != 1 || delta.Number(0) == 0) {
    return Fail(OCTET_INVALID_MODEL, "has limits that are no numbers, or step 0");
  }
  const double count = std::ceil((limit.Number(0) - start.Number(0)) / delta.Number(0));
  if (!(count < 1 << 24)) return Fail(OCTET_UNSUPPORTED, "makes %g values", count);
  Numbers values;
  for (double i = 0; i < count; ++i) values.push_back(start.Number(0) + i * delta.Number(0));
  const Dims dims = {static_cast<int32_t>(values.size())};
  OCTET_RETURN_IF_ERROR(Take(n, dims, start.type));
  n.ConstantResult(NumberArray(start.type, dims, values));
  return OCTET_OK;
}

Status FoldGather(Node& n, const Array& data, const Array& indices) {
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", static_cast<int32_t>(data.dims.size()), &axis));
  const size_t at = static_cast<size_t>(axis);
  Dims dims(data.dims.begin(), data.dims.begin() + axis);
  dims.insert(dims.end(), indices.dims.begin(), indices.dims.end());
  dims.insert(dims.end(), data.dims.begin() + axis + 1, data.dims.end());
  OCTET_RETURN_IF_ERROR(Take(n, dims, data.type));
  const size_t outer =
      static_cast<size_t>(Elements(Dims(data.dims.begin(), data.dims.begin() + axis)));
  const size_t inner =
      static_cast<size_t>(Elements(Dims(data.dims.begin() + axis + 1, data.dims.end())));
  const int64_t size = data.dims[at];
  Numbers values;
  for (size_t o = 0; o < outer; ++o) {
    for (size_t k = 0; k < indices.size(); ++k) {
      int64_t index = indices.Int(k);
      if (index < 0) index += size;
      if (index < 0 || index >= size) {
        return Fail(OCTET_INVALID_MODEL, "picks element %lld of %lld",
                    static_cast<long long>(indices.Int(k)), static_cast<long long>(size));
      }
      for (size_t i = 0; i < inner; ++i) {
        values.push_back(
            data.Number((o * static_cast<size_t>(size) + static_cast<size_t>(index)) * inner + i));
      }
    }
  }
  n.ConstantResult(NumberArray(data.type, dims, values));
  return OCTET_OK;
}

Status FoldSlice(Node& n, const Array& data) {
  SliceRange slice;
  OCTET_RETURN_IF_ERROR(ReadSlice(n, data.dims, &slice));
  OCTET_RETURN_IF_ERROR(Take(n, slice.size, data.type));
  const size_t rank = data.dims.size();
  std::vector<int64_t> stride(rank, 1);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * data.dims[i];
  Numbers values;
  std::vector<int32_t> at(rank, 0);
  const size_t count = static_cast<size_t>(Elements(slice.size));
  for (size_t k = 0; k < count; ++k) {
    int64_t place = 0;
    for (size_t i = 0; i < rank; ++i) {
      place += (slice.begin[i] + int64_t{at[i]} * slice.step[i]) * stride[i];
    }
    values.push_back(data.Number(static_cast<size_t>(place)));
    for (size_t i = rank; i-- > 0;) {
      if (++at[i] < slice.size[i]) break;
      at[i] = 0;
    }
  }
  n.ConstantResult(NumberArray(data.type, slice.size, values));
  return OCTET_OK;
}

Status FoldConcat(Node& n, const std::vector<const Array*>& parts) {
  const Dims& first = parts[0]->dims;
  if (first.empty()) return Fail(OCTET_INVALID_MODEL, "joins scalars");
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", static_cast<int32_t>(first.size()), &axis));
  const size_t at = static_cast<size_t>(axis);
  Dims dims = first;
  int64_t sum = 0;
  for (const Array* part : parts) {
    bool fits = part->dims.size() == first.size() && part->type == parts[0]->type;
    for (size_t i = 0; fits && i < first.size(); ++i) fits = i == at || part->dims[i] == first[i];
    if (!fits) return Fail(OCTET_INVALID_MODEL, "joins constants of different shapes or types");
    sum += part->dims[at];
  }
  if (sum > INT32_MAX) return Fail(OCTET_INVALID_MODEL, "is too large");
  dims[at] = static_cast<int32_t>(sum);
  OCTET_RETURN_IF_ERROR(Take(n, dims, parts[0]->type));
  const size_t outer = static_cast<size_t>(Elements(Dims(first.begin(), first.begin() + axis)));
  Numbers values;
  for (size_t o = 0; o < outer; ++o) {
    for (const Array* part : parts) {
      const size_t run = outer ? part->size() / outer : 0;
      for (size_t i = 0; i < run; ++i) values.push_back(part->Number(o * run + i));
    }
  }
  n.ConstantResult(NumberArray(parts[0]->type, dims, values));
  return OCTET_OK;
}

// ONNX: round half to even, saturate; one scale, or one for each slice along the axis.
Status FoldQuantize(Node& n, const Array& data) {
  Quant quant;
  OCTET_RETURN_IF_ERROR(n.b.ReadQuant(n.proto(), 1, &data.dims, &quant));
  if (quant.type == DType::INT32) return Fail(OCTET_UNSUPPORTED, "quantises to uint16 or int32");
  OCTET_RETURN_IF_ERROR(Take(n, data.dims, quant.type));
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(quant.axis) + 1; !quant.per_tensor() && i < data.dims.size();
       ++i) {
    inner *= static_cast<size_t>(data.dims[i]);
  }
  const double low = quant.type == DType::UINT8 ? 0 : quant.type == DType::INT8 ? -128 : -32768;
  const double high = quant.type == DType::UINT8 ? 255 : quant.type == DType::INT8 ? 127 : 32767;
  Numbers values;
  for (size_t i = 0; i < data.size(); ++i) {
    const size_t slice = quant.per_tensor() ? 0 : i / inner % quant.scale.size();
    const double steps = static_cast<double>(std::nearbyint(data.Float(i) / quant.scale_at(slice)));
    values.push_back(std::clamp((steps != steps ? 0 : steps) + quant.zero_at(slice), low, high));
  }
  n.ConstantResult(NumberArray(quant.type, data.dims, values));
  n.b[n.b.Find(n.out_name())].quant = quant;
  return OCTET_OK;
}

Status ReadPermutation(Node& n, size_t rank, std::vector<int32_t>* perm) {
  std::vector<int64_t> given;
  OCTET_RETURN_IF_ERROR(n.Ints("perm", &given));
  if (given.empty()) {
    for (size_t i = rank; i-- > 0;) given.push_back(static_cast<int64_t>(i));
  }
  std::vector<bool> seen(rank, false);
  for (const int64_t axis : given) {
    int32_t at;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(static_cast<int32_t>(rank), axis, &at));
    if (seen[static_cast<size_t>(at)]) return Fail(OCTET_INVALID_MODEL, "names an axis twice");
    seen[static_cast<size_t>(at)] = true;
    perm->push_back(at);
  }
  if (perm->size() != rank) return Fail(OCTET_INVALID_MODEL, "has a permutation of another size");
  return OCTET_OK;
}

// Transpose and Reshape of quantised constants keep them quantised. False: they cannot be.
Status FoldMovedView(Node& n, bool* folded) {
  const Value& q = n.b[n.value(0).source];
  const Array codes = *q.constant;
  Quant quant = *q.quant;
  Array moved;
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(codes.bytes->size()));
  if (n.type() == "Transpose") {
    std::vector<int32_t> perm;
    OCTET_RETURN_IF_ERROR(ReadPermutation(n, codes.dims.size(), &perm));
    moved = codes.Transposed(perm);
    if (!quant.per_tensor()) {
      quant.axis =
          static_cast<int32_t>(std::find(perm.begin(), perm.end(), quant.axis) - perm.begin());
    }
  } else {
    if (!quant.per_tensor()) return OCTET_OK;
    Dims dims;
    OCTET_RETURN_IF_ERROR(ReshapedDims(n, codes.dims, &dims));
    moved = codes.Reshaped(dims);
  }
  *folded = true;
  const int32_t id = n.b.NewConstant(n.out_name(), std::move(moved));
  n.b[id].quant = quant;
  n.b.Bind(n.out_name(), n.b.NewView(n.out_name(), id));
  return OCTET_OK;
}

}  // namespace

Status FoldNode(Node& n, bool* folded) {
  *folded = false;
  const std::string& type = n.type();
  if (!n.proto().domain().empty() && n.proto().domain() != "ai.onnx") return OCTET_OK;
  if (type == "Constant") return FoldConstant(n, folded);
  static const char* const kShapes[] = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"};
  const bool moves = std::any_of(std::begin(kShapes), std::end(kShapes),
                                 [&](const char* name) { return type == name; });
  if (type == "DequantizeLinear" || n.inputs() == 0) return OCTET_OK;
  if (moves && n.has(0) && n.b.IsView(n.in(0)) && n.b[n.value(0).source].constant) {
    OCTET_RETURN_IF_ERROR(FoldMovedView(n, folded));
    if (*folded) return OCTET_OK;
  }
  for (int i = 0; i < n.inputs(); ++i) {
    if (!n.has(i)) continue;
    // Constants, not what only happens to be quantised constants.
    if (!n.value(i).constant && !(n.value(i).source >= 0 && n.b[n.value(i).source].constant)) {
      return OCTET_OK;
    }
  }
  // Of the quantised operators, only what makes weights.
  std::vector<const Array*> in;
  for (int i = 0; i < n.inputs(); ++i) in.push_back(n.has(i) ? n.b.Constant(n.in(i)) : nullptr);
  if (n.b.failure != OCTET_OK) return Fail(n.b.failure, "%s", n.b.failure_text.c_str());
  if (!in[0]) return OCTET_OK;
  *folded = true;
  bool boolean;
  if (in.size() == 2 && in[1]) {
    if (const BinaryNumber f = FindBinary(type, &boolean)) {
      return FoldBinary(n, f, boolean, *in[0], *in[1]);
    }
  }
  if (type == "ConstantOfShape") return FoldConstantOfShape(n, *in[0]);
  if (type == "Range" && in[1] && in[2]) return FoldRange(n, *in[0], *in[1], *in[2]);
  if (type == "Gather" && in[1] && !in[0]->dims.empty()) return FoldGather(n, *in[0], *in[1]);
  if (type == "Slice") return FoldSlice(n, *in[0]);
  if (type == "Concat" && std::find(in.begin(), in.end(), nullptr) == in.end()) {
    return FoldConcat(n, in);
  }
  if (type == "QuantizeLinear" && in[0]->type == DType::FLOAT32) return FoldQuantize(n, *in[0]);
  if (type == "Identity") {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  if (type == "Transpose") {
    std::vector<int32_t> perm;
    OCTET_RETURN_IF_ERROR(ReadPermutation(n, in[0]->dims.size(), &perm));
    OCTET_RETURN_IF_ERROR(n.b.budget().Take(in[0]->bytes->size()));
    n.ConstantResult(in[0]->Transposed(perm));
    return OCTET_OK;
  }
  if (moves) {
    Dims dims;
    OCTET_RETURN_IF_ERROR(ReshapedDims(n, in[0]->dims, &dims));
    n.ConstantResult(in[0]->Reshaped(dims));
    return OCTET_OK;
  }
  if (type == "Cast" || type == "Not" || (type == "CastLike" && in[1])) {
    DType stored = DType::BOOL;
    if (type != "Not") OCTET_RETURN_IF_ERROR(CastType(n, &stored));
    OCTET_RETURN_IF_ERROR(Take(n, in[0]->dims, stored));
    Numbers values;
    for (size_t i = 0; i < in[0]->size(); ++i) {
      const double v = in[0]->Number(i);
      values.push_back(type == "Not" ? v == 0 : stored == DType::BOOL ? v != 0 : v);
    }
    n.ConstantResult(NumberArray(stored, in[0]->dims, values));
    return OCTET_OK;
  }
  if (type == "Where" && in[1] && in[2]) {
    Dims dims;
    OCTET_RETURN_IF_ERROR(BroadcastDims(in[0]->dims, in[1]->dims, &dims));
    OCTET_RETURN_IF_ERROR(BroadcastDims(dims, in[2]->dims, &dims));
    OCTET_RETURN_IF_ERROR(Take(n, dims, in[1]->type));
    const auto c = BroadcastIndex(in[0]->dims, dims), a = BroadcastIndex(in[1]->dims, dims),
               b = BroadcastIndex(in[2]->dims, dims);
    Numbers values;
    for (size_t i = 0; i < c.size(); ++i) {
      values.push_back(in[0]->Int(c[i]) ? in[1]->Number(a[i]) : in[2]->Number(b[i]));
    }
    n.ConstantResult(NumberArray(in[1]->type, dims, values));
    return OCTET_OK;
  }
  if (type == "Expand" && in[1]) {
    Dims wanted, dims;
    for (size_t i = 0; i < in[1]->size() && i < 64; ++i) {
      wanted.push_back(static_cast<int32_t>(std::clamp<int64_t>(in[1]->Int(i), 0, INT32_MAX)));
    }
    OCTET_RETURN_IF_ERROR(BroadcastDims(in[0]->dims, wanted, &dims));
    OCTET_RETURN_IF_ERROR(Take(n, dims, in[0]->type));
    Numbers values;
    for (const size_t i : BroadcastIndex(in[0]->dims, dims)) values.push_back(in[0]->Number(i));
    n.ConstantResult(NumberArray(in[0]->type, dims, values));
    return OCTET_OK;
  }
  OCTET_RETURN_IF_ERROR(FoldIndexed(n, in, folded));
  if (*folded) return OCTET_OK;
  RealFunction f;
  if (in[0]->type == DType::FLOAT32 && n.inputs() == 1 && UnaryFunction(n, &f) == OCTET_OK) {
    OCTET_RETURN_IF_ERROR(Take(n, in[0]->dims, DType::FLOAT32));
    std::vector<float> values;
    for (size_t i = 0; i < in[0]->size(); ++i) values.push_back(f(in[0]->Float(i)));
    n.ConstantResult(FloatArray(in[0]->dims, values));
    return OCTET_OK;
  }
  *folded = false;
  return OCTET_OK;
}

}  // namespace octet::onnx
