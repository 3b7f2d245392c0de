// SOFTMAX over the last axis: int8 to int8, int8 to int16, int16 to int16, float32. uint8 is the
// same integers as int8.
#include "kernels/s8_softmax/s8_softmax.h"
#include "src/ops/softmax_scale.h"
#include "src/ops/vectors.h"

namespace octet {
namespace {

// The pack is the table of exponentials.
struct Params8 {
  VectorShape shape;
  const S8SoftmaxKernel* kernel;
};

// ---- int16 -------------------------------------------------------------------------------------

// A function sampled at 513 places of the 16-bit range, 128 apart; between them it is linear.
struct Table16 {
  int16_t at[513];

  int16_t operator()(int32_t x) const {
    const int32_t i = (x + 32768) >> 7;
    const int32_t slope = at[i + 1] - at[i];
    return static_cast<int16_t>(at[i] + ((slope * (x & 127) + 64) >> 7));
  }
};

// Source of the formula: TFLite's LUTPopulate<int16_t>, in float; outputs have scale 2 / 65535.
// `f` has the real arguments [low, high] on the table's range.
template <class F>
void FillTable(float input_min, float input_max, const F& f, Table16* table) {
  constexpr float kOutputScale = 2.0f / 65535;
  const float output_min = kOutputScale * -32768, output_max = kOutputScale * 32767;
  const float to_units = 65536.f / (output_max - output_min);
  const float step = (input_max - input_min) / 512;
  for (int i = 0; i < 512; ++i) {
    const float x = input_min + i * step;
    const float here = std::round(f(x) * to_units);
    const float next = f(input_min + (i + 1) * step) * to_units;
    const float middle = std::round(f(x + step / 2) * to_units);
    // Half of the error that the line makes in the middle is taken off here.
    const float error = std::round((next + here) / 2) - middle;
    table->at[i] = static_cast<int16_t>(Clamp(here - std::round(error / 2), -32768.f, 32767.f));
  }
  table->at[512] =
      static_cast<int16_t>(Clamp(std::round(f(input_max) * to_units), -32768.f, 32767.f));
}

struct Params16 {
  VectorShape shape;
  Multiplier multiplier;  // of differences, to 65535 steps for [-10, 0]
  Table16 exp;            // of [-10, 0]
  Table16 reciprocal;     // 1 / (1 + x) of [0, 1]
};

Multiplier Multiplier16(const OpView& op) {
  const double beta = static_cast<double>(op.options<fb::SoftmaxOptions>()->beta());
  return QuantizeMultiplier(static_cast<double>(op.in(0).scale()) * beta / (10.0 / 65535.0));
}

// Source of the formula: TFLite's reference_ops::SoftmaxInt16. Output may lie over input.
void Softmax16(const Params16& p, const int16_t* input, size_t vectors, int16_t* output) {
  const size_t depth = p.shape.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    int32_t max = input[0];
    for (size_t i = 1; i < depth; ++i) max = input[i] > max ? input[i] : max;
    int32_t sum = 0;
    for (size_t i = 0; i < depth; ++i) {
      const int32_t scaled = Requantize(input[i] - max, p.multiplier);
      output[i] = p.exp(Clamp(scaled + 32767, -32768, 32767));
      sum += output[i];
    }
    // The sum as (1 + x) * 2^n, with x on the 16-bit range of its table.
    const int zeros = fixed::LeadingZeros(static_cast<uint32_t>(sum));
    const int64_t one_plus_x = ((int64_t{sum} << (zeros - 1)) + (1 << 13)) >> 14;
    const int32_t x = static_cast<int32_t>(one_plus_x) - (1 << 15) - (1 << 16);
    const int64_t reciprocal = p.reciprocal(Clamp(x, -32768, 32767));
    const int shift = 31 - zeros;
    for (size_t i = 0; i < depth; ++i) {
      const int64_t y = (output[i] * reciprocal + (int64_t{1} << (shift - 1))) >> shift;
      output[i] = static_cast<int16_t>(Clamp<int64_t>(y, 0, 32767));
    }
  }
}

// ---- float32 -----------------------------------------------------------------------------------

struct ParamsF32 {
  VectorShape shape;
  float beta;
};

// Source of the formula: TFLite's reference_ops::Softmax. Output may lie over input.
void SoftmaxF32(const ParamsF32& p, const float* input, size_t vectors, float* output) {
  const size_t depth = p.shape.depth_in;
  for (size_t v = 0; v < vectors; ++v, input += depth, output += depth) {
    float max = input[0];
    for (size_t i = 1; i < depth; ++i) max = max < input[i] ? input[i] : max;
    float sum = 0;
    for (size_t i = 0; i < depth; ++i) {
      output[i] = std::exp((input[i] - max) * p.beta);
      sum += output[i];
    }
    for (size_t i = 0; i < depth; ++i) output[i] /= sum;
  }
}

// ---- The operator ------------------------------------------------------------------------------

// Does a scale equal `wanted` to one in a thousand, as the reference asks?
bool Near(float scale, double wanted) {
  return std::fabs(static_cast<double>(scale) - wanted) <= 0.001 * wanted;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const bool narrow = in.type == DType::INT8;
  const bool known =
      narrow ? out.type == DType::INT8 || out.type == DType::INT16
             : (in.type == DType::INT16 || in.type == DType::FLOAT32) && out.type == in.type;
  if (!known) return UnsupportedTypes(op);
  OCTET_RETURN_IF_ERROR(CheckSameShape(in, out, "input and output"));
  const float beta = op.options<fb::SoftmaxOptions>()->beta();
  OCTET_CHECK_OP(std::isfinite(beta) && beta > 0, "beta is %g", static_cast<double>(beta));
  if (in.type == DType::FLOAT32) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  if (narrow) {
    SoftmaxScale scale;
    if (!MakeSoftmaxScale(beta, in.scale(), &scale)) {
      return Fail(OCTET_UNSUPPORTED, "the input's scale, %g, is too small",
                  static_cast<double>(in.scale()));
    }
    const bool narrow_out = out.type == DType::INT8;
    OCTET_CHECK_OP(Near(out.scale(), narrow_out ? 1.0 / 256 : 1.0 / 65536) &&
                       out.zero_point == (narrow_out ? -128 : -32768),
                   "the output has scale %g and zero point %d, not %s",
                   static_cast<double>(out.scale()), out.zero_point,
                   narrow_out ? "1/256 and -128" : "1/65536 and -32768");
    return OCTET_OK;
  }
  OCTET_CHECK_OP(in.zero_point == 0 && out.zero_point == 0 && Near(out.scale(), 1.0 / 32768),
                 "int16 needs zero points 0 and the output's scale 1/32768");
  // The sum of exponentials and the scaled differences stay in 32 bits.
  if (in.dim_from_end(0) > 65536 || Multiplier16(op).shift > 15) {
    return Fail(OCTET_UNSUPPORTED, "%d values of scale %g are too many or too large",
                in.dim_from_end(0), static_cast<double>(in.scale()));
  }
  return OCTET_OK;
}

Status Run8(const RunContext& c) {
  const Params8& p = *static_cast<const Params8*>(c.params);
  ForEachVector<int8_t, int8_t>(c, p.shape, [&](const int8_t* in, size_t n, int8_t* out) {
    p.kernel->run(static_cast<const int32_t*>(c.pack), p.shape.depth_in, in, n, out);
  });
  return OCTET_OK;
}

Status Run8To16(const RunContext& c) {
  const Params8& p = *static_cast<const Params8*>(c.params);
  ForEachVector<int8_t, int16_t>(c, p.shape, [&](const int8_t* in, size_t n, int16_t* out) {
    p.kernel->run16(static_cast<const int32_t*>(c.pack), p.shape.depth_in, in, n, out);
  });
  return OCTET_OK;
}

Status Run16(const RunContext& c) {
  const Params16& p = *static_cast<const Params16*>(c.params);
  ForEachVector<int16_t, int16_t>(
      c, p.shape, [&](const int16_t* in, size_t n, int16_t* out) { Softmax16(p, in, n, out); });
  return OCTET_OK;
}

Status RunF32(const RunContext& c) {
  const ParamsF32& p = *static_cast<const ParamsF32*>(c.params);
  ForEachVector<float, float>(
      c, p.shape, [&](const float* in, size_t n, float* out) { SoftmaxF32(p, in, n, out); });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  if (op.in(0).type == DType::FLOAT32) {
    binding->kernel = "f32_softmax__ref";
    binding->run = RunF32;
    binding->params_bytes = sizeof(ParamsF32);
    return;
  }
  if (op.in(0).type == DType::INT16) {
    binding->kernel = "s16_softmax__ref";
    binding->run = Run16;
    binding->params_bytes = sizeof(Params16);
    return;
  }
  const S8SoftmaxKernel& row = FirstRow(S8SoftmaxTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = op.out().type == DType::INT8 ? Run8 : Run8To16;
  binding->params_bytes = sizeof(Params8);
  binding->pack_layout = "s8_softmax/1";
  binding->pack_bytes = 256 * sizeof(int32_t);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  const size_t depth = static_cast<size_t>(op.out().dim_from_end(0));
  if (op.in(0).type == DType::FLOAT32) {
    ParamsF32& p = *static_cast<ParamsF32*>(params);
    p.shape = MakeVectorShape(op, depth);
    p.beta = op.options<fb::SoftmaxOptions>()->beta();
    return;
  }
  if (op.in(0).type == DType::INT16) {
    Params16& p = *static_cast<Params16*>(params);
    p.shape = MakeVectorShape(op, depth);
    p.multiplier = Multiplier16(op);
    // The tables' ranges of arguments, with the roundings of the reference.
    constexpr float kExpScale = 10.0f / 65535, kReciprocalScale = 1.0f / 65535;
    FillTable(
        kExpScale * -65535, kExpScale * 0,
        [](float x) { return static_cast<float>(std::exp(static_cast<double>(x))); }, &p.exp);
    FillTable(
        kReciprocalScale * 0, kReciprocalScale * 65535, [](float x) { return 1.0f / (1.0f + x); },
        &p.reciprocal);
    return;
  }
  Params8& p = *static_cast<Params8*>(params);
  p.shape = MakeVectorShape(op, depth);
  p.kernel = static_cast<const S8SoftmaxKernel*>(binding.row);
}

void Pack(const OpView& op, const Binding&, const void*, void* pack) {
  int32_t* const exp = static_cast<int32_t*>(pack);
  SoftmaxScale scale;
  MakeSoftmaxScale(op.options<fb::SoftmaxOptions>()->beta(), op.in(0).scale(), &scale);
  for (int32_t d = 0; d < 256; ++d) {
    exp[d] = d <= scale.limit ? fixed::ExpOfNegative(scale.Scaled(d)) : 0;
  }
}

uint32_t InPlace(const OpView& op) { return op.in(0).type == op.out().type ? 1 : 0; }

}  // namespace

extern const OpDef kSOFTMAXOp = {Check, Bind, Init, Pack, SameRows, InPlace};

}  // namespace octet
