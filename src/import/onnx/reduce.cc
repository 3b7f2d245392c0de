// Rows of the importer: operators that reduce or normalise along axes.
#include <algorithm>
#include <iterator>
#include <numeric>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

void SetAxes(const Dims& dims, const std::vector<bool>& reduced, Reduction* r) {
  for (size_t i = 0; i < dims.size(); ++i) {
    if (reduced[i]) {
      r->axes.push_back(static_cast<int32_t>(i));
      if (r->keep) r->out.push_back(1);
    } else {
      r->out.push_back(dims[i]);
    }
  }
}

}  // namespace

Status ReadReduction(Node& n, const Dims& dims, Reduction* r) {
  const int32_t rank = static_cast<int32_t>(dims.size());
  int64_t keep = 1, no_axes_is_all = 0;
  OCTET_RETURN_IF_ERROR(n.Int("keepdims", &keep));
  OCTET_RETURN_IF_ERROR(n.Int("noop_with_empty_axes", &no_axes_is_all));
  std::vector<int64_t> axes;
  bool given;
  OCTET_RETURN_IF_ERROR(n.IntsOf(1, "axes", &axes, &given));
  if (axes.empty() && no_axes_is_all == 0) {
    for (int32_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  std::vector<bool> reduced(dims.size(), false);
  for (const int64_t axis : axes) {
    int32_t at;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(rank, axis, &at));
    reduced[static_cast<size_t>(at)] = true;
  }
  r->keep = keep != 0;
  SetAxes(dims, reduced, r);
  return OCTET_OK;
}

namespace {

// In x's layout where the result keeps its axes, or where the channels are the last that stay.
Status EmitReduce(Node& n, OpKind kind, int32_t x, const Reduction& r, int32_t out) {
  Builder& b = n.b;
  const size_t rank = b[x].dims.size();
  Layout layout = b.Preferred(x);
  if (layout == kLast && !r.keep && r.out.size() > 1) {
    // What is left must be in ONNX's order: the batch and the channels, say.
    bool spatial = false, channels = true;
    for (const int32_t axis : r.axes) channels = channels && axis != 1;
    size_t left = 0;
    for (size_t i = 2; i < rank; ++i) {
      left += std::find(r.axes.begin(), r.axes.end(), static_cast<int32_t>(i)) == r.axes.end();
    }
    spatial = left > 0;
    if (spatial && channels) layout = kPlain;
  }
  fb::ReduceOptionsT options;
  for (const int32_t axis : r.axes) options.axes.push_back(StoredAxis(axis, rank, layout));
  std::sort(options.axes.begin(), options.axes.end());
  const int32_t from = b.Tensor(x, layout);
  const int32_t to = b.Output(out, r.keep ? layout : kPlain);
  b.Emit(kind, {from}, to, std::move(options));
  return OCTET_OK;
}

int32_t FloatLike(Node& n, int32_t x) { return n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims); }

int32_t Mapped(Node& n, OpKind kind, int32_t x, int32_t out) {
  n.b.MapElements(x, out, [&](int32_t from, int32_t to) { n.b.Emit(kind, {from}, to); });
  return out;
}

// Norms and logarithms of sums, in float32.
Status EmitReducedFunction(Node& n, const Reduction& r) {
  Builder& b = n.b;
  const std::string& type = n.type();
  int32_t x = n.in(0);
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
  }
  int32_t most = -1;
  if (type == "ReduceL2" || type == "ReduceSumSquare") {
    const int32_t square = FloatLike(n, x);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MUL, x, x, square));
    x = square;
  } else if (type == "ReduceL1") {
    x = Mapped(n, OpKind::ABS, x, FloatLike(n, x));
  } else if (type == "ReduceLogSumExp") {
    // Less the largest value, as everyone computes it.
    OCTET_RETURN_IF_ERROR(EmitReduced(n, OpKind::REDUCE_MAX, x, r.axes, &most));
    const int32_t less = FloatLike(n, x);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::SUB, x, most, less));
    x = Mapped(n, OpKind::EXP, less, FloatLike(n, x));
  }
  const bool last = type == "ReduceL1" || type == "ReduceSumSquare";
  if (last) return EmitReduce(n, OpKind::SUM, x, r, n.Result(DType::FLOAT32, r.out));
  int32_t sum;
  OCTET_RETURN_IF_ERROR(EmitReduced(n, OpKind::SUM, x, r.axes, &sum));
  int32_t y = Mapped(n, type == "ReduceL2" ? OpKind::SQRT : OpKind::LOG, sum, FloatLike(n, sum));
  if (most >= 0) {
    const int32_t more = FloatLike(n, sum);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::ADD, y, most, more));
    y = more;
  }
  if (r.keep) {
    n.Alias(y);
  } else {
    b.Reshape(y, n.Result(DType::FLOAT32, r.out));
  }
  return OCTET_OK;
}

}  // namespace

