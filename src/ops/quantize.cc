// QUANTIZE and DEQUANTIZE.
#include <cmath>
#include <limits>

#include "kernels/common/requant.h"
#include "kernels/f32_quantize/f32_quantize.h"
#include "src/ops/unary.h"

namespace octet {
namespace {

struct QuantizeParams {
  float scale;
  int32_t in_zero, out_zero;
  Multiplier q;
};

struct DequantizeParams {
  double scale;
  int32_t zero;
};

// Source: TFLite's AffineQuantize. A quotient outside int32 and NaN, which the reference leaves
// undefined, saturate; NaN becomes the zero point.
template <class U>
struct FromFloat {
  static U Apply(float x, const QuantizeParams& p) {
    constexpr float kLimit = 1e6f;  // beyond what any output type and zero point can hold
    const float rounded = std::round(x / p.scale);
    const float limited = rounded == rounded ? Clamp(rounded, -kLimit, kLimit) : 0.f;
    const int32_t y = static_cast<int32_t>(limited) + p.out_zero;
    return static_cast<U>(
        Clamp<int32_t>(y, std::numeric_limits<U>::min(), std::numeric_limits<U>::max()));
  }
};

// Source: TFLite's Requantize.
template <class U>
struct FromInteger {
  template <class T>
  static U Apply(T x, const QuantizeParams& p) {
    // int32 minus its zero point wraps.
    const int32_t value =
        static_cast<int32_t>(static_cast<uint32_t>(x) - static_cast<uint32_t>(p.in_zero));
    const int64_t y = int64_t{Requantize(value, p.q)} + p.out_zero;
    return static_cast<U>(
        Clamp<int64_t>(y, std::numeric_limits<U>::min(), std::numeric_limits<U>::max()));
  }
};

struct ToFloat {
  template <class T>
  static float Apply(T x, const DequantizeParams& p) {
    return static_cast<float>(p.scale * static_cast<double>(int64_t{x} - p.zero));
  }
};

// The function of a pair of types; null where the pair is not supported.
template <class T>
UnaryFn RequantizeTo(DType out) {
  switch (out) {
    case DType::INT8:
      return UnaryLoop<T, int8_t, QuantizeParams, FromInteger<int8_t>>;
    case DType::UINT8:
      return UnaryLoop<T, uint8_t, QuantizeParams, FromInteger<uint8_t>>;
    case DType::INT16:
      return UnaryLoop<T, int16_t, QuantizeParams, FromInteger<int16_t>>;
    case DType::INT32:
      return UnaryLoop<T, int32_t, QuantizeParams, FromInteger<int32_t>>;
    default:
      return nullptr;
  }
}

UnaryFn QuantizeFunction(DType in, DType out) {
  switch (in) {
    case DType::INT8:
      return RequantizeTo<int8_t>(out);
    case DType::UINT8:
      return RequantizeTo<uint8_t>(out);
    case DType::INT16:
      return RequantizeTo<int16_t>(out);
    case DType::INT32:
      return RequantizeTo<int32_t>(out);
    case DType::FLOAT32:
      break;
    default:
      return nullptr;
  }
  switch (out) {
    case DType::INT8:
      return F32QuantizeRef;  // or a better row
    case DType::UINT8:
      return UnaryLoop<float, uint8_t, QuantizeParams, FromFloat<uint8_t>>;
    case DType::INT16:
      return UnaryLoop<float, int16_t, QuantizeParams, FromFloat<int16_t>>;
    default:
      return nullptr;
  }
}

UnaryFn DequantizeFunction(DType in) {
  switch (in) {
    case DType::INT8:
      return S8DequantizeRef;  // or a better row
    case DType::UINT8:
      return UnaryLoop<uint8_t, float, DequantizeParams, ToFloat>;
    case DType::INT16:
      return UnaryLoop<int16_t, float, DequantizeParams, ToFloat>;
    case DType::INT32:
      return UnaryLoop<int32_t, float, DequantizeParams, ToFloat>;
    default:
      return nullptr;
  }
}

const char* QuantizeName(DType in) {
  switch (in) {
    case DType::INT8:
      return "s8_requantize__ref";
    case DType::UINT8:
      return "u8_requantize__ref";
    case DType::INT16:
      return "s16_requantize__ref";
    case DType::INT32:
      return "s32_requantize__ref";
    default:
      return "f32_quantize__ref";
  }
}

Status CheckQuantize(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  if (QuantizeFunction(op.in(0).type, op.out().type) == nullptr) return UnsupportedTypes(op);
  if (op.in(0).type != DType::FLOAT32) OCTET_RETURN_IF_ERROR(CheckQuantised(op.in(0), "input"));
  return CheckQuantised(op.out(), "output");
}

bool HasKernels(const OpView& op) {
  return (op.in(0).type == DType::FLOAT32 && op.out().type == DType::INT8) ||
         (op.in(0).type == DType::INT8 && op.out().type == DType::FLOAT32);
}

void BindQuantize(const OpView& op, IsaSet isa, Binding* binding) {
  BindUnary(QuantizeName(op.in(0).type), binding);
  if (!HasKernels(op)) return;
  const F32QuantizeKernel& row = FirstRow(F32QuantizeTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
}

void InitQuantize(const OpView& op, const Binding& binding, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  if (HasKernels(op)) {
    InitUnary(op, static_cast<const F32QuantizeKernel*>(binding.row)->quantize, params);
    *OwnParams<F32QuantizeParams>(params) = {op.out().scale(), op.out().zero_point};
    return;
  }
  InitUnary(op, QuantizeFunction(op.in(0).type, op.out().type), params);
  QuantizeParams* p = OwnParams<QuantizeParams>(params);
  p->scale = op.out().scale();
  p->out_zero = op.out().zero_point;
  if (op.in(0).type == DType::FLOAT32) return;
  p->in_zero = op.in(0).zero_point;
  p->q = QuantizeMultiplier(static_cast<double>(op.in(0).scale()) /
                            static_cast<double>(op.out().scale()));
}

Status CheckDequantize(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  if (DequantizeFunction(op.in(0).type) == nullptr || op.out().type != DType::FLOAT32) {
    return UnsupportedTypes(op);
  }
  return CheckQuantised(op.in(0), "input");
}

void BindDequantize(const OpView& op, IsaSet isa, Binding* binding) {
  BindUnary("dequantize__ref", binding);
  if (!HasKernels(op)) return;
  const F32QuantizeKernel& row = FirstRow(F32QuantizeTable(), isa);
  binding->kernel = row.dequantize_name;
  binding->row = &row;
}

// Source: TFLite's Dequantize: the product in double, rounded once.
void InitDequantize(const OpView& op, const Binding& binding, void* memory) {
  UnaryParams* params = static_cast<UnaryParams*>(memory);
  if (HasKernels(op)) {
    InitUnary(op, static_cast<const F32QuantizeKernel*>(binding.row)->dequantize, params);
    *OwnParams<F32QuantizeParams>(params) = {op.in(0).scale(), op.in(0).zero_point};
    return;
  }
  InitUnary(op, DequantizeFunction(op.in(0).type), params);
  *OwnParams<DequantizeParams>(params) = {static_cast<double>(op.in(0).scale()),
                                          op.in(0).zero_point};
}

}  // namespace

extern const OpDef kQUANTIZEOp = {CheckQuantize, BindQuantize, InitQuantize,
                                  nullptr,       SameRows,     UnaryInPlace};
extern const OpDef kDEQUANTIZEOp = {CheckDequantize, BindDequantize, InitDequantize,
                                    nullptr,         SameRows,       UnaryInPlace};

}  // namespace octet
