// PRELU: negative values times a slope that broadcasts over the input.
#include "kernels/common/requant.h"
#include "src/ops/binary.h"

namespace octet {
namespace {

struct NoParams {};

// Source: TFLite's reference_ops BroadcastPrelu4DSlow.
struct QuantisedParams {
  int32_t in_zero, slope_zero, out_zero;
  Multiplier positive, negative;
  int32_t low, high;  // zero point not included
};

struct Quantised {
  static int8_t Apply(int8_t x, int8_t slope, const QuantisedParams& p) {
    const int32_t value = x - p.in_zero;
    const int32_t y = value >= 0 ? Requantize(value, p.positive)
                                 : Requantize(value * (slope - p.slope_zero), p.negative);
    return static_cast<int8_t>(Clamp(y, p.low, p.high) + p.out_zero);
  }
};

struct Plain {
  static float Apply(float x, float slope, const NoParams&) { return x >= 0.f ? x : x * slope; }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  OCTET_RETURN_IF_ERROR(CheckSameShape(op.in(0), op.out(), "input and output"));
  const DType type = op.out().type;
  if (op.in(0).type != type || op.in(1).type != type) return UnsupportedTypes(op);
  if (type == DType::FLOAT32) return OCTET_OK;
  if (type != DType::INT8) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(1), "slope"));
  return CheckQuantised(op.out(), "output");
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  BindBinary(op.out().type == DType::INT8 ? "qs8_prelu__ref" : "f32_prelu__ref", binding);
}

void Init(const OpView& op, const Binding&, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  if (op.out().type == DType::FLOAT32) {
    return InitBinary(op, BinaryLoop<float, float, NoParams, Plain>, params);
  }
  InitBinary(op, BinaryLoop<int8_t, int8_t, QuantisedParams, Quantised>, params);
  QuantisedParams* p = KernelParams<QuantisedParams>(params);
  const float in = op.in(0).scale(), slope = op.in(1).scale(), out = op.out().scale();
  p->in_zero = op.in(0).zero_point;
  p->slope_zero = op.in(1).zero_point;
  p->out_zero = op.out().zero_point;
  // The reference computes with the scales in float.
  p->positive = QuantizeMultiplier(static_cast<double>(in / out));
  p->negative = QuantizeMultiplier(static_cast<double>(in * slope / out));
  p->low = -128 - p->out_zero;
  p->high = 127 - p->out_zero;
}

}  // namespace

extern const OpDef kPRELUOp = {Check, Bind, Init, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
