// Rows of the importer: LSTM, GRU and RNN, written out step by step in float32.
//
// The inputs' share of the gates is one matrix product over all steps; what a step adds is a
// product with the state before it, and element-wise operators. All steps share the weights. So the
// quantiser sees nothing but operators that it knows.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr int32_t kMostSteps = 512;  // of both directions together; about a dozen operators each

struct Cell {
  int32_t gates = 0;  // LSTM: input, output, forget, cell; GRU: update, reset, new; RNN: one
  int32_t steps = 0, batch = 0, inputs = 0, units = 0, directions = 1;
  bool batch_first = false, reset_last = false;
  OpKind activation = OpKind::TANH;  // of RNN
};

// Builds with values of this shape.
class Steps {
 public:
  Steps(Node& n, const Cell& cell) : n_(n), cell_(cell) {}

  int32_t New(Dims dims) { return n_.b.New(n_.out_name(), DType::FLOAT32, std::move(dims)); }
  int32_t State() { return New({cell_.batch, cell_.units}); }

  int32_t Binary(OpKind kind, int32_t a, int32_t b) {
    const int32_t out = New(n_.b[a].dims);
    status_ = status_ != OCTET_OK ? status_ : EmitBinary(&n_.b, kind, a, b, out);
    return out;
  }
  int32_t Map(OpKind kind, int32_t x) {
    const int32_t out = New(n_.b[x].dims);
    n_.b.MapElements(x, out, [&](int32_t from, int32_t to) {
      if (kind == OpKind::RELU) {
        fb::ElementwiseOptionsT options;
        options.act_min_f = 0;
        n_.b.Emit(kind, {from}, to, options);
      } else {
        n_.b.Emit(kind, {from}, to);
      }
    });
    return out;
  }
  // x times weights (a tensor [rows, depth]) plus a bias (a tensor or -1).
  int32_t Product(int32_t x, int32_t weights, int32_t bias, int32_t rows) {
    const int32_t out = New({n_.b[x].dims[0], rows});
    const int32_t in = n_.b.Tensor(x, kPlain);
    n_.b.Emit(OpKind::FULLY_CONNECTED, {in, weights, bias}, n_.b.Output(out, kPlain),
              fb::FullyConnectedOptionsT{});
    return out;
  }
  // Rows [begin, begin + count) of a matrix.
  int32_t Rows(int32_t x, int32_t begin, int32_t count) {
    const Dims dims = n_.b[x].dims;
    const int32_t out = New({count, dims[1]});
    fb::SliceOptionsT options;
    options.begin = {begin, 0};
    options.size = {count, dims[1]};
    options.strides = {1, 1};
    const int32_t from = n_.b.Tensor(x, kPlain);
    n_.b.Emit(OpKind::SLICE, {from}, n_.b.Output(out, kPlain), std::move(options));
    return out;
  }
  // Equal parts of a matrix's columns.
  std::vector<int32_t> Columns(int32_t x, int32_t parts) {
    if (parts == 1) return {x};
    const Dims dims = n_.b[x].dims;
    const int32_t from = n_.b.Tensor(x, kPlain);
    std::vector<int32_t> values, tensors;
    for (int32_t i = 0; i < parts; ++i) {
      values.push_back(New({dims[0], dims[1] / parts}));
      tensors.push_back(n_.b.Output(values.back(), kPlain));
    }
    fb::AxisOptionsT options;
    options.axis = 1;
    n_.b.Emit(OpKind::SPLIT, {from}, tensors[0], std::move(options)).outputs = tensors;
    return values;
  }
  // out = parts side by side along an axis, each reshaped before.
  void Join(const std::vector<int32_t>& parts, const Dims& shape, int32_t axis, int32_t out) {
    std::vector<int32_t> tensors;
    for (const int32_t part : parts) {
      const int32_t from = n_.b.Tensor(part, kPlain);
      tensors.push_back(n_.b.ReshapeTensor(from, shape));
    }
    const int32_t to = n_.b.Output(out, kPlain);
    if (tensors.size() == 1) {
      n_.b.EmitReshape(tensors[0], to);
      return;
    }
    fb::AxisOptionsT options;
    options.axis = axis;
    n_.b.Emit(OpKind::CONCATENATION, tensors, to, std::move(options));
  }
  Status status() const { return status_; }

