// L2_NORMALIZATION over the last axis of int8 and float32.
//
// Source of the formulas: TFLite's reference_integer_ops and reference_ops L2Normalization.
#include <cmath>

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

void NormalizeF32(const Params& p, const float* input, size_t vectors, float* output) {
  constexpr float kSmallest = 1e-6f;
  const size_t depth = p.shape.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    float squares = 0;
    for (size_t i = 0; i < depth; ++i) squares += input[i] * input[i];
    const float root = std::sqrt(squares);
    const float norm = root < kSmallest ? kSmallest : root;
    for (size_t i = 0; i < depth; ++i) output[i] = input[i] / norm;
  }
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  if (in.type != out.type || (in.type != DType::INT8 && in.type != DType::FLOAT32)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckSameShape(in, out, "input and output"));
  if (in.type == DType::FLOAT32) return OCTET_OK;
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

Status RunF32(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  ForEachVector<float, float>(
      c, p.shape, [&](const float* in, size_t n, float* out) { NormalizeF32(p, in, n, out); });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  const bool is_float = op.in(0).type == DType::FLOAT32;
  binding->kernel = is_float ? "f32_l2_normalization__ref" : "l2_normalization__ref";
  binding->run = is_float ? RunF32 : Run;
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
