// Rows of the importer: operators that move values about, or pick some of them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "src/import/onnx/rows.h"

namespace octet::onnx {

// ---- Pad -------------------------------------------------------------------------------------

Status ImportPad(Node& n) {
  const Dims from = n.dims(0);
  const int32_t rank = static_cast<int32_t>(from.size());
  std::string mode = "constant";
  OCTET_RETURN_IF_ERROR(n.String("mode", &mode));
  std::vector<int64_t> pads, axes;
  bool given, has_value;
  OCTET_RETURN_IF_ERROR(n.IntsOf(1, "pads", &pads, &given));
  float value = 0;
  OCTET_RETURN_IF_ERROR(n.FloatOf(2, "value", &value, &has_value));
  if (n.has(3)) {
    OCTET_RETURN_IF_ERROR(n.InputInts(3, "the axes", &axes));
  } else {
    for (int32_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (pads.size() != 2 * axes.size()) {
    return Fail(OCTET_INVALID_MODEL, "has %zu pads for %zu axes", pads.size(), axes.size());
  }
  std::vector<int32_t> before(from.size(), 0), after(from.size(), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    int32_t at;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(rank, axes[i], &at));
    for (const int64_t pad : {pads[i], pads[i + axes.size()]}) {
      if (pad < 0) return Fail(OCTET_UNSUPPORTED, "has negative pads");
      if (pad > 1 << 20)
        return Fail(OCTET_INVALID_MODEL, "has a pad of %lld", static_cast<long long>(pad));
    }
    before[static_cast<size_t>(at)] = static_cast<int32_t>(pads[i]);
    after[static_cast<size_t>(at)] = static_cast<int32_t>(pads[i + axes.size()]);
  }
  int32_t widest = 0;
  for (size_t i = 0; i < from.size(); ++i) widest = std::max({widest, before[i], after[i]});
  constexpr int32_t kEdges = 16;
  if (mode == "edge" && widest > kEdges) {
    return Fail(OCTET_UNSUPPORTED, "repeats the edge %d times; %d are supported", widest, kEdges);
  }
  if (mode != "constant" && mode != "reflect" && mode != "edge") {
    return Fail(OCTET_UNSUPPORTED, "has mode \"%s\"", mode.c_str());
  }
  Dims to = from;
  for (size_t i = 0; i < from.size(); ++i) {
    if (int64_t{from[i]} + before[i] + after[i] > INT32_MAX)
      return Fail(OCTET_UNSUPPORTED, "is too large");
    to[i] += before[i] + after[i];
  }
  if (to == from) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  Builder& b = n.b;
  const Layout layout = b.Preferred(x);
  int32_t tensor = b.Tensor(x, layout);
  if (mode == "edge") {
    // A mirrored row that counts the edge itself is the edge again: one at a time.
    for (; widest > 0; --widest) {
      fb::PadOptionsT one;
      GraphTensor grown = b.graph().tensors[static_cast<size_t>(tensor)];
      grown.data = nullptr;
      for (size_t i = 0; i < from.size(); ++i) {
        const size_t at =
            static_cast<size_t>(StoredAxis(static_cast<int32_t>(i), from.size(), layout));
        one.before.resize(from.size());
        one.after.resize(from.size());
        one.before[at] = before[i] >= widest ? 1 : 0;
        one.after[at] = after[i] >= widest ? 1 : 0;
        grown.shape[at] += one.before[at] + one.after[at];
      }
      const int32_t to_tensor =
          widest > 1 ? b.graph().AddTensor(std::move(grown)) : b.Output(out, layout);
      b.Emit(OpKind::MIRROR_PAD, {tensor}, to_tensor, std::move(one));
      tensor = to_tensor;
    }
    return OCTET_OK;
  }
  fb::PadOptionsT options;
  options.before = StoredDims(before, layout);
  options.after = StoredDims(after, layout);
  options.reflect = mode == "reflect";
  const GraphTensor& t = b.graph().tensors[static_cast<size_t>(tensor)];
  if (b[x].quant && Is8Bit(b[x].type)) {
    const float steps = std::nearbyint(value / t.scale[0]);
    const float limited = steps == steps ? std::clamp(steps, -1000.f, 1000.f) : 0;
    options.value = std::clamp(static_cast<int32_t>(limited) + t.zero_point, -128, 127);
  } else if (t.type == DType::FLOAT32) {
    std::memcpy(&options.value, &value, sizeof value);
  } else {
    options.value = static_cast<int32_t>(std::clamp(value, -32768.f, 32767.f));
  }
  b.Emit(mode == "reflect" ? OpKind::MIRROR_PAD : OpKind::PAD, {tensor}, b.Output(out, layout),
         std::move(options));
  return OCTET_OK;
}

// ---- Concat, Split ---------------------------------------------------------------------------

Status EmitConcat(Node& n, const std::vector<int32_t>& parts, int32_t axis, int32_t out) {
  Builder& b = n.b;
  Dims dims = b[parts[0]].dims;
  const size_t at = static_cast<size_t>(axis);
  int64_t sum = 0;
  Layout layout = kPlain;
  for (const int32_t part : parts) {
    const Dims& d = b[part].dims;
    bool fits = d.size() == dims.size() && b[part].type == b[parts[0]].type;
    for (size_t i = 0; fits && i < d.size(); ++i) fits = i == at || d[i] == dims[i];
    if (!fits) {
      return Fail(OCTET_INVALID_MODEL, "joins %s%s and %s%s", TypeName(b[parts[0]].type),
                  Text(dims).c_str(), TypeName(b[part].type), Text(d).c_str());
    }
    sum += d[at];
    if (!b.Constant(part) && b.Preferred(part) == kLast) layout = kLast;
  }
  if (sum > INT32_MAX) return Fail(OCTET_UNSUPPORTED, "is too large");
  dims[at] = static_cast<int32_t>(sum);
  b[out].dims = dims;
  std::vector<int32_t> tensors;
  for (const int32_t part : parts) tensors.push_back(b.Tensor(part, layout));
  fb::AxisOptionsT options;
  options.axis = StoredAxis(axis, dims.size(), layout);
  b.Emit(OpKind::CONCATENATION, tensors, b.Output(out, layout), std::move(options));
  return OCTET_OK;
}

Status ImportConcat(Node& n) {
  int32_t axis = 1;
  for (int i = 0; i < n.inputs(); ++i) {
    if (!n.has(i)) return Fail(OCTET_INVALID_MODEL, "input %d is absent", i);
  }
  if (n.rank(0) == 0) return Fail(OCTET_INVALID_MODEL, "joins scalars");
  OCTET_RETURN_IF_ERROR(n.Axis("axis", n.rank(0), &axis));
  bool views = !n.as_float();
  for (int i = 0; i < n.inputs(); ++i) {
    views = views && n.b.IsView(n.in(i)) && n.b[n.value(i).source].quant->per_tensor();
  }
  std::vector<int32_t> parts;
  if (views) {
    // In the quantisation that comes next, or the one that all have.
    std::optional<Quant> quant = n.b.OutQuant(n.out_name());
    if (!quant) {
      quant = n.b[n.value(0).source].quant;
      for (int i = 1; i < n.inputs(); ++i) {
        if (quant && !(*n.b[n.value(i).source].quant == *quant)) quant.reset();
      }
    }
    if (quant) {
      for (int i = 0; i < n.inputs(); ++i) {
        parts.push_back(n.b.Requantised(n.value(i).source, *quant));
      }
      return EmitConcat(n, parts, axis, n.ViewResult(*quant, {}));
    }
  }
  for (int i = 0; i < n.inputs(); ++i) {
    int32_t part = n.in(i);
    // Integers as they are must mean the same.
    if (n.value(i).quant && n.value(0).quant && !(*n.value(i).quant == *n.value(0).quant)) {
      return Fail(OCTET_UNSUPPORTED, "joins integers of different quantisations");
    }
    parts.push_back(part);
  }
  const std::optional<Quant> quant = n.value(0).quant;
  const int32_t out = n.Result(n.value(0).type, {});
  n.b[out].quant = quant;
  return EmitConcat(n, parts, axis, out);
}

Status ImportSplit(Node& n) {
  const Dims from = n.dims(0);
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", n.rank(0), &axis));
  const size_t at = static_cast<size_t>(axis);
  std::vector<int64_t> sizes;
  bool given;
  OCTET_RETURN_IF_ERROR(n.IntsOf(1, "split", &sizes, &given));
  const int64_t parts = n.outputs();
  if (!given) {
    // Even parts, the last one smaller.
    const int64_t size = (from[at] + parts - 1) / parts;
    for (int64_t i = 0; i < parts; ++i) sizes.push_back(std::min(size, from[at] - i * size));
  }
  int64_t sum = 0;
  for (const int64_t size : sizes) {
    if (size < 1 || size > from[at]) {
      return Fail(OCTET_UNSUPPORTED, "has a part of %lld of %d", static_cast<long long>(size),
                  from[at]);
    }
    sum += size;
  }
  if (static_cast<int64_t>(sizes.size()) != parts || sum != from[at]) {
    return Fail(OCTET_INVALID_MODEL, "splits %d into %zu parts of %lld in all for %lld outputs",
                from[at], sizes.size(), static_cast<long long>(sum), static_cast<long long>(parts));
  }
  Builder& b = n.b;
  int32_t x = -1;
  std::vector<int32_t> outs;
  for (int i = 0; i < n.outputs(); ++i) {
    Dims dims = from;
    dims[at] = static_cast<int32_t>(sizes[static_cast<size_t>(i)]);
    int32_t out;
    if (n.has_output(i)) {
      MovedValue(n, &x, dims, &out, i);
    } else {
      return Fail(OCTET_UNSUPPORTED, "leaves out a part");
    }
    outs.push_back(out);
  }
  const Layout layout = b.Preferred(x);
  const int32_t tensor = b.Tensor(x, layout);
  std::vector<int32_t> tensors;
  for (const int32_t out : outs) tensors.push_back(b.Output(out, layout));
  fb::AxisOptionsT options;
  options.axis = StoredAxis(axis, from.size(), layout);
  b.Emit(OpKind::SPLIT, {tensor}, tensors[0], std::move(options)).outputs = tensors;
  return OCTET_OK;
}

// ---- Slice, Gather ---------------------------------------------------------------------------

Status ReadSlice(Node& n, const Dims& dims, SliceRange* slice) {
  const int32_t rank = static_cast<int32_t>(dims.size());
  std::vector<int64_t> starts, ends, axes, steps;
  bool given;
  OCTET_RETURN_IF_ERROR(n.IntsOf(1, "starts", &starts, &given));
  OCTET_RETURN_IF_ERROR(n.IntsOf(2, "ends", &ends, &given));
  OCTET_RETURN_IF_ERROR(n.IntsOf(3, "axes", &axes, &given));
  if (!given) {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  OCTET_RETURN_IF_ERROR(n.IntsOf(4, "steps", &steps, &given));
  if (!given) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    return Fail(OCTET_INVALID_MODEL, "has %zu starts, %zu ends, %zu axes and %zu steps",
                starts.size(), ends.size(), axes.size(), steps.size());
  }
  slice->begin.assign(dims.size(), 0);
  slice->step.assign(dims.size(), 1);
  slice->size = dims;
  for (size_t i = 0; i < starts.size(); ++i) {
    int32_t axis;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(rank, axes[i], &axis));
    const size_t at = static_cast<size_t>(axis);
    const int64_t size = dims[at];
    const int64_t step = std::clamp<int64_t>(steps[i], -INT32_MAX, INT32_MAX);
    if (step == 0) return Fail(OCTET_INVALID_MODEL, "has step 0");
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    const auto position = [&](int64_t p) {
      if (p < 0) p = p < -size ? -size - 1 : p;
      if (p < 0) p += size;
      return std::clamp<int64_t>(p, low, high);
    };
    const int64_t start = position(starts[i]), end = position(ends[i]);
    const int64_t distance = step > 0 ? end - start : start - end;
    const int64_t stride = step > 0 ? step : -step;
    slice->begin[at] = static_cast<int32_t>(start);
    slice->step[at] = static_cast<int32_t>(step);
    slice->size[at] = static_cast<int32_t>(distance <= 0 ? 0 : (distance + stride - 1) / stride);
  }
  return OCTET_OK;
}

Status ImportSlice(Node& n) {
  const Dims from = n.dims(0);
  SliceRange slice;
  OCTET_RETURN_IF_ERROR(ReadSlice(n, from, &slice));
  if (Elements(slice.size) == 0) return Fail(OCTET_UNSUPPORTED, "takes no elements");
  int32_t x, out;
  MovedValue(n, &x, slice.size, &out);
  Builder& b = n.b;
  const Layout layout = b.Preferred(x);
  fb::SliceOptionsT options;
  options.begin = StoredDims(slice.begin, layout);
  options.strides = StoredDims(slice.step, layout);
  options.size = StoredDims(slice.size, layout);
  const int32_t tensor = b.Tensor(x, layout);
  b.Emit(OpKind::STRIDED_SLICE, {tensor}, b.Output(out, layout), std::move(options));
  return OCTET_OK;
}

// Constant single indices are slices; others are looked up.
Status ImportGather(Node& n) {
  const Dims from = n.dims(0), indices = n.dims(1);
  int32_t axis = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", n.rank(0), &axis));
  const size_t at = static_cast<size_t>(axis);
  Dims to(from.begin(), from.begin() + axis);
  to.insert(to.end(), indices.begin(), indices.end());
  to.insert(to.end(), from.begin() + axis + 1, from.end());
  if (to.size() > static_cast<size_t>(kMaxRank)) {
    return Fail(OCTET_UNSUPPORTED, "leads to %zu dimensions", to.size());
  }
  Builder& b = n.b;
  int32_t index = n.in(1);
  if (const Array* array = b.Constant(index)) {
    std::vector<int64_t> values;
    for (size_t i = 0; i < array->size(); ++i) {
      const int64_t v = array->Int(i);
      if (v < -int64_t{from[at]} || v >= from[at]) {
        return Fail(OCTET_INVALID_MODEL, "picks element %lld of %d", static_cast<long long>(v),
                    from[at]);
      }
      values.push_back(v < 0 ? v + from[at] : v);
    }
    if (values.size() == 1) {
      int32_t x, out;
      MovedValue(n, &x, to, &out);
      // A slice of one, without its axis.
      Dims kept = from;
      kept[at] = 1;
      const int32_t picked = b.New(n.out_name(), b[x].type, kept);
      b[picked].quant = b[x].quant;
      const Layout layout = b.Preferred(x);
      const int32_t tensor = b.Tensor(x, layout);
      fb::SliceOptionsT options;
      Dims begin(from.size(), 0);
      begin[at] = static_cast<int32_t>(values[0]);
      options.begin = StoredDims(begin, layout);
      options.size = StoredDims(kept, layout);
      options.strides.assign(from.size(), 1);
      b.Emit(OpKind::STRIDED_SLICE, {tensor}, b.Output(picked, layout), std::move(options));
      b.Reshape(picked, out);
      return OCTET_OK;
    }
    index = b.NewConstant(b[index].name, IntArray(array->dims, values, DType::INT32));
  }
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  fb::GatherOptionsT options;
  options.axis = axis;
  const int32_t tensor = b.Tensor(x, kPlain), where = b.Tensor(index, kPlain);
  b.Emit(OpKind::GATHER, {tensor, where}, b.Output(out, kPlain), std::move(options));
  return OCTET_OK;
}

// ---- DepthToSpace, SpaceToDepth --------------------------------------------------------------

// Octet's blocks have their channels innermost. DepthToSpace's DCR and SpaceToDepth are that; in
// CRD the channels are outermost, which a reordering before makes up for.
Status ImportDepthSpace(Node& n) {
  const Dims from = n.dims(0);
  const bool to_space = n.type() == "DepthToSpace";
  int32_t block = 0;
  OCTET_RETURN_IF_ERROR(n.Int32("blocksize", &block));
  std::string mode = "DCR";
  OCTET_RETURN_IF_ERROR(n.String("mode", &mode));
  if (mode != "DCR" && (mode != "CRD" || !to_space)) {
    return Fail(OCTET_UNSUPPORTED, "has mode \"%s\"", mode.c_str());
  }
  if (from.size() != 4 || block < 1 || block > 1 << 14) {
    return Fail(OCTET_INVALID_MODEL, "has block size %d for an input %s", block,
                Text(from).c_str());
  }
  const int32_t area = block * block;
  if (to_space ? from[1] % area != 0 : from[2] % block != 0 || from[3] % block != 0) {
    return Fail(OCTET_INVALID_MODEL, "has block size %d for an input %s", block,
                Text(from).c_str());
  }
  if (to_space && (int64_t{from[2]} * block > INT32_MAX || int64_t{from[3]} * block > INT32_MAX)) {
    return Fail(OCTET_UNSUPPORTED, "is too large");
  }
  if (!to_space && int64_t{from[1]} * area > INT32_MAX)
    return Fail(OCTET_UNSUPPORTED, "is too large");
  const Dims to = to_space ? Dims{from[0], from[1] / area, from[2] * block, from[3] * block}
                           : Dims{from[0], from[1] * area, from[2] / block, from[3] / block};
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  Builder& b = n.b;
  int32_t tensor = b.Tensor(x, kLast);
  if (to_space && mode == "CRD" && to[1] > 1) {
    const Dims image = b.graph().tensors[static_cast<size_t>(tensor)].shape;
    const Dims apart = {image[0], image[1], image[2], to[1], area};
    tensor = b.ReshapeTensor(tensor, apart);
    GraphTensor turned = b.graph().tensors[static_cast<size_t>(tensor)];
    turned.shape = {image[0], image[1], image[2], area, to[1]};
    fb::TransposeOptionsT options;
    options.perm = {0, 1, 2, 4, 3};
    const int32_t t = b.graph().AddTensor(std::move(turned));
    b.Emit(OpKind::TRANSPOSE, {tensor}, t, std::move(options));
    tensor = b.ReshapeTensor(t, image);
  }
  fb::BlockOptionsT options;
  options.block = {block};
  b.Emit(to_space ? OpKind::DEPTH_TO_SPACE : OpKind::SPACE_TO_DEPTH, {tensor}, b.Output(out, kLast),
         std::move(options));
  return OCTET_OK;
}

}  // namespace octet::onnx
