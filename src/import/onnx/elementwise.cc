// Rows of the importer: operators on two tensors element by element, with broadcasting.
#include <algorithm>
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// A tensor of an operand, with as many dimensions as the result where the layout needs them.
int32_t Operand(Builder* b, int32_t id, size_t rank, Layout layout) {
  const Dims dims = (*b)[id].dims;
  if (layout == kPlain || dims.size() == rank || Elements(dims) == 1) {
    return b->Tensor(id, layout);
  }
  Dims full(rank - dims.size(), 1);
  full.insert(full.end(), dims.begin(), dims.end());
  int32_t whole;
  if (const Array* constant = b->Constant(id)) {
    whole = b->NewConstant((*b)[id].name, constant->Reshaped(full));
  } else {
    whole = b->New((*b)[id].name, (*b)[id].type, full);
    b->Reshape(id, whole);
  }
  (*b)[whole].quant = (*b)[id].quant;
  return b->Tensor(whole, kLast);
}

Layout CommonLayout(Builder* b, std::initializer_list<int32_t> operands, size_t rank) {
  for (const int32_t id : operands) {
    const Value& v = (*b)[id];
    if (v.dims.size() == rank && !b->Constant(id) && b->Preferred(id) == kLast) return kLast;
  }
  return kPlain;
}

float Apply(OpKind kind, float a, float b) {
  switch (kind) {
    case OpKind::ADD:
      return a + b;
    case OpKind::SUB:
      return a - b;
    case OpKind::MUL:
      return a * b;
    case OpKind::DIV:
      return a / b;
    case OpKind::MAXIMUM:
      return std::max(a, b);
    default:
      return std::min(a, b);
  }
}

// The single value of a constant of float32.
const Array* ScalarConstant(Builder* b, int32_t id) {
  const Array* array = b->Constant(id);
  return array && array->type == DType::FLOAT32 && array->size() == 1 ? array : nullptr;
}

// x op y as a table, if it is a function of one 8-bit value; false if not.
bool BinaryTable(Node& n, OpKind kind, int32_t x, int32_t y) {
  if (n.as_float()) return false;
  const auto source8 = [&](int32_t id) {
    const int32_t source = n.b[id].source;
    if (source < 0 || n.b.Constant(id)) return -1;
    const Value& q = n.b[source];
    return q.quant && Is8Bit(q.type) && q.quant->per_tensor() ? source : -1;
  };
  const int32_t a = source8(x), c = source8(y);
  const Array* a_scalar = a < 0 ? ScalarConstant(&n.b, x) : nullptr;
  const Array* c_scalar = c < 0 ? ScalarConstant(&n.b, y) : nullptr;
  FloatTable table;
  int32_t source = -1;
  if (a >= 0 && c_scalar && c_scalar->dims.size() <= n.b[x].dims.size()) {
    source = a;
    table = n.b.TableOf(x);
    for (float& v : table) v = Apply(kind, v, c_scalar->Float(0));
  } else if (c >= 0 && a_scalar && a_scalar->dims.size() <= n.b[y].dims.size()) {
    source = c;
    table = n.b.TableOf(y);
    for (float& v : table) v = Apply(kind, a_scalar->Float(0), v);
  } else if (a >= 0 && a == c && (x != y || kind != OpKind::ADD)) {
    source = a;
    table = n.b.TableOf(x);
    const FloatTable other = n.b.TableOf(y);
    for (size_t i = 0; i < table.size(); ++i) table[i] = Apply(kind, table[i], other[i]);
  } else {
    return false;
  }
  const int32_t depth = std::max(n.b[x].depth, n.b[y].depth);
  return MapTable(n, source, table, depth);
}

