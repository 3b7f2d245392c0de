// Rows of the importer: convolutions, and the windows that pooling shares.
#include <algorithm>
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr int64_t kLargest = 1 << 15;  // of a window's numbers, as the operators check

Status ReadSizes(Node& n, const char* name, size_t count, int64_t least, int32_t otherwise,
                 std::vector<int32_t>* values) {
  std::vector<int64_t> given;
  OCTET_RETURN_IF_ERROR(n.Ints(name, &given));
  if (given.empty()) {
    values->assign(count, otherwise);
    return OCTET_OK;
  }
  if (given.size() != count) {
    return Fail(OCTET_INVALID_MODEL, "the attribute %s has %zu values, not %zu", name, given.size(),
                count);
  }
  values->clear();
  for (const int64_t v : given) {
    if (v < least || v > kLargest) {
      return Fail(v < 0 ? OCTET_UNSUPPORTED : OCTET_INVALID_MODEL, "the attribute %s has %lld",
                  name, static_cast<long long>(v));
    }
    values->push_back(static_cast<int32_t>(v));
  }
  return OCTET_OK;
}

Status CheckImageRank(const Dims& x) {
  if (x.size() == 3 || x.size() == 4) return OCTET_OK;
  return Fail(OCTET_UNSUPPORTED, "has an input %s: one or two spatial dimensions are supported",
              Text(x).c_str());
}

// Weights with one spatial axis get a second before it.
Array Image(const Array& weights) {
  if (weights.dims.size() != 3) return weights;
  return weights.Reshaped({weights.dims[0], weights.dims[1], 1, weights.dims[2]});
}

fb::Conv2DOptionsT WindowOptions(const Window& window) {
  const size_t h = 0, w = window.kernel.size() - 1;
  const bool flat = w == 0;
  fb::Conv2DOptionsT options;
  options.stride_h = flat ? 1 : window.stride[h];
  options.stride_w = window.stride[w];
  options.dilation_h = flat ? 1 : window.dilation[h];
  options.dilation_w = window.dilation[w];
  options.pad_top = flat ? 0 : window.before[h];
  options.pad_left = window.before[w];
  return options;
}

// What the nodes behind a convolution do to each of its channels: y = factor * x + shift, as batch
// normalisation does, or multiplying and adding constants (as in quantisation-aware training).
struct Affine {
  std::vector<double> factor, shift;
  std::vector<std::pair<int32_t, int>> nodes;  // and which of their inputs it is
  std::string name;                            // of the result
};

// The value of each channel of a constant that broadcasts along the channels; empty: it does not.
std::vector<double> ChannelValues(Builder* b, int32_t id, size_t channels, size_t rank) {
  const Array* array = id < 0 ? nullptr : b->Constant(id);
  if (!array || array->type != DType::FLOAT32 || array->dims.size() > rank) return {};
  if (array->size() == 1) return std::vector<double>(channels, array->Number(0));
  // The channels are the second dimension; all others are 1.
  const size_t at = array->dims.size() - (rank - 1);
  if (array->size() != channels || array->dims.size() + 1 < rank ||
      array->dims[at] != static_cast<int32_t>(channels)) {
    return {};
  }
  std::vector<double> values;
  for (size_t c = 0; c < channels; ++c) values.push_back(array->Number(c));
  return values;
}

// One more node; false: it is none of these.
bool AddNormalization(Builder* b, size_t channels, Affine* affine) {
  const int32_t index = b->OnlyConsumer(affine->name, "BatchNormalization");
  if (index < 0) return false;
  Node norm(b, index, false);
  if (norm.inputs() != 5 || norm.outputs() != 1 || norm.proto().input(0) != affine->name) {
    return false;
  }
  const Array* parameters[4];
  for (int i = 0; i < 4; ++i) {
    const int32_t id = norm.in(i + 1);
    parameters[i] = id < 0 ? nullptr : b->Constant(id);
    if (!parameters[i] || parameters[i]->size() != channels) return false;
  }
  float epsilon = 1e-5f;
  int64_t training = 0;
  if (norm.Float("epsilon", &epsilon) != OCTET_OK ||
      norm.Int("training_mode", &training) != OCTET_OK || training != 0) {
    return false;
  }
  for (size_t c = 0; c < channels; ++c) {
    const double by = parameters[0]->Number(c) /
                      std::sqrt(parameters[3]->Number(c) + static_cast<double>(epsilon));
    affine->factor[c] *= by;
    affine->shift[c] =
        (affine->shift[c] - parameters[2]->Number(c)) * by + parameters[1]->Number(c);
  }
  affine->nodes.emplace_back(index, 0);
  return true;
}

