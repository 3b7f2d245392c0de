// Rows of the importer: normalisation over what the input holds, put together of means and
// element-wise operators in float32.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

int32_t Scalar(Builder* b, float value) {
  return b->NewConstant("scalar", FloatArray({}, {value}));
}

int32_t Like(Node& n, int32_t x) { return n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims); }

// (x - mean) / sqrt(variance + epsilon) over these axes; without `centre` the mean counts as 0.
Status EmitNormalized(Node& n, int32_t x, const std::vector<int32_t>& axes, float epsilon,
                      bool centre, int32_t* result) {
  Builder& b = n.b;
  int32_t centred = x;
  if (centre) {
    int32_t mean;
    OCTET_RETURN_IF_ERROR(EmitReduced(n, OpKind::MEAN, x, axes, &mean));
    centred = Like(n, x);
    OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::SUB, x, mean, centred));
  }
  const int32_t square = Like(n, x);
  int32_t variance;
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::MUL, centred, centred, square));
  OCTET_RETURN_IF_ERROR(EmitReduced(n, OpKind::MEAN, square, axes, &variance));
  const int32_t raised = Like(n, variance), factor = Like(n, variance);
  OCTET_RETURN_IF_ERROR(EmitBinary(&b, OpKind::ADD, variance, Scalar(&b, epsilon), raised));
  b.MapElements(raised, factor,
                [&](int32_t from, int32_t to) { b.Emit(OpKind::RSQRT, {from}, to); });
  *result = Like(n, x);
  return EmitBinary(&b, OpKind::MUL, centred, factor, *result);
}

// out = x * scale + shift; either may be -1.
Status EmitAffine(Node& n, int32_t x, int32_t scale, int32_t shift, int32_t out) {
  if (scale >= 0) {
    const int32_t scaled = shift >= 0 ? Like(n, x) : out;
    OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::MUL, x, scale, scaled));
    x = scaled;
  }
  return shift >= 0 ? EmitBinary(&n.b, OpKind::ADD, x, shift, out) : Status(OCTET_OK);
}

Status RequireFloat(Node& n) {
  for (int i = 0; i < n.inputs(); ++i) {
    if (n.has(i) && n.value(i).type != DType::FLOAT32) {
      return Fail(OCTET_UNSUPPORTED, "is not there for %s", TypeName(n.value(i).type));
    }
  }
  for (int i = 1; i < n.outputs(); ++i) {
    if (!n.Unused(i)) return Fail(OCTET_UNSUPPORTED, "its output %d is used", i);
  }
  return OCTET_OK;
}

// Input i, constants with one value for each of the channels, in this shape; -1: absent.
Status ChannelInput(Node& n, int i, int32_t channels, Dims shape, int32_t* id) {
  *id = -1;
  if (!n.has(i)) return OCTET_OK;
  const Array* array = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(i, i == 1 ? "the scale" : "the bias", &array));
  if (array->size() != static_cast<size_t>(channels)) {
    return Fail(OCTET_INVALID_MODEL, "has %zu values for %d channels", array->size(), channels);
  }
  *id = n.b.NewConstant(n.value(i).name, array->Reshaped(std::move(shape)));
  return OCTET_OK;
}

}  // namespace

// Also RMSNormalization, which has no mean and no bias.
Status ImportLayerNormalization(Node& n) {
  const Dims dims = n.dims(0);
  const bool centre = n.type() == "LayerNormalization";
  OCTET_RETURN_IF_ERROR(RequireFloat(n));
  int32_t axis = -1;
  float epsilon = 1e-5f;
  OCTET_RETURN_IF_ERROR(n.Axis("axis", n.rank(0), &axis));
  OCTET_RETURN_IF_ERROR(n.Float("epsilon", &epsilon));
  std::vector<int32_t> axes;
  for (int32_t i = axis; i < n.rank(0); ++i) axes.push_back(i);
  for (int i = 1; i < n.inputs(); ++i) {
    Dims joined;
    if (!n.has(i)) continue;
    OCTET_RETURN_IF_ERROR(BroadcastDims(dims, n.dims(i), &joined));
    if (joined != dims) {
      return Fail(OCTET_INVALID_MODEL, "has parameters %s for an input %s", Text(n.dims(i)).c_str(),
                  Text(dims).c_str());
    }
  }
  int32_t normalized;
  OCTET_RETURN_IF_ERROR(EmitNormalized(n, n.in(0), axes, epsilon, centre, &normalized));
  return EmitAffine(n, normalized, n.in(1), n.in(2), n.Result(DType::FLOAT32, dims));
}

