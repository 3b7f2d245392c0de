// PRELU: negative values times a slope that broadcasts over the input.
#include "kernels/common/requant.h"
#include "kernels/qs8_prelu/qs8_prelu.h"
#include "src/ops/binary.h"

namespace octet {
namespace {

struct NoParams {};

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

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const BinaryKernel& row = FirstRow(Qs8PreluTable(), isa);
  BindBinary(op, op.out().type == DType::INT8 ? row.name : "f32_prelu__ref", binding);
  binding->row = &row;
}

void Init(const OpView& op, const Binding& binding, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  if (op.out().type == DType::FLOAT32) {
    return InitBinary(op, BinaryLoop<float, float, NoParams, Plain>, params);
  }
  InitBinary(op, static_cast<const BinaryKernel*>(binding.row)->run, params);
  PreluParams* p = KernelParams<PreluParams>(params);
  const float in = op.in(0).scale(), slope = op.in(1).scale(), out = op.out().scale();
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
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