 private:
  Node& n_;
  const Cell& cell_;
  Status status_ = OCTET_OK;
};

Status CheckActivations(Node& n, Cell* cell) {
  const auto* names = n.Attribute("activations");
  if (!names) return OCTET_OK;
  const std::string& type = n.type();
  std::vector<std::string> wanted = type == "LSTM"
                                        ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
                                    : type == "GRU" ? std::vector<std::string>{"sigmoid", "tanh"}
                                                    : std::vector<std::string>{"tanh"};
  for (int i = 0; i < names->strings_size(); ++i) {
    std::string name = names->strings(i);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (type == "RNN" && name == "relu") {
      if (i > 0 && cell->activation != OpKind::RELU)
        return Fail(OCTET_UNSUPPORTED, "has mixed activations");
      cell->activation = OpKind::RELU;
    } else if (name != wanted[static_cast<size_t>(i) % wanted.size()] ||
               cell->activation == OpKind::RELU) {
      return Fail(OCTET_UNSUPPORTED, "has the activation \"%s\"", ShortText(name).c_str());
    }
  }
  return OCTET_OK;
}

Status ReadCell(Node& n, Cell* cell) {
  const std::string& type = n.type();
  cell->gates = type == "LSTM" ? 4 : type == "GRU" ? 3 : 1;
  int64_t layout = 0, before = 0, coupled = 0, units = 0;
  float clip = 0;
  std::string direction = "forward";
  OCTET_RETURN_IF_ERROR(n.Int("layout", &layout));
  OCTET_RETURN_IF_ERROR(n.Int("linear_before_reset", &before));
  OCTET_RETURN_IF_ERROR(n.Int("input_forget", &coupled));
  OCTET_RETURN_IF_ERROR(n.Int("hidden_size", &units));
  OCTET_RETURN_IF_ERROR(n.Float("clip", &clip));
  OCTET_RETURN_IF_ERROR(n.String("direction", &direction));
  OCTET_RETURN_IF_ERROR(CheckActivations(n, cell));
  for (int i = 0; i < 3; ++i) {
    if (n.rank(i) != 3) {
      return Fail(OCTET_INVALID_MODEL, "has an input %d %s", i, Text(n.dims(i)).c_str());
    }
    if (n.value(i).type != DType::FLOAT32) {
      return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(i).type));
    }
  }
  cell->batch_first = layout != 0;
  cell->reset_last = before != 0;
  const Dims x = n.dims(0), w = n.dims(1), r = n.dims(2);
  cell->steps = x[cell->batch_first ? 1 : 0];
  cell->batch = x[cell->batch_first ? 0 : 1];
  cell->inputs = x[2];
  cell->units = r[2];
  cell->directions = direction == "bidirectional" ? 2 : 1;
  const int64_t rows = int64_t{cell->gates} * cell->units;
  const Dims wanted_w = {cell->directions, static_cast<int32_t>(rows), cell->inputs};
  const Dims wanted_r = {cell->directions, static_cast<int32_t>(rows), cell->units};
  if (rows > INT32_MAX || w != wanted_w || r != wanted_r || (units != 0 && units != cell->units)) {
    return Fail(OCTET_INVALID_MODEL, "has weights %s and %s for an input %s", Text(w).c_str(),
                Text(r).c_str(), Text(x).c_str());
  }
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return Fail(OCTET_INVALID_MODEL, "has direction \"%s\"", direction.c_str());
  }
  if (coupled) return Fail(OCTET_UNSUPPORTED, "couples its input and forget gates");
  if (clip != 0) return Fail(OCTET_UNSUPPORTED, "clips its sums");
  if (n.has(7)) return Fail(OCTET_UNSUPPORTED, "has peepholes");
  if (n.has(4)) {
    const Array* lengths = nullptr;
    OCTET_RETURN_IF_ERROR(n.Constant(4, "the lengths", &lengths));
    for (size_t i = 0; i < lengths->size(); ++i) {
      if (lengths->Int(i) != cell->steps) {
        return Fail(OCTET_UNSUPPORTED, "has sequences of different lengths");
      }
    }
  }
  const int64_t steps = int64_t{cell->steps} * cell->directions;
  if (steps > kMostSteps) {
    return Fail(OCTET_UNSUPPORTED, "is written out step by step: %lld steps are more than %d",
                static_cast<long long>(steps), kMostSteps);
  }
  if (steps < 1 || cell->batch < 1 || cell->inputs < 1 || cell->units < 1) {
    return Fail(OCTET_UNSUPPORTED, "has an input %s and %d units", Text(x).c_str(), cell->units);
  }
  if (steps * cell->batch > INT32_MAX / rows) return Fail(OCTET_UNSUPPORTED, "is too large");
  return OCTET_OK;
}

