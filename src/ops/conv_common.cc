#include "src/ops/conv_common.h"

#include <algorithm>
#include <limits>

namespace octet {

ActRange OutputRange(const TensorView& out, int32_t act_min, int32_t act_max) {
  const int32_t low = out.type == DType::INT16 ? -32768 : -128;
  const int32_t high = out.type == DType::INT16 ? 32767 : 127;
  return {std::max(low, act_min), std::min(high, act_max)};
}

Status CheckQuantisedProduct(const OpView& op, int64_t channels, int32_t weight_axis,
                             size_t max_inputs) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, max_inputs, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& weights = op.in(1);
  const TensorView& out = op.out();
  if (in.type != out.type || weights.type != DType::INT8 ||
      (in.type != DType::INT8 && in.type != DType::INT16)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
  OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
  OCTET_RETURN_IF_ERROR(CheckConstant(weights, "weights"));
  OCTET_CHECK_OP(
      weights.scales.size == 1 ||
          (static_cast<int64_t>(weights.scales.size) == channels && weights.axis == weight_axis),
      "weights \"%s\" have %zu scales along axis %d; one, or one for each of %lld output "
      "channels, is possible",
      weights.name, weights.scales.size, weights.axis, static_cast<long long>(channels));
  OCTET_CHECK_OP(weights.zero_point == 0 || weights.scales.size == 1,
                 "weights \"%s\" have a zero point and a scale for each channel", weights.name);
  if (in.type == DType::INT16) {
    OCTET_CHECK_OP(in.zero_point == 0 && out.zero_point == 0 && weights.zero_point == 0,
                   "int16 activations and their weights must have zero point 0");
  }
  if (const TensorView* bias = op.input(2)) {
    const bool known =
        bias->type == DType::INT32 || (in.type == DType::INT16 && bias->type == DType::INT64);
    if (!known) return UnsupportedTypes(op);
    OCTET_RETURN_IF_ERROR(CheckConstant(*bias, "bias"));
    OCTET_CHECK_OP(bias->elements() == channels, "bias \"%s\" has %lld values for %lld channels",
                   bias->name, static_cast<long long>(bias->elements()),
                   static_cast<long long>(channels));
  }
  return OCTET_OK;
}

RequantScales ProductScales(const OpView& op, bool float_product) {
  RequantScales scales;
  scales.input = op.in(0).scale();
  scales.output = op.out().scale();
  scales.weights = op.in(1).scales;
  scales.float_product = float_product;
  return scales;
}

Status CheckMultipliers(const OpView& op, const RequantScales& scales, int64_t channels) {
  // 64-bit accumulators leave room for 7 bits to the left (the reference's limit as well).
  const TensorView* bias = op.input(2);
  const bool acc64 =
      op.in(0).type == DType::INT16 && (bias == nullptr || bias->type == DType::INT64);
  const int32_t most = acc64 ? 7 : 30;
  const int64_t count = scales.weights.size > 1 ? channels : 1;
  for (int64_t n = 0; n < count; ++n) {
    const Multiplier q = scales.multiplier(static_cast<int32_t>(n));
    if (q.shift > most) {
      return Fail(OCTET_UNSUPPORTED, "channel %lld is scaled up by 2^%d, at most 2^%d is supported",
                  static_cast<long long>(n), q.shift, most);
    }
  }
  return OCTET_OK;
}

Status CheckWindow(const TensorView& in, const TensorView& out, const fb::Conv2DOptions& o,
                   int32_t kernel_h, int32_t kernel_w) {
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckRank(out, "output", 4, 4));
  OCTET_CHECK_OP(in.dims[0] == out.dims[0], "input has %d batches, output %d", in.dims[0],
                 out.dims[0]);
  constexpr int32_t kMost = 1 << 15;
  const int32_t positive[] = {o.stride_h(),   o.stride_w(), o.dilation_h(),
                              o.dilation_w(), kernel_h,     kernel_w};
  for (int32_t v : positive) {
    OCTET_CHECK_OP(v >= 1 && v <= kMost, "a stride, dilation or kernel size is %d", v);
  }
  OCTET_CHECK_OP(
      o.pad_top() >= 0 && o.pad_left() >= 0 && o.pad_top() <= kMost && o.pad_left() <= kMost,
      "padding %d above and %d to the left", o.pad_top(), o.pad_left());
  const int64_t limit = std::numeric_limits<int32_t>::max() / 4;
  const auto reach = [](int64_t size, int64_t stride, int64_t kernel, int64_t dilation) {
    return size * stride + kernel * dilation;
  };
  OCTET_CHECK_OP(reach(out.dims[1], o.stride_h(), kernel_h, o.dilation_h()) < limit &&
                     reach(out.dims[2], o.stride_w(), kernel_w, o.dilation_w()) < limit &&
                     reach(in.dims[1], o.stride_h(), kernel_h, o.dilation_h()) < limit &&
                     reach(in.dims[2], o.stride_w(), kernel_w, o.dilation_w()) < limit,
                 "the window reaches too far");
  OCTET_CHECK_OP(o.act_min() <= o.act_max(), "clamp from %d to %d", o.act_min(), o.act_max());
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  OCTET_CHECK_OP(range.min <= range.max, "the clamp lies outside the output's type");
  return OCTET_OK;
}

bool WindowRows(const TensorView& in, const TensorView& out, int32_t kernel_h, int32_t stride_h,
                int32_t dilation_h, int32_t pad_top, RowRange rows, RowRange* needed) {
  if (in.rank != 4 || out.rank != 4 || in.dims[0] != 1) return false;
  const int32_t height = in.dims[1];
  const int32_t first = rows.begin * stride_h - pad_top;
  const int32_t last = (rows.end - 1) * stride_h - pad_top + (kernel_h - 1) * dilation_h;
  needed->begin = std::min(std::max(first, 0), height);
  needed->end = std::max(std::min(last + 1, height), needed->begin);
  return true;
}

}  // namespace octet