bool AddArithmetic(Builder* b, size_t channels, size_t rank, Affine* affine) {
  for (const char* type : {"Mul", "Div", "Add", "Sub"}) {
    const int32_t index = b->OnlyConsumer(affine->name, type);
    if (index < 0) continue;
    Node node(b, index, false);
    const int at = node.proto().input(0) == affine->name ? 0 : 1;
    if (node.inputs() != 2 || (at == 1 && (type[0] == 'D' || type[0] == 'S')) ||
        node.proto().input(1 - at) == affine->name) {
      return false;
    }
    const std::vector<double> values = ChannelValues(b, node.in(1 - at), channels, rank);
    for (size_t c = 0; c < values.size(); ++c) {
      const double v = values[c];
      const double by = type[0] == 'M' ? v : type[0] == 'D' ? 1 / v : 1;
      const double more = type[0] == 'A' ? v : type[0] == 'S' ? -v : 0;
      affine->factor[c] *= by;
      affine->shift[c] = affine->shift[c] * by + more;
    }
    if (!values.empty()) affine->nodes.emplace_back(index, at);
    return !values.empty();
  }
  return false;
}

Affine FindAffine(Node& n, size_t channels, size_t rank) {
  Affine affine{
      std::vector<double>(channels, 1), std::vector<double>(channels, 0), {}, n.out_name()};
  for (int i = 0; i < 8; ++i) {
    const Affine before = affine;
    if (!AddNormalization(&n.b, channels, &affine) &&
        !AddArithmetic(&n.b, channels, rank, &affine)) {
      break;
    }
    for (size_t c = 0; c < channels; ++c) {
      if (!std::isfinite(affine.factor[c]) || !std::isfinite(affine.shift[c])) return before;
    }
    affine.name = n.b.nodes[static_cast<size_t>(affine.nodes.back().first)]->output(0);
  }
  return affine;
}

void Absorb(Builder* b, const Affine& affine) {
  for (const auto& [node, input] : affine.nodes) b->absorbed[node] = input;
}

// Into float32 weights whose axis `axis` is the channel.
void FoldAffine(Node& n, size_t axis, size_t rank, Weights* weights) {
  const Array& array = weights->array;
  const size_t channels = static_cast<size_t>(array.dims[axis]);
  const Affine affine = FindAffine(n, channels, rank);
  if (affine.nodes.empty()) return;
  size_t inner = 1;
  for (size_t i = axis + 1; i < array.dims.size(); ++i) inner *= static_cast<size_t>(array.dims[i]);
  std::vector<float> bias(channels), scaled(array.size());
  for (size_t c = 0; c < channels; ++c) {
    const double old = weights->bias ? weights->bias->Number(c) : 0;
    bias[c] = static_cast<float>(old * affine.factor[c] + affine.shift[c]);
  }
  for (size_t i = 0; i < scaled.size(); ++i) {
    scaled[i] = static_cast<float>(array.Number(i) * affine.factor[i / inner % channels]);
  }
  weights->array = FloatArray(array.dims, scaled);
  weights->bias = FloatArray({static_cast<int32_t>(channels)}, bias);
  Absorb(&n.b, affine);
}

