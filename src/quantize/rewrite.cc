#include "src/quantize/rewrite.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/compiler/evaluate.h"
#include "src/passes/passes.h"
#include "src/quantize/weights.h"

namespace octet {
namespace {

DType TypeOf(Precision precision) {
  switch (precision) {
    case Precision::kInt8:
      return DType::INT8;
    case Precision::kInt16:
      return DType::INT16;
    case Precision::kFloat:
      break;
  }
  return DType::FLOAT32;
}

// Source: as in the importer, TFLite's CalculateActivationRangeQuantized.
int32_t QuantiseLimit(float limit, DType type, const Affine& affine) {
  const double low = type == DType::INT16 ? -32768 : -128,
               high = type == DType::INT16 ? 32767 : 127;
  const double steps = std::round(static_cast<double>(limit) / static_cast<double>(affine.scale));
  return static_cast<int32_t>(std::clamp(steps + affine.zero_point, low, high));
}

class Rewriter {
 public:
  Rewriter(const Graph& from, const QuantPlan& plan, RewrittenGraph* result)
      : from_(from), plan_(plan), result_(*result), to_(result->graph) {}

  // Fails only for what no choice of precisions mends; operators that are refused go to *refused.
  Status Run(std::vector<size_t>* refused) {
    result_ = RewrittenGraph();
    result_.tensors = AssignScales(from_, plan_);
    result_.tensor_of.assign(from_.tensors.size(), -1);
    result_.weight_sqnr_db.assign(from_.ops.size(), 0);
    result_.weights_of.assign(from_.ops.size(), -1);
    forms_.resize(from_.tensors.size());
    to_.metadata = from_.metadata;
    for (const int32_t t : from_.inputs) to_.inputs.push_back(Input(t));
    for (size_t i = 0; i < from_.ops.size(); ++i) {
      const size_t before = to_.ops.size();
      OCTET_RETURN_IF_ERROR(Op(i));
      for (size_t k = before; k < to_.ops.size(); ++k) {
        if (plan_.precision[i] == Precision::kFloat || Accepted(to_, to_.ops[k])) continue;
        refused->push_back(i);
        break;
      }
    }
    for (const int32_t t : from_.outputs) {
      to_.outputs.push_back(plan_.float_outputs && IsFloat(from_, t) ? Get(t, DType::FLOAT32)
                                                                     : Primary(t));
    }
    return OCTET_OK;
  }

 private:
  const Affine& AffineOf(int32_t t, DType type) const {
    return type == DType::INT16 ? result_.tensors[t].int16 : result_.tensors[t].int8;
  }

  int32_t NewTensor(int32_t t, DType type, const Affine& affine, const std::string& suffix) {
    GraphTensor tensor;
    tensor.name = from_.tensors[t].name + suffix;
    tensor.shape = from_.tensors[t].shape;
    tensor.type = type;
    if (type != DType::FLOAT32) {
      tensor.scale = {affine.scale};
      tensor.zero_point = affine.zero_point;
    }
    return to_.AddTensor(std::move(tensor));
  }

  // The type in which most is done with a graph input.
  DType InputType(int32_t t) const {
    if (plan_.float_inputs) return DType::FLOAT32;
    DType type = DType::FLOAT32;
    for (const int32_t i : from_.Consumers(t)) {
      if (RuleOf(from_, from_.ops[i]) == QuantRule::kKeep) continue;
      if (plan_.precision[i] == Precision::kInt8) return DType::INT8;
      if (plan_.precision[i] == Precision::kInt16) type = DType::INT16;
    }
    return type;
  }

  int32_t Input(int32_t t) {
    if (!IsFloat(from_, t)) return Primary(t);
    const DType type = InputType(t);
    return SetPrimary(t, type, AffineOf(t, type));
  }

  int32_t SetPrimary(int32_t t, DType type, const Affine& affine) {
    const int32_t made = NewTensor(t, type, affine, "");
    to_.tensors[made].is_state = from_.tensors[t].is_state;
    forms_[t].assign(1, made);
    result_.tensor_of[t] = made;
    return made;
  }

  // What the tensor's producer writes; what is not computed is copied as it is.
  int32_t Primary(int32_t t) {
    if (t < 0) return -1;
    if (forms_[t].empty()) {
      forms_[t].push_back(to_.AddTensor(from_.tensors[t]));
      result_.tensor_of[t] = forms_[t][0];
    }
    return forms_[t][0];
  }

  int32_t Get(int32_t t, DType type) { return GetAs(t, type, AffineOf(t, type)); }