Status ImportInstanceNormalization(Node& n) {
  const Dims dims = n.dims(0);
  OCTET_RETURN_IF_ERROR(RequireFloat(n));
  if (dims.size() < 3) return Fail(OCTET_INVALID_MODEL, "has an input %s", Text(dims).c_str());
  float epsilon = 1e-5f;
  OCTET_RETURN_IF_ERROR(n.Float("epsilon", &epsilon));
  Dims shape(dims.size() - 1, 1);
  shape[0] = dims[1];
  int32_t scale, shift, normalized;
  OCTET_RETURN_IF_ERROR(ChannelInput(n, 1, dims[1], shape, &scale));
  OCTET_RETURN_IF_ERROR(ChannelInput(n, 2, dims[1], shape, &shift));
  std::vector<int32_t> axes;
  for (int32_t i = 2; i < n.rank(0); ++i) axes.push_back(i);
  OCTET_RETURN_IF_ERROR(EmitNormalized(n, n.in(0), axes, epsilon, true, &normalized));
  return EmitAffine(n, normalized, scale, shift, n.Result(DType::FLOAT32, dims));
}

// With the channels last the input is [N, places, groups, channels of a group] as it lies, and is
// normalised over the second and the last.
Status ImportGroupNormalization(Node& n) {
  const Dims dims = n.dims(0);
  OCTET_RETURN_IF_ERROR(RequireFloat(n));
  int32_t groups = 0;
  float epsilon = 1e-5f;
  OCTET_RETURN_IF_ERROR(n.Int32("num_groups", &groups));
  OCTET_RETURN_IF_ERROR(n.Float("epsilon", &epsilon));
  if (dims.size() < 3 || groups < 1 || dims[1] % groups != 0) {
    return Fail(OCTET_INVALID_MODEL, "has %d groups for an input %s", groups, Text(dims).c_str());
  }
  const int32_t in_group = dims[1] / groups;
  // Before opset 21 a value a group, since then a value a channel.
  const bool by_group = n.opset() < 21;
  const Dims shape = by_group ? Dims{groups, 1} : Dims{groups, in_group};
  int32_t scale, shift, normalized;
  OCTET_RETURN_IF_ERROR(ChannelInput(n, 1, by_group ? groups : dims[1], shape, &scale));
  OCTET_RETURN_IF_ERROR(ChannelInput(n, 2, by_group ? groups : dims[1], shape, &shift));
  Builder& b = n.b;
  const int64_t places = Elements(Dims(dims.begin() + 2, dims.end()));
  if (places < 1 || places > INT32_MAX) return Fail(OCTET_UNSUPPORTED, "is too large");
  const Dims apart = {dims[0], static_cast<int32_t>(places), groups, in_group};
  const int32_t x = b.New(n.out_name(), DType::FLOAT32, apart);
  b[x].at[kPlain] = b.ReshapeTensor(b.Tensor(n.in(0), kLast), apart);
  OCTET_RETURN_IF_ERROR(EmitNormalized(n, x, {1, 3}, epsilon, true, &normalized));
  const int32_t y = Like(n, x);
  OCTET_RETURN_IF_ERROR(EmitAffine(n, normalized, scale, shift, y));
  const int32_t from = b.Tensor(y, kPlain);
  b.EmitReshape(from, b.Output(n.Result(DType::FLOAT32, dims), kLast));
  return OCTET_OK;
}

}  // namespace octet::onnx
