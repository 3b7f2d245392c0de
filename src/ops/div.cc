// DIV and FLOOR_DIV.
#include <cmath>
#include <limits>

#include "kernels/common/fixed_point.h"
#include "kernels/common/requant.h"
#include "kernels/wide_binary/wide_binary.h"
#include "src/ops/binary.h"

namespace octet {
namespace {

// Source of the formula: TFLite's reference_ops DivElementwise. A quotient by zero, undefined
// there, saturates by the numerator's sign; 0 / 0 is 0.
struct QuantisedParams {
  int32_t a_zero, b_zero, out_zero;
  Multiplier q;
  int32_t low, high;  // zero point not included
};

template <class T>
struct PlainParams {
  T low, high;
  size_t divisors;  // elements of input 1 that must not be 0; none for floats
};

// How far x, not 0, can shift left without losing its sign.
int32_t Headroom(int32_t x) {
  return fixed::LeadingZeros(static_cast<uint32_t>(x < 0 ? ~x : x)) - 1;
}

struct Quantised {
  static int8_t Apply(int8_t a, int8_t b, const QuantisedParams& p) {
    int32_t x = a - p.a_zero, y = b - p.b_zero;
    if (x == 0) return static_cast<int8_t>(Clamp(0, p.low, p.high) + p.out_zero);
    if (y == 0) return static_cast<int8_t>((x < 0 ? p.low : p.high) + p.out_zero);
    if (y < 0) {
      x = -x;
      y = -y;
    }
    int bits_over_unit = 0;
    const int32_t inverse = fixed::Reciprocal(y, 31, &bits_over_unit);
    const int32_t headroom = Headroom(x);
    const int32_t shifted = static_cast<int32_t>(static_cast<uint32_t>(x) << headroom);
    const int32_t quotient = SaturatingRoundingDoublingHighMul(shifted, inverse);
    const int32_t scaled = SaturatingRoundingDoublingHighMul(quotient, p.q.m);
    const int32_t shift = p.q.shift - bits_over_unit - headroom;
    // Beyond 31 bits right and for left shifts the reference is undefined; these are the limits.
    int64_t z = 0;
    if (shift > 0) {
      z = int64_t{scaled} * (int64_t{1} << shift);
    } else if (shift >= -31) {
      z = RoundingDivideByPOT(scaled, -shift);
    }
    return static_cast<int8_t>(Clamp<int64_t>(z, p.low, p.high) + p.out_zero);
  }
};

// Integers truncate; the divisors have been checked. The one quotient that overflows saturates.
struct Truncating {
  template <class T>
  static T Apply(T a, T b, const PlainParams<T>& p) {
    if (a == std::numeric_limits<T>::min() && b == -1) return p.high;
    return Clamp(static_cast<T>(a / b), p.low, p.high);
  }
};

struct Floor {
  template <class T>
  static T Apply(T a, T b, const PlainParams<T>&) {
    if constexpr (std::is_integral_v<T>) {
      if (b == -1) return a == std::numeric_limits<T>::min() ? std::numeric_limits<T>::max() : -a;
      const T q = static_cast<T>(a / b);
      return static_cast<T>(a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q);
    } else {
      // Source: TFLite's reference_ops FloorDiv, which divides in double.
      return static_cast<T>(std::floor(static_cast<double>(a) / static_cast<double>(b)));
    }
  }
};

// Fails where a divisor is zero, as the reference does, before anything is written.
template <class T>
Status RunInteger(const RunContext& c) {
  const BinaryParams* params = static_cast<const BinaryParams*>(c.params);
  const size_t n = KernelParams<PlainParams<T>>(params)->divisors;
  const T* b = c.in<T>(1);
  for (size_t i = 0; i < n; ++i) {
    if (b[i] == 0) return Fail(OCTET_RUN_ERROR, "division by zero at element %zu", i);
  }
  return RunBinary(c);
}

const fb::ElementwiseOptions& Options(const OpView& op) {
  return *op.options<fb::ElementwiseOptions>();
}

Status CheckPlain(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type || op.in(1).type != type) return UnsupportedTypes(op);
  return CheckClamp(Options(op), type);
}

Status CheckDiv(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckPlain(op));
  const DType type = op.out().type;
  if (type == DType::INT32 || type == DType::INT64 || type == DType::FLOAT32) return OCTET_OK;
  if (type != DType::INT8) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input 0"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(1), "input 1"));
  return CheckQuantised(op.out(), "output");
}

