// MAXIMUM and MINIMUM. Quantised tensors have one scale and zero point in common; like the
// reference, which does not look at them, this compares the stored values.
#include "kernels/wide_binary/wide_binary.h"
#include "kernels/x8_minmax/x8_minmax.h"
#include "src/ops/binary.h"

namespace octet {
namespace {

struct NoParams {};

struct Larger {
  template <class T>
  static T Apply(T a, T b, const NoParams&) {
    return a > b ? a : b;
  }
};

struct Smaller {
  template <class T>
  static T Apply(T a, T b, const NoParams&) {
    return a < b ? a : b;
  }
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckBinary(op));
  const DType type = op.out().type;
  if (op.in(0).type != type || op.in(1).type != type) return UnsupportedTypes(op);
  return CheckType(
      op.out(), "output",
      {DType::INT8, DType::UINT8, DType::INT16, DType::INT32, DType::INT64, DType::FLOAT32});
}

template <bool kMax>
void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const DType type = op.out().type;
  if (type == DType::INT8 || type == DType::INT16) {
    const BinaryKernel& row = FirstRow(type == DType::INT8 ? (kMax ? S8MaxTable() : S8MinTable())
                                                           : (kMax ? S16MaxTable() : S16MinTable()),
                                       isa);
    BindBinary(op, row.name, binding);
    binding->row = &row;
  } else {
    BindBinary(op,
               type == DType::UINT8   ? "u8_minmax__ref"
               : type == DType::INT32 ? "s32_minmax__ref"
               : type == DType::INT64 ? "s64_minmax__ref"
                                      : "f32_minmax__ref",
               binding);
  }
}

template <bool kMax>
BinaryFn Function(DType type, const Binding& binding) {
  using F = std::conditional_t<kMax, Larger, Smaller>;
  switch (type) {
    case DType::INT8:
    case DType::INT16:
      return static_cast<const BinaryKernel*>(binding.row)->run;
    case DType::UINT8:
      return BinaryLoop<uint8_t, uint8_t, NoParams, F>;
    case DType::INT32:
      return BinaryLoop<int32_t, int32_t, NoParams, F>;
    case DType::INT64:
      return BinaryLoop<int64_t, int64_t, NoParams, F>;
    default:
      return BinaryLoop<float, float, NoParams, F>;
  }
}

template <bool kMax>
void Init(const OpView& op, const Binding& binding, void* memory) {
  InitBinary(op, Function<kMax>(op.out().type, binding), static_cast<BinaryParams*>(memory));
}

}  // namespace

extern const OpDef kMAXIMUMOp = {Check, Bind<true>, Init<true>, nullptr, BinaryRows, BinaryInPlace};
extern const OpDef kMINIMUMOp = {Check,   Bind<false>, Init<false>,
                                 nullptr, BinaryRows,  BinaryInPlace};

}  // namespace octet
