// LOG_SOFTMAX over the last axis of int8 and float32.
//
// Source of the formulas: TFLite's reference_ops::LogSoftmax, and LogSoftmaxQuantized. (Its sum
// overflows at 4096 equal inputs; here it saturates.)
#include <cmath>

#include "src/ops/softmax_scale.h"
#include "src/ops/vectors.h"

namespace octet {
namespace {

struct Params {
  VectorShape shape;
  int32_t limit;
  Multiplier unscale;   // from Q5 back to differences of inputs
  int32_t scaled[256];  // differences -d in Q5, for d <= limit
  int32_t exp[256];     // their exp in Q12
};

void LogSoftmax(const Params& p, const int8_t* input, size_t vectors, int8_t* output) {
  const size_t depth = p.shape.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    int32_t max = input[0];
    for (size_t i = 1; i < depth; ++i) max = input[i] > max ? input[i] : max;
    int64_t sum = 0;
    for (size_t i = 0; i < depth; ++i) sum += p.exp[max - input[i]];
    const int32_t log = fixed::Log(static_cast<int32_t>(Clamp<int64_t>(sum, 0, fixed::kMax)));
    // Differences must stay above both what is scaled exactly and what the logarithm leaves of Q5.
    const int32_t lowest = Requantize(log + fixed::kMin, p.unscale);
    const int32_t above = -p.limit - 1 > lowest ? -p.limit - 1 : lowest;
    for (size_t i = 0; i < depth; ++i) {
      const int32_t difference = input[i] - max;
      int32_t y = -128;
      if (difference > above) {
        y = RoundingDivideByPOT(p.scaled[-difference] - log, 31 - 5 - 4) + 127;
      }
      output[i] = static_cast<int8_t>(Clamp(y, -128, 127));
    }
  }
}

void LogSoftmaxF32(const VectorShape& s, const float* input, size_t vectors, float* output) {
  const size_t depth = s.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    float max = input[0];
    for (size_t i = 1; i < depth; ++i) max = max < input[i] ? input[i] : max;
    float sum = 0;
    for (size_t i = 0; i < depth; ++i) sum += std::exp(input[i] - max);
    const float log = std::log(sum);
    for (size_t i = 0; i < depth; ++i) output[i] = input[i] - max - log;
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
  const float beta = op.options<fb::SoftmaxOptions>()->beta();
  OCTET_CHECK_OP(beta == 1.f, "beta is %g, not 1", static_cast<double>(beta));
  if (in.type == DType::FLOAT32) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  OCTET_CHECK_OP(out.scale() == 16.f / 256 && out.zero_point == 127,
                 "the output has scale %g and zero point %d, not 1/16 and 127",
                 static_cast<double>(out.scale()), out.zero_point);
  SoftmaxScale scale;
  if (!MakeSoftmaxScale(beta, in.scale(), &scale)) {
    return Fail(OCTET_UNSUPPORTED, "the input's scale, %g, is too small",
                static_cast<double>(in.scale()));
  }
  return OCTET_OK;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  ForEachVector<int8_t, int8_t>(
      c, p.shape, [&](const int8_t* in, size_t n, int8_t* out) { LogSoftmax(p, in, n, out); });
  return OCTET_OK;
}

Status RunF32(const RunContext& c) {
  const VectorShape& s = *static_cast<const VectorShape*>(c.params);
  ForEachVector<float, float>(
      c, s, [&](const float* in, size_t n, float* out) { LogSoftmaxF32(s, in, n, out); });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet, Binding* binding) {
  if (op.in(0).type == DType::FLOAT32) {
    binding->kernel = "f32_log_softmax__ref";
    binding->run = RunF32;
    binding->params_bytes = sizeof(VectorShape);
    return;
  }
  binding->kernel = "log_softmax__ref";
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding&, void* params) {
  const VectorShape shape = MakeVectorShape(op, static_cast<size_t>(op.out().dim_from_end(0)));
  if (op.in(0).type == DType::FLOAT32) {
    *static_cast<VectorShape*>(params) = shape;
    return;
  }
  Params& p = *static_cast<Params*>(params);
  p.shape = shape;
  SoftmaxScale scale;
  MakeSoftmaxScale(1.f, op.in(0).scale(), &scale);
  p.limit = scale.limit;
  for (int32_t d = 0; d <= scale.limit; ++d) {
    p.scaled[d] = scale.Scaled(d);
    p.exp[d] = RoundingDivideByPOT(fixed::ExpOfNegative(p.scaled[d]), 12);
  }
  const Multiplier q = scale.multiplier;
  p.unscale = QuantizeMultiplier(static_cast<double>(int64_t{1} << (31 - q.shift)) /
                                 static_cast<double>(q.m));
}

uint32_t InPlace(const OpView&) { return 1; }

}  // namespace

extern const OpDef kLOG_SOFTMAXOp = {Check, Bind, Init, nullptr, SameRows, InPlace};

}  // namespace octet