Status ImportPair(Node& n, OpKind kind, int32_t x, int32_t y, const Dims& out) {
  if (BinaryTable(n, kind, x, y)) return OCTET_OK;
  const bool integer = kind == OpKind::ADD || kind == OpKind::SUB || kind == OpKind::MUL;
  const bool compare = kind == OpKind::MAXIMUM || kind == OpKind::MINIMUM;
  if ((integer || compare) && !n.as_float() && n.b.IsView(x) && n.b.IsView(y)) {
    int32_t a = n.b[x].source, c = n.b[y].source;
    const std::optional<Quant> quant = n.b.OutQuant(n.out_name());
    if (quant && n.b[a].quant->per_tensor() && n.b[c].quant->per_tensor() &&
        (quant->type == DType::INT16) == (n.b[a].type == DType::INT16) &&
        (quant->type == DType::INT16) == (n.b[c].type == DType::INT16)) {
      const int32_t to = n.ViewResult(*quant, out);
      if (compare) {
        // These two pick a value, so that all must mean the same.
        a = n.b.Requantised(a, *quant);
        c = n.b.Requantised(c, *quant);
      }
      return EmitBinary(&n.b, kind, a, c, to);
    }
  }
  if (n.b[x].type != n.b[y].type) {
    return Fail(OCTET_INVALID_MODEL, "has types %s and %s", TypeName(n.b[x].type),
                TypeName(n.b[y].type));
  }
  if (kind == OpKind::ADD) {
    OCTET_RETURN_IF_ERROR(MakeFinite(&n.b, &x));
    OCTET_RETURN_IF_ERROR(MakeFinite(&n.b, &y));
  }
  return EmitBinary(&n.b, kind, x, y, n.Result(n.b[x].type, out));
}

// ---- Hard swish, as exporters put it together ----

bool IsNumber(Node& n, const std::string& name, float number) {
  const int32_t id = n.b.Find(name);
  const Array* array = id < 0 ? nullptr : ScalarConstant(&n.b, id);
  return array && std::abs(array->Float(0) - number) <= 1e-5f * number;
}

// The node that computes a name, if it is of this type; -1: it is not.
int32_t ProducerOf(Node& n, const std::string& name, const char* type) {
  const auto it = n.b.producers.find(name);
  if (it == n.b.producers.end()) return -1;
  return n.b.nodes[static_cast<size_t>(it->second)]->op_type() == type ? it->second : -1;
}

// The operand of a node of this type whose other operand is the number; "" if it has none.
std::string OtherOperand(Node& n, const std::string& name, const char* type, float number) {
  const int32_t index = ProducerOf(n, name, type);
  if (index < 0) return "";
  const onnx_pb::NodeProto& node = *n.b.nodes[static_cast<size_t>(index)];
  if (node.input_size() != 2) return "";
  if (IsNumber(n, node.input(1), number)) return node.input(0);
  if (node.op_type() != "Div" && IsNumber(n, node.input(0), number)) return node.input(1);
  return "";
}

// x, if the name is Clip(x + 3, 0, 6).
std::string Relu6Of(Node& n, const std::string& name) {
  const int32_t index = ProducerOf(n, name, "Clip");
  if (index < 0) return "";
  Node clip(&n.b, index, false);
  float low = -1, high = -1;
  bool given;
  if (clip.FloatOf(1, "min", &low, &given) != OCTET_OK ||
      clip.FloatOf(2, "max", &high, &given) != OCTET_OK || low != 0 || high != 6) {
    return "";
  }
  return OtherOperand(n, clip.proto().input(0), "Add", 3);
}

std::string SixthOf(Node& n, const std::string& name) {
  const std::string divided = OtherOperand(n, name, "Div", 6);
  return divided.empty() ? OtherOperand(n, name, "Mul", 1.f / 6) : divided;
}

// x, if the name is the hard sigmoid of x that is in a hard swish.
std::string GateOf(Node& n, const std::string& name) {
  const int32_t index = ProducerOf(n, name, "HardSigmoid");
  if (index < 0) return Relu6Of(n, SixthOf(n, name));
  Node gate(&n.b, index, false);
  float alpha = 0.2f, beta = 0.5f;
  if (gate.Float("alpha", &alpha) != OCTET_OK || gate.Float("beta", &beta) != OCTET_OK ||
      std::abs(alpha - 1.f / 6) > 1e-5f || beta != 0.5f) {
    return "";
  }
  return gate.proto().input(0);
}

