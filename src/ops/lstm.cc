// UNIDIRECTIONAL_SEQUENCE_LSTM: int8 activations and weights, int16 cell state; no peepholes,
// projection or layer normalisation. Inputs are numbered as TFLite numbers them.
//
// Source of the formula: TFLite Micro's lstm_eval.h. A gate is a dense layer of the input and one
// of the hidden state, each rounded to Q3.12, added, and put through the logistic function (the
// cell gate: tanh) to Q0.15.
#include <cmath>
#include <cstring>

#include "kernels/common/requant.h"
#include "kernels/common/sigmoid16.h"
#include "kernels/s8_dot/s8_dot.h"
#include "src/ops/op.h"

namespace octet {
namespace {

enum : size_t {
  kInput = 0,
  kInputWeights = 1,   // of the gates input, forget, cell, output: 1 ... 4
  kHiddenWeights = 5,  // 5 ... 8
  kPeepholes = 9,      // 9 ... 11
  kBias = 12,          // 12 ... 15
  kProjection = 16,    // 16, 17
  kHidden = 18,
  kCell = 19,
  kNorms = 20,  // 20 ... 23
};

enum Gate : size_t { kInputGate, kForgetGate, kCellGate, kOutputGate, kGates };

struct Params {
  size_t batch, time, inputs, units;
  size_t batch_stride, time_stride;  // steps between vectors of inputs and of outputs
  int32_t input_zero_point, hidden_zero_point;
  Multiplier from_input[kGates], from_hidden[kGates];
  Multiplier forget_cell, input_cell, hidden;
  Scale16 cell_to_tanh;
  int32_t cell_clip;  // 0: none
  const S8DotKernel* dot;
};

int32_t Saturate16(int32_t x) { return Clamp(x, -32768, 32767); }

// The power of two that a scale is, to one in a thousand of it; false for others.
bool PowerOfTwo(float scale, int* power) {
  const double fraction = std::frexp(static_cast<double>(scale), power);
  if (std::fabs(fraction - 1.0) < 6.9e-4) return true;
  --*power;
  return std::fabs(2 * fraction - 1.0) < 6.9e-4;
}

// Cell state to the argument of Tanh16, whose unit is 2^-12 / 3.
bool CellToTanh(float cell_scale, Scale16* scale) {
  int power;
  if (!PowerOfTwo(cell_scale, &power) || power < -30 || power > 0) return false;
  const int32_t left = 12 + power;
  *scale = left >= 0 ? Scale16{3 << left, 0} : Scale16{3, -left};
  return true;
}

Status CheckGate(const OpView& op, size_t gate, int32_t inputs, int32_t units) {
  const TensorView& from_input = op.in(kInputWeights + gate);
  const TensorView& from_hidden = op.in(kHiddenWeights + gate);
  const TensorView& bias = op.in(kBias + gate);
  if (from_input.type != DType::INT8 || from_hidden.type != DType::INT8 ||
      bias.type != DType::INT32) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckRank(from_input, "input weights", 2, 2));
  OCTET_RETURN_IF_ERROR(CheckRank(from_hidden, "recurrent weights", 2, 2));
  OCTET_RETURN_IF_ERROR(CheckQuantised(from_input, "input weights"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(from_hidden, "recurrent weights"));
  OCTET_CHECK_OP(
      from_input.dims[0] == units && from_input.dims[1] == inputs && from_hidden.dims[0] == units &&
          from_hidden.dims[1] == units && bias.elements() == units,
      "weights or bias of gate %zu do not fit %d inputs and %d units", gate, inputs, units);
  if (from_input.zero_point != 0 || from_hidden.zero_point != 0) {
    return Fail(OCTET_UNSUPPORTED, "weights with a zero point other than 0");
  }
  return OCTET_OK;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, kPeepholes, 24, 1, 1));  // peepholes are absent
  const auto absent = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (op.input(i) != nullptr) return false;
    }
    return true;
  };
  if (!absent(kPeepholes, kBias) || !absent(kProjection, kHidden) || !absent(kNorms, 24)) {
    return Fail(OCTET_UNSUPPORTED, "peepholes, projection or layer normalisation");
  }
  for (size_t i = 0; i <= kCell; ++i) {
    if ((i >= kPeepholes && i < kBias) || i == kProjection || i == kProjection + 1) continue;
    if (op.input(i) == nullptr) return Fail(OCTET_UNSUPPORTED, "input %zu is missing", i);
  }
  const TensorView& in = op.in(kInput);
  const TensorView& hidden = op.in(kHidden);
  const TensorView& cell = op.in(kCell);
  const TensorView& out = op.out();
  if (in.type != DType::INT8 || out.type != DType::INT8 || hidden.type != DType::INT8 ||
      cell.type != DType::INT16) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 3, 3));
  OCTET_RETURN_IF_ERROR(CheckRank(out, "output", 3, 3));
  OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(hidden, "hidden state"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(cell, "cell state"));
  OCTET_CHECK_OP(hidden.is_state && cell.is_state, "the states are not kept between runs");
  const auto& o = *op.options<fb::LstmOptions>();
  const int64_t batch = in.dims[o.time_major() ? 1 : 0];
  const int32_t inputs = in.dims[2], units = out.dims[2];
  OCTET_CHECK_OP(out.dims[0] == in.dims[0] && out.dims[1] == in.dims[1] &&
                     hidden.elements() == batch * units && cell.elements() == batch * units,
                 "shapes of input, states and output do not fit");
  for (size_t gate = 0; gate < kGates; ++gate) {
    OCTET_RETURN_IF_ERROR(CheckGate(op, gate, inputs, units));
  }
  OCTET_CHECK_OP(std::isfinite(o.cell_clip()) && o.cell_clip() >= 0, "cell clip is %g",
                 static_cast<double>(o.cell_clip()));
  if (inputs > INT32_MAX / (128 * 255) || units > INT32_MAX / (128 * 255)) {
    return Fail(OCTET_UNSUPPORTED, "sums of %d or %d products can overflow", inputs, units);
  }
  Scale16 unused;
  if (cell.zero_point != 0 || !CellToTanh(cell.scale(), &unused)) {
    return Fail(OCTET_UNSUPPORTED, "cell state with zero point %d and scale %g, not 0 and 2^-n",
                cell.zero_point, static_cast<double>(cell.scale()));
  }
  return OCTET_OK;
}

