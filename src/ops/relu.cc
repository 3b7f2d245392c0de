// RELU (every clamp of one input) and LEAKY_RELU on int16 and float32; 8-bit ones are tables (LUT).
#include "kernels/common/requant.h"
#include "src/ops/binary.h"
#include "src/ops/unary.h"

namespace octet {
namespace {

// Source: TFLite's QuantizedReluX and QuantizeLeakyRelu.
struct QuantisedParams {
  int32_t in_zero, out_zero;
  Multiplier positive, negative;  // RELU uses the first for all values
  bool negate;                    // LEAKY_RELU with a negative slope
  int32_t low, high;              // zero point not included
};

struct FloatParams {
  float low, high, slope;
};

struct Relu {
  static int16_t Apply(int16_t x, const QuantisedParams& p) {
    const int32_t y = Requantize(x - p.in_zero, p.positive);
    return static_cast<int16_t>(Clamp(y, p.low, p.high) + p.out_zero);
  }
  static float Apply(float x, const FloatParams& p) { return Clamp(x, p.low, p.high); }
};

struct LeakyRelu {
  static int16_t Apply(int16_t x, const QuantisedParams& p) {
    const int32_t value = x - p.in_zero;
    int64_t y = Requantize(value, value >= 0 ? p.positive : p.negative);
    if (value < 0 && p.negate) y = -y;
    return static_cast<int16_t>(Clamp<int64_t>(y, p.low, p.high) + p.out_zero);
  }
  static float Apply(float x, const FloatParams& p) { return x > 0.f ? x : x * p.slope; }
};

const fb::ElementwiseOptions& Options(const OpView& op) {
  return *op.options<fb::ElementwiseOptions>();
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type || (type != DType::INT16 && type != DType::FLOAT32)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckClamp(Options(op), type));
  const float alpha = Options(op).alpha();
  OCTET_CHECK_OP(alpha - alpha == 0.f, "the slope is not finite");
  if (type == DType::FLOAT32) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input"));
  return CheckQuantised(op.out(), "output");
}

template <class F>
void Bind(const OpView& op, IsaSet, Binding* binding) {
  const bool leaky = std::is_same_v<F, LeakyRelu>;
  if (op.out().type == DType::INT16) {
    BindUnary(leaky ? "qs16_leaky_relu__ref" : "qs16_relu__ref", binding);
  } else {
    BindUnary(leaky ? "f32_leaky_relu__ref" : "f32_relu__ref", binding);
  }
}

template <class F>
void Init(const OpView& op, const Binding&, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  const fb::ElementwiseOptions& options = Options(op);
  if (op.out().type == DType::FLOAT32) {
    InitUnary(op, UnaryLoop<float, float, FloatParams, F>, params);
    *OwnParams<FloatParams>(params) = {options.act_min_f(), options.act_max_f(), options.alpha()};
    return;
  }
  InitUnary(op, UnaryLoop<int16_t, int16_t, QuantisedParams, F>, params);
  QuantisedParams* p = OwnParams<QuantisedParams>(params);
  const IntClamp clamp = OutputClamp(options, DType::INT16);
  const float in = op.in(0).scale(), out = op.out().scale();
  p->in_zero = op.in(0).zero_point;
  p->out_zero = op.out().zero_point;
  // The reference computes with the scales in float.
  const float slope = in * options.alpha() / out;
  p->negate = slope < 0;
  p->positive = QuantizeMultiplier(static_cast<double>(in / out));
  p->negative = QuantizeMultiplier(static_cast<double>(slope < 0 ? -slope : slope));
  p->low = static_cast<int32_t>(clamp.low) - p->out_zero;
  p->high = static_cast<int32_t>(clamp.high) - p->out_zero;
}

}  // namespace

extern const OpDef kRELUOp = {Check, Bind<Relu>, Init<Relu>, nullptr, SameRows, UnaryInPlace};
extern const OpDef kLEAKY_RELUOp = {Check,   Bind<LeakyRelu>, Init<LeakyRelu>,
                                    nullptr, SameRows,        UnaryInPlace};

}  // namespace octet
