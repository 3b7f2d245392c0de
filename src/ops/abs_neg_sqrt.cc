// ABS, NEG, SQRT and RSQRT beyond 8 bits; 8-bit ones are tables (LUT).
#include <cmath>

#include "kernels/common/requant.h"
#include "src/ops/unary.h"
#include "src/ops/wrap.h"

namespace octet {
namespace {

struct NoParams {};

// Source: TFLite's AbsEvalQuantized.
struct QuantisedParams {
  int32_t in_zero, out_zero;
  bool rescale;
  Multiplier q;
  int32_t low, high;  // zero point not included
};

struct Abs {
  template <class T>
  static T Apply(T x, const NoParams&) {
    if constexpr (std::is_integral_v<T>) {
      return x < 0 ? WrapSub<T>(0, x) : x;
    } else {
      return std::fabs(x);
    }
  }
  static int32_t Centred(int32_t x) { return x < 0 ? -x : x; }
};

struct Neg {
  template <class T>
  static T Apply(T x, const NoParams&) {
    if constexpr (std::is_integral_v<T>) {
      return WrapSub<T>(0, x);
    } else {
      return -x;
    }
  }
  static int32_t Centred(int32_t x) { return -x; }
};

struct Sqrt {
  static float Apply(float x, const NoParams&) { return std::sqrt(x); }
};

struct Rsqrt {
  static float Apply(float x, const NoParams&) { return 1.f / std::sqrt(x); }
};

template <class F>
struct Quantised {
  static int16_t Apply(int16_t x, const QuantisedParams& p) {
    const int32_t value = F::Centred(x - p.in_zero);
    const int32_t y = p.rescale ? Requantize(value, p.q) : value;
    return static_cast<int16_t>(Clamp(y, p.low, p.high) + p.out_zero);
  }
};

Status CheckSigned(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type) return UnsupportedTypes(op);
  if (type == DType::INT32 || type == DType::INT64 || type == DType::FLOAT32) return OCTET_OK;
  if (type != DType::INT16) return UnsupportedTypes(op);
  if (!op.in(0).quantised() && !op.out().quantised()) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input"));
  return CheckQuantised(op.out(), "output");
}

Status CheckFloat(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  if (op.in(0).type != DType::FLOAT32 || op.out().type != DType::FLOAT32) {
    return UnsupportedTypes(op);
  }
  return OCTET_OK;
}

template <class F>
void BindSigned(const OpView& op, IsaSet, Binding* binding) {
  const bool abs = std::is_same_v<F, Abs>;
  switch (op.out().type) {
    case DType::INT16:
      return BindUnary(abs ? "s16_abs__ref" : "s16_neg__ref", binding);
    case DType::INT32:
      return BindUnary(abs ? "s32_abs__ref" : "s32_neg__ref", binding);
    case DType::INT64:
      return BindUnary(abs ? "s64_abs__ref" : "s64_neg__ref", binding);
    default:
      return BindUnary(abs ? "f32_abs__ref" : "f32_neg__ref", binding);
  }
}

template <class F>
void BindFloat(const OpView&, IsaSet, Binding* binding) {
  BindUnary(std::is_same_v<F, Sqrt> ? "f32_sqrt__ref" : "f32_rsqrt__ref", binding);
}

template <class F>
void InitSigned(const OpView& op, const Binding&, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  switch (op.out().type) {
    case DType::INT32:
      return InitUnary(op, UnaryLoop<int32_t, int32_t, NoParams, F>, params);
    case DType::INT64:
      return InitUnary(op, UnaryLoop<int64_t, int64_t, NoParams, F>, params);
    case DType::FLOAT32:
      return InitUnary(op, UnaryLoop<float, float, NoParams, F>, params);
    default:
      break;
  }
  if (!op.in(0).quantised()) {
    return InitUnary(op, UnaryLoop<int16_t, int16_t, NoParams, F>, params);
  }
  InitUnary(op, UnaryLoop<int16_t, int16_t, QuantisedParams, Quantised<F>>, params);
  QuantisedParams* p = OwnParams<QuantisedParams>(params);
  const float in = op.in(0).scale(), out = op.out().scale();
  p->in_zero = op.in(0).zero_point;
  p->out_zero = op.out().zero_point;
  p->rescale = in != out;
  p->q = QuantizeMultiplier(static_cast<double>(in / out));
  p->low = -32768 - p->out_zero;
  p->high = 32767 - p->out_zero;
}

template <class F>
void InitFloat(const OpView& op, const Binding&, void* memory) {
  InitUnary(op, UnaryLoop<float, float, NoParams, F>, static_cast<UnaryParams*>(memory));
}

}  // namespace

extern const OpDef kABSOp = {CheckSigned, BindSigned<Abs>, InitSigned<Abs>,
                             nullptr,     SameRows,        UnaryInPlace};
extern const OpDef kNEGOp = {CheckSigned, BindSigned<Neg>, InitSigned<Neg>,
                             nullptr,     SameRows,        UnaryInPlace};
extern const OpDef kSQRTOp = {CheckFloat, BindFloat<Sqrt>, InitFloat<Sqrt>,
                              nullptr,    SameRows,        UnaryInPlace};
extern const OpDef kRSQRTOp = {CheckFloat, BindFloat<Rsqrt>, InitFloat<Rsqrt>,
                               nullptr,    SameRows,         UnaryInPlace};

}  // namespace octet
