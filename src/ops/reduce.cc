// MEAN, SUM, REDUCE_MAX, REDUCE_MIN over any axes of int8, int16 and float32 tensors.
//
// Neighbouring axes of a kind (reduced or kept) count as one. If the shape then reads [kept]
// reduced [kept], the work is column sums (or maxima) of matrices; else every output walks its
// inputs.
//
// Source of the formula: TFLite's reference_ops::QuantizedMeanOrSum with 32-bit sums, for int16
// too; reference_ops::Mean and Sum for float32. The uint8 form is the same integers as int8:
// ReduceOptions.legacy_u8 makes no difference.
#include "kernels/qs8_mean/qs8_mean.h"
#include "src/ops/mean_multiplier.h"
#include "src/ops/op.h"

namespace octet {
namespace {

// Axes, merged, of one kind, with the distance of neighbours in the input.
struct Walk {
  int32_t count = 0;
  int64_t dims[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};
};

struct Params {
  QS8MeanFn kernel;
  QS8MeanParams mean;  // also of int16
  Walk kept, reduced;
  int64_t outputs;  // in all
  int64_t inner;    // outputs of one matrix, where the shape reads [kept] reduced [kept]
  size_t grain;     // outputs that are worth a thread
  float divisor;    // of float32 sums
};

// ---- Axes --------------------------------------------------------------------------------------

// Which axes are reduced. Negative ones count from the last; repeated ones count once.
Status ReducedAxes(const OpView& op, bool* reduced) {
  const auto* axes = op.options<fb::ReduceOptions>()->axes();
  const int32_t rank = op.in(0).rank;
  for (int32_t i = 0; i < kMaxRank; ++i) reduced[i] = false;
  for (uint32_t i = 0; axes != nullptr && i < axes->size(); ++i) {
    const int32_t axis = axes->Get(i);
    OCTET_CHECK_OP(axis >= -rank && axis < rank, "axis %d of a tensor of rank %d", axis, rank);
    reduced[axis < 0 ? axis + rank : axis] = true;
  }
  return OCTET_OK;
}

// Merges axes; true where the shape reads [kept] reduced [kept].
bool MakeWalks(const TensorView& in, const bool* reduced, Walk* kept, Walk* gone) {
  bool columns = true;
  int64_t stride = 1;
  Walk* previous = nullptr;
  *kept = *gone = Walk();
  for (int32_t i = in.rank - 1; i >= 0; --i) {
    if (in.dims[i] == 1) continue;
    Walk* walk = reduced[i] ? gone : kept;
    if (walk != previous) {
      if (walk == gone && gone->count > 0) columns = false;
      walk->strides[walk->count++] = stride;
      walk->dims[walk->count - 1] = 1;
      previous = walk;
    }
    walk->dims[walk->count - 1] *= in.dims[i];
    stride *= in.dims[i];
  }
  return columns;
}

int64_t Elements(const Walk& walk) {
  int64_t n = 1;
  for (int32_t i = 0; i < walk.count; ++i) n *= walk.dims[i];
  return n;
}

// Where element `index` of a walk lies in the input.
int64_t Offset(const Walk& walk, int64_t index) {
  int64_t offset = 0;
  for (int32_t i = 0; i < walk.count; ++i) {
    offset += index % walk.dims[i] * walk.strides[i];
    index /= walk.dims[i];
  }
  return offset;
}

// ---- Checks ------------------------------------------------------------------------------------

bool IsMinMax(const OpView& op) {
  return op.kind == OpKind::REDUCE_MAX || op.kind == OpKind::REDUCE_MIN;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const bool is_float = in.type == DType::FLOAT32;
  if (in.type != out.type || (in.type != DType::INT8 && in.type != DType::INT16 && !is_float)) {
    return UnsupportedTypes(op);
  }
  bool reduced[kMaxRank];
  OCTET_RETURN_IF_ERROR(ReducedAxes(op, reduced));
  // The output's shape: the kept axes; reduced ones are dropped or 1, and any 1 may come or go.
  int32_t at = 0;
  for (int32_t i = 0; i < in.rank; ++i) {
    if (reduced[i] || in.dims[i] == 1) continue;
    while (at < out.rank && out.dims[at] == 1) ++at;
    OCTET_CHECK_OP(at < out.rank && out.dims[at] == in.dims[i],
                   "the output's shape is not the input's without the reduced axes");
    ++at;
  }
  for (; at < out.rank; ++at) {
    OCTET_CHECK_OP(out.dims[at] == 1,
                   "the output's shape is not the input's without the reduced axes");
  }
  if (IsMinMax(op)) {
    OCTET_CHECK_OP(in.scale() == out.scale() && in.zero_point == out.zero_point,
                   "input and output differ in scale or zero point");
    return OCTET_OK;
  }
  if (!is_float) {
    OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
    OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  }
  Walk kept, gone;
  MakeWalks(in, reduced, &kept, &gone);
  const int64_t count = Elements(gone);
  // A sum and the zero points in it stay in 32 bits.
  if (count > INT32_MAX / (in.type == DType::INT8 ? 256 : 65536)) {
    return Fail(OCTET_UNSUPPORTED, "sums of %lld elements can overflow",
                static_cast<long long>(count));
  }
  return OCTET_OK;
}

// ---- Running -----------------------------------------------------------------------------------

template <class T>
T Store(const Params& p, int32_t value) {
  constexpr int32_t kLow = sizeof(T) == 1 ? -128 : -32768;
  // Saturated first: the sum with the zero point could overflow.
  const int32_t y = Clamp<int32_t>(value, -(1 << 20), 1 << 20) + p.mean.output_zero_point;
  return static_cast<T>(Clamp<int32_t>(y, kLow, -kLow - 1));
}

// How values are combined, and how the outcome is stored.
template <class T>
struct Sum32 {
  using Acc = int32_t;
  static Acc First(T x) { return x; }
  static Acc Next(Acc acc, T x) { return acc + x; }
  static T Last(const Params& p, Acc acc) {
    return Store<T>(p, Requantize(acc + p.mean.bias, p.mean.multiplier));
  }
};

struct SumF32 {
  using Acc = float;
  static Acc First(float x) { return x; }
  static Acc Next(Acc acc, float x) { return acc + x; }
  static float Last(const Params& p, Acc acc) { return acc / p.divisor; }
};

template <class T>
struct Max {
  using Acc = T;
  static Acc First(T x) { return x; }
  static Acc Next(Acc acc, T x) { return x > acc ? x : acc; }
  static T Last(const Params&, Acc acc) { return acc; }
};

template <class T>
struct Min {
  using Acc = T;
  static Acc First(T x) { return x; }
  static Acc Next(Acc acc, T x) { return x < acc ? x : acc; }
  static T Last(const Params&, Acc acc) { return acc; }
};

template <class T, class How>
void Columns(const Params& p, const T* input, size_t columns, T* output) {
  constexpr size_t kBlock = 64;
  for (size_t c0 = 0; c0 < columns; c0 += kBlock) {
    const size_t n = columns - c0 < kBlock ? columns - c0 : kBlock;
    typename How::Acc acc[kBlock];
    const T* in = input + c0;
    for (size_t c = 0; c < n; ++c) acc[c] = How::First(in[c]);
    for (int32_t r = 1; r < p.mean.rows; ++r) {
      in += p.mean.stride;
      for (size_t c = 0; c < n; ++c) acc[c] = How::Next(acc[c], in[c]);
    }
    for (size_t c = 0; c < n; ++c) output[c0 + c] = How::Last(p, acc[c]);
  }
}

// Calls f(first input, columns, first output) for matrices, or parts of ones, with all outputs.
template <class T, class F>
Status ForEachMatrix(const RunContext& c, const F& f) {
  const Params& p = *static_cast<const Params*>(c.params);
  const size_t inner = static_cast<size_t>(p.inner);
  const size_t matrix = inner * static_cast<size_t>(p.mean.rows);
  c.threads.slices(static_cast<size_t>(p.outputs), p.grain, [&](size_t, size_t begin, size_t end) {
    while (begin < end) {
      const size_t column = begin % inner;
      size_t n = inner - column;
      if (n > end - begin) n = end - begin;
      f(p, c.in<T>(0) + begin / inner * matrix + column, n, c.out<T>() + begin);
      begin += n;
    }
  });
  return OCTET_OK;
}

Status RunKernel(const RunContext& c) {
  return ForEachMatrix<int8_t>(c, [](const Params& p, const int8_t* in, size_t n, int8_t* out) {
    p.kernel(p.mean, in, n, out);
  });
}

template <class T, class How>
Status RunColumns(const RunContext& c) {
  return ForEachMatrix<T>(c, Columns<T, How>);
}

template <class T, class How>
Status RunWalk(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  c.threads.slices(static_cast<size_t>(p.outputs), p.grain, [&](size_t, size_t begin, size_t end) {
    const int64_t run = p.reduced.dims[0];
    const int64_t stride = p.reduced.strides[0];
    for (size_t i = begin; i < end; ++i) {
      const T* base = c.in<T>(0) + Offset(p.kept, static_cast<int64_t>(i));
      typename How::Acc acc = How::First(*base);
      for (int64_t r = 0; r < p.mean.rows; r += run) {
        const T* in = base + Offset(p.reduced, r);
        for (int64_t k = r == 0 ? 1 : 0; k < run; ++k) acc = How::Next(acc, in[k * stride]);
      }
      c.out<T>()[i] = How::Last(p, acc);
    }
  });
  return OCTET_OK;
}

template <class T, class How>
RunFn Choose(bool columns) {
  return columns ? RunColumns<T, How> : RunWalk<T, How>;
}

template <class T>
RunFn ChooseMinMax(const OpView& op, bool columns) {
  return op.kind == OpKind::REDUCE_MAX ? Choose<T, Max<T>>(columns) : Choose<T, Min<T>>(columns);
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  bool reduced[kMaxRank];
  ReducedAxes(op, reduced);
  Walk kept, gone;
  const bool columns = MakeWalks(op.in(0), reduced, &kept, &gone);
  const bool narrow = op.in(0).type == DType::INT8;
  const QS8MeanKernel& row = FirstRow(QS8MeanTable(), isa);
  binding->row = &row;
  binding->params_bytes = sizeof(Params);
  binding->kernel = columns ? "reduce_columns__ref" : "reduce_walk__ref";
  const bool is_float = op.in(0).type == DType::FLOAT32;
  if (is_float) {
    binding->kernel = columns ? "f32_reduce_columns__ref" : "f32_reduce_walk__ref";
    binding->run = IsMinMax(op) ? ChooseMinMax<float>(op, columns) : Choose<float, SumF32>(columns);
  } else if (IsMinMax(op)) {
    binding->run = narrow ? ChooseMinMax<int8_t>(op, columns) : ChooseMinMax<int16_t>(op, columns);
  } else if (narrow && columns) {
    binding->kernel = row.name;
    binding->run = RunKernel;
  } else if (narrow) {
    binding->run = Choose<int8_t, Sum32<int8_t>>(columns);
  } else {
    binding->run = Choose<int16_t, Sum32<int16_t>>(columns);
  }
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const QS8MeanKernel*>(binding.row)->run;
  bool reduced[kMaxRank];
  ReducedAxes(op, reduced);
  MakeWalks(op.in(0), reduced, &p.kept, &p.reduced);
  const int64_t count = Elements(p.reduced);
  p.outputs = op.out().elements();
  p.inner = p.reduced.count > 0 ? p.reduced.strides[0] : p.outputs;
  p.mean.rows = static_cast<int32_t>(count);
  p.mean.stride = static_cast<size_t>(p.inner);
  if (p.reduced.count == 0) p.reduced.dims[0] = 1;  // a walk of one element
  p.divisor = op.kind == OpKind::MEAN ? static_cast<float>(count) : 1.f;
  if (!IsMinMax(op) && op.in(0).type != DType::FLOAT32) {
    p.mean.bias = -op.in(0).zero_point * p.mean.rows;
    p.mean.multiplier = op.kind == OpKind::MEAN
                            ? MeanMultiplier(op.in(0).scale(), op.out().scale(), count)
                            : QuantizeMultiplier(static_cast<double>(op.in(0).scale()) /
                                                 static_cast<double>(op.out().scale()));
    p.mean.output_zero_point = op.out().zero_point;
  }
  p.grain = static_cast<size_t>(65536 / count + 1);
}

}  // namespace

extern const OpDef kMEANOp = {Check, Bind, Init, nullptr, nullptr, nullptr};
extern const OpDef kSUMOp = {Check, Bind, Init, nullptr, nullptr, nullptr};
extern const OpDef kREDUCE_MAXOp = {Check, Bind, Init, nullptr, nullptr, nullptr};
extern const OpDef kREDUCE_MINOp = {Check, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