Status EmitReduced(Node& n, OpKind kind, int32_t x, const std::vector<int32_t>& axes,
                   int32_t* out) {
  const Dims dims = n.b[x].dims;
  std::vector<bool> reduced(dims.size(), false);
  for (const int32_t axis : axes) reduced[static_cast<size_t>(axis)] = true;
  Reduction r;
  SetAxes(dims, reduced, &r);
  *out = n.b.New(n.out_name(), DType::FLOAT32, r.out);
  return EmitReduce(n, kind, x, r, *out);
}

Status ImportReduce(Node& n) {
  Reduction r;
  const Dims dims = n.dims(0);
  OCTET_RETURN_IF_ERROR(ReadReduction(n, dims, &r));
  const std::string& type = n.type();
  static const char* const kPlainReductions[] = {"ReduceMean", "ReduceSum", "ReduceMax",
                                                 "ReduceMin"};
  if (std::none_of(std::begin(kPlainReductions), std::end(kPlainReductions),
                   [&](const char* name) { return type == name; })) {
    if (type == "ReduceProd") {
      return Fail(OCTET_UNSUPPORTED, "is there only for what does not depend on the input");
    }
    return EmitReducedFunction(n, r);
  }
  if (r.axes.empty()) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  const OpKind kind = type == "ReduceMean"  ? OpKind::MEAN
                      : type == "ReduceSum" ? OpKind::SUM
                      : type == "ReduceMax" ? OpKind::REDUCE_MAX
                                            : OpKind::REDUCE_MIN;
  const bool rescales = kind == OpKind::MEAN || kind == OpKind::SUM;
  if (const std::optional<Quant> quant = rescales ? n.QuantMode({0}) : std::nullopt;
      quant && Is8Bit(quant->type) && Is8Bit(n.b[n.value(0).source].type)) {
    return EmitReduce(n, kind, n.value(0).source, r, n.ViewResult(*quant, r.out));
  }
  if (kind == OpKind::SUM) {  // of no known range
    return EmitReduce(n, kind, n.in(0), r, n.Result(n.value(0).type, r.out));
  }
  int32_t x, out;
  MovedValue(n, &x, r.out, &out);
  return EmitReduce(n, kind, x, r, out);
}

Status ImportArg(Node& n) {
  const Dims dims = n.dims(0);
  int32_t axis = 0;
  int64_t keep = 1, last = 0;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", static_cast<int32_t>(dims.size()), &axis));
  OCTET_RETURN_IF_ERROR(n.Int("keepdims", &keep));
  OCTET_RETURN_IF_ERROR(n.Int("select_last_index", &last));
  if (last) return Fail(OCTET_UNSUPPORTED, "selects the last of equal values");
  // Of the integers behind a view: the order is the same.
  const int32_t x = n.b.IsView(n.in(0)) && !n.as_float() ? n.value(0).source : n.in(0);
  Dims kept = dims;
  kept[static_cast<size_t>(axis)] = 1;
  Dims dropped = dims;
  dropped.erase(dropped.begin() + axis);
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Tensor(x, layout);
  const int32_t full =
      keep ? n.Result(DType::INT64, kept) : n.b.New(n.out_name(), DType::INT64, kept);
  const int32_t to = n.b.Output(full, layout);
  fb::ArgOptionsT options;
  options.axis = StoredAxis(axis, dims.size(), layout);
  n.b.Emit(n.type() == "ArgMax" ? OpKind::ARG_MAX : OpKind::ARG_MIN, {from}, to,
           std::move(options));
  if (!keep) n.b.Reshape(full, n.Result(DType::INT64, dropped));
  return OCTET_OK;
}

