// Rows of the importer: operators that change the shape or the order of dimensions.
#include <algorithm>
#include <numeric>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// kLast is a permutation of its own.
std::vector<int32_t> ToLast(size_t rank) {
  std::vector<int32_t> perm = {0};
  for (size_t i = 2; i < rank; ++i) perm.push_back(static_cast<int32_t>(i));
  perm.push_back(1);
  return perm;
}

std::vector<int32_t> FromLast(size_t rank) {
  std::vector<int32_t> perm = {0, static_cast<int32_t>(rank) - 1};
  for (size_t i = 1; i + 1 < rank; ++i) perm.push_back(static_cast<int32_t>(i));
  return perm;
}

// Only sizes of 1 come or go between the batch and channels of x and those of the result: then the
// channels can stay last.
bool KeepsChannelsLast(const Dims& from, const Dims& to) {
  if (from.size() < 3 || to.size() < 3 || from[0] != to[0] || from[1] != to[1]) return false;
  Dims a, b;
  std::copy_if(from.begin() + 2, from.end(), std::back_inserter(a),
               [](int32_t d) { return d != 1; });
  std::copy_if(to.begin() + 2, to.end(), std::back_inserter(b), [](int32_t d) { return d != 1; });
  return a == b;
}

}  // namespace

void MovedValue(Node& n, int32_t* x, Dims dims, int32_t* out, int output) {
  *x = n.in(0);
  if (!n.as_float() && n.b.IsView(*x) && n.b[n.b[*x].source].quant->per_tensor()) {
    *x = n.b[*x].source;
    const Quant quant = *n.b[*x].quant;
    *out = n.ViewResult(quant, std::move(dims), output);
    return;
  }
  const std::optional<Quant> quant = n.b[*x].quant;
  *out = n.Result(n.b[*x].type, std::move(dims), output);
  n.b[*out].quant = quant;
}

// uint8 without a quantisation: any that keeps the order and the
// distances will do to pick or average them.
Status QuantiseBytes(Node& n) {
  if (n.value(0).type != DType::UINT8 || n.value(0).quant) return OCTET_OK;
  Quant quant;
  quant.type = DType::UINT8;
  quant.scale = {1};
  quant.zero_point = {0};
  int32_t same;
  return n.b.WithQuant(n.in(0), quant, &same);
}

// ---- Reshape, Flatten, Squeeze, Unsqueeze ----------------------------------------------------

