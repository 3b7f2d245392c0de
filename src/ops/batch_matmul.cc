// BATCH_MATMUL of int8, int16 or float32: out[..., m, n] = sum over k of lhs[..., m, k] * rhs[...,
// k, n], either side transposed on request, batch axes broadcast.
//
// Source of the formula: TFLite's reference_ops::BatchMatMul (int16 sums have 64 bits).
#include "kernels/common/requant.h"
#include "kernels/s8_dot/s8_dot.h"
#include "src/ops/op.h"

namespace octet {
namespace {

// A matrix in a batch. Elements are `row`, `column` apart; batch axis i (from the last) steps by
// batch[i], which is 0 where it is broadcast.
struct Side {
  size_t row = 0, column = 0;
  size_t batch[kMaxRank] = {};
  int32_t zero_point = 0;
};

struct Params {
  Side lhs, rhs;
  int32_t batch_rank;
  size_t batch[kMaxRank];  // from the last
  size_t batches, m, n, k;
  Multiplier multiplier;
  int32_t output_zero_point;
  const S8DotKernel* dot;  // of int8; null: the reference
};

// Sizes as the product sees them, after transposing.
int32_t Rows(const TensorView& t, bool adjoint) { return t.dim_from_end(adjoint ? 0 : 1); }
int32_t Columns(const TensorView& t, bool adjoint) { return t.dim_from_end(adjoint ? 1 : 0); }

Multiplier MakeMultiplier(const OpView& op) {
  // The reference multiplies the two scales in float.
  const float product = op.in(0).scale() * op.in(1).scale();
  return QuantizeMultiplier(static_cast<double>(product) / static_cast<double>(op.out().scale()));
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 2, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 2));
  const TensorView& lhs = op.in(0);
  const TensorView& rhs = op.in(1);
  const TensorView& out = op.out();
  if (lhs.type != rhs.type || lhs.type != out.type ||
      (lhs.type != DType::INT8 && lhs.type != DType::INT16 && lhs.type != DType::FLOAT32)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckRank(lhs, "left input", 2, kMaxRank));
  OCTET_RETURN_IF_ERROR(CheckRank(rhs, "right input", 2, kMaxRank));
  const auto& o = *op.options<fb::BatchMatMulOptions>();
  const int32_t depth = Columns(lhs, o.adj_x());
  OCTET_CHECK_OP(depth == Rows(rhs, o.adj_y()), "inner sizes are %d and %d", depth,
                 Rows(rhs, o.adj_y()));
  OCTET_CHECK_OP(out.rank == (lhs.rank > rhs.rank ? lhs.rank : rhs.rank) &&
                     out.dim_from_end(1) == Rows(lhs, o.adj_x()) &&
                     out.dim_from_end(0) == Columns(rhs, o.adj_y()),
                 "the output's shape is not the product's");
  for (int32_t i = 2; i < out.rank; ++i) {
    const int32_t a = lhs.dim_from_end(i), b = rhs.dim_from_end(i);
    OCTET_CHECK_OP((a == b || a == 1 || b == 1) && out.dim_from_end(i) == (a == 1 ? b : a),
                   "batch sizes %d and %d do not give %d", a, b, out.dim_from_end(i));
  }
  if (lhs.type == DType::FLOAT32) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(CheckQuantised(lhs, "left input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(rhs, "right input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  if (lhs.type == DType::INT8) {
    if (depth > INT32_MAX / (255 * 255)) {
      return Fail(OCTET_UNSUPPORTED, "sums of %d products can overflow", depth);
    }
    return OCTET_OK;
  }
  OCTET_CHECK_OP(lhs.zero_point == 0 && rhs.zero_point == 0 && out.zero_point == 0,
                 "int16 needs zero points 0");
  // Sums stay below 2^47 and are shifted left by at most 7 bits, as the reference demands.
  if (depth >= 1 << 17 || MakeMultiplier(op).shift > 7) {
    return Fail(OCTET_UNSUPPORTED,
                "sums of %d products, or an output scale of %g, are out of range", depth,
                static_cast<double>(out.scale()));
  }
  return OCTET_OK;
}

int32_t Rescale(int32_t sum, Multiplier q) { return Requantize(sum, q); }
int32_t Rescale(int64_t sum, Multiplier q) { return Requantize64(sum, q); }

template <class T, class Acc>
T Store(const Params& p, Acc sum) {
  if constexpr (std::is_floating_point_v<T>) {
    return sum;
  } else {
    constexpr int32_t kLow = std::numeric_limits<T>::min();
    constexpr int32_t kHigh = std::numeric_limits<T>::max();
    // Saturated first: the sum with the zero point could overflow.
    const int32_t y = Clamp<int32_t>(Rescale(sum, p.multiplier), -(1 << 20), 1 << 20);
    return static_cast<T>(Clamp(y + p.output_zero_point, kLow, kHigh));
  }
}

// A stored value, of zero point 0 for float32.
template <class Acc, class T>
Acc Real(T x, int32_t zero_point) {
  if constexpr (std::is_floating_point_v<T>) {
    return x;
  } else {
    return x - zero_point;
  }
}

// One output row.
template <class T, class Acc>
void Row(const Params& p, const T* lhs, const T* rhs, T* output) {
  constexpr size_t kBlock = 64;  // outputs whose sums are kept at a time
  if (p.rhs.column != 1) {       // rows of the transposed right side are contiguous
    for (size_t n = 0; n < p.n; ++n) {
      Acc sum = 0;
      const T* b = rhs + n * p.rhs.column;
      for (size_t k = 0; k < p.k; ++k) {
        const Acc a = Real<Acc>(lhs[k * p.lhs.column], p.lhs.zero_point);
        sum += a * Real<Acc>(b[k * p.rhs.row], p.rhs.zero_point);
      }
      output[n] = Store<T>(p, sum);
    }
    return;
  }
  for (size_t n0 = 0; n0 < p.n; n0 += kBlock) {
    const size_t n = p.n - n0 < kBlock ? p.n - n0 : kBlock;
    Acc sums[kBlock] = {};
    for (size_t k = 0; k < p.k; ++k) {
      const Acc a = Real<Acc>(lhs[k * p.lhs.column], p.lhs.zero_point);
      const T* b = rhs + k * p.rhs.row + n0;
      for (size_t j = 0; j < n; ++j) sums[j] += a * Real<Acc>(b[j], p.rhs.zero_point);
    }
    for (size_t j = 0; j < n; ++j) output[n0 + j] = Store<T>(p, sums[j]);
  }
}

// The same by a kernel.
void DotRow(const Params& p, const int8_t* lhs, const int8_t* rhs, int8_t* output) {
  constexpr size_t kBlock = 64;
  for (size_t n0 = 0; n0 < p.n; n0 += kBlock) {
    const size_t n = p.n - n0 < kBlock ? p.n - n0 : kBlock;
    int32_t sums[kBlock] = {};
    S8DotArgs args = {lhs, p.lhs.column, p.lhs.zero_point, p.rhs.zero_point, nullptr, 0, p.k, n};
    args.w = rhs + n0 * p.rhs.column;
    if (p.rhs.column == 1) {
      args.stride = p.rhs.row;
      p.dot->columns(args, sums);
    } else {
      args.stride = p.rhs.column;
      p.dot->rows(args, sums);
    }
    for (size_t j = 0; j < n; ++j) output[n0 + j] = Store<int8_t>(p, sums[j]);
  }
}

void AnyRow(const Params& p, const int8_t* lhs, const int8_t* rhs, int8_t* output) {
  if (p.dot != nullptr) return DotRow(p, lhs, rhs, output);
  Row<int8_t, int32_t>(p, lhs, rhs, output);
}
void AnyRow(const Params& p, const int16_t* lhs, const int16_t* rhs, int16_t* output) {
  Row<int16_t, int64_t>(p, lhs, rhs, output);
}
void AnyRow(const Params& p, const float* lhs, const float* rhs, float* output) {
  Row<float, float>(p, lhs, rhs, output);
}

template <class T>
Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const size_t grain = 32768 / (p.n * p.k) + 1;
  c.threads.slices(p.batches * p.m, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const T* lhs = c.in<T>(0) + i % p.m * p.lhs.row;
      const T* rhs = c.in<T>(1);
      size_t batch = i / p.m;
      for (int32_t axis = 0; axis < p.batch_rank; ++axis) {
        lhs += batch % p.batch[axis] * p.lhs.batch[axis];
        rhs += batch % p.batch[axis] * p.rhs.batch[axis];
        batch /= p.batch[axis];
      }
      AnyRow(p, lhs, rhs, c.out<T>() + i * p.n);
    }
  });
  return OCTET_OK;
}

