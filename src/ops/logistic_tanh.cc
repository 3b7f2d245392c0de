// LOGISTIC and TANH on int16 and float32; 8-bit ones are tables (LUT).
//
// float32 results come from this platform's libm, so they are not the same on every platform to the
// last bit; nothing quantised depends on them.
#include <cmath>

#include "kernels/common/sigmoid16.h"
#include "src/ops/unary.h"

namespace octet {
namespace {

struct NoParams {};

struct Logistic {
  static constexpr int32_t kPotShift = 0;
  static int16_t Apply(int16_t x, const Scale16& p) { return Logistic16(p(x)); }
  // Source of the limits: TFLite's reference_ops Logistic.
  static float Apply(float x, const NoParams&) {
    if (x > 16.619047164916992188f) return 1.f;
    if (x < -9.f) return std::exp(x);
    return 1.f / (1.f + std::exp(-x));
  }
};

struct Tanh {
  static constexpr int32_t kPotShift = 1;
  static int16_t Apply(int16_t x, const Scale16& p) { return Tanh16(p(x)); }
  static float Apply(float x, const NoParams&) { return std::tanh(x); }
};

template <class F>
Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type) return UnsupportedTypes(op);
  if (type == DType::FLOAT32) return OCTET_OK;
  if (type != DType::INT16) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.out(), "output"));
  OCTET_CHECK_OP(op.in(0).zero_point == 0 && op.out().zero_point == 0,
                 "int16 tensors need zero points of 0");
  OCTET_CHECK_OP(std::fabs(std::log2(op.out().scale()) + 15.f) < 1e-3f,
                 "the output's scale is %g, not 2^-15", static_cast<double>(op.out().scale()));
  Scale16 unused;
  if (!MakeScale16(op.in(0).scale(), F::kPotShift, &unused)) {
    return Fail(OCTET_UNSUPPORTED, "the input's scale %g is too large",
                static_cast<double>(op.in(0).scale()));
  }
  return OCTET_OK;
}

template <class F>
void Bind(const OpView& op, IsaSet, Binding* binding) {
  const bool logistic = std::is_same_v<F, Logistic>;
  if (op.out().type == DType::INT16) {
    BindUnary(logistic ? "qs16_logistic__ref" : "qs16_tanh__ref", binding);
  } else {
    BindUnary(logistic ? "f32_logistic__ref" : "f32_tanh__ref", binding);
  }
}

template <class F>
void Init(const OpView& op, const Binding&, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  if (op.out().type == DType::FLOAT32) {
    return InitUnary(op, UnaryLoop<float, float, NoParams, F>, params);
  }
  InitUnary(op, UnaryLoop<int16_t, int16_t, Scale16, F>, params);
  MakeScale16(op.in(0).scale(), F::kPotShift, OwnParams<Scale16>(params));
}

}  // namespace

extern const OpDef kLOGISTICOp = {Check<Logistic>, Bind<Logistic>, Init<Logistic>,
                                  nullptr,         SameRows,       UnaryInPlace};
extern const OpDef kTANHOp = {Check<Tanh>, Bind<Tanh>, Init<Tanh>, nullptr, SameRows, UnaryInPlace};

}  // namespace octet