// x and out: float32, or integer values.
Status EmitSoftmax(Node& n, int32_t x, int32_t out) {
  Builder& b = n.b;
  const Dims dims = b[x].dims;
  const int32_t rank = static_cast<int32_t>(dims.size());
  if (rank == 0) return Fail(OCTET_INVALID_MODEL, "has an input without dimensions");
  const bool old = n.opset() < 13;
  int32_t axis = old ? std::min(1, rank - 1) : rank - 1;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", rank, &axis));
  const OpKind kind = n.type() == "LogSoftmax" ? OpKind::LOG_SOFTMAX : OpKind::SOFTMAX;
  const auto emit = [&](int32_t from, int32_t to) {
    b.Emit(kind, {from}, to, fb::SoftmaxOptionsT{});
  };
  if (old && axis != rank - 1) {
    // Over all axes from this one on.
    const int64_t outer = Elements(Dims(dims.begin(), dims.begin() + axis));
    const int64_t inner = Elements(Dims(dims.begin() + axis, dims.end()));
    bool ones = true;  // behind the axis: any layout will do
    for (int32_t i = axis + 1; i < rank; ++i) ones = ones && dims[static_cast<size_t>(i)] == 1;
    if (!ones) {
      const Dims flat = {static_cast<int32_t>(outer), static_cast<int32_t>(inner)};
      const int32_t from = b.ReshapeTensor(b.Tensor(x, kPlain), flat);
      GraphTensor like = b.graph().tensors[static_cast<size_t>(b.Output(out, kPlain))];
      const int32_t to = b[out].at[kPlain];
      like.shape = flat;
      const int32_t result = b.graph().AddTensor(std::move(like));
      emit(from, result);
      b.EmitReshape(result, to);
      return OCTET_OK;
    }
  }
  for (const Layout layout : {b.Preferred(x), kPlain, kLast}) {
    if (StoredAxis(axis, dims.size(), layout) != rank - 1 || (layout == kLast && rank < 3))
      continue;
    const int32_t from = b.Tensor(x, layout);
    emit(from, b.Output(out, layout));
    return OCTET_OK;
  }
  // An axis in the middle: to the end and back.
  std::vector<int32_t> perm(dims.size());
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<size_t>(axis)], perm.back());
  fb::TransposeOptionsT options;
  options.perm = perm;
  const int32_t from = b.Tensor(x, kPlain), to = b.Output(out, kPlain);
  GraphTensor turned = b.graph().tensors[static_cast<size_t>(from)];
  GraphTensor result = b.graph().tensors[static_cast<size_t>(to)];
  std::swap(turned.shape[static_cast<size_t>(axis)], turned.shape.back());
  result.shape = turned.shape;
  const int32_t a = b.graph().AddTensor(std::move(turned));
  const int32_t c = b.graph().AddTensor(std::move(result));
  b.Emit(OpKind::TRANSPOSE, {from}, a, options);
  emit(a, c);
  b.Emit(OpKind::TRANSPOSE, {c}, to, options);
  return OCTET_OK;
}

// The int8 operators' outputs have fixed quantisations: 1/256 from -128, log: 16/256 to 127.
Status ImportSoftmax(Node& n) {
  const Dims dims = n.dims(0);
  const std::optional<Quant> quant = n.QuantMode({0});
  if (quant && Is8Bit(quant->type) && Is8Bit(n.b[n.value(0).source].type)) {
    const bool log = n.type() == "LogSoftmax";
    const int32_t out = n.b.New(n.out_name(), DType::INT8, dims);
    n.b[out].quant = log ? Quant{DType::INT8, {16.f / 256}, {127}, 0}
                         : Quant{DType::INT8, {1.f / 256}, {-128}, 0};
    OCTET_RETURN_IF_ERROR(EmitSoftmax(n, n.value(0).source, out));
    n.b.Bind(n.out_name(), n.b.NewView(n.out_name(), n.b.Requantised(out, *quant)));
    return OCTET_OK;
  }
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
  }
  return EmitSoftmax(n, n.in(0), n.Result(DType::FLOAT32, dims));
}

}  // namespace octet::onnx
