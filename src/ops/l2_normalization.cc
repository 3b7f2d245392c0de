// L2_NORMALIZATION over the last axis of int8.
//
// Source of the formula: TFLite's reference_integer_ops::L2Normalization.
#include "kernels/common/fixed_point.h"
#include "src/ops/vectors.h"

namespace octet {
namespace {

struct Params {
  VectorShape shape;
  int32_t zero_point;
};

void Normalize(const Params& p, const int8_t* input, size_t vectors, int8_t* output) {
  const size_t depth = p.shape.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    int32_t squares = 0;
    for (size_t i = 0; i < depth; ++i) {
      const int32_t x = input[i] - p.zero_point;
      squares += x * x;
    }
    Multiplier q = fixed::InverseSqrt(squares);
    q.shift += 7;  // the output's scale is 1/128
    for (size_t i = 0; i < depth; ++i) {
      output[i] =
          static_cast<int8_t>(Clamp<int32_t>(Requantize(input[i] - p.zero_point, q), -128, 127));
    }
  }
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  if (in.type != DType::INT8 || out.type != DType::INT8) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckSameShape(in, out, "input and output"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  OCTET_CHECK_OP(out.scale() == 1.f / 128 && out.zero_point == 0,
                 "the output has scale %g and zero point %d, not 1/128 and 0",
                 static_cast<double>(out.scale()), out.zero_point);
  if (in.dim_from_end(0) > INT32_MAX / (255 * 255)) {
    return Fail(OCTET_UNSUPPORTED, "%d squares can overflow 32 bits", in.dim_from_end(0));
  }
  return OCTET_OK;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  ForEachVector<int8_t, int8_t>(
      c, p.shape, [&](const int8_t* in, size_t n, int8_t* out) { Normalize(p, in, n, out); });
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet, Binding* binding) {
  binding->kernel = "l2_normalization__ref";
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding&, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.shape = MakeVectorShape(op, static_cast<size_t>(op.out().dim_from_end(0)));
  p.zero_point = op.in(0).zero_point;
}

uint32_t InPlace(const OpView&) { return 1; }

}  // namespace

extern const OpDef kL2_NORMALIZATIONOp = {Check, Bind, Init, nullptr, SameRows, InPlace};

}  // namespace octet
