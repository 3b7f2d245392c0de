// ARG_MAX, ARG_MIN along one axis: the first index of the extremum. The axis is dropped from the
// output's shape or has size 1 there.
//
// Source of the formula: TFLite's reference_ops::ArgMinMax, with its rule that a NaN never wins
// over a number.
#include "src/ops/vectors.h"

namespace octet {
namespace {

struct Params {
  VectorShape shape;                       // where the axis is the last one
  size_t outer = 1, depth = 1, inner = 1;  // else: sizes before, of and behind the axis
};

bool IsNan(float x) { return x != x; }
bool IsNan(int32_t) { return false; }

template <class T>
struct Max {
  static bool Better(T x, T best) { return x > best || (IsNan(best) && !IsNan(x)); }
};

template <class T>
struct Min {
  static bool Better(T x, T best) { return x < best || (IsNan(best) && !IsNan(x)); }
};

int32_t Axis(const OpView& op) {
  const int32_t axis = op.options<fb::ArgOptions>()->axis();
  return axis < 0 ? axis + op.in(0).rank : axis;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const bool in_known = in.type == DType::INT8 || in.type == DType::INT16 ||
                        in.type == DType::INT32 || in.type == DType::FLOAT32;
  if (!in_known || (out.type != DType::INT32 && out.type != DType::INT64)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 1, kMaxRank));
  const int32_t axis = op.options<fb::ArgOptions>()->axis();
  OCTET_CHECK_OP(axis >= -in.rank && axis < in.rank, "axis %d of a tensor of rank %d", axis,
                 in.rank);
  OCTET_CHECK_OP(out.rank == in.rank || out.rank == in.rank - 1,
                 "input and output have ranks %d, %d", in.rank, out.rank);
  const int32_t at = Axis(op);
  for (int32_t i = 0; i < in.rank; ++i) {
    const int32_t j = out.rank < in.rank && i > at ? i - 1 : i;
    if (i == at && out.rank < in.rank) continue;
    OCTET_CHECK_OP(out.dims[j] == (i == at ? 1 : in.dims[i]),
                   "the output's shape is not the input's without the axis");
  }
  return OCTET_OK;
}

template <class T, class Out, class How>
void ArgLast(const T* input, size_t depth, size_t vectors, Out* output) {
  for (size_t v = 0; v < vectors; ++v, input += depth) {
    size_t index = 0;
    T best = input[0];
    for (size_t i = 1; i < depth; ++i) {
      if (How::Better(input[i], best)) {
        best = input[i];
        index = i;
      }
    }
    output[v] = static_cast<Out>(index);
  }
}

template <class T, class Out, class How>
Status RunLast(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  ForEachVector<T, Out>(c, p.shape, [&](const T* in, size_t n, Out* out) {
    ArgLast<T, Out, How>(in, p.depth, n, out);
  });
  return OCTET_OK;
}

template <class T, class Out, class How>
Status RunInner(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  c.threads.slices(p.outer * p.inner, 8192 / p.depth + 1, [&](size_t, size_t begin, size_t end) {
    for (size_t o = begin; o < end; ++o) {
      const T* in = c.in<T>(0) + o / p.inner * p.depth * p.inner + o % p.inner;
      size_t index = 0;
      T best = in[0];
      for (size_t i = 1; i < p.depth; ++i) {
        if (How::Better(in[i * p.inner], best)) {
          best = in[i * p.inner];
          index = i;
        }
      }
      c.out<Out>()[o] = static_cast<Out>(index);
    }
  });
  return OCTET_OK;
}

template <class T, class Out>
RunFn Choose(const OpView& op) {
  const bool last = Axis(op) == op.in(0).rank - 1;
  if (op.kind == OpKind::ARG_MAX) {
    return last ? RunLast<T, Out, Max<T>> : RunInner<T, Out, Max<T>>;
  }
  return last ? RunLast<T, Out, Min<T>> : RunInner<T, Out, Min<T>>;
}

template <class T>
RunFn ChooseOut(const OpView& op) {
  return op.out().type == DType::INT32 ? Choose<T, int32_t>(op) : Choose<T, int64_t>(op);
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  binding->kernel = op.kind == OpKind::ARG_MAX ? "arg_max__ref" : "arg_min__ref";
  binding->params_bytes = sizeof(Params);
  switch (op.in(0).type) {
    case DType::INT8:
      binding->run = ChooseOut<int8_t>(op);
      break;
    case DType::INT16:
      binding->run = ChooseOut<int16_t>(op);
      break;
    case DType::INT32:
      binding->run = ChooseOut<int32_t>(op);
      break;
    default:
      binding->run = ChooseOut<float>(op);
      break;
  }
}

void Init(const OpView& op, const Binding&, void* params) {
  Params& p = *static_cast<Params*>(params);
  const TensorView& in = op.in(0);
  const int32_t axis = Axis(op);
  p.shape = MakeVectorShape(op, 1);
  p.outer = p.inner = 1;
  p.depth = static_cast<size_t>(in.dims[axis]);
  for (int32_t i = 0; i < axis; ++i) p.outer *= static_cast<size_t>(in.dims[i]);
  for (int32_t i = axis + 1; i < in.rank; ++i) p.inner *= static_cast<size_t>(in.dims[i]);
}

// Rows are those of a rank-4 output, so the axis has to be kept as 1.
bool InputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (op.in(0).rank != 4 || op.out().rank != 4 || op.in(0).dims[0] != 1 || Axis(op) != 3) {
    return false;
  }
  *in = out;
  return true;
}

}  // namespace

extern const OpDef kARG_MAXOp = {Check, Bind, Init, nullptr, InputRows, nullptr};
extern const OpDef kARG_MINOp = {Check, Bind, Init, nullptr, InputRows, nullptr};

}  // namespace octet