// Row `direction` of a constant.
Array Part(const Array& array, int32_t direction, Dims dims) {
  const size_t n = static_cast<size_t>(Elements(dims));
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = array.Float(static_cast<size_t>(direction) * n + i);
  return FloatArray(std::move(dims), values);
}

// The state of a direction before the first step: a value [batch, units].
Status InitialState(Node& n, Steps& s, const Cell& cell, int input, int32_t direction,
                    int32_t* state) {
  const Dims dims = {cell.batch, cell.units};
  if (!n.has(input)) {
    const size_t size = static_cast<size_t>(Elements(dims));
    *state = n.b.NewConstant(n.out_name(), FloatArray(dims, std::vector<float>(size, 0.f)));
    return OCTET_OK;
  }
  const Dims whole = cell.batch_first ? Dims{cell.batch, cell.directions, cell.units}
                                      : Dims{cell.directions, cell.batch, cell.units};
  if (n.dims(input) != whole || n.value(input).type != DType::FLOAT32) {
    return Fail(OCTET_INVALID_MODEL, "has a state %s", Text(n.dims(input)).c_str());
  }
  // [directions * batch, units], or with the batch first the directions' columns.
  const Dims flat = cell.batch_first ? Dims{cell.batch, cell.directions * cell.units}
                                     : Dims{cell.directions * cell.batch, cell.units};
  const int32_t all = s.New(flat);
  if (const Array* array = n.b.Constant(n.in(input))) {
    n.b[all].constant = array->Reshaped(flat);
  } else {
    n.b[all].at[kPlain] = n.b.ReshapeTensor(n.b.Tensor(n.in(input), kPlain), flat);
  }
  *state = cell.directions == 1 ? all
           : cell.batch_first   ? s.Columns(all, cell.directions)[static_cast<size_t>(direction)]
                                : s.Rows(all, direction * cell.batch, cell.batch);
  return OCTET_OK;
}

}  // namespace