int32_t Dense(int32_t sum, int32_t bias, Multiplier q) {
  const uint32_t acc = static_cast<uint32_t>(sum) + static_cast<uint32_t>(bias);
  return Saturate16(Requantize(static_cast<int32_t>(acc), q));
}

// One gate of all units, in Q0.15.
void RunGate(const RunContext& c, size_t gate, const int8_t* input, const int8_t* hidden,
             int16_t* output) {
  constexpr size_t kBlock = 32;  // units whose sums are found at a time
  const Params& p = *static_cast<const Params*>(c.params);
  const int8_t* from_input = c.in<int8_t>(kInputWeights + gate);
  const int8_t* from_hidden = c.in<int8_t>(kHiddenWeights + gate);
  const int32_t* bias = c.in<int32_t>(kBias + gate);
  for (size_t u0 = 0; u0 < p.units; u0 += kBlock) {
    const size_t n = p.units - u0 < kBlock ? p.units - u0 : kBlock;
    int32_t x[kBlock] = {}, h[kBlock] = {};
    p.dot->rows(
        {input, 1, p.input_zero_point, 0, from_input + u0 * p.inputs, p.inputs, p.inputs, n}, x);
    p.dot->rows(
        {hidden, 1, p.hidden_zero_point, 0, from_hidden + u0 * p.units, p.units, p.units, n}, h);
    for (size_t i = 0; i < n; ++i) {
      const size_t u = u0 + i;
      const int32_t sum =
          Dense(x[i], bias[u], p.from_input[gate]) + Dense(h[i], 0, p.from_hidden[gate]);
      const int32_t argument = 3 * Saturate16(sum);
      output[u] = gate == kCellGate ? Tanh16(argument) : Logistic16(argument);
    }
  }
}

