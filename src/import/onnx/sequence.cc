// Rows of the importer: sequences of tensors, as exporters write them that do not simplify. A
// sequence is a list of values while importing, and nothing in the graph.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// Bound to the output's name.
void SequenceResult(Node& n, std::vector<int32_t> parts) {
  const int32_t id = n.Result(DType::NONE, {});
  n.b[id].sequence = std::move(parts);
}

}  // namespace

bool TakesSequence(const std::string& type) {
  return type == "SequenceAt" || type == "ConcatFromSequence" || type == "SequenceLength";
}

Status ImportSplitToSequence(Node& n) {
  const Dims from = n.dims(0);
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", n.rank(0), &axis));
  const size_t at = static_cast<size_t>(axis);
  int64_t keep = 1;
  std::vector<int64_t> sizes;
  if (n.has(1)) {
    const Array* split = nullptr;
    OCTET_RETURN_IF_ERROR(n.Constant(1, "the sizes", &split));
    if (split->dims.empty()) {  // all of this size, but the last
      const int64_t size = split->Int(0);
      if (size < 1)
        return Fail(OCTET_INVALID_MODEL, "has parts of %lld", static_cast<long long>(size));
      for (int64_t begin = 0; begin < from[at]; begin += size) {
        sizes.push_back(std::min(size, from[at] - begin));
      }
    } else {
      for (size_t i = 0; i < split->size(); ++i) sizes.push_back(split->Int(i));
    }
  } else {
    sizes.assign(static_cast<size_t>(from[at]), 1);
    OCTET_RETURN_IF_ERROR(n.Int("keepdims", &keep));
  }
  int64_t sum = 0;
  constexpr size_t kMost = 4096;
  bool sound = !sizes.empty() && sizes.size() <= kMost;
  for (const int64_t size : sizes) {
    sound = sound && size >= 1 && size <= from[at];
    if (sound) sum += size;
  }
  if (!sound || sum != from[at]) {
    return Fail(OCTET_UNSUPPORTED, "splits %d into %zu parts", from[at], sizes.size());
  }
  Builder& b = n.b;
  int32_t x = n.in(0);
  const bool view = !n.as_float() && b.IsView(x) && b[b[x].source].quant->per_tensor();
  if (view) x = b[x].source;
  const std::optional<Quant> quant = b[x].quant;
  const Layout layout = b.Preferred(x);
  const int32_t tensor = b.Tensor(x, layout);
  std::vector<int32_t> parts, tensors;
  for (const int64_t size : sizes) {
    Dims dims = from;
    dims[at] = static_cast<int32_t>(size);
    const int32_t part = b.New(n.out_name(), b[x].type, dims);
    b[part].quant = quant;
    tensors.push_back(b.Output(part, layout));
    parts.push_back(part);
  }
  fb::AxisOptionsT options;
  options.axis = StoredAxis(axis, from.size(), layout);
  b.Emit(OpKind::SPLIT, {tensor}, tensors[0], std::move(options)).outputs = tensors;
  for (int32_t& part : parts) {
    if (keep == 0) {
      Dims dims = from;
      dims.erase(dims.begin() + axis);
      const int32_t squeezed = b.New(n.out_name(), b[part].type, dims);
      b[squeezed].quant = quant;
      b.Reshape(part, squeezed);
      part = squeezed;
    }
    if (view) part = b.NewView(n.out_name(), part);
  }
  SequenceResult(n, std::move(parts));
  return OCTET_OK;
}

Status ImportSequenceConstruct(Node& n) {
  std::vector<int32_t> parts;
  for (int i = 0; i < n.inputs(); ++i) {
    if (!n.has(i)) return Fail(OCTET_INVALID_MODEL, "input %d is absent", i);
    parts.push_back(n.in(i));
  }
  SequenceResult(n, std::move(parts));
  return OCTET_OK;
}

Status ImportSequenceAt(Node& n) {
  const std::vector<int32_t>& parts = n.value(0).sequence;
  const Array* index = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(1, "the position", &index));
  const int64_t size = static_cast<int64_t>(parts.size());
  int64_t at = index->size() == 1 ? index->Int(0) : size;
  if (at < 0) at += size;
  if (at < 0 || at >= size) {
    return Fail(OCTET_INVALID_MODEL, "reads position %lld of %lld", static_cast<long long>(at),
                static_cast<long long>(size));
  }
  n.Alias(parts[static_cast<size_t>(at)]);
  return OCTET_OK;
}

Status ImportSequenceLength(Node& n) {
  const int64_t size = static_cast<int64_t>(n.value(0).sequence.size());
  n.ConstantResult(IntArray({}, {size}, DType::INT64));
  return OCTET_OK;
}

// In float32: models that keep sequences are not quantised.
Status ImportConcatFromSequence(Node& n) {
  std::vector<int32_t> parts = n.value(0).sequence;
  int64_t apart = 0;
  OCTET_RETURN_IF_ERROR(n.Int("new_axis", &apart));
  const int32_t rank = static_cast<int32_t>(n.b[parts[0]].dims.size()) + (apart ? 1 : 0);
  int32_t axis = 0;
  if (rank == 0) return Fail(OCTET_INVALID_MODEL, "joins scalars");
  OCTET_RETURN_IF_ERROR(n.Axis("axis", rank, &axis));
  for (int32_t& part : parts) {
    if (n.b[part].quant) return Fail(OCTET_UNSUPPORTED, "joins quantised integers");
    if (!apart) continue;
    Dims dims = n.b[part].dims;
    if (axis > static_cast<int32_t>(dims.size())) {
      return Fail(OCTET_INVALID_MODEL, "joins shapes of different ranks");
    }
    dims.insert(dims.begin() + axis, 1);
    const int32_t wider = n.b.New(n.out_name(), n.b[part].type, dims);
    n.b.Reshape(part, wider);
    part = wider;
  }
  return EmitConcat(n, parts, axis, n.Result(n.b[parts[0]].type, {}));
}

}  // namespace octet::onnx
