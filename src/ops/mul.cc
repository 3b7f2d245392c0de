// MUL.
#include "kernels/qs8_mul/qs8_mul.h"
#include "kernels/wide_binary/wide_binary.h"
#include "src/ops/binary.h"
#include "src/ops/wrap.h"

namespace octet {
namespace {

template <class T>
struct PlainParams {
  T low, high;
};

struct PlainMul {
  template <class T>
  static T Apply(T a, T b, const PlainParams<T>& p) {
    return Clamp(WrapMul(a, b), p.low, p.high);
  }
};

const fb::ElementwiseOptions& Options(const OpView& op) {
  return *op.options<fb::ElementwiseOptions>();
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type || op.in(1).type != type) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckClamp(Options(op), type));
  switch (type) {
    case DType::INT32:
    case DType::INT64:
    case DType::FLOAT32:
      return OCTET_OK;
    case DType::INT8:
    case DType::INT16:
      break;
    default:
      return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input 0"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(1), "input 1"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(op.out(), "output"));
  OCTET_CHECK_OP(type == DType::INT8 || (op.in(0).zero_point == 0 && op.in(1).zero_point == 0 &&
                                         op.out().zero_point == 0),
                 "int16 tensors need zero points of 0");
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const DType type = op.out().type;
  if (type == DType::INT8 || type == DType::INT16) {
    const BinaryKernel& row = FirstRow(type == DType::INT8 ? Qs8MulTable() : Qs16MulTable(), isa);
    BindBinary(op, row.name, binding);
    binding->row = &row;
  } else {
    BindBinary(op,
               type == DType::INT32   ? "s32_mul__ref"
               : type == DType::INT64 ? "s64_mul__ref"
                                      : "f32_mul__ref",
               binding);
  }
}

template <class T>
void InitPlain(const OpView& op, T low, T high, BinaryParams* params) {
  InitBinary(op, BinaryLoop<T, T, PlainParams<T>, PlainMul>, params);
  *KernelParams<PlainParams<T>>(params) = {low, high};
}

void Init(const OpView& op, const Binding& binding, void* memory) {
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  const DType type = op.out().type;
  const IntClamp clamp = OutputClamp(Options(op), type);
  const int32_t low = static_cast<int32_t>(clamp.low), high = static_cast<int32_t>(clamp.high);
  if (type == DType::INT32) return InitPlain<int32_t>(op, low, high, params);
  if (type == DType::INT64) return InitPlain<int64_t>(op, clamp.low, clamp.high, params);
  if (type == DType::FLOAT32) {
    return InitPlain<float>(op, Options(op).act_min_f(), Options(op).act_max_f(), params);
  }
  InitBinary(op, static_cast<const BinaryKernel*>(binding.row)->run, params);
  MulParams* p = KernelParams<MulParams>(params);
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
  p->out_zero = op.out().zero_point;
  // The reference multiplies the scales in float.
  p->q = QuantizeMultiplier(
      static_cast<double>(op.in(0).scale() * op.in(1).scale() / op.out().scale()));
  p->low = low - p->out_zero;
  p->high = high - p->out_zero;
  if (type == DType::INT8) MakeMulFixed(p);
}

}  // namespace

extern const OpDef kMULOp = {Check, Bind, Init, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