// One vector of inputs: updates the states of its batch.
void Step(const RunContext& c, const int8_t* input, int8_t* hidden, int16_t* cell) {
  const Params& p = *static_cast<const Params*>(c.params);
  int16_t* gates[kGates];
  for (size_t g = 0; g < kGates; ++g) {
    gates[g] = reinterpret_cast<int16_t*>(c.scratch) + g * p.units;
    RunGate(c, g, input, hidden, gates[g]);
  }
  for (size_t u = 0; u < p.units; ++u) {
    const int32_t kept = Saturate16(Requantize(gates[kForgetGate][u] * cell[u], p.forget_cell));
    const int32_t added =
        Saturate16(Requantize(gates[kInputGate][u] * gates[kCellGate][u], p.input_cell));
    int32_t state = Saturate16(kept + added);
    if (p.cell_clip > 0) state = Clamp(state, -p.cell_clip, p.cell_clip);
    cell[u] = static_cast<int16_t>(state);
    const int32_t squashed = Tanh16(p.cell_to_tanh(cell[u]));
    // Saturated first: the sum with the zero point could overflow.
    const int32_t y =
        Clamp<int32_t>(Requantize(squashed * gates[kOutputGate][u], p.hidden), -1024, 1024);
    hidden[u] = static_cast<int8_t>(Clamp(y + p.hidden_zero_point, -128, 127));
  }
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  for (size_t b = 0; b < p.batch; ++b) {
    int8_t* hidden = reinterpret_cast<int8_t*>(c.inputs[kHidden].data) + b * p.units;
    int16_t* cell = reinterpret_cast<int16_t*>(c.inputs[kCell].data) + b * p.units;
    for (size_t t = 0; t < p.time; ++t) {
      const size_t vector = b * p.batch_stride + t * p.time_stride;
      Step(c, c.in<int8_t>(kInput) + vector * p.inputs, hidden, cell);
      std::memcpy(c.out<int8_t>() + vector * p.units, hidden, p.units);
    }
  }
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const uint64_t inputs = static_cast<uint64_t>(op.in(kInput).dims[2]);
  const uint64_t units = static_cast<uint64_t>(op.out().dims[2]);
  const S8DotKernel& dot = FirstRow(S8DotTable(), isa);
  binding->kernel = dot.name;
  binding->row = &dot;
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
  binding->scratch_bytes = kGates * static_cast<size_t>(units) * sizeof(int16_t);
  binding->macs = static_cast<uint64_t>(op.out().elements()) * kGates * (inputs + units);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.dot = static_cast<const S8DotKernel*>(binding.row);
  const auto& o = *op.options<fb::LstmOptions>();
  const TensorView& in = op.in(kInput);
  const TensorView& hidden = op.in(kHidden);
  const bool time_major = o.time_major();
  p.batch = static_cast<size_t>(in.dims[time_major ? 1 : 0]);
  p.time = static_cast<size_t>(in.dims[time_major ? 0 : 1]);
  p.batch_stride = time_major ? 1 : p.time;
  p.time_stride = time_major ? p.batch : 1;
  p.inputs = static_cast<size_t>(in.dims[2]);
  p.units = static_cast<size_t>(op.out().dims[2]);
  p.input_zero_point = in.zero_point;
  p.hidden_zero_point = hidden.zero_point;
  // The reference multiplies scales of activations and weights in float.
  constexpr double kGateScale = 1.0 / 4096, kActivationScale = 1.0 / 32768;
  for (size_t g = 0; g < kGates; ++g) {
    const float input_scale = in.scale() * op.in(kInputWeights + g).scale();
    const float hidden_scale = hidden.scale() * op.in(kHiddenWeights + g).scale();
    p.from_input[g] = QuantizeMultiplier(static_cast<double>(input_scale) / kGateScale);
    p.from_hidden[g] = QuantizeMultiplier(static_cast<double>(hidden_scale) / kGateScale);
  }
  const double cell_scale = static_cast<double>(op.in(kCell).scale());
  p.forget_cell = QuantizeMultiplier(kActivationScale * cell_scale / cell_scale);
  p.input_cell = QuantizeMultiplier(kActivationScale * kActivationScale / cell_scale);
  p.hidden =
      QuantizeMultiplier(kActivationScale * kActivationScale / static_cast<double>(hidden.scale()));
  CellToTanh(op.in(kCell).scale(), &p.cell_to_tanh);
  p.cell_clip =
      static_cast<int32_t>(Clamp(static_cast<double>(o.cell_clip()) / cell_scale, 0.0, 32767.0));
}

}  // namespace

extern const OpDef kUNIDIRECTIONAL_SEQUENCE_LSTMOp = {Check, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