Status ReshapedDims(Node& n, const Dims& from, Dims* to) {
  const int32_t rank = static_cast<int32_t>(from.size());
  const std::string& type = n.type();
  to->clear();
  if (type == "Flatten") {
    int64_t axis = 1;
    OCTET_RETURN_IF_ERROR(n.Int("axis", &axis));
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank) {
      return Fail(OCTET_INVALID_MODEL, "has axis %lld for %d dimensions",
                  static_cast<long long>(axis), rank);
    }
    const int64_t outer = Elements(Dims(from.begin(), from.begin() + axis));
    const int64_t inner = Elements(Dims(from.begin() + axis, from.end()));
    if (outer > INT32_MAX || inner > INT32_MAX) return Fail(OCTET_UNSUPPORTED, "is too large");
    *to = {static_cast<int32_t>(outer), static_cast<int32_t>(inner)};
    return OCTET_OK;
  }
  if (type == "Squeeze" || type == "Unsqueeze") {
    std::vector<int64_t> axes;
    bool given;
    OCTET_RETURN_IF_ERROR(n.IntsOf(1, "axes", &axes, &given));
    const bool squeeze = type == "Squeeze";
    const int64_t new_rank = squeeze ? rank : rank + static_cast<int64_t>(axes.size());
    if (new_rank > kMaxRank) {
      return Fail(OCTET_UNSUPPORTED, "leads to %lld dimensions", static_cast<long long>(new_rank));
    }
    std::vector<bool> named(static_cast<size_t>(new_rank), false);
    for (const int64_t axis : axes) {
      int32_t at;
      OCTET_RETURN_IF_ERROR(NormaliseAxis(static_cast<int32_t>(new_rank), axis, &at));
      if (named[static_cast<size_t>(at)]) return Fail(OCTET_INVALID_MODEL, "names an axis twice");
      named[static_cast<size_t>(at)] = true;
    }
    size_t next = 0;
    for (size_t i = 0; i < named.size(); ++i) {
      if (!squeeze) {
        to->push_back(named[i] ? 1 : from[next++]);
      } else if (given ? named[i] : from[i] == 1) {
        if (from[i] != 1) {
          return Fail(OCTET_INVALID_MODEL, "squeezes a dimension of %d", from[i]);
        }
      } else {
        to->push_back(from[i]);
      }
    }
    return OCTET_OK;
  }
  std::vector<int64_t> shape;
  bool given;
  int64_t allow_zero = 0;
  OCTET_RETURN_IF_ERROR(n.IntsOf(1, "shape", &shape, &given));
  OCTET_RETURN_IF_ERROR(n.Int("allowzero", &allow_zero));
  if (!given) return Fail(OCTET_INVALID_MODEL, "has no shape");
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    return Fail(OCTET_UNSUPPORTED, "leads to %zu dimensions, more than %d", shape.size(), kMaxRank);
  }
  int64_t known = 1;
  int unknown = -1;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && allow_zero == 0) {
      if (i >= from.size())
        return Fail(OCTET_INVALID_MODEL, "copies a dimension that is not there");
      shape[i] = from[i];
    }
    if (shape[i] == -1 && unknown < 0) {
      unknown = static_cast<int>(i);
      shape[i] = 1;
    }
    if (shape[i] < 0 || shape[i] > INT32_MAX ||
        (shape[i] > 0 && known > (int64_t{1} << 40) / shape[i])) {
      return Fail(OCTET_INVALID_MODEL, "asks for a dimension of %lld",
                  static_cast<long long>(shape[i]));
    }
    known *= shape[i];
    to->push_back(static_cast<int32_t>(shape[i]));
  }
  const int64_t all = Elements(from);
  if (unknown >= 0 && known > 0 && all % known == 0 && all / known <= INT32_MAX) {
    (*to)[static_cast<size_t>(unknown)] = static_cast<int32_t>(all / known);
  }
  if (Elements(*to) != all) {
    return Fail(OCTET_INVALID_MODEL, "makes %s of %s", Text(*to).c_str(), Text(from).c_str());
  }
  return OCTET_OK;
}

Status ImportReshape(Node& n) {
  const Dims from = n.dims(0);
  Dims to;
  OCTET_RETURN_IF_ERROR(ReshapedDims(n, from, &to));
  if (from == to) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  if (KeepsChannelsLast(from, to) && n.b.Preferred(x) == kLast) {
    const int32_t tensor = n.b.Tensor(x, kLast);
    n.b.EmitReshape(tensor, n.b.Output(out, kLast));
    return OCTET_OK;
  }
  n.b.Reshape(x, out);
  return OCTET_OK;
}

// ---- Transpose -------------------------------------------------------------------------------

Status ImportTranspose(Node& n) {
  const Dims from = n.dims(0);
  std::vector<int64_t> given;
  OCTET_RETURN_IF_ERROR(n.Ints("perm", &given));
  std::vector<int32_t> perm;
  if (given.empty()) {
    for (size_t i = from.size(); i-- > 0;) perm.push_back(static_cast<int32_t>(i));
  }
  std::vector<bool> seen(from.size(), false);
  for (const int64_t axis : given) {
    int32_t at;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(static_cast<int32_t>(from.size()), axis, &at));
    if (seen[static_cast<size_t>(at)]) return Fail(OCTET_INVALID_MODEL, "names an axis twice");
    seen[static_cast<size_t>(at)] = true;
    perm.push_back(at);
  }
  if (perm.size() != from.size()) {
    return Fail(OCTET_INVALID_MODEL, "has a permutation of %zu axes for %zu dimensions",
                perm.size(), from.size());
  }
  Dims to;
  for (const int32_t axis : perm) to.push_back(from[static_cast<size_t>(axis)]);
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  Builder& b = n.b;
  const size_t rank = from.size();
  // What only changes the layout is that layout.
  if (rank >= 3 && perm == ToLast(rank) && b.Preferred(x) == kLast) {
    b[out].at[kPlain] = b.Tensor(x, kLast);
    return OCTET_OK;
  }
  if (rank >= 3 && perm == FromLast(rank) && b.Preferred(x) == kPlain) {
    b[out].at[kLast] = b.Tensor(x, kPlain);
    return OCTET_OK;
  }
  fb::TransposeOptionsT options;
  options.perm = perm;
  const int32_t tensor = b.Tensor(x, kPlain);
  b.Emit(OpKind::TRANSPOSE, {tensor}, b.Output(out, kPlain), std::move(options));
  return OCTET_OK;
}

