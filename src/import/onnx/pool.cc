// Rows of the importer: pooling.
#include <algorithm>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

struct Pool {
  Window window;
  bool ceil = false, count_padding = false;
  Dims out;
};

Status ReadPool(Node& n, const Dims& x, bool average, Pool* pool) {
  OCTET_RETURN_IF_ERROR(ReadWindow(n, x, {}, &pool->window));
  int64_t ceil = 0, count = 0;
  OCTET_RETURN_IF_ERROR(n.Int("ceil_mode", &ceil));
  OCTET_RETURN_IF_ERROR(n.Int("count_include_pad", &count));
  pool->ceil = ceil != 0;
  pool->count_padding = average && count != 0;
  Window& w = pool->window;
  pool->out = {x[0], x[1]};
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    if (w.dilation[i] != 1) return Fail(OCTET_UNSUPPORTED, "is dilated");
    const int64_t room = int64_t{x[i + 2]} + w.before[i] + w.after[i] - w.kernel[i];
    if (room < 0) {
      return Fail(OCTET_INVALID_MODEL, "has a window of %d for an input %s", w.kernel[i],
                  Text(x).c_str());
    }
    int64_t size = (pool->ceil ? room + w.stride[i] - 1 : room) / w.stride[i] + 1;
    // A window that would begin behind the input and the padding before it is dropped.
    if (pool->ceil && (size - 1) * w.stride[i] >= int64_t{x[i + 2]} + w.before[i]) --size;
    pool->out.push_back(static_cast<int32_t>(size));
  }
  return OCTET_OK;
}

bool HasPadding(const Window& w) {
  return std::any_of(w.before.begin(), w.before.end(), [](int32_t p) { return p > 0; }) ||
         std::any_of(w.after.begin(), w.after.end(), [](int32_t p) { return p > 0; });
}

Status EmitPool(Node& n, OpKind kind, int32_t x, int32_t out, Pool pool) {
  Window& w = pool.window;
  const size_t width = w.kernel.size() - 1;
  const bool flat = width == 0;
  int32_t image = ImageTensor(&n.b, x);
  if (pool.count_padding && HasPadding(w)) {
    // Zeros that count are zeros of the input. Windows that `ceil` lets hang over count what is
    // there.
    const GraphTensor from = n.b.graph().tensors[static_cast<size_t>(image)];
    GraphTensor to = from;
    fb::PadOptionsT pad;
    pad.before = {0, flat ? 0 : w.before[0], w.before[width], 0};
    pad.after = {0, flat ? 0 : w.after[0], w.after[width], 0};
    for (size_t i = 0; i < 4; ++i) to.shape[i] += pad.before[i] + pad.after[i];
    if (!from.scale.empty()) pad.value = from.zero_point;
    const int32_t padded = n.b.graph().AddTensor(std::move(to));
    n.b.Emit(OpKind::PAD, {image}, padded, std::move(pad));
    image = padded;
    w.before.assign(w.before.size(), 0);
  }
  fb::PoolOptionsT options;
  options.filter_h = flat ? 1 : w.kernel[0];
  options.filter_w = w.kernel[width];
  options.stride_h = flat ? 1 : w.stride[0];
  options.stride_w = w.stride[width];
  options.pad_top = flat ? 0 : w.before[0];
  options.pad_left = w.before[width];
  EmitImage(&n.b, out, [&](int32_t to) { n.b.Emit(kind, {image}, to, std::move(options)); });
  return OCTET_OK;
}

}  // namespace

Status ImportPool(Node& n) {
  const bool average = n.type() == "AveragePool";
  if (!n.Unused(1)) return Fail(OCTET_UNSUPPORTED, "its output 1 (indices) is used");
  int64_t order = 0;
  OCTET_RETURN_IF_ERROR(n.Int("storage_order", &order));
  Pool pool;
  OCTET_RETURN_IF_ERROR(ReadPool(n, n.dims(0), average, &pool));
  OCTET_RETURN_IF_ERROR(QuantiseBytes(n));
  // The integer operators keep the input's quantisation.
  int32_t x, out;
  MovedValue(n, &x, pool.out, &out);
  return EmitPool(n, average ? OpKind::AVERAGE_POOL_2D : OpKind::MAX_POOL_2D, x, out, pool);
}

Status EmitAveragePool(Node& n, int32_t x, int32_t out) {
  Pool pool;
  OCTET_RETURN_IF_ERROR(ReadPool(n, n.b[x].dims, true, &pool));
  n.b[out].dims = pool.out;
  return EmitPool(n, OpKind::AVERAGE_POOL_2D, x, out, pool);
}

Status EmitGlobalPool(Node& n, OpKind kind, int32_t x, int32_t out) {
  const Dims dims = n.b[x].dims;
  fb::ReduceOptionsT options;
  for (size_t i = 1; i + 1 < dims.size(); ++i) options.axes.push_back(static_cast<int32_t>(i));
  const int32_t from = n.b.Tensor(x, kLast);
  n.b.Emit(kind, {from}, n.b.Output(out, kLast), std::move(options));
  return OCTET_OK;
}

Status ImportGlobalPool(Node& n) {
  const Dims dims = n.dims(0);
  if (dims.size() < 3) {
    return Fail(OCTET_INVALID_MODEL, "has an input %s without spatial dimensions",
                Text(dims).c_str());
  }
  Dims out(dims.size(), 1);
  out[0] = dims[0], out[1] = dims[1];
  if (n.type() == "GlobalMaxPool") {
    OCTET_RETURN_IF_ERROR(QuantiseBytes(n));
    int32_t x, to;
    MovedValue(n, &x, out, &to);
    return EmitGlobalPool(n, OpKind::REDUCE_MAX, x, to);
  }
  // MEAN rescales as it divides.
  if (const std::optional<Quant> quant = n.QuantMode({0})) {
    return EmitGlobalPool(n, OpKind::MEAN, n.value(0).source, n.ViewResult(*quant, out));
  }
  int32_t x, to;
  MovedValue(n, &x, out, &to);
  return EmitGlobalPool(n, OpKind::MEAN, x, to);
}

}  // namespace octet::onnx