// x, if the node's output is x * Clip(x + 3, 0, 6) / 6 in one of its forms.
std::string HardSwishOf(Node& n) {
  const std::string& name = n.out_name();
  if (n.type() == "Mul") {
    for (int i = 0; i < 2; ++i) {
      if (GateOf(n, n.proto().input(i)) == n.proto().input(1 - i)) return n.proto().input(1 - i);
    }
  }
  const int32_t product = ProducerOf(n, SixthOf(n, name), "Mul");
  if (product < 0) return "";
  const onnx_pb::NodeProto& node = *n.b.nodes[static_cast<size_t>(product)];
  for (int i = 0; i < 2 && node.input_size() == 2; ++i) {
    if (Relu6Of(n, node.input(i)) == node.input(1 - i)) return node.input(1 - i);
  }
  return "";
}

// The constants of y = scale * x + shift.
Status NormFactors(Node& n, size_t channels, std::vector<float>* factor,
                   std::vector<float>* shift) {
  const char* const kRoles[] = {"", "the scale", "the bias", "the mean", "the variance"};
  const Array* parameters[5] = {};
  for (int i = 1; i < 5; ++i) {
    OCTET_RETURN_IF_ERROR(n.Constant(i, kRoles[i], &parameters[i]));
    if (parameters[i]->type != DType::FLOAT32 || parameters[i]->size() != channels) {
      return Fail(OCTET_INVALID_MODEL, "%s is %s%s for %zu channels", kRoles[i],
                  TypeName(parameters[i]->type), Text(parameters[i]->dims).c_str(), channels);
    }
  }
  float epsilon = 1e-5f;
  OCTET_RETURN_IF_ERROR(n.Float("epsilon", &epsilon));
  for (size_t c = 0; c < channels; ++c) {
    const double spread = std::sqrt(parameters[4]->Number(c) + static_cast<double>(epsilon));
    const double by = parameters[1]->Number(c) / spread;
    factor->push_back(static_cast<float>(by));
    shift->push_back(static_cast<float>(parameters[2]->Number(c) - parameters[3]->Number(c) * by));
  }
  return OCTET_OK;
}

// y = factor * x + shift for each channel of an integer image: a depthwise convolution of one
// pixel.
Status EmitScaling(Node& n, const std::vector<float>& factor, const std::vector<float>& shift,
                   const Quant& out) {
  const int32_t x = n.value(0).source;
  const Dims dims = n.b[x].dims;
  const double unit = static_cast<double>(n.b[x].quant->scale[0]);
  std::vector<int64_t> codes, bias;
  Quant quant{DType::INT8, {}, {0}, 3};
  for (size_t c = 0; c < factor.size(); ++c) {
    codes.push_back(factor[c] < 0 ? -127 : factor[c] > 0 ? 127 : 0);
    const float scale = std::max(std::abs(factor[c]) / 127, 1e-20f);
    if (!std::isfinite(scale)) return Fail(OCTET_INVALID_MODEL, "has a scale that is not finite");
    quant.scale.push_back(scale);
    const double steps =
        std::nearbyint(static_cast<double>(shift[c]) / (unit * static_cast<double>(scale)));
    bias.push_back(
        steps != steps ? 0 : static_cast<int64_t>(std::clamp(steps, -2147483648.0, 2147483647.0)));
  }
  const int32_t channels = dims[1];
  const int32_t w = n.b.ConstantTensor(ShortText(n.out_name()) + "/weights",
                                       IntArray({1, 1, 1, channels}, codes, DType::INT8));
  SetQuant(quant, &n.b.graph().tensors[static_cast<size_t>(w)]);
  const int32_t b = n.b.ConstantTensor(ShortText(n.out_name()) + "/bias",
                                       IntArray({channels}, bias, DType::INT32));
  const int32_t image = n.b.Tensor(x, kLast);
  const int32_t to = n.b.Output(n.ViewResult(out, dims), kLast);
  n.b.Emit(OpKind::DEPTHWISE_CONV_2D, {image, w, b}, to, fb::Conv2DOptionsT{});
  return OCTET_OK;
}

}  // namespace