// ---- Expand, Tile ----------------------------------------------------------------------------

Status ImportExpand(Node& n) {
  const Dims from = n.dims(0);
  std::vector<int64_t> given;
  OCTET_RETURN_IF_ERROR(n.InputInts(1, "the shape or the repeats", &given));
  if (given.size() > static_cast<size_t>(kMaxRank)) {
    return Fail(OCTET_UNSUPPORTED, "leads to %zu dimensions", given.size());
  }
  for (const int64_t d : given) {
    if (d < 1 || d > INT32_MAX) {
      return Fail(OCTET_UNSUPPORTED, "has a size of %lld", static_cast<long long>(d));
    }
  }
  Dims to;
  if (n.type() == "Expand") {
    OCTET_RETURN_IF_ERROR(BroadcastDims(from, Dims(given.begin(), given.end()), &to));
  } else {
    if (given.size() != from.size()) {
      return Fail(OCTET_INVALID_MODEL, "has %zu repeats for %zu dimensions", given.size(),
                  from.size());
    }
    for (size_t i = 0; i < from.size(); ++i) {
      if (int64_t{from[i]} * given[i] > INT32_MAX) return Fail(OCTET_UNSUPPORTED, "is too large");
      to.push_back(static_cast<int32_t>(from[i] * given[i]));
    }
  }
  if (Elements(to) < 0) return Fail(OCTET_UNSUPPORTED, "is too large");
  if (from == to) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  const Layout layout = to.size() == from.size() ? n.b.Preferred(x) : kPlain;
  int32_t tensor = n.b.Tensor(x, layout);
  if (to.size() != from.size()) {
    Dims full(to.size() - from.size(), 1);
    full.insert(full.end(), from.begin(), from.end());
    tensor = n.b.ReshapeTensor(tensor, full);
  }
  n.b.Emit(OpKind::TILE, {tensor}, n.b.Output(out, layout));
  return OCTET_OK;
}

// ---- Shapes as values ------------------------------------------------------------------------

Status ImportShape(Node& n) {
  const Dims dims = n.dims(0);
  if (n.type() == "Size") {
    n.ConstantResult(IntArray({}, {Elements(dims)}));
    return OCTET_OK;
  }
  const int64_t rank = static_cast<int64_t>(dims.size());
  int64_t start = 0, end = rank;
  OCTET_RETURN_IF_ERROR(n.Int("start", &start));
  OCTET_RETURN_IF_ERROR(n.Int("end", &end));
  if (start < 0) start += rank;
  if (end < 0) end += rank;
  start = std::clamp<int64_t>(start, 0, rank);
  end = std::clamp<int64_t>(end, start, rank);
  std::vector<int64_t> values(dims.begin() + start, dims.begin() + end);
  n.ConstantResult(IntArray({static_cast<int32_t>(values.size())}, values));
  return OCTET_OK;
}

Status ImportComputed(Node& n) {
  return Fail(OCTET_UNSUPPORTED, n.type() == "Constant"
                                     ? "holds something else than a tensor or numbers"
                                     : "is there only for what does not depend on the input");
}

}  // namespace octet::onnx
