// ADD and SUB.
#include <cmath>

#include "kernels/qs8_add/qs8_add.h"
#include "src/ops/binary.h"
#include "src/ops/wrap.h"

namespace octet {
namespace {

// int16 with scales that are powers of two. Source: TFLite's reference_ops Add with pot_scale and
// BroadcastSub16POTSlow.
struct PotParams {
  int32_t a_shift, b_shift;  // right shifts; one of them is 0
  int32_t low, high;
  bool subtract;
};

template <class T>
struct PlainParams {
  T low, high;
};

struct PotAdd {
  static int16_t Apply(int16_t a, int16_t b, const PotParams& p) {
    const int32_t x = RoundingDivideByPOT(a, p.a_shift);
    const int32_t y = RoundingDivideByPOT(b, p.b_shift);
    return static_cast<int16_t>(Clamp(p.subtract ? x - y : x + y, p.low, p.high));
  }
};

struct PlainAdd {
  template <class T>
  static T Apply(T a, T b, const PlainParams<T>& p) {
    return Clamp(WrapAdd(a, b), p.low, p.high);
  }
};

struct PlainSub {
  template <class T>
  static T Apply(T a, T b, const PlainParams<T>& p) {
    return Clamp(WrapSub(a, b), p.low, p.high);
  }
};

// The power of two that a scale is, within the reference's tolerance.
bool ExactLog2(float scale, int32_t* log2) {
  const float x = std::log2(scale);
  const float rounded = std::round(x);
  *log2 = static_cast<int32_t>(rounded);
  return std::fabs(x - rounded) < 1e-3f;
}

bool MakePot(const OpView& op, PotParams* p) {
  int32_t a, b, out;
  if (!ExactLog2(op.in(0).scale(), &a) || !ExactLog2(op.in(1).scale(), &b) ||
      !ExactLog2(op.out().scale(), &out)) {
    return false;
  }
  p->a_shift = out - a;
  p->b_shift = out - b;
  return p->a_shift >= 0 && p->b_shift >= 0 && p->a_shift <= 15 && p->b_shift <= 15 &&
         (p->a_shift == 0 || p->b_shift == 0);
}

// A multiplier that the reference wants below one.
bool BelowOne(double real, Multiplier* q) {
  if (!(real > 0.0 && real < 1.0)) return false;
  *q = QuantizeMultiplier(real);
  return q->shift <= 0;
}

bool MakeQuantised(const OpView& op, AddParams* p) {
  const float a = op.in(0).scale(), b = op.in(1).scale();
  p->a_zero = op.in(0).zero_point;
  p->b_zero = op.in(1).zero_point;
  p->out_zero = op.out().zero_point;
  p->left = op.out().type == DType::INT16 ? 15 : 20;
  const double twice_max = 2.0 * static_cast<double>(a > b ? a : b);
  const double unit = static_cast<double>(1 << p->left);
  return BelowOne(static_cast<double>(a) / twice_max, &p->a) &&
         BelowOne(static_cast<double>(b) / twice_max, &p->b) &&
         BelowOne(twice_max / (unit * static_cast<double>(op.out().scale())), &p->out);
}

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
  if (type == DType::INT16 && Options(op).pot_scale()) {
    PotParams p;
    if (!MakePot(op, &p)) {
      return Fail(OCTET_UNSUPPORTED,
                  "power-of-two scales %g and %g do not shift right to the output's %g",
                  static_cast<double>(op.in(0).scale()), static_cast<double>(op.in(1).scale()),
                  static_cast<double>(op.out().scale()));
    }
    return OCTET_OK;
  }
  AddParams p;
  if (!MakeQuantised(op, &p)) {
    return Fail(OCTET_UNSUPPORTED, "the output's scale %g is too small for the inputs' %g and %g",
                static_cast<double>(op.out().scale()), static_cast<double>(op.in(0).scale()),
                static_cast<double>(op.in(1).scale()));
  }
  return OCTET_OK;
}

template <bool kSubtract>
void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const DType type = op.out().type;
  if (type == DType::INT8) {
    const BinaryKernel& row = FirstRow(Qs8AddTable(), isa);
    BindBinary(op, row.name, binding);
    binding->row = &row;
  } else {
    BindBinary(op,
               type == DType::INT16   ? "qs16_add__ref"
               : type == DType::INT32 ? "s32_add__ref"
               : type == DType::INT64 ? "s64_add__ref"
                                      : "f32_add__ref",
               binding);
  }
}

template <class T, class Function>
void InitPlain(const OpView& op, T low, T high, BinaryParams* params) {
  InitBinary(op, BinaryLoop<T, T, PlainParams<T>, Function>, params);
  *KernelParams<PlainParams<T>>(params) = {low, high};
}

template <bool kSubtract>
void Init(const OpView& op, const Binding& binding, void* memory) {
  using Plain = std::conditional_t<kSubtract, PlainSub, PlainAdd>;
  BinaryParams* params = static_cast<BinaryParams*>(memory);
  const DType type = op.out().type;
  const IntClamp clamp = OutputClamp(Options(op), type);
  const int32_t low = static_cast<int32_t>(clamp.low), high = static_cast<int32_t>(clamp.high);
  if (type == DType::INT32) return InitPlain<int32_t, Plain>(op, low, high, params);
  if (type == DType::INT64) return InitPlain<int64_t, Plain>(op, clamp.low, clamp.high, params);
  if (type == DType::FLOAT32) {
    return InitPlain<float, Plain>(op, Options(op).act_min_f(), Options(op).act_max_f(), params);
  }
  if (type == DType::INT16 && Options(op).pot_scale()) {
    InitBinary(op, BinaryLoop<int16_t, int16_t, PotParams, PotAdd>, params);
    PotParams* p = KernelParams<PotParams>(params);
    MakePot(op, p);
    p->low = low;
    p->high = high;
    p->subtract = kSubtract;
    return;
  }
  const BinaryFn fn =
      type == DType::INT8 ? static_cast<const BinaryKernel*>(binding.row)->run : Qs16AddRef;
  InitBinary(op, fn, params);
  AddParams* p = KernelParams<AddParams>(params);
  MakeQuantised(op, p);
  p->low = low;
  p->high = high;
  p->subtract = kSubtract;
  if (type == DType::INT8) MakeAddFixed(p);
}

}  // namespace

extern const OpDef kADDOp = {Check, Bind<false>, Init<false>, nullptr, BinaryRows, BinaryInPlace};
extern const OpDef kSUBOp = {Check, Bind<true>, Init<true>, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