  // The tensor in a type and scale, converted if need be.
  int32_t GetAs(int32_t t, DType type, const Affine& affine) {
    const int32_t primary = Primary(t);
    for (const int32_t form : forms_[t]) {
      const GraphTensor& have = to_.tensors[form];
      if (have.type != type) continue;
      if (type == DType::FLOAT32) return form;
      if (have.scale.size() == 1 && have.scale[0] == affine.scale &&
          have.zero_point == affine.zero_point) {
        return form;
      }
    }
    const std::string suffix = std::string("/") + TypeName(type) +
                               (forms_[t].size() > 1 ? std::to_string(forms_[t].size()) : "");
    const int32_t made = NewTensor(t, type, affine, suffix);
    forms_[t].push_back(made);
    if (from_.tensors[t].is_constant()) {
      to_.tensors[made].data = std::make_shared<const std::vector<uint8_t>>(
          QuantizeValues(FloatsOf(from_.tensors[t]), type, affine));
      return made;
    }
    GraphOp convert;
    convert.kind = type == DType::FLOAT32 ? OpKind::DEQUANTIZE : OpKind::QUANTIZE;
    convert.name = to_.tensors[made].name;
    convert.inputs = {primary};
    convert.outputs = {made};
    to_.ops.push_back(std::move(convert));
    return made;
  }

  Status Op(size_t i) {
    const GraphOp& op = from_.ops[i];
    const QuantRule rule = RuleOf(from_, op);
    const Precision precision = plan_.precision[i];
    if (precision == Precision::kFloat || rule == QuantRule::kKeep) return Keep(op);
    const DType type = TypeOf(precision);
    if (rule == QuantRule::kProduct) return Product(i, type);
    const bool table =
        rule == QuantRule::kTable || op.kind == OpKind::LOGISTIC || op.kind == OpKind::TANH;
    if (table && type == DType::INT8) return Table(op);

    GraphOp made = op;
    for (int32_t& t : made.inputs) {
      if (!IsFloat(from_, t)) {
        t = Primary(t);
      } else if (rule == QuantRule::kSame) {
        t = GetAs(t, type, AffineOf(op.outputs[0], type));
      } else {
        t = Get(t, type);
      }
    }
    if (auto* pad = made.options.AsPadOptions(); pad && rule == QuantRule::kSame) {
      float value;
      std::memcpy(&value, &pad->value, sizeof value);
      pad->value = 0;
      const auto bytes = QuantizeValues({value}, type, AffineOf(op.outputs[0], type));
      std::memcpy(&pad->value, bytes.data(), bytes.size());
    }
    Outputs(op, type, &made);
    to_.ops.push_back(std::move(made));
    return OCTET_OK;
  }

  void Outputs(const GraphOp& op, DType type, GraphOp* made) {
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      const int32_t t = op.outputs[k];
      made->outputs[k] = IsFloat(from_, t) ? SetPrimary(t, type, AffineOf(t, type)) : Primary(t);
    }
    const FloatClamp clamp = ClampOf(made);
    if (!clamp.low) return;
    const Affine& affine = AffineOf(op.outputs[0], type);
    if (*clamp.low > -3e38f) *clamp.q_low = QuantiseLimit(*clamp.low, type, affine);
    if (*clamp.high < 3e38f) *clamp.q_high = QuantiseLimit(*clamp.high, type, affine);
    *clamp.low = -3.4028234e38f;
    *clamp.high = 3.4028234e38f;
  }

  Status Keep(const GraphOp& op) {
    GraphOp made = op;
    for (int32_t& t : made.inputs) t = IsFloat(from_, t) ? Get(t, DType::FLOAT32) : Primary(t);
    for (int32_t& t : made.outputs) {
      t = IsFloat(from_, t) ? SetPrimary(t, DType::FLOAT32, Affine()) : Primary(t);
    }
    to_.ops.push_back(std::move(made));
    return OCTET_OK;
  }

  Status Product(size_t i, DType type) {
    const GraphOp& op = from_.ops[i];
    const GraphTensor& weights = from_.tensors[op.inputs[1]];
    const int axis = WeightAxis(op.kind);
    const int32_t channels = weights.shape[static_cast<size_t>(axis)];
    std::vector<float> bias;
    const bool has_bias = op.inputs.size() > 2 && op.inputs[2] >= 0;
    if (has_bias) bias = FloatsOf(from_.tensors[op.inputs[2]]);
    if (i < plan_.bias_correction.size() && !plan_.bias_correction[i].empty()) {
      bias.resize(static_cast<size_t>(channels), 0);
      for (size_t c = 0; c < bias.size(); ++c) bias[c] += plan_.bias_correction[i][c];
    }
    const bool wide = type == DType::INT16;
    const double input_scale = static_cast<double>(AffineOf(op.inputs[0], type).scale);
    // Half of the int32 range is left to the products.
    const ProductConstants constants =
        QuantizeProduct(weights, bias, axis, input_scale, wide ? 46 : 30);
    result_.weight_sqnr_db[i] = constants.weight_sqnr_db;

    GraphOp made = op;
    made.inputs.resize(2);
    made.inputs[0] = Get(op.inputs[0], type);
    GraphTensor w;
    w.name = weights.name;
    w.type = DType::INT8;
    w.shape = weights.shape;
    w.scale = constants.scales;
    w.axis = axis;
    w.data = BytesOf(constants.weights.data(), constants.weights.size());
    made.inputs[1] = result_.weights_of[i] = to_.AddTensor(std::move(w));
    if (!bias.empty()) {
      GraphTensor b;
      b.name = has_bias ? from_.tensors[op.inputs[2]].name : weights.name + "/bias";
      b.shape = {channels};
      for (const float s : constants.scales) {
        b.scale.push_back(static_cast<float>(input_scale * static_cast<double>(s)));
      }
      if (wide) {
        b.type = DType::INT64;
        b.data = BytesOf(constants.bias.data(), constants.bias.size() * sizeof(int64_t));
      } else {
        b.type = DType::INT32;
        const std::vector<int32_t> narrow(constants.bias.begin(), constants.bias.end());
        b.data = BytesOf(narrow.data(), narrow.size() * sizeof(int32_t));
      }
      made.inputs.push_back(to_.AddTensor(std::move(b)));
    }
    Outputs(op, type, &made);
    to_.ops.push_back(std::move(made));
    return OCTET_OK;
  }

