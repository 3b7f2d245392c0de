// Functions of one float32 value: EXP, LOG, ELU, HARD_SWISH, GELU, ERF, FLOOR, CEIL, ROUND, SIN and
// COS. 8-bit ones are tables (LUT).
//
// Results come from this platform's libm, so they are not the same on every platform to the last
// bit; nothing quantised depends on them. Source of the formulas: TFLite's reference kernels.
#include <cmath>

#include "src/ops/unary.h"

namespace octet {
namespace {

struct Params {
  float alpha;
};

struct Exp {
  static constexpr const char* kName = "f32_exp__ref";
  static float Apply(float x, const Params&) { return std::exp(x); }
};
struct Log {
  static constexpr const char* kName = "f32_log__ref";
  static float Apply(float x, const Params&) { return std::log(x); }
};
struct Elu {
  static constexpr const char* kName = "f32_elu__ref";
  static float Apply(float x, const Params& p) { return x < 0.f ? p.alpha * std::expm1(x) : x; }
};
struct HardSwish {
  static constexpr const char* kName = "f32_hard_swish__ref";
  static float Apply(float x, const Params&) {
    const float y = x + 3.f;
    const float clamped = y < 0.f ? 0.f : y > 6.f ? 6.f : y;
    return x * clamped / 6.f;
  }
};
struct Gelu {
  static constexpr const char* kName = "f32_gelu__ref";
  static float Apply(float x, const Params&) {
    return 0.5f * x * std::erfc(x * -0.70710678118654752f);
  }
};
struct GeluByTanh {
  static constexpr const char* kName = "f32_gelu_tanh__ref";
  static float Apply(float x, const Params&) {
    return 0.5f * x * (1.f + std::tanh(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  }
};
struct Erf {
  static constexpr const char* kName = "f32_erf__ref";
  static float Apply(float x, const Params&) { return std::erf(x); }
};
struct Floor {
  static constexpr const char* kName = "f32_floor__ref";
  static float Apply(float x, const Params&) { return std::floor(x); }
};
struct Ceil {
  static constexpr const char* kName = "f32_ceil__ref";
  static float Apply(float x, const Params&) { return std::ceil(x); }
};
// Halves to the even neighbour, whatever the caller's rounding mode.
struct Round {
  static constexpr const char* kName = "f32_round__ref";
  static float Apply(float x, const Params&) {
    const float floor = std::floor(x);
    const float rest = x - floor;
    if (rest < 0.5f) return floor;
    if (rest > 0.5f) return floor + 1.f;
    return rest == 0.5f && std::fmod(floor, 2.f) == 0.f ? floor : floor + 1.f;
  }
};
struct Sin {
  static constexpr const char* kName = "f32_sin__ref";
  static float Apply(float x, const Params&) { return std::sin(x); }
};
struct Cos {
  static constexpr const char* kName = "f32_cos__ref";
  static float Apply(float x, const Params&) { return std::cos(x); }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  if (op.in(0).type != DType::FLOAT32 || op.out().type != DType::FLOAT32) {
    return UnsupportedTypes(op);
  }
  if (op.kind == OpKind::ELU) {
    const float alpha = op.options<fb::ElementwiseOptions>()->alpha();
    OCTET_CHECK_OP(std::isfinite(alpha), "alpha is %g", static_cast<double>(alpha));
  }
  return OCTET_OK;
}

template <class F>
void Bind(const OpView&, IsaSet, Binding* binding) {
  BindUnary(F::kName, binding);
}

template <class F>
void Init(const OpView& op, const Binding&, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  InitUnary(op, UnaryLoop<float, float, Params, F>, params);
  if (op.kind == OpKind::ELU) {
    OwnParams<Params>(params)->alpha = op.options<fb::ElementwiseOptions>()->alpha();
  }
}

bool Approximate(const OpView& op) { return op.options<fb::ElementwiseOptions>()->approximate(); }

void BindGelu(const OpView& op, IsaSet isa, Binding* binding) {
  return Approximate(op) ? Bind<GeluByTanh>(op, isa, binding) : Bind<Gelu>(op, isa, binding);
}

void InitGelu(const OpView& op, const Binding& binding, void* memory) {
  return Approximate(op) ? Init<GeluByTanh>(op, binding, memory) : Init<Gelu>(op, binding, memory);
}

template <class F>
constexpr OpDef Def() {
  return {Check, Bind<F>, Init<F>, nullptr, SameRows, UnaryInPlace};
}

}  // namespace

extern const OpDef kEXPOp = Def<Exp>();
extern const OpDef kLOGOp = Def<Log>();
extern const OpDef kELUOp = Def<Elu>();
extern const OpDef kHARD_SWISHOp = Def<HardSwish>();
extern const OpDef kGELUOp = {Check, BindGelu, InitGelu, nullptr, SameRows, UnaryInPlace};
extern const OpDef kERFOp = Def<Erf>();
extern const OpDef kFLOOROp = Def<Floor>();
extern const OpDef kCEILOp = Def<Ceil>();
extern const OpDef kROUNDOp = Def<Round>();
extern const OpDef kSINOp = Def<Sin>();
extern const OpDef kCOSOp = Def<Cos>();

}  // namespace octet
