// ADD and SUB.
#include <cmath>

#include "kernels/qs8_add/qs8_add.h"
#include "kernels/wide_binary/wide_binary.h"
#include "src/ops/add_params.h"
#include "src/ops/binary.h"
#include "src/ops/wrap.h"

namespace octet {
namespace {

template <class T>
struct PlainParams {
  T low, high;
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

bool MakePot(const OpView& op, PotAddParams* p) {
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
  const auto side = [](const TensorView& t) { return AddSide{t.scale(), t.zero_point}; };
  return MakeQuantisedAdd(side(op.in(0)), side(op.in(1)), side(op.out()),
                          op.out().type == DType::INT16 ? 15 : 20, p);
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
    PotAddParams p;
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
  if (type == DType::INT8 || type == DType::INT16) {
    const bool pot = type == DType::INT16 && Options(op).pot_scale();
    const BinaryKernel& row = FirstRow(type == DType::INT8 ? Qs8AddTable()
                                       : pot               ? Qs16PotAddTable()
                                                           : Qs16AddTable(),
                                       isa);
    BindBinary(op, row.name, binding);
    binding->row = &row;
  } else {
    BindBinary(op,
               type == DType::INT32   ? "s32_add__ref"
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
  InitBinary(op, static_cast<const BinaryKernel*>(binding.row)->run, params);
  if (type == DType::INT16 && Options(op).pot_scale()) {
    PotAddParams* p = KernelParams<PotAddParams>(params);
    MakePot(op, p);
    p->low = low;
    p->high = high;
    p->subtract = kSubtract;
    return;
  }
  AddParams* p = KernelParams<AddParams>(params);
  MakeQuantised(op, p);
  p->low = low;
  p->high = high;
  p->subtract = kSubtract;
  if (type == DType::INT8) MakeAddFixed(p);
}

}  // namespace

bool MakeQuantisedAdd(AddSide a, AddSide b, AddSide out, int32_t left, AddParams* p) {
  p->a_zero = a.zero_point;
  p->b_zero = b.zero_point;
  p->out_zero = out.zero_point;
  p->left = left;
  const double twice_max = 2.0 * static_cast<double>(a.scale > b.scale ? a.scale : b.scale);
  const double unit = static_cast<double>(1 << left);
  return BelowOne(static_cast<double>(a.scale) / twice_max, &p->a) &&
         BelowOne(static_cast<double>(b.scale) / twice_max, &p->b) &&
         BelowOne(twice_max / (unit * static_cast<double>(out.scale)), &p->out);
}

extern const OpDef kADDOp = {Check, Bind<false>, Init<false>, nullptr, BinaryRows, BinaryInPlace};
extern const OpDef kSUBOp = {Check, Bind<true>, Init<true>, nullptr, BinaryRows, BinaryInPlace};

}  // namespace octet