// Into int8 weights whose axis 0 is the channel: their codes stay, their scales change. `bias`: the
// real one. False: that is not possible.
bool FoldAffine(Node& n, const Affine& affine, const Array* bias, const Quant& input,
                Weights* weights) {
  Quant& quant = *weights->quant;
  const size_t channels = affine.factor.size();
  const size_t inner = weights->array.size() / channels;
  if (quant.zero_point[0] != 0) return false;
  std::vector<uint8_t> codes = *weights->array.bytes;
  std::vector<float> scales;
  std::vector<int64_t> rounded;
  for (size_t c = 0; c < channels; ++c) {
    const float scale =
        static_cast<float>(static_cast<double>(quant.scale_at(c)) * std::abs(affine.factor[c]));
    if (!(std::isfinite(scale) && scale > 1e-30f)) return false;
    scales.push_back(scale);
    for (size_t i = c * inner; affine.factor[c] < 0 && i < (c + 1) * inner; ++i) {
      if (codes[i] == 0x80) return false;
      codes[i] = static_cast<uint8_t>(0x100 - codes[i]);
    }
    const double real = (bias ? bias->Number(c) : 0) * affine.factor[c] + affine.shift[c];
    const double steps =
        std::nearbyint(real / (static_cast<double>(input.scale[0]) * static_cast<double>(scale)));
    rounded.push_back(static_cast<int64_t>(std::clamp(steps, -2147483648.0, 2147483647.0)));
  }
  weights->array.bytes = std::make_shared<const std::vector<uint8_t>>(std::move(codes));
  quant.scale = std::move(scales);
  quant.axis = 0;
  weights->bias = IntArray({static_cast<int32_t>(channels)}, rounded, DType::INT32);
  Absorb(&n.b, affine);
  return true;
}

// The bias of a convolution as FLOAT32.
Status FloatBias(Node& n, int i, size_t channels, Weights* weights) {
  if (!n.has(i)) return OCTET_OK;
  const Array* bias = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(i, "the bias", &bias));
  if (bias->type != DType::FLOAT32 || bias->size() != channels) {
    return Fail(OCTET_INVALID_MODEL, "the bias is %s%s for %zu channels", TypeName(bias->type),
                Text(bias->dims).c_str(), channels);
  }
  weights->bias = bias->Reshaped({static_cast<int32_t>(channels)});
  return OCTET_OK;
}

// Is the bias, if there is one, something that becomes int32?
bool BiasFits(Node& n, int i) { return !n.has(i) || n.b.Constant(n.in(i)) != nullptr; }

}  // namespace

// ---- Windows ---------------------------------------------------------------------------------

Status ReadWindow(Node& n, const Dims& x, std::vector<int32_t> kernel, Window* window) {
  OCTET_RETURN_IF_ERROR(CheckImageRank(x));
  const size_t spatial = x.size() - 2;
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "kernel_shape", spatial, 1, 0, &window->kernel));
  if (window->kernel[0] == 0) window->kernel = kernel;  // absent
  if (window->kernel.size() != spatial || (!kernel.empty() && window->kernel != kernel)) {
    return Fail(OCTET_INVALID_MODEL, "the attribute kernel_shape is absent or not the weights'");
  }
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "strides", spatial, 1, 1, &window->stride));
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "dilations", spatial, 1, 1, &window->dilation));
  std::vector<int32_t> pads;
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "pads", 2 * spatial, 0, 0, &pads));
  std::string automatic = "NOTSET";
  OCTET_RETURN_IF_ERROR(n.String("auto_pad", &automatic));
  if (automatic.empty()) automatic = "NOTSET";
  window->before.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(spatial));
  window->after.assign(pads.begin() + static_cast<ptrdiff_t>(spatial), pads.end());
  if (automatic == "NOTSET") return OCTET_OK;
  if (automatic == "VALID") {
    window->before.assign(spatial, 0);
    window->after.assign(spatial, 0);
    return OCTET_OK;
  }
  if (automatic != "SAME_UPPER" && automatic != "SAME_LOWER") {
    return Fail(OCTET_INVALID_MODEL, "the attribute auto_pad is \"%s\"", automatic.c_str());
  }
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t in = x[i + 2], stride = window->stride[i];
    const int64_t reach = (int64_t{window->kernel[i]} - 1) * window->dilation[i] + 1;
    const int64_t out = (in + stride - 1) / stride;
    const int64_t total = std::max<int64_t>(0, (out - 1) * stride + reach - in);
    const int64_t low = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
    window->before[i] = static_cast<int32_t>(std::min<int64_t>(low, INT32_MAX));
    window->after[i] = static_cast<int32_t>(std::min<int64_t>(total - low, INT32_MAX));
  }
  return OCTET_OK;
}

int32_t ImageTensor(Builder* b, int32_t id) {
  const int32_t t = b->Tensor(id, kLast);
  const Dims& dims = (*b)[id].dims;
  if (dims.size() != 3) return t;
  return b->ReshapeTensor(t, {dims[0], 1, dims[2], dims[1]});
}

