// Rows of the importer: operators on one tensor element by element.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr float kSeluAlpha = 1.67326319217681884765625f, kSeluGamma = 1.05070102214813232421875f;
constexpr float kNone = 3.4028234e38f;
// Of nodes that hang on one table before anything is quantised; recursions follow them.
constexpr int32_t kDeepest = 32;

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

// The range of Relu and Clip.
Status ReadRange(Node& n, float* low, float* high) {
  *low = -kNone, *high = kNone;
  if (n.type() == "Relu") {
    *low = 0;
    return OCTET_OK;
  }
  bool given;
  OCTET_RETURN_IF_ERROR(n.FloatOf(1, "min", low, &given));
  OCTET_RETURN_IF_ERROR(n.FloatOf(2, "max", high, &given));
  if (*low != *low || *high != *high) return Fail(OCTET_INVALID_MODEL, "has a limit that is NaN");
  *low = std::clamp(*low, -kNone, kNone);
  *high = std::clamp(*high, -kNone, kNone);
  // ONNX: min above max makes every value max.
  *low = std::min(*low, *high);
  return OCTET_OK;
}

Status EmitClamp(Node& n, int32_t x, int32_t out, float low, float high) {
  fb::ElementwiseOptionsT options;
  options.act_min_f = low;
  options.act_max_f = high;
  const Value& v = n.b[x];
  if (v.quant && v.type == DType::INT16) {
    const auto steps = [&](float limit) {
      const float s = std::round(limit / v.quant->scale[0]);
      return static_cast<int32_t>(std::clamp(s, -32768.f, 32767.f));
    };
    options.act_min = steps(low);
    options.act_max = steps(high);
  }
  n.b.MapElements(x, out,
                  [&](int32_t from, int32_t to) { n.b.Emit(OpKind::RELU, {from}, to, options); });
  return OCTET_OK;
}

// A scalar as a value.
int32_t Scalar(Builder* b, float value) {
  return b->NewConstant("scalar", FloatArray({}, {value}));
}

int32_t FloatLike(Node& n, int32_t x) { return n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims); }

int32_t EmitMapped(Node& n, OpKind kind, int32_t x) {
  const int32_t out = FloatLike(n, x);
  n.b.MapElements(x, out, [&](int32_t from, int32_t to) { n.b.Emit(kind, {from}, to); });
  return out;
}

// log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which no x makes too large.
Status EmitSoftplus(Node& n, int32_t x, int32_t out) {
  const int32_t more = FloatLike(n, x), positive = FloatLike(n, x);
  const int32_t small =
      EmitMapped(n, OpKind::EXP, EmitMapped(n, OpKind::NEG, EmitMapped(n, OpKind::ABS, x)));
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::ADD, small, Scalar(&n.b, 1), more));
  OCTET_RETURN_IF_ERROR(EmitClamp(n, x, positive, 0, kNone));
  return EmitBinary(&n.b, OpKind::ADD, positive, EmitMapped(n, OpKind::LOG, more), out);
}