// Kernels want the left side's rows, or the right side's, contiguous.
bool HasKernel(const OpView& op) {
  const auto& o = *op.options<fb::BatchMatMulOptions>();
  return op.in(0).type == DType::INT8 && !(o.adj_x() && o.adj_y());
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  switch (op.in(0).type) {
    case DType::INT8:
      binding->kernel = "qs8_batch_matmul__ref";
      binding->run = Run<int8_t>;
      break;
    case DType::INT16:
      binding->kernel = "qs16_batch_matmul__ref";
      binding->run = Run<int16_t>;
      break;
    default:
      binding->kernel = "f32_batch_matmul__ref";
      binding->run = Run<float>;
  }
  const S8DotKernel& dot = FirstRow(S8DotTable(), isa);
  if (HasKernel(op) && dot.isa != Isa::kScalar) {
    binding->kernel = dot.name;
    binding->row = &dot;
  }
  binding->params_bytes = sizeof(Params);
  const bool adjoint = op.options<fb::BatchMatMulOptions>()->adj_x();
  binding->macs = static_cast<uint64_t>(op.out().elements()) *
                  static_cast<uint64_t>(Columns(op.in(0), adjoint));
}

Side MakeSide(const TensorView& t, bool adjoint, int32_t batch_rank) {
  Side s;
  const size_t width = static_cast<size_t>(t.dim_from_end(0));
  s.row = adjoint ? 1 : width;
  s.column = adjoint ? width : 1;
  s.zero_point = t.zero_point;
  size_t stride = width * static_cast<size_t>(t.dim_from_end(1));
  for (int32_t i = 0; i < batch_rank; ++i) {
    const size_t n = static_cast<size_t>(t.dim_from_end(i + 2));
    s.batch[i] = n == 1 ? 0 : stride;
    stride *= n;
  }
  return s;
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.dot = static_cast<const S8DotKernel*>(binding.row);
  const auto& o = *op.options<fb::BatchMatMulOptions>();
  p.batch_rank = op.out().rank - 2;
  p.lhs = MakeSide(op.in(0), o.adj_x(), p.batch_rank);
  p.rhs = MakeSide(op.in(1), o.adj_y(), p.batch_rank);
  p.batches = 1;
  for (int32_t i = 0; i < p.batch_rank; ++i) {
    p.batch[i] = static_cast<size_t>(op.out().dim_from_end(i + 2));
    p.batches *= p.batch[i];
  }
  p.m = static_cast<size_t>(op.out().dim_from_end(1));
  p.n = static_cast<size_t>(op.out().dim_from_end(0));
  p.k = static_cast<size_t>(Columns(op.in(0), o.adj_x()));
  if (op.out().type != DType::FLOAT32) p.multiplier = MakeMultiplier(op);
  p.output_zero_point = op.out().zero_point;
}

}  // namespace

extern const OpDef kBATCH_MATMULOp = {Check, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