void EmitImage(Builder* b, int32_t out, const std::function<void(int32_t)>& emit) {
  const Dims dims = (*b)[out].dims;
  if (dims.size() != 3) {
    emit(b->Output(out, kLast));
  } else {
    const int32_t flat = b->Output(out, kLast);
    GraphTensor image = b->graph().tensors[static_cast<size_t>(flat)];
    image.shape = {dims[0], 1, dims[2], dims[1]};
    const int32_t t = b->graph().AddTensor(std::move(image));
    emit(t);
    b->EmitReshape(t, flat);
  }
}

// ---- Weights ---------------------------------------------------------------------------------

Status IntegerWeights(const Builder& b, int32_t id, int32_t axis, Weights* weights) {
  const Value& v = b[id];
  const Array& codes = *v.constant;
  const Quant& quant = *v.quant;
  if (!Is8Bit(quant.type) || codes.type != quant.type) {
    return Fail(OCTET_UNSUPPORTED, "the weights \"%s\" are %s, not of 8 bits", v.name.c_str(),
                TypeName(codes.type));
  }
  if (!quant.per_tensor() && quant.axis != axis) {
    return Fail(OCTET_UNSUPPORTED, "the weights \"%s\" have scales along axis %d, not %d",
                v.name.c_str(), quant.axis, axis);
  }
  const size_t n = codes.size();
  // Less their zero points, if that fits; else as they are (shifted, if UINT8).
  size_t inner = 1;
  const size_t slices = std::max(quant.scale.size(), quant.zero_point.size());
  if (slices > 1) {
    for (size_t i = static_cast<size_t>(axis) + 1; i < codes.dims.size(); ++i) {
      inner *= static_cast<size_t>(codes.dims[i]);
    }
  }
  std::vector<uint8_t> bytes(n);
  bool fits = true;
  for (size_t i = 0; i < n && fits; ++i) {
    const int64_t value = codes.Int(i) - quant.zero_at(slices > 1 ? i / inner % slices : 0);
    fits = value >= -128 && value <= 127;
    bytes[i] = static_cast<uint8_t>(value & 255);
  }
  Quant stored = quant;
  stored.type = DType::INT8;
  stored.zero_point = {0};
  if (!fits) {
    if (slices > 1) {
      return Fail(
          OCTET_UNSUPPORTED,
          "the weights \"%s\" have a scale and a zero point for each channel: quantise them "
          "symmetrically, or per tensor",
          v.name.c_str());
    }
    const int shift = quant.type == DType::UINT8 ? 128 : 0;
    stored.zero_point = {quant.zero_point[0] - shift};
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>((codes.Int(i) - shift) & 255);
  }
  weights->array = {DType::INT8, codes.dims,
                    std::make_shared<const std::vector<uint8_t>>(std::move(bytes))};
  weights->quant = std::move(stored);
  return OCTET_OK;
}

Status IntegerBias(Builder* b, int32_t id, bool raw, const Quant& input, Weights* weights) {
  const Quant& w = *weights->quant;
  const Value& v = (*b)[id];
  const int32_t codes_id = v.source >= 0 ? v.source : id;
  const Value& codes = (*b)[codes_id];
  const auto unit = [&](size_t c) {
    return static_cast<double>(input.scale[0]) * static_cast<double>(w.scale_at(c));
  };
  if (codes.constant && codes.constant->type == DType::INT32 && (raw || v.source >= 0)) {
    const Array& array = *codes.constant;
    bool same = true;
    for (size_t c = 0; !raw && same && c < array.size(); ++c) {
      const Quant& q = *codes.quant;
      const double scale = static_cast<double>(q.scale_at(c));
      same = std::abs(scale - unit(c)) <= 1e-4 * unit(c) && q.zero_at(c) == 0;
    }
    if (same) {
      weights->bias = array.Reshaped({static_cast<int32_t>(array.size())});
      return OCTET_OK;
    }
  }
  const Array* array = raw ? nullptr : b->Constant(id);
  if (!array || array->type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED, "the bias \"%s\" is not a constant of float32 or int32",
                v.name.c_str());
  }
  std::vector<int64_t> rounded;
  for (size_t c = 0; c < array->size(); ++c) {
    const double steps = std::nearbyint(array->Number(c) / unit(c));
    rounded.push_back(
        steps != steps ? 0 : static_cast<int64_t>(std::clamp(steps, -2147483648.0, 2147483647.0)));
  }
  weights->bias = IntArray({static_cast<int32_t>(rounded.size())}, rounded, DType::INT32);
  return OCTET_OK;
}

