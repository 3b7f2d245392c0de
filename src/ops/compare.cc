// EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL.
#include "kernels/common/requant.h"
#include "src/ops/binary.h"

namespace octet {
namespace {

struct NoParams {};

// Source: TFLite's ComparisonWithScaling: real values with 8 bits of fraction.
struct QuantisedParams {
  int32_t a_zero, b_zero;
  Multiplier a, b;
};

constexpr int32_t kFraction = 1 << 8;
// The largest shift for which (255 << 8) << shift fits in 32 bits.
constexpr int32_t kMaxShift = 15;

struct Equal {
  template <class T>
  static bool Compare(T a, T b) {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  static bool Compare(T a, T b) {
    return a != b;
  }
};
struct Less {
  template <class T>
  static bool Compare(T a, T b) {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  static bool Compare(T a, T b) {
    return a <= b;
  }
};
struct Greater {
  template <class T>
  static bool Compare(T a, T b) {
    return a > b;
  }
};
struct GreaterEqual {
  template <class T>
  static bool Compare(T a, T b) {
    return a >= b;
  }
};

template <class F>
struct Plain {
  template <class T>
  static uint8_t Apply(T a, T b, const NoParams&) {
    return F::Compare(a, b) ? 1 : 0;
  }
};

template <class F>
struct Quantised {
  static uint8_t Apply(int8_t a, int8_t b, const QuantisedParams& p) {
    return F::Compare(Requantize((a - p.a_zero) * kFraction, p.a),
                      Requantize((b - p.b_zero) * kFraction, p.b))
               ? 1
               : 0;
  }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  const TensorView &a = op.in(0), &b = op.in(1);
  if (a.type != b.type || op.out().type != DType::BOOL) return UnsupportedTypes(op);
  switch (a.type) {
    case DType::INT32:
    case DType::INT64:
    case DType::FLOAT32:
    case DType::BOOL:
    case DType::INT16:
      return OCTET_OK;
    case DType::INT8:
      break;
    default:
      return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckQuantised(a, "input 0"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(b, "input 1"));
  if (QuantizeMultiplier(static_cast<double>(a.scale())).shift > kMaxShift ||
      QuantizeMultiplier(static_cast<double>(b.scale())).shift > kMaxShift) {
    return Fail(OCTET_UNSUPPORTED, "scales %g and %g are too large to compare",
                static_cast<double>(a.scale()), static_cast<double>(b.scale()));
  }
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  switch (op.in(0).type) {
    case DType::INT8:
      return BindBinary(op, "qs8_compare__ref", binding);
    case DType::BOOL:
      return BindBinary(op, "bool_compare__ref", binding);
    case DType::INT16:
      return BindBinary(op, "s16_compare__ref", binding);
    case DType::INT32:
      return BindBinary(op, "s32_compare__ref", binding);
    case DType::INT64:
      return BindBinary(op, "s64_compare__ref", binding);
    default:
      return BindBinary(op, "f32_compare__ref", binding);
  }
}

template <class F>
BinaryFn Function(DType type) {
  switch (type) {
    case DType::INT8:
      return BinaryLoop<int8_t, uint8_t, QuantisedParams, Quantised<F>>;
    case DType::BOOL:
      return BinaryLoop<uint8_t, uint8_t, NoParams, Plain<F>>;
    case DType::INT16:
      return BinaryLoop<int16_t, uint8_t, NoParams, Plain<F>>;
    case DType::INT32:
      return BinaryLoop<int32_t, uint8_t, NoParams, Plain<F>>;
    case DType::INT64:
      return BinaryLoop<int64_t, uint8_t, NoParams, Plain<F>>;
    default:
      return BinaryLoop<float, uint8_t, NoParams, Plain<F>>;
  }
}

template <class F>
void Init(const OpView& op, const Binding&, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  const DType type = op.in(0).type;
  InitBinary(op, Function<F>(type), params);
  if (type != DType::INT8) return;
  QuantisedParams* p = KernelParams<QuantisedParams>(params);
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
  p->a = QuantizeMultiplier(static_cast<double>(op.in(0).scale()));
  p->b = QuantizeMultiplier(static_cast<double>(op.in(1).scale()));
}

template <class F>
constexpr OpDef kCompare = {Check, Bind, Init<F>, nullptr, BinaryRows, BinaryInPlace};

}  // namespace

extern const OpDef kEQUALOp = kCompare<Equal>;
extern const OpDef kNOT_EQUALOp = kCompare<NotEqual>;
extern const OpDef kLESSOp = kCompare<Less>;
extern const OpDef kLESS_EQUALOp = kCompare<LessEqual>;
extern const OpDef kGREATEROp = kCompare<Greater>;
extern const OpDef kGREATER_EQUALOp = kCompare<GreaterEqual>;

}  // namespace octet
