// CAST: between all types, by value. Integers wrap; floats truncate and saturate, NaN becomes 0
// (both undefined in the reference); anything but zero is true.
#include <limits>

#include "src/ops/unary.h"

namespace octet {
namespace {

struct NoParams {};

template <class U>
struct Convert {
  template <class T>
  static U Apply(T x, const NoParams&) {
    if constexpr (std::is_floating_point_v<T> && std::is_integral_v<U>) {
      // Both limits are powers of two (or 0), exact in float; the upper one is excluded.
      constexpr T kLow = static_cast<T>(std::numeric_limits<U>::min());
      constexpr T kHigh = static_cast<T>(uint64_t{1} << std::numeric_limits<U>::digits);
      if (!(x == x)) return 0;
      if (x < kLow) return std::numeric_limits<U>::min();
      if (x >= kHigh) return std::numeric_limits<U>::max();
    }
    return static_cast<U>(x);
  }
};

struct ToBool {
  template <class T>
  static uint8_t Apply(T x, const NoParams&) {
    return x != 0 ? 1 : 0;
  }
};

template <class T>
UnaryFn From(DType out) {
  switch (out) {
    case DType::INT8:
      return UnaryLoop<T, int8_t, NoParams, Convert<int8_t>>;
    case DType::UINT8:
      return UnaryLoop<T, uint8_t, NoParams, Convert<uint8_t>>;
    case DType::INT16:
      return UnaryLoop<T, int16_t, NoParams, Convert<int16_t>>;
    case DType::INT32:
      return UnaryLoop<T, int32_t, NoParams, Convert<int32_t>>;
    case DType::INT64:
      return UnaryLoop<T, int64_t, NoParams, Convert<int64_t>>;
    case DType::FLOAT32:
      return UnaryLoop<T, float, NoParams, Convert<float>>;
    case DType::BOOL:
      return UnaryLoop<T, uint8_t, NoParams, ToBool>;
    default:
      return nullptr;
  }
}

// Booleans are 0 or 1 whatever their byte is.
template <class U>
struct FromBool {
  static U Apply(uint8_t x, const NoParams&) { return static_cast<U>(x != 0 ? 1 : 0); }
};

UnaryFn OfBool(DType out) {
  switch (out) {
    case DType::INT8:
      return UnaryLoop<uint8_t, int8_t, NoParams, FromBool<int8_t>>;
    case DType::UINT8:
    case DType::BOOL:
      return UnaryLoop<uint8_t, uint8_t, NoParams, FromBool<uint8_t>>;
    case DType::INT16:
      return UnaryLoop<uint8_t, int16_t, NoParams, FromBool<int16_t>>;
    case DType::INT32:
      return UnaryLoop<uint8_t, int32_t, NoParams, FromBool<int32_t>>;
    case DType::INT64:
      return UnaryLoop<uint8_t, int64_t, NoParams, FromBool<int64_t>>;
    case DType::FLOAT32:
      return UnaryLoop<uint8_t, float, NoParams, FromBool<float>>;
    default:
      return nullptr;
  }
}

UnaryFn Function(DType in, DType out) {
  switch (in) {
    case DType::INT8:
      return From<int8_t>(out);
    case DType::UINT8:
      return From<uint8_t>(out);
    case DType::INT16:
      return From<int16_t>(out);
    case DType::INT32:
      return From<int32_t>(out);
    case DType::INT64:
      return From<int64_t>(out);
    case DType::FLOAT32:
      return From<float>(out);
    case DType::BOOL:
      return OfBool(out);
    default:
      return nullptr;
  }
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckUnary(op));
  if (Function(op.in(0).type, op.out().type) == nullptr) return UnsupportedTypes(op);
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet, Binding* binding) { BindUnary("cast__ref", binding); }

void Init(const OpView& op, const Binding&, void* memory) {
  InitUnary(op, Function(op.in(0).type, op.out().type), static_cast<UnaryParams*>(memory));
}

}  // namespace

extern const OpDef kCASTOp = {Check, Bind, Init, nullptr, SameRows, UnaryInPlace};

}  // namespace octet