// What is put together of other operators in float32. OCTET_UNSUPPORTED: nothing will do.
Status EmitFloat(Node& n, int32_t x, int32_t out) {
  Builder& b = n.b;
  const std::string& type = n.type();
  struct Direct {
    const char* type;
    OpKind kind;
  };
  static constexpr Direct kDirect[] = {
      {"Sigmoid", OpKind::LOGISTIC}, {"Tanh", OpKind::TANH},
      {"Sqrt", OpKind::SQRT},        {"Abs", OpKind::ABS},
      {"Neg", OpKind::NEG},          {"Exp", OpKind::EXP},
      {"Log", OpKind::LOG},          {"Erf", OpKind::ERF},
      {"Floor", OpKind::FLOOR},      {"Ceil", OpKind::CEIL},
      {"Round", OpKind::ROUND},      {"Sin", OpKind::SIN},
      {"Cos", OpKind::COS},          {"HardSwish", OpKind::HARD_SWISH}};
  for (const Direct& direct : kDirect) {
    if (type != direct.type) continue;
    b.MapElements(x, out, [&](int32_t from, int32_t to) { b.Emit(direct.kind, {from}, to); });
    return OCTET_OK;
  }
  if (type == "LeakyRelu") {
    fb::ElementwiseOptionsT options;
    options.alpha = 0.01f;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &options.alpha));
    b.MapElements(
        x, out, [&](int32_t from, int32_t to) { b.Emit(OpKind::LEAKY_RELU, {from}, to, options); });
    return OCTET_OK;
  }
  if (type == "Elu" || type == "Gelu") {
    fb::ElementwiseOptionsT options;
    options.alpha = 1;
    if (type == "Elu") OCTET_RETURN_IF_ERROR(n.Float("alpha", &options.alpha));
    std::string approximate = "none";
    if (type == "Gelu") OCTET_RETURN_IF_ERROR(n.String("approximate", &approximate));
    options.approximate = approximate == "tanh";
    b.MapElements(x, out, [&](int32_t from, int32_t to) {
      b.Emit(type == "Elu" ? OpKind::ELU : OpKind::GELU, {from}, to, options);
    });
    return OCTET_OK;
  }
  if (type == "HardSigmoid") {
    float alpha = 0.2f, beta = 0.5f;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
    OCTET_RETURN_IF_ERROR(n.Float("beta", &beta));
    const int32_t scaled = FloatLike(n, x);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MUL, x, Scalar(&b, alpha), scaled));
    return EmitBinary(&b, OpKind::ADD, scaled, Scalar(&b, beta), out, 0, 1);
  }
  if (type == "Softplus") return EmitSoftplus(n, x, out);
  if (type == "Mish") {
    const int32_t soft = FloatLike(n, x);
    OCTET_RETURN_IF_ERROR(EmitSoftplus(n, x, soft));
    return EmitBinary(&b, OpKind::MUL, x, EmitMapped(n, OpKind::TANH, soft), out);
  }
  if (type == "Softsign") {
    const int32_t size = FloatLike(n, x);
    OCTET_RETURN_IF_ERROR(
        EmitBinary(&b, OpKind::ADD, EmitMapped(n, OpKind::ABS, x), Scalar(&b, 1), size));
    return EmitBinary(&b, OpKind::DIV, x, size, out);
  }
  if (type == "Selu" || type == "Celu") {
    // gamma * elu(x, alpha); alpha * elu(x / alpha, 1).
    const bool selu = type == "Selu";
    float alpha = selu ? kSeluAlpha : 1, gamma = kSeluGamma;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
    OCTET_RETURN_IF_ERROR(n.Float("gamma", &gamma));
    if (!selu && !(alpha > 0)) return Fail(OCTET_UNSUPPORTED, "has alpha %g", double{alpha});
    fb::ElementwiseOptionsT options;
    options.alpha = selu ? alpha : 1;
    const int32_t curve = FloatLike(n, x);
    int32_t from = x;
    if (!selu) {
      from = FloatLike(n, x);
      OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::DIV, x, Scalar(&b, alpha), from));
    }
    b.MapElements(from, curve,
                  [&](int32_t a, int32_t to) { b.Emit(OpKind::ELU, {a}, to, options); });
    return EmitBinary(&b, OpKind::MUL, curve, Scalar(&b, selu ? gamma : alpha), out);
  }
  if (type == "Reciprocal") return EmitBinary(&b, OpKind::DIV, Scalar(&b, 1), x, out);
  return Fail(OCTET_UNSUPPORTED, "is there for quantised tensors, not for float32");
}

}  // namespace

