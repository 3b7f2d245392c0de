// SQUARED_DIFFERENCE.
#include "kernels/common/requant.h"
#include "src/ops/binary.h"
#include "src/ops/wrap.h"

namespace octet {
namespace {

struct NoParams {};

// Source of the formula: TFLite's squared_difference.cc. The inputs come to half the larger scale
// with `left` bits of fraction; their difference is below 2^15, so that its square fits.
struct QuantisedParams {
  int32_t a_zero, b_zero, out_zero, left;
  Multiplier a, b, out;
  int32_t low, high;  // of the requantised square, zero point not included
};

struct Quantised {
  template <class T>
  static T Apply(T a, T b, const QuantisedParams& p) {
    const int32_t unit = 1 << p.left;
    const int32_t x = Requantize((a - p.a_zero) * unit, p.a);
    const int32_t y = Requantize((b - p.b_zero) * unit, p.b);
    const int32_t square = (x - y) * (x - y);
    return static_cast<T>(Clamp(Requantize(square, p.out), p.low, p.high) + p.out_zero);
  }
};

struct Plain {
  template <class T>
  static T Apply(T a, T b, const NoParams&) {
    const T difference = WrapSub(a, b);
    return WrapMul(difference, difference);
  }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type || op.in(1).type != type) return UnsupportedTypes(op);
  if (type == DType::INT32 || type == DType::FLOAT32) return OCTET_OK;
  if (type != DType::INT8 && type != DType::INT16) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input 0"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(1), "input 1"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.out(), "output"));
  OCTET_CHECK_OP(type == DType::INT8 || (op.in(0).zero_point == 0 && op.in(1).zero_point == 0 &&
                                         op.out().zero_point == 0),
                 "int16 tensors need zero points of 0");
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  const DType type = op.out().type;
  BindBinary(op,
             type == DType::INT8    ? "qs8_squared_difference__ref"
             : type == DType::INT16 ? "qs16_squared_difference__ref"
             : type == DType::INT32 ? "s32_squared_difference__ref"
                                    : "f32_squared_difference__ref",
             binding);
}

void Init(const OpView& op, const Binding&, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  const DType type = op.out().type;
  if (type == DType::INT32) {
    return InitBinary(op, BinaryLoop<int32_t, int32_t, NoParams, Plain>, params);
  }
  if (type == DType::FLOAT32) {
    return InitBinary(op, BinaryLoop<float, float, NoParams, Plain>, params);
  }
  const bool wide = type == DType::INT16;
  InitBinary(op,
             wide ? BinaryLoop<int16_t, int16_t, QuantisedParams, Quantised>
                  : BinaryLoop<int8_t, int8_t, QuantisedParams, Quantised>,
             params);
  QuantisedParams* p = KernelParams<QuantisedParams>(params);
  const float a = op.in(0).scale(), b = op.in(1).scale();
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
  p->out_zero = op.out().zero_point;
  p->left = wide ? 0 : 7;
  const double twice_max = 2.0 * static_cast<double>(a > b ? a : b);
  const float unit = static_cast<float>(1 << (2 * p->left));
  p->a = QuantizeMultiplier(static_cast<double>(a) / twice_max);
  p->b = QuantizeMultiplier(static_cast<double>(b) / twice_max);
  p->out = QuantizeMultiplier(twice_max * twice_max / static_cast<double>(unit * op.out().scale()));
  p->low = (wide ? -32768 : -128) - p->out_zero;
  p->high = (wide ? 32767 : 127) - p->out_zero;
}

}  // namespace

extern const OpDef kSQUARED_DIFFERENCEOp = {Check, Bind, Init, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