// ---- Convolutions ----------------------------------------------------------------------------

Status ConvOutDims(Node& n, const Dims& x, const Dims& w, Dims* out) {
  OCTET_RETURN_IF_ERROR(CheckImageRank(x));
  int64_t group = 1;
  OCTET_RETURN_IF_ERROR(n.Int("group", &group));
  if (w.size() != x.size() || group < 1 || group > INT32_MAX || w[1] < 1 ||
      int64_t{w[1]} * group != x[1] || w[0] < 1 || w[0] % group != 0) {
    return Fail(OCTET_INVALID_MODEL, "has weights %s and group %lld for an input %s",
                Text(w).c_str(), static_cast<long long>(group), Text(x).c_str());
  }
  Window window;
  OCTET_RETURN_IF_ERROR(ReadWindow(n, x, Dims(w.begin() + 2, w.end()), &window));
  *out = {x[0], w[0]};
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t reach = (int64_t{window.kernel[i]} - 1) * window.dilation[i] + 1;
    const int64_t room = int64_t{x[i + 2]} + window.before[i] + window.after[i] - reach;
    if (room < 0) {
      return Fail(OCTET_INVALID_MODEL, "has a window of %lld for an input %s",
                  static_cast<long long>(reach), Text(x).c_str());
    }
    out->push_back(static_cast<int32_t>(room / window.stride[i] + 1));
  }
  return OCTET_OK;
}

Status EmitConv(Node& n, int32_t x, Weights weights, int32_t out) {
  Window window;
  const Dims dims = n.b[x].dims;
  OCTET_RETURN_IF_ERROR(
      ReadWindow(n, dims, Dims(weights.array.dims.begin() + 2, weights.array.dims.end()), &window));
  int64_t group = 1;
  OCTET_RETURN_IF_ERROR(n.Int("group", &group));
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(weights.array.bytes->size()));
  const bool depthwise = group > 1 && group == dims[1];
  const std::string name = n.proto().input_size() > 1 ? ShortText(n.proto().input(1)) : "weights";
  const Array turned = depthwise ? Image(weights.array).Transposed({1, 2, 3, 0})
                                 : Image(weights.array).Transposed({0, 2, 3, 1});
  const int32_t filter = n.b.ConstantTensor(name, turned);
  if (weights.quant) {
    Quant quant = *weights.quant;
    quant.axis = depthwise ? 3 : 0;
    SetQuant(quant, &n.b.graph().tensors[static_cast<size_t>(filter)]);
  }
  const int32_t bias =
      weights.bias ? n.b.ConstantTensor(n.b[out].name + "/bias", *weights.bias) : -1;
  const int32_t image = ImageTensor(&n.b, x);
  EmitImage(&n.b, out, [&](int32_t to) {
    n.b.Emit(depthwise ? OpKind::DEPTHWISE_CONV_2D : OpKind::CONV_2D, {image, filter, bias}, to,
             WindowOptions(window));
  });
  return OCTET_OK;
}