Status EmitBinary(Builder* b, OpKind kind, int32_t x, int32_t y, int32_t out, float low,
                  float high) {
  const size_t rank = (*b)[out].dims.size();
  const Layout layout = CommonLayout(b, {x, y}, rank);
  const int32_t a = Operand(b, x, rank, layout), c = Operand(b, y, rank, layout);
  const int32_t to = b->Output(out, layout);
  switch (kind) {
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
    case OpKind::DIV:
    case OpKind::MAXIMUM:
    case OpKind::MINIMUM: {
      fb::ElementwiseOptionsT options;
      options.act_min_f = low;
      options.act_max_f = high;
      GraphOp& op = b->Emit(kind, {a, c}, to);
      if (OpOptionsType(kind) != fb::Options::NONE) op.options.Set(std::move(options));
      return OCTET_OK;
    }
    default:
      b->Emit(kind, {a, c}, to);
      if (OpOptionsType(kind) == fb::Options::ElementwiseOptions) {
        b->graph().ops.back().options.Set(fb::ElementwiseOptionsT{});
      }
      return OCTET_OK;
  }
}

Status ImportBinary(Node& n) {
  const std::string& type = n.type();
  const OpKind kind = type == "Add"   ? OpKind::ADD
                      : type == "Sub" ? OpKind::SUB
                      : type == "Mul" ? OpKind::MUL
                                      : OpKind::DIV;
  Dims out;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(1), &out));
  if (BinaryTable(n, kind, n.in(0), n.in(1))) return OCTET_OK;
  if (kind == OpKind::MUL || kind == OpKind::DIV) {
    const int32_t x = n.b.Find(HardSwishOf(n));
    if (x >= 0 && n.b[x].type == DType::FLOAT32 && n.b[x].dims == out) {
      n.b.MapElements(x, n.Result(DType::FLOAT32, out),
                      [&](int32_t from, int32_t to) { n.b.Emit(OpKind::HARD_SWISH, {from}, to); });
      return OCTET_OK;
    }
  }
  return ImportPair(n, kind, n.in(0), n.in(1), out);
}

Status ImportPow(Node& n) {
  const Array* exponent = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(1, "the exponent", &exponent));
  if (exponent->size() != 1 || exponent->dims.size() > n.dims(0).size()) {
    return Fail(OCTET_UNSUPPORTED, "has an exponent %s, not one number",
                Text(exponent->dims).c_str());
  }
  const int32_t x = n.in(0);
  const float e = exponent->Float(0);
  const Dims dims = n.dims(0);
  if (MapView(n, x, [e](float v) {
        return static_cast<float>(std::pow(static_cast<double>(v), static_cast<double>(e)));
      })) {
    return OCTET_OK;
  }
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
  }
  if (e == 1) {
    n.Alias(x);
    return OCTET_OK;
  }
  if (e == 2) return EmitBinary(&n.b, OpKind::MUL, x, x, n.Result(DType::FLOAT32, dims));
  if (e == 3) {
    const int32_t square = n.b.New(n.out_name(), DType::FLOAT32, dims);
    OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::MUL, x, x, square));
    return EmitBinary(&n.b, OpKind::MUL, square, x, n.Result(DType::FLOAT32, dims));
  }
  if (e == 0.5f || e == -0.5f) {
    const int32_t out = n.Result(DType::FLOAT32, dims);
    n.b.MapElements(x, out, [&](int32_t from, int32_t to) {
      n.b.Emit(e > 0 ? OpKind::SQRT : OpKind::RSQRT, {from}, to);
    });
    return OCTET_OK;
  }
  return EmitBinary(&n.b, OpKind::POW, x, n.in(1), n.Result(DType::FLOAT32, dims));
}

Status ImportMinMax(Node& n) {
  const OpKind kind = n.type() == "Max"   ? OpKind::MAXIMUM
                      : n.type() == "Min" ? OpKind::MINIMUM
                                          : OpKind::ADD;
  for (int i = 0; i < n.inputs(); ++i) {
    if (!n.has(i)) return Fail(OCTET_INVALID_MODEL, "input %d is absent", i);
  }
  if (n.inputs() == 1) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  Dims dims;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(1), &dims));
  if (n.inputs() == 2) return ImportPair(n, kind, n.in(0), n.in(1), dims);
  int32_t sum = n.in(0);
  for (int i = 1; i < n.inputs(); ++i) {
    OCTET_RETURN_IF_ERROR(BroadcastDims(n.b[sum].dims, n.dims(i), &dims));
    if (n.b[sum].type != n.value(i).type) return Fail(OCTET_INVALID_MODEL, "mixes types");
    const int32_t out = i + 1 == n.inputs() ? n.Result(n.b[sum].type, dims)
                                            : n.b.New(n.out_name(), n.b[sum].type, dims);
    OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, kind, sum, n.in(i), out));
    sum = out;
  }
  return OCTET_OK;
}

