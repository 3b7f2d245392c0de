// SVDF: a dense layer factored into features and time, with a memory of the last activations.
// Inputs: input, feature weights, time weights, bias (optional), state.
//
// Source of the formula: TFLite Micro's EvalIntegerSvdfReference. Where its 32-bit sums could
// overflow (int16 state), they wrap.
#include <cstring>

#include "kernels/common/requant.h"
#include "kernels/s8_dot/s8_dot.h"
#include "src/ops/op.h"

namespace octet {
namespace {

enum : size_t { kInput, kFeature, kTime, kBias, kState };

struct Params {
  size_t batch, units, rank, inputs, memory;
  int32_t input_zero_point, state_zero_point, output_zero_point;
  int32_t act_min, act_max;
  Multiplier to_state, to_output;
  size_t grain;
  const S8DotKernel* dot;
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 3, 5, 1, 1));
  OCTET_CHECK_OP(op.input(kState) != nullptr, "the state is missing");
  const TensorView& in = op.in(kInput);
  const TensorView& feature = op.in(kFeature);
  const TensorView& time = op.in(kTime);
  const TensorView& state = op.in(kState);
  const TensorView& out = op.out();
  if (in.type != DType::INT8 || feature.type != DType::INT8 || out.type != DType::INT8 ||
      time.type != state.type || (state.type != DType::INT8 && state.type != DType::INT16)) {
    return UnsupportedTypes(op);
  }
  const TensorView* const matrices[] = {&in, &feature, &time, &state, &out};
  const char* const roles[] = {"input", "feature weights", "time weights", "state", "output"};
  for (size_t i = 0; i < 5; ++i) {
    OCTET_RETURN_IF_ERROR(CheckRank(*matrices[i], roles[i], 2, 2));
    OCTET_RETURN_IF_ERROR(CheckQuantised(*matrices[i], roles[i]));
  }
  OCTET_CHECK_OP(state.is_state, "the state is not kept between runs");
  if (feature.zero_point != 0 || time.zero_point != 0) {
    return Fail(OCTET_UNSUPPORTED, "weights with a zero point other than 0");
  }
  const auto& o = *op.options<fb::SvdfOptions>();
  const int32_t filters = feature.dims[0], batch = in.dims[0];
  OCTET_CHECK_OP(o.rank() > 0 && filters % o.rank() == 0, "%d filters of rank %d", filters,
                 o.rank());
  const int32_t units = filters / o.rank();
  OCTET_CHECK_OP(feature.dims[1] == in.dims[1] && time.dims[0] == filters && out.dims[0] == batch &&
                     out.dims[1] == units && state.dims[0] == batch &&
                     state.dims[1] == int64_t{filters} * time.dims[1],
                 "shapes of input, weights, state and output do not fit");
  if (const TensorView* bias = op.input(kBias)) {
    OCTET_RETURN_IF_ERROR(CheckType(*bias, "bias", {DType::INT32}));
    OCTET_CHECK_OP(bias->elements() == units, "the bias has %lld values for %d units",
                   static_cast<long long>(bias->elements()), units);
  }
  OCTET_CHECK_OP(o.act_min() <= o.act_max() && o.act_min() <= 127 && o.act_max() >= -128,
                 "empty activation range [%d, %d]", o.act_min(), o.act_max());
  if (in.dims[1] > INT32_MAX / (128 * 255)) {
    return Fail(OCTET_UNSUPPORTED, "sums of %d products can overflow", in.dims[1]);
  }
  return OCTET_OK;
}

// Pushes the newest activation of one filter, whose products' sum is given, into its memory.
template <class T>
void Push(const Params& p, int32_t sum, T* memory) {
  constexpr int32_t kLow = std::numeric_limits<T>::min();
  constexpr int32_t kHigh = std::numeric_limits<T>::max();
  const int32_t x = Clamp(Requantize(sum, p.to_state), kLow, kHigh);
  std::memmove(memory, memory + 1, (p.memory - 1) * sizeof(T));
  // Not clamped once more, as in the reference.
  memory[p.memory - 1] = static_cast<T>(p.state_zero_point + x);
}