Status ImportConv(Node& n) {
  Dims out;
  OCTET_RETURN_IF_ERROR(ConvOutDims(n, n.dims(0), n.dims(1), &out));
  Weights weights;
  if (!n.as_float() && n.b.IsView(n.in(0)) && n.b.IsView(n.in(1)) &&
      n.b[n.value(1).source].constant && BiasFits(n, 2)) {
    const int32_t x = n.value(0).source;
    const Quant input = *n.b[x].quant;
    std::optional<Quant> quant = n.b.OutQuant(n.out_name(), n.b[x]);
    if (quant) {
      OCTET_RETURN_IF_ERROR(IntegerWeights(n.b, n.value(1).source, 0, &weights));
      if (n.has(2)) OCTET_RETURN_IF_ERROR(IntegerBias(&n.b, n.in(2), false, input, &weights));
      return EmitConv(n, x, std::move(weights), n.ViewResult(*quant, out));
    }
    const Affine affine = FindAffine(n, static_cast<size_t>(out[1]), out.size());
    quant = affine.nodes.empty() ? std::nullopt : n.b.OutQuant(affine.name, n.b[x]);
    const Array* bias = n.has(2) ? n.b.Constant(n.in(2)) : nullptr;
    if (quant && (!bias || bias->size() == affine.factor.size())) {
      OCTET_RETURN_IF_ERROR(IntegerWeights(n.b, n.value(1).source, 0, &weights));
      if (FoldAffine(n, affine, bias, input, &weights)) {
        return EmitConv(n, x, std::move(weights), n.ViewResult(*quant, out));
      }
      weights = Weights();
    }
  }
  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(1, "the weights", &array));
  if (array->type != DType::FLOAT32 || n.value(0).type != DType::FLOAT32) {
    return Fail(OCTET_INVALID_MODEL, "has types %s and %s", TypeName(n.value(0).type),
                TypeName(array->type));
  }
  weights.array = *array;
  OCTET_RETURN_IF_ERROR(FloatBias(n, 2, static_cast<size_t>(out[1]), &weights));
  FoldAffine(n, 0, out.size(), &weights);
  return EmitConv(n, n.in(0), std::move(weights), n.Result(DType::FLOAT32, out));
}

// Groups and dilation of transposed convolutions are written out as zeros between the weights
// [in, out / group, ...]: [in, out, ...] with wider windows. The same sums, with more products.
static Status WriteOutZeros(Node& n, int32_t groups, const std::vector<int32_t>& dilation,
                            Weights* weights) {
  const Array from = weights->array;
  Dims to = from.dims;
  bool dense = groups == 1;
  to[1] *= groups;
  for (size_t i = 0; i < dilation.size(); ++i) {
    dense = dense && dilation[i] == 1;
    to[i + 2] = (to[i + 2] - 1) * dilation[i] + 1;
  }
  if (dense) return OCTET_OK;
  const int64_t elements = Elements(to);
  const size_t bytes = TypeBytes(from.type);
  if (elements < 0) return Fail(OCTET_UNSUPPORTED, "has weights that are too large");
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(static_cast<uint64_t>(elements) * bytes));
  const int zero = weights->quant ? weights->quant->zero_point[0] : 0;
  auto made = std::make_shared<std::vector<uint8_t>>(static_cast<size_t>(elements) * bytes,
                                                     static_cast<uint8_t>(zero & 255));
  const size_t in_group = static_cast<size_t>(from.dims[0] / groups);
  std::vector<size_t> at(from.dims.size(), 0);
  for (size_t k = 0; k < from.size(); ++k) {
    size_t place = at[0];
    place = place * static_cast<size_t>(to[1]) +
            at[0] / in_group * static_cast<size_t>(from.dims[1]) + at[1];
    for (size_t i = 2; i < at.size(); ++i) {
      place = place * static_cast<size_t>(to[i]) + at[i] * static_cast<size_t>(dilation[i - 2]);
    }
    std::copy_n(from.bytes->data() + k * bytes, bytes, made->data() + place * bytes);
    for (size_t i = at.size(); i-- > 0;) {
      if (++at[i] < static_cast<size_t>(from.dims[i])) break;
      at[i] = 0;
    }
  }
  weights->array = {from.type, to, std::move(made)};
  if (weights->quant && !weights->quant->per_tensor()) {
    const std::vector<float> scales = weights->quant->scale;
    for (int32_t g = 1; g < groups; ++g) {
      weights->quant->scale.insert(weights->quant->scale.end(), scales.begin(), scales.end());
    }
  }
  return OCTET_OK;
}