Status UnaryFunction(Node& n, RealFunction* f) {
  const std::string& type = n.type();
  float alpha = 0, beta = 0.5f, gamma = 0;
  const auto real = [&](double (*function)(double)) {
    *f = [function](float x) { return static_cast<float>(function(static_cast<double>(x))); };
    return OCTET_OK;
  };
  if (type == "Relu" || type == "Clip") {
    float low, high;
    OCTET_RETURN_IF_ERROR(ReadRange(n, &low, &high));
    *f = [=](float x) { return std::min(std::max(x, low), high); };
    return OCTET_OK;
  }
  if (type == "Sigmoid" || type == "QLinearSigmoid") return real(Sigmoid);
  if (type == "Tanh") return real([](double x) { return std::tanh(x); });
  if (type == "Exp") return real([](double x) { return std::exp(x); });
  if (type == "Log") return real([](double x) { return std::log(x); });
  if (type == "Sqrt") return real([](double x) { return std::sqrt(x); });
  if (type == "Reciprocal") return real([](double x) { return 1 / x; });
  if (type == "Abs") return real([](double x) { return std::abs(x); });
  if (type == "Neg") return real([](double x) { return -x; });
  if (type == "Floor") return real([](double x) { return std::floor(x); });
  if (type == "Ceil") return real([](double x) { return std::ceil(x); });
  if (type == "Round") return real([](double x) { return std::nearbyint(x); });
  if (type == "Sin") return real([](double x) { return std::sin(x); });
  if (type == "Cos") return real([](double x) { return std::cos(x); });
  if (type == "Erf") return real([](double x) { return std::erf(x); });
  if (type == "Softplus") return real(Softplus);
  if (type == "Softsign") return real([](double x) { return x / (1 + std::abs(x)); });
  if (type == "Mish") return real([](double x) { return x * std::tanh(Softplus(x)); });
  if (type == "Gelu") {
    std::string approximate = "none";
    OCTET_RETURN_IF_ERROR(n.String("approximate", &approximate));
    if (approximate == "tanh") {
      return real([](double x) {
        return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
      });
    }
    return real([](double x) { return 0.5 * x * (1 + std::erf(x * 0.7071067811865476)); });
  }
  if (type == "HardSwish") {
    *f = [](float x) { return x * std::min(std::max(x / 6 + 0.5f, 0.f), 1.f); };
    return OCTET_OK;
  }
  if (type == "HardSigmoid") {
    alpha = 0.2f;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
    OCTET_RETURN_IF_ERROR(n.Float("beta", &beta));
    *f = [=](float x) { return std::min(std::max(alpha * x + beta, 0.f), 1.f); };
    return OCTET_OK;
  }
  if (type == "LeakyRelu" || type == "QLinearLeakyRelu") {
    alpha = 0.01f;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
    *f = [=](float x) { return x < 0 ? alpha * x : x; };
    return OCTET_OK;
  }
  if (type == "Elu" || type == "Celu" || type == "Selu") {
    alpha = type == "Selu" ? kSeluAlpha : 1;
    gamma = type == "Selu" ? kSeluGamma : 1;
    OCTET_RETURN_IF_ERROR(n.Float("alpha", &alpha));
    OCTET_RETURN_IF_ERROR(n.Float("gamma", &gamma));
    const double divisor = type == "Celu" && alpha != 0 ? static_cast<double>(alpha) : 1;
    *f = [=](float x) {
      if (x > 0) return gamma * x;
      const double grown = std::expm1(static_cast<double>(x) / divisor);
      return static_cast<float>(static_cast<double>(gamma * alpha) * grown);
    };
    return OCTET_OK;
  }
  return Fail(OCTET_UNSUPPORTED, "is not supported");
}

bool MapTable(Node& n, int32_t source, const FloatTable& table, int32_t depth) {
  if (const std::optional<Quant> quant = n.b.OutQuant(n.out_name()); quant && Is8Bit(quant->type)) {
    const Dims dims = n.b[source].dims;
    const int32_t out = n.ViewResult(*quant, dims);
    n.b.EmitTable(source, table, out, n.type());
    return true;
  }
  if (depth >= kDeepest) return false;
  const int32_t view = n.b.NewView(n.out_name(), source);
  Value& v = n.b[view];
  v.table = std::make_shared<const FloatTable>(table);
  v.table_node = n.index();
  v.depth = depth + 1;
  n.b.Bind(n.out_name(), view);
  return true;
}

