// ARG_MAX, ARG_MIN along one axis: the first index of the extremum. The axis is dropped from the
// output's shape or has size 1 there.
//
// Source of the formula: TFLite's reference_ops::ArgMinMax, with its rule that a NaN never wins
// over a number.
#include "kernels/s8_argmax/s8_argmax.h"
#include "src/ops/vectors.h"

namespace octet {
namespace {

struct Params {
  const S8ArgKernel* kernel;  // of int8
  ArgKind kind;
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

// Indices are found some hundred at a time and then take the output's type.
constexpr size_t kIndices = 256;

template <class Out>
void Convert(const int32_t* index, size_t n, Out* output) {
  for (size_t i = 0; i < n; ++i) output[i] = index[i];
}

template <class Out>
Status RunRows8(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  ForEachVector<int8_t, Out>(c, p.shape, [&](const int8_t* in, size_t n, Out* out) {
    int32_t index[kIndices];
    for (size_t v = 0; v < n; v += kIndices) {
      const size_t part = n - v < kIndices ? n - v : kIndices;
      p.kernel->rows(p.kind, in + v * p.depth, p.depth, part, index);
      Convert(index, part, out + v);
    }
  });
  return OCTET_OK;
}

template <class Out>
Status RunColumns8(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  c.threads.slices(p.outer * p.inner, 32768 / p.depth + 1, [&](size_t, size_t begin, size_t end) {
    int32_t index[kIndices];
    while (begin < end) {
      const size_t column = begin % p.inner;
      size_t n = p.inner - column < end - begin ? p.inner - column : end - begin;
      if (n > kIndices) n = kIndices;
      const int8_t* in = c.in<int8_t>(0) + begin / p.inner * p.depth * p.inner + column;
      p.kernel->columns(p.kind, in, p.depth, p.inner, n, index);
      Convert(index, n, c.out<Out>() + begin);
      begin += n;
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

// Each output's elements lie one behind the other.
bool Contiguous(const OpView& op) {
  for (int32_t i = Axis(op) + 1; i < op.in(0).rank; ++i) {
    if (op.in(0).dims[i] != 1) return false;
  }
  return true;
}

RunFn Choose8(const OpView& op) {
  const bool narrow = op.out().type == DType::INT32;
  if (!Contiguous(op)) return narrow ? RunColumns8<int32_t> : RunColumns8<int64_t>;
  return narrow ? RunRows8<int32_t> : RunRows8<int64_t>;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  binding->kernel = op.kind == OpKind::ARG_MAX ? "arg_max__ref" : "arg_min__ref";
  binding->params_bytes = sizeof(Params);
  switch (op.in(0).type) {
    case DType::INT8: {
      const S8ArgKernel& row = FirstRow(S8ArgTable(), isa);
      binding->kernel = row.name;
      binding->row = &row;
      binding->run = Choose8(op);
      break;
    }
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

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const S8ArgKernel*>(binding.row);
  p.kind = op.kind == OpKind::ARG_MAX ? ArgKind::kMax : ArgKind::kMin;
  const TensorView& in = op.in(0);
  const int32_t axis = Axis(op);
  p.shape = MakeVectorShape(op, 1);
  p.outer = p.inner = 1;
  p.depth = static_cast<size_t>(in.dims[axis]);
  p.shape.depth_in = p.depth;  // also where axes of size 1 follow
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