  // A LUT with what the float operator itself makes of the 256 values.
  Status Table(const GraphOp& op) {
    const int32_t in = op.inputs[0], out = op.outputs[0];
    const Affine &a = AffineOf(in, DType::INT8), &b = AffineOf(out, DType::INT8);
    Graph alone;
    GraphTensor tensor;
    tensor.type = DType::FLOAT32;
    tensor.shape = {256};
    alone.AddTensor(tensor);
    alone.AddTensor(tensor);
    GraphOp unary = op;
    unary.inputs = {0};
    unary.outputs = {1};
    alone.ops.push_back(unary);
    alone.inputs = {0};
    alone.outputs = {1};
    std::vector<uint8_t> values(256 * sizeof(float));
    for (int i = 0; i < 256; ++i) {
      const int q = static_cast<int8_t>(static_cast<uint8_t>(i));
      const float x = static_cast<float>(static_cast<double>(a.scale) * (q - a.zero_point));
      std::memcpy(&values[static_cast<size_t>(i) * sizeof x], &x, sizeof x);
    }
    std::vector<std::vector<uint8_t>> outputs;
    OCTET_RETURN_IF_ERROR(Evaluate(alone, {values}, &outputs));
    std::vector<float> y(256);
    std::memcpy(y.data(), outputs[0].data(), outputs[0].size());
    const std::vector<uint8_t> table = QuantizeValues(y, DType::INT8, b);
    GraphOp lut;
    lut.kind = OpKind::LUT;
    lut.name = op.name;
    lut.inputs = {Get(in, DType::INT8),
                  to_.AddConstant(op.name + "/table", DType::UINT8, {256}, table.data())};
    lut.outputs = {SetPrimary(out, DType::INT8, b)};
    fb::LutOptionsT options;
    options.origin = OpName(op.kind);
    lut.options.Set(std::move(options));
    to_.ops.push_back(std::move(lut));
    return OCTET_OK;
  }

  const Graph& from_;
  const QuantPlan& plan_;
  RewrittenGraph& result_;
  Graph& to_;
  std::vector<std::vector<int32_t>> forms_;  // of each float tensor; the first is its producer's
};

// Operators that only move values follow the one that made them, so that nothing is converted to
// and fro.
void Follow(const Graph& graph, const std::vector<bool>& settled, QuantPlan* plan) {
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    if (settled[i] || RuleOf(graph, op) != QuantRule::kSame) continue;
    const int32_t producer = graph.Producer(op.inputs[0]);
    if (producer < 0) continue;
    const GraphOp& maker = graph.ops[producer];
    if (RuleOf(graph, maker) == QuantRule::kKeep) continue;
    const Precision precision = plan->precision[producer];
    if (precision == Precision::kInt16 && !HasInt16(graph, op)) continue;
    plan->precision[i] = precision;
  }
}

}  // namespace

Status Rewrite(const Graph& graph, QuantPlan* plan, RewrittenGraph* result,
               std::vector<std::string>* log) {
  std::vector<bool> settled(graph.ops.size(), false);
  for (;;) {
    Follow(graph, settled, plan);
    std::vector<size_t> refused;
    OCTET_RETURN_IF_ERROR(Rewriter(graph, *plan, result).Run(&refused));
    if (refused.empty()) return CheckGraph(result->graph);
    for (const size_t i : refused) {
      plan->precision[i] = Precision::kFloat;
      settled[i] = true;
      log->push_back(std::string("kept in float32, as the runtime has no such integer form: ") +
                     OpName(graph.ops[i].kind) + " \"" + graph.ops[i].name + "\"");
    }
  }
}

}  // namespace octet
