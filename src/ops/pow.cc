// POW of float32, from this platform's libm (see logistic_tanh.cc). Source: TFLite's reference_ops
// BroadcastPow4DSlow.
#include <cmath>

#include "src/ops/binary.h"

namespace octet {
namespace {

struct NoParams {};

struct Power {
  static float Apply(float x, float y, const NoParams&) { return std::pow(x, y); }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  for (const TensorView* t : {&op.in(0), &op.in(1), &op.out()}) {
    if (t->type != DType::FLOAT32) return UnsupportedTypes(op);
  }
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet, Binding* binding) { BindBinary(op, "f32_pow__ref", binding); }

void Init(const OpView& op, const Binding&, void* memory) {
  InitBinary(op, BinaryLoop<float, float, NoParams, Power>, static_cast<BinaryParams*>(memory));
}

}  // namespace

extern const OpDef kPOWOp = {Check, Bind, Init, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