Status CheckFloorDiv(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckPlain(op));
  const DType type = op.out().type;
  if (type == DType::INT32 || type == DType::INT64 || type == DType::FLOAT32) return OCTET_OK;
  return UnsupportedTypes(op);
}

template <class F>
void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  constexpr bool floor = std::is_same_v<F, Floor>;
  switch (op.out().type) {
    case DType::INT8:
      return BindBinary(op, "qs8_div__ref", binding);
    case DType::FLOAT32:
      binding->row = floor ? nullptr : &FirstRow(F32DivTable(), isa);
      return BindBinary(
          op, floor ? "f32_floor_div__ref" : static_cast<const BinaryKernel*>(binding->row)->name,
          binding);
    case DType::INT32:
      BindBinary(op, floor ? "s32_floor_div__ref" : "s32_div__ref", binding);
      binding->run = RunInteger<int32_t>;
      return;
    default:
      BindBinary(op, floor ? "s64_floor_div__ref" : "s64_div__ref", binding);
      binding->run = RunInteger<int64_t>;
  }
}

template <class F, class T>
void InitPlain(const OpView& op, T low, T high, BinaryParams* params) {
  InitBinary(op, BinaryLoop<T, T, PlainParams<T>, F>, params);
  const size_t divisors = std::is_integral_v<T> ? static_cast<size_t>(op.in(1).elements()) : 0;
  *KernelParams<PlainParams<T>>(params) = {low, high, divisors};
}

template <class F>
void Init(const OpView& op, const Binding& binding, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  const IntClamp clamp = OutputClamp(Options(op), op.out().type);
  const int32_t low = static_cast<int32_t>(clamp.low), high = static_cast<int32_t>(clamp.high);
  switch (op.out().type) {
    case DType::INT32:
      return InitPlain<F, int32_t>(op, low, high, params);
    case DType::INT64:
      return InitPlain<F, int64_t>(op, clamp.low, clamp.high, params);
    case DType::FLOAT32:
      if constexpr (std::is_same_v<F, Floor>) {
        return InitPlain<F, float>(op, Options(op).act_min_f(), Options(op).act_max_f(), params);
      }
      InitBinary(op, static_cast<const BinaryKernel*>(binding.row)->run, params);
      *KernelParams<F32DivParams>(params) = {Options(op).act_min_f(), Options(op).act_max_f()};
      return;
    default:
      break;
  }
  InitBinary(op, BinaryLoop<int8_t, int8_t, QuantisedParams, Quantised>, params);
  QuantisedParams* p = KernelParams<QuantisedParams>(params);
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
  p->out_zero = op.out().zero_point;
  // The reference divides the scales in float.
  p->q = QuantizeMultiplier(
      static_cast<double>(op.in(0).scale() / (op.in(1).scale() * op.out().scale())));
  p->low = low - p->out_zero;
  p->high = high - p->out_zero;
}

// Integer divisors are looked at as a whole.
bool DivRows(const OpView& op, size_t input, RowRange out, RowRange* in) {
  const DType type = op.out().type;
  return type != DType::INT32 && type != DType::INT64 && BinaryRows(op, input, out, in);
}

}  // namespace

extern const OpDef kDIVOp = {CheckDiv, Bind<Truncating>, Init<Truncating>,
                             nullptr,  DivRows,          BinaryInPlace};
extern const OpDef kFLOOR_DIVOp = {CheckFloorDiv, Bind<Floor>, Init<Floor>,
                                   nullptr,       DivRows,     BinaryInPlace};

}  // namespace octet