template <class T>
Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const int32_t* bias = c.in<int32_t>(kBias);
  T* state = reinterpret_cast<T*>(c.inputs[kState].data);
  c.threads.slices(p.batch * p.units, p.grain, [&](size_t, size_t begin, size_t end) {
    constexpr size_t kBlock = 32;  // filters whose sums are found at a time
    int32_t sums[kBlock];
    const int32_t* next = sums;
    size_t held = 0;
    for (size_t i = begin; i < end; ++i) {
      const size_t unit = i % p.units;
      const int8_t* input = c.in<int8_t>(kInput) + i / p.units * p.inputs;
      uint32_t sum = bias != nullptr ? static_cast<uint32_t>(bias[unit]) : 0;
      for (size_t r = 0; r < p.rank; ++r) {
        const size_t filter = unit * p.rank + r;
        T* memory = state + (i * p.rank + r) * p.memory;
        if (held == 0) {  // the next filters of this input
          const size_t left = p.units * p.rank - filter;
          held = left < kBlock ? left : kBlock;
          next = sums;
          std::memset(sums, 0, held * sizeof(int32_t));
          p.dot->rows({input, 1, p.input_zero_point, 0, c.in<int8_t>(kFeature) + filter * p.inputs,
                       p.inputs, p.inputs, held},
                      sums);
        }
        Push(p, *next++, memory);
        --held;
        const T* weights = c.in<T>(kTime) + filter * p.memory;
        for (size_t t = 0; t < p.memory; ++t) {
          const int64_t product = int64_t{weights[t]} * (memory[t] - p.state_zero_point);
          sum += static_cast<uint32_t>(product);
        }
      }
      // Saturated first: the sum with the zero point could overflow.
      const int32_t y =
          Clamp<int32_t>(Requantize(static_cast<int32_t>(sum), p.to_output), -1024, 1024);
      c.out<int8_t>()[i] =
          static_cast<int8_t>(Clamp(y + p.output_zero_point, p.act_min, p.act_max));
    }
  });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const bool narrow = op.in(kState).type == DType::INT8;
  const S8DotKernel& dot = FirstRow(S8DotTable(), isa);
  binding->kernel = dot.name;
  binding->row = &dot;
  binding->run = narrow ? Run<int8_t> : Run<int16_t>;
  binding->params_bytes = sizeof(Params);
  binding->macs = static_cast<uint64_t>(op.in(kInput).dims[0]) *
                  static_cast<uint64_t>(op.in(kFeature).elements() + op.in(kTime).elements());
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.dot = static_cast<const S8DotKernel*>(binding.row);
  const auto& o = *op.options<fb::SvdfOptions>();
  const TensorView& in = op.in(kInput);
  const TensorView& state = op.in(kState);
  p.batch = static_cast<size_t>(in.dims[0]);
  p.rank = static_cast<size_t>(o.rank());
  p.units = static_cast<size_t>(op.out().dims[1]);
  p.inputs = static_cast<size_t>(in.dims[1]);
  p.memory = static_cast<size_t>(op.in(kTime).dims[1]);
  p.input_zero_point = in.zero_point;
  p.state_zero_point = state.zero_point;
  p.output_zero_point = op.out().zero_point;
  p.act_min = o.act_min() > -128 ? o.act_min() : -128;
  p.act_max = o.act_max() < 127 ? o.act_max() : 127;
  // The reference forms these scales in float.
  const float to_state = in.scale() * op.in(kFeature).scale() / state.scale();
  const float to_output = state.scale() * op.in(kTime).scale() / op.out().scale();
  p.to_state = QuantizeMultiplier(static_cast<double>(to_state));
  p.to_output = QuantizeMultiplier(static_cast<double>(to_output));
  p.grain = 32768 / (p.rank * (p.inputs + p.memory)) + 1;
}

}  // namespace

extern const OpDef kSVDFOp = {Check, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