bool MapView(Node& n, int32_t x, const RealFunction& f) {
  const Value& v = n.b[x];
  if (n.as_float() || v.source < 0) return false;
  const Value& q = n.b[v.source];
  if (!q.quant || !Is8Bit(q.type) || !q.quant->per_tensor()) return false;
  FloatTable table = n.b.TableOf(x);
  for (float& value : table) value = f(value);
  return MapTable(n, v.source, table, v.depth);
}

Status ImportClamp(Node& n) {
  const int32_t x = n.in(0);
  float low, high;
  OCTET_RETURN_IF_ERROR(ReadRange(n, &low, &high));
  // Without a quantisation of its own, the result keeps the input's, exactly.
  if (!n.as_float() && n.b.IsView(x) && !n.b.OutQuant(n.out_name())) {
    const int32_t source = n.value(0).source;
    const Quant quant = *n.b[source].quant;
    if (Is8Bit(quant.type) && quant.per_tensor() && n.b.OnlyConsumer(n.out_name(), "Mul") < 0 &&
        n.b.OnlyConsumer(n.out_name(), "Div") < 0) {
      FloatTable table = n.b.TableOf(x);
      for (float& value : table) value = std::min(std::max(value, low), high);
      const Dims dims = n.dims(0);
      n.b.EmitTable(source, table, n.ViewResult(quant, dims), n.type());
      return OCTET_OK;
    }
  }
  if (MapView(n, x, [=](float v) { return std::min(std::max(v, low), high); })) return OCTET_OK;
  const Dims dims = n.dims(0);
  if (const std::optional<Quant> quant = n.QuantMode({0}); quant && quant->type == DType::INT16) {
    return EmitClamp(n, n.value(0).source, n.ViewResult(*quant, dims), low, high);
  }
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "clamps %s", TypeName(n.value(0).type));
  }
  return EmitClamp(n, x, n.Result(DType::FLOAT32, dims), low, high);
}

Status ImportUnary(Node& n) {
  const int32_t x = n.in(0);
  RealFunction f;
  OCTET_RETURN_IF_ERROR(UnaryFunction(n, &f));
  if (MapView(n, x, f)) return OCTET_OK;
  if (n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(0).type));
  }
  return EmitFloat(n, x, n.Result(DType::FLOAT32, n.dims(0)));
}

// Also Dropout, whose mask nothing may want when a model only runs.
Status ImportIdentity(Node& n) {
  if (!n.Unused(1)) return Fail(OCTET_UNSUPPORTED, "its output 1 (the mask) is used");
  if (n.type() == "Dropout" && n.has(2)) {
    const Array* training = nullptr;
    OCTET_RETURN_IF_ERROR(n.Constant(2, "training_mode", &training));
    if (training->size() != 1 || training->Int(0) != 0) {
      return Fail(OCTET_UNSUPPORTED, "is in training mode");
    }
  }
  n.Alias(n.in(0));
  return OCTET_OK;
}

Status CastType(Node& n, DType* type) {
  if (n.type() == "CastLike") {
    *type = n.value(1).type;
    return OCTET_OK;
  }
  int64_t to = 0;
  OCTET_RETURN_IF_ERROR(n.Int("to", &to));
  *type = to >= 0 && to < 64 ? StoredType(static_cast<int32_t>(to)) : DType::NONE;
  if (*type == DType::NONE) {
    return Fail(OCTET_UNSUPPORTED, "casts to %s",
                OnnxTypeName(static_cast<int32_t>(std::clamp<int64_t>(to, -1, 1000))).c_str());
  }
  return OCTET_OK;
}

Status ImportCast(Node& n) {
  DType type;
  OCTET_RETURN_IF_ERROR(CastType(n, &type));
  const int32_t x = n.in(0);
  if (n.value(0).type == type) {  // float16 is float32 here
    n.Alias(x);
    return OCTET_OK;
  }
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Raw(x, layout);
  const int32_t out = n.Result(type, n.dims(0));
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(out, layout));
  return OCTET_OK;
}

}  // namespace octet::onnx