Status ImportComparison(Node& n) {
  const std::string& type = n.type();
  const OpKind kind = type == "Equal"         ? OpKind::EQUAL
                      : type == "Less"        ? OpKind::LESS
                      : type == "LessOrEqual" ? OpKind::LESS_EQUAL
                      : type == "Greater"     ? OpKind::GREATER
                                              : OpKind::GREATER_EQUAL;
  bool done = false;
  for (int32_t i = 0; i < 2 && kind == OpKind::EQUAL; ++i) {
    OCTET_RETURN_IF_ERROR(ImportEqualsInfinity(n, i, &done));
    if (done) return OCTET_OK;
  }
  Dims out;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(1), &out));
  return EmitBinary(&n.b, kind, n.in(0), n.in(1), n.Result(DType::BOOL, out));
}

// The slopes may be broadcast to the input, not the other way round.
Status ImportPRelu(Node& n) {
  Dims out;
  OCTET_RETURN_IF_ERROR(BroadcastDims(n.dims(0), n.dims(1), &out));
  if (out != n.dims(0)) {
    return Fail(OCTET_INVALID_MODEL, "has slopes %s for an input %s", Text(n.dims(1)).c_str(),
                Text(n.dims(0)).c_str());
  }
  const int32_t x = n.in(0), slope = n.in(1);
  if (const Array* one = ScalarConstant(&n.b, slope)) {
    const float alpha = one->Float(0);
    if (MapView(n, x, [alpha](float v) { return v < 0 ? alpha * v : v; })) return OCTET_OK;
  }
  if (const std::optional<Quant> quant = n.QuantMode({0, 1});
      quant && n.b[n.b[x].source].quant->per_tensor() &&
      n.b[n.b[slope].source].quant->per_tensor()) {
    return EmitBinary(&n.b, OpKind::PRELU, n.b[x].source, n.b[slope].source,
                      n.ViewResult(*quant, out));
  }
  return EmitBinary(&n.b, OpKind::PRELU, x, slope, n.Result(DType::FLOAT32, out));
}

// One that no convolution before it has taken in.
Status ImportBatchNormalization(Node& n) {
  int64_t training = 0, spatial = 1;
  OCTET_RETURN_IF_ERROR(n.Int("training_mode", &training));
  OCTET_RETURN_IF_ERROR(n.Int("spatial", &spatial));
  const Dims dims = n.dims(0);
  if (training != 0 || spatial != 1) return Fail(OCTET_UNSUPPORTED, "is in training mode");
  for (int i = 1; i < n.outputs(); ++i) {
    if (!n.Unused(i)) return Fail(OCTET_UNSUPPORTED, "its output %d is used", i);
  }
  if (dims.size() < 2) return Fail(OCTET_INVALID_MODEL, "has an input %s", Text(dims).c_str());
  std::vector<float> factor, shift;
  OCTET_RETURN_IF_ERROR(NormFactors(n, static_cast<size_t>(dims[1]), &factor, &shift));
  if (const std::optional<Quant> quant = n.QuantMode({0});
      quant && dims.size() == 4 && n.b[n.value(0).source].quant->per_tensor()) {
    return EmitScaling(n, factor, shift, *quant);
  }
  Dims shape(dims.size() - 1, 1);
  shape[0] = dims[1];
  const int32_t scaled = n.b.New(n.out_name(), DType::FLOAT32, dims);
  OCTET_RETURN_IF_ERROR(
      EmitBinary(&n.b, OpKind::MUL, n.in(0),
                 n.b.NewConstant(n.out_name() + "/scale", FloatArray(shape, factor)), scaled));
  return EmitBinary(&n.b, OpKind::ADD, scaled,
                    n.b.NewConstant(n.out_name() + "/shift", FloatArray(shape, shift)),
                    n.Result(DType::FLOAT32, dims));
}

}  // namespace octet::onnx