Status ImportRecurrent(Node& n) {
  Cell cell;
  OCTET_RETURN_IF_ERROR(ReadCell(n, &cell));
  Builder& b = n.b;
  const std::string& type = n.type();
  const bool lstm = type == "LSTM", gru = type == "GRU";
  const Array *w_all = nullptr, *r_all = nullptr, *b_all = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(1, "the weights", &w_all));
  OCTET_RETURN_IF_ERROR(n.Constant(2, "the recurrent weights", &r_all));
  const int32_t rows = cell.gates * cell.units;
  if (n.has(3)) {
    OCTET_RETURN_IF_ERROR(n.Constant(3, "the bias", &b_all));
    if (b_all->size() != static_cast<size_t>(cell.directions) * 2 * static_cast<size_t>(rows)) {
      return Fail(OCTET_INVALID_MODEL, "has a bias %s", Text(b_all->dims).c_str());
    }
  }
  OCTET_RETURN_IF_ERROR(b.budget().Take(w_all->bytes->size() + r_all->bytes->size()));
  std::string direction_name = "forward";
  OCTET_RETURN_IF_ERROR(n.String("direction", &direction_name));

  Steps s(n, cell);
  // All steps' inputs, one row each, steps first.
  int32_t x = b.Tensor(n.in(0), kPlain);
  if (cell.batch_first && cell.batch > 1) {
    const int32_t turned =
        b.AddTensor(n.out_name(), DType::FLOAT32, {cell.steps, cell.batch, cell.inputs});
    fb::TransposeOptionsT options;
    options.perm = {1, 0, 2};
    b.Emit(OpKind::TRANSPOSE, {x}, turned, std::move(options));
    x = turned;
  }
  const int32_t all = s.New({cell.steps * cell.batch, cell.inputs});
  b[all].at[kPlain] = b.ReshapeTensor(x, b[all].dims);

  std::vector<std::vector<int32_t>> states(static_cast<size_t>(cell.steps));  // by step, direction
  std::vector<int32_t> last, last_cell;
  for (int32_t d = 0; d < cell.directions; ++d) {
    const bool reverse = d == 1 || direction_name == "reverse";
    const std::string name = ShortText(n.out_name()) + (d ? "/backward" : "");
    // The biases of the inputs and of the state are added at once, but for GRU's new state.
    std::vector<float> bias(static_cast<size_t>(rows), 0.f), state_bias;
    if (b_all) {
      const Array both = Part(*b_all, d, {2 * rows});
      const int32_t shared = gru && cell.reset_last ? 2 * cell.units : rows;
      if (shared < rows) state_bias.assign(static_cast<size_t>(cell.units), 0.f);
      for (int32_t i = 0; i < rows; ++i) {
        const size_t at = static_cast<size_t>(i);
        bias[at] = both.Float(at);
        const float more = both.Float(static_cast<size_t>(rows + i));
        if (i < shared) {
          bias[at] += more;
        } else {
          state_bias[static_cast<size_t>(i - shared)] = more;
        }
      }
    }
    const Array recurrent = Part(*r_all, d, {rows, cell.units});
    const int32_t w = b.ConstantTensor(name + "/weights", Part(*w_all, d, {rows, cell.inputs}));
    const int32_t bias_tensor = b.ConstantTensor(name + "/bias", FloatArray({rows}, bias));
    const int32_t from_inputs = s.Product(all, w, bias_tensor, rows);
    // GRU's new state is apart: it depends on the reset gate.
    const int32_t first_rows = gru ? 2 * cell.units : rows;
    const size_t first = static_cast<size_t>(first_rows) * static_cast<size_t>(cell.units);
    std::vector<float> r_first(first), r_new(recurrent.size() - first);
    for (size_t i = 0; i < recurrent.size(); ++i) {
      (i < first ? r_first[i] : r_new[i - first]) = recurrent.Float(i);
    }
    const int32_t r_gates =
        b.ConstantTensor(name + "/recurrent", FloatArray({first_rows, cell.units}, r_first));
    int32_t r_state = -1, r_bias = -1;
    if (gru) {
      r_state = b.ConstantTensor(name + "/new", FloatArray({cell.units, cell.units}, r_new));
      if (!state_bias.empty()) {
        r_bias = b.ConstantTensor(name + "/new_bias", FloatArray({cell.units}, state_bias));
      }
    }
    int32_t h, c = -1;
    OCTET_RETURN_IF_ERROR(InitialState(n, s, cell, 5, d, &h));
    if (lstm) OCTET_RETURN_IF_ERROR(InitialState(n, s, cell, 6, d, &c));
    for (int32_t i = 0; i < cell.steps; ++i) {
      const int32_t t = reverse ? cell.steps - 1 - i : i;
      const int32_t mine =
          cell.steps == 1 ? from_inputs : s.Rows(from_inputs, t * cell.batch, cell.batch);
      if (gru) {
        const std::vector<int32_t> in = s.Columns(mine, 3);
        const std::vector<int32_t> old = s.Columns(s.Product(h, r_gates, -1, first_rows), 2);
        const int32_t z = s.Map(OpKind::LOGISTIC, s.Binary(OpKind::ADD, in[0], old[0]));
        const int32_t r = s.Map(OpKind::LOGISTIC, s.Binary(OpKind::ADD, in[1], old[1]));
        const int32_t reset =
            cell.reset_last ? s.Binary(OpKind::MUL, r, s.Product(h, r_state, r_bias, cell.units))
                            : s.Product(s.Binary(OpKind::MUL, r, h), r_state, r_bias, cell.units);
        const int32_t made = s.Map(OpKind::TANH, s.Binary(OpKind::ADD, in[2], reset));
        // (1 - z) * made + z * h
        h = s.Binary(OpKind::ADD, made, s.Binary(OpKind::MUL, z, s.Binary(OpKind::SUB, h, made)));
      } else {
        const int32_t sums = s.Binary(OpKind::ADD, mine, s.Product(h, r_gates, -1, rows));
        if (!lstm) {
          h = s.Map(cell.activation, sums);
        } else {
          const std::vector<int32_t> gate = s.Columns(sums, 4);
          const int32_t in = s.Map(OpKind::LOGISTIC, gate[0]);
          const int32_t forget = s.Map(OpKind::LOGISTIC, gate[2]);
          const int32_t fresh = s.Binary(OpKind::MUL, in, s.Map(OpKind::TANH, gate[3]));
          c = s.Binary(OpKind::ADD, s.Binary(OpKind::MUL, forget, c), fresh);
          h = s.Binary(OpKind::MUL, s.Map(OpKind::LOGISTIC, gate[1]), s.Map(OpKind::TANH, c));
        }
      }
      states[static_cast<size_t>(t)].push_back(h);
      OCTET_RETURN_IF_ERROR(s.status());
    }
    last.push_back(h);
    last_cell.push_back(c);
  }

  // Y: [steps, directions, batch, units], or [batch, steps, directions, units].
  if (!n.Unused(0) || n.outputs() == 1) {
    std::vector<int32_t> parts;
    for (const auto& step : states) parts.insert(parts.end(), step.begin(), step.end());
    if (cell.batch_first) {
      const int32_t y =
          n.Result(DType::FLOAT32, {cell.batch, cell.steps, cell.directions, cell.units});
      const int32_t flat = s.New({cell.batch, cell.steps * cell.directions * cell.units});
      s.Join(parts, {cell.batch, cell.units}, 1, flat);
      b.Reshape(flat, y);
    } else {
      const int32_t y =
          n.Result(DType::FLOAT32, {cell.steps, cell.directions, cell.batch, cell.units});
      const int32_t flat = s.New({cell.steps * cell.directions * cell.batch, cell.units});
      s.Join(parts, {cell.batch, cell.units}, 0, flat);
      b.Reshape(flat, y);
    }
  }
  for (int out = 1; out < n.outputs(); ++out) {
    if (n.Unused(out)) continue;
    const std::vector<int32_t>& parts = out == 1 ? last : last_cell;
    const Dims dims = cell.batch_first ? Dims{cell.batch, cell.directions, cell.units}
                                       : Dims{cell.directions, cell.batch, cell.units};
    const Dims part =
        cell.batch_first ? Dims{cell.batch, 1, cell.units} : Dims{1, cell.batch, cell.units};
    s.Join(parts, part, cell.batch_first ? 1 : 0, n.Result(DType::FLOAT32, dims, out));
  }
  return OCTET_OK;
}

}  // namespace octet::onnx