// Octet's TRANSPOSE_CONV has the padding of the convolution whose gradient it is.
Status ImportConvTranspose(Node& n) {
  const Dims x = n.dims(0), w = n.dims(1);
  OCTET_RETURN_IF_ERROR(CheckImageRank(x));
  int64_t group = 1;
  OCTET_RETURN_IF_ERROR(n.Int("group", &group));
  if (w.size() != x.size() || w[0] != x[1] || w[1] < 1 || group < 1 || group > w[0] ||
      w[0] % group != 0 || int64_t{w[1]} * group > INT32_MAX) {
    return Fail(OCTET_INVALID_MODEL, "has weights %s and group %lld for an input %s",
                Text(w).c_str(), static_cast<long long>(group), Text(x).c_str());
  }
  const int32_t groups = static_cast<int32_t>(group);
  Window window;
  OCTET_RETURN_IF_ERROR(ReadWindow(n, x, Dims(w.begin() + 2, w.end()), &window));
  const size_t spatial = window.kernel.size();
  std::vector<int32_t> extra, shape;
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "output_padding", spatial, 0, 0, &extra));
  OCTET_RETURN_IF_ERROR(ReadSizes(n, "output_shape", spatial, 1, 0, &shape));
  std::string automatic = "NOTSET";
  OCTET_RETURN_IF_ERROR(n.String("auto_pad", &automatic));
  Dims out = {x[0], w[1] * groups};
  for (size_t i = 0; i < spatial; ++i) {
    const int64_t reach = (int64_t{window.kernel[i]} - 1) * window.dilation[i] + 1;
    if (reach > kLargest) return Fail(OCTET_UNSUPPORTED, "has a window that is too large");
    const int64_t full = int64_t{window.stride[i]} * (int64_t{x[i + 2]} - 1) + extra[i] + reach;
    int64_t size = full - window.before[i] - window.after[i];
    if (shape[0] != 0 || automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      size = shape[0] != 0 ? shape[i] : int64_t{x[i + 2]} * window.stride[i];
      const int64_t total = std::max<int64_t>(0, full - size);
      const int64_t low = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      window.before[i] = static_cast<int32_t>(std::min<int64_t>(low, INT32_MAX));
    }
    if (size < 1 || size > INT32_MAX) {
      return Fail(OCTET_INVALID_MODEL, "has an output of %lld", static_cast<long long>(size));
    }
    out.push_back(static_cast<int32_t>(size));
  }

  Weights weights;
  const std::optional<Quant> quant = n.QuantMode({0, 1});
  int32_t from = n.in(0), to = -1;
  if (quant && n.b[n.value(1).source].constant && BiasFits(n, 2)) {
    from = n.value(0).source;
    OCTET_RETURN_IF_ERROR(IntegerWeights(n.b, n.value(1).source, 1, &weights));
    OCTET_RETURN_IF_ERROR(WriteOutZeros(n, groups, window.dilation, &weights));
    if (n.has(2)) {
      OCTET_RETURN_IF_ERROR(IntegerBias(&n.b, n.in(2), false, *n.b[from].quant, &weights));
    }
    to = n.ViewResult(*quant, out);
  } else {
    const Array* array = nullptr;
    OCTET_RETURN_IF_ERROR(n.Constant(1, "the weights", &array));
    if (array->type != DType::FLOAT32 || n.value(0).type != DType::FLOAT32) {
      return Fail(OCTET_INVALID_MODEL, "has types %s and %s", TypeName(n.value(0).type),
                  TypeName(array->type));
    }
    weights.array = *array;
    OCTET_RETURN_IF_ERROR(WriteOutZeros(n, groups, window.dilation, &weights));
    OCTET_RETURN_IF_ERROR(FloatBias(n, 2, static_cast<size_t>(out[1]), &weights));
    FoldAffine(n, 1, out.size(), &weights);
    to = n.Result(DType::FLOAT32, out);
  }
  window.dilation.assign(spatial, 1);
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(weights.array.bytes->size()));
  const int32_t filter = n.b.ConstantTensor(ShortText(n.proto().input(1)),
                                            Image(weights.array).Transposed({1, 2, 3, 0}));
  if (weights.quant) {
    Quant stored = *weights.quant;
    stored.axis = 0;
    SetQuant(stored, &n.b.graph().tensors[static_cast<size_t>(filter)]);
  }
  const int32_t bias =
      weights.bias ? n.b.ConstantTensor(n.b[to].name + "/bias", *weights.bias) : -1;
  const int32_t image = ImageTensor(&n.b, from);
  EmitImage(&n.b, to, [&](int32_t t) {
    n.b.Emit(OpKind::TRANSPOSE_CONV, {image, filter, bias}, t, WindowOptions(window));
  });
  return OCTET_OK;
}

}  // namespace octet::onnx
