// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.
//
// Source of the formulas: TensorFlow Lite's reference ResizeBilinearInteger (int8, int16),
// ResizeBilinear (legacy uint8, float32) and ResizeNearestNeighbor. Where these would read outside
// of the input (a rounded scale can lead there on large outputs), the last row or column is read.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/common/rows.h"
#include "kernels/resize_bilinear/resize_bilinear.h"
#include "src/ops/shape_util.h"

namespace octet {
namespace {

// Keeps the 10-bit fixed point of coordinates within int32.
constexpr int32_t kMaxSide = 1 << 20;

// Where output coordinates of one axis lie on the input's.
struct Axis {
  int32_t in, out;
  bool align_corners, half_pixel_centers;
};

Axis AxisOf(const OpView& op, int32_t dim) {
  const auto* options = op.options<fb::ResizeOptions>();
  return {op.in(0).dims[dim], op.out().dims[dim], options->align_corners(),
          options->half_pixel_centers()};
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckRank(out, "output", 4, 4));
  OCTET_CHECK_OP(in.dims[0] == out.dims[0] && in.dims[3] == out.dims[3],
                 "input and output differ in batches or channels");
  for (int32_t i = 1; i <= 2; ++i) {
    if (in.dims[i] > kMaxSide || out.dims[i] > kMaxSide) {
      return Fail(OCTET_UNSUPPORTED, "resizing from %d to %d elements", int{in.dims[i]},
                  int{out.dims[i]});
    }
  }
  return OCTET_OK;
}

// ---- Nearest neighbour -----------------------------------------------------------------------

int32_t Nearest(const Axis& a, int32_t i) {
  const float scale = a.align_corners && a.out > 1
                          ? static_cast<float>(a.in - 1) / static_cast<float>(a.out - 1)
                          : static_cast<float>(a.in) / static_cast<float>(a.out);
  const float offset = a.half_pixel_centers ? 0.5f : 0.0f;
  const float at = (static_cast<float>(i) + offset) * scale;
  const int32_t nearest = static_cast<int32_t>(a.align_corners ? std::round(at) : std::floor(at));
  return std::max(0, std::min(nearest, a.in - 1));
}

struct NearestParams {
  XxGatherRunsFn gather;
  Axis height;
  size_t width, pixel, in_row, out_row;  // pixels; bytes

  // The input column of each output column; they lie behind.
  const int32_t* columns() const { return reinterpret_cast<const int32_t*>(this + 1); }
  int32_t* columns() { return reinterpret_cast<int32_t*>(this + 1); }
};

Status RunNearest(const RunContext& c) {
  const NearestParams& p = *static_cast<const NearestParams*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.in_row, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.out_row, c.outputs[0].ring_rows};
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  c.threads.slices(rows, CopyGrain(p.out_row), [&](size_t, size_t begin, size_t end) {
    const uint8_t* last_from = nullptr;
    const uint8_t* last_to = nullptr;
    for (size_t k = begin; k < end; ++k) {
      const int32_t y = c.rows.begin + static_cast<int32_t>(k);
      const int32_t image = y / p.height.out;
      const uint8_t* from = in.row(image * p.height.in + Nearest(p.height, y % p.height.out));
      uint8_t* to = out.row(y);
      if (from == last_from && to != last_to) {
        std::memcpy(to, last_to, p.out_row);
      } else {
        p.gather(from, p.columns(), to, p.pixel, p.width);
      }
      last_from = from;
      last_to = to;
    }
  });
  return OCTET_OK;
}

void BindNearest(const OpView& op, IsaSet isa, Binding* binding) {
  const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = RunNearest;
  binding->params_bytes =
      sizeof(NearestParams) + static_cast<size_t>(op.out().dims[2]) * sizeof(int32_t);
}

void InitNearest(const OpView& op, const Binding& binding, void* params) {
  NearestParams& p = *static_cast<NearestParams*>(params);
  p.gather = static_cast<const XxCopyKernel*>(binding.row)->gather;
  p.height = AxisOf(op, 1);
  p.width = static_cast<size_t>(op.out().dims[2]);
  p.pixel = static_cast<size_t>(op.in(0).dims[3]) * TypeBytes(op.in(0).type);
  p.in_row = RowBytes(op.in(0));
  p.out_row = RowBytes(op.out());
  const Axis width = AxisOf(op, 2);
  for (int32_t x = 0; x < width.out; ++x) p.columns()[x] = Nearest(width, x);
}

bool NearestInputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!OneBatchOfRows(op.in(0), op.out())) return false;
  const Axis height = AxisOf(op, 1);
  *in = {Nearest(height, out.begin), Nearest(height, out.end - 1) + 1};
  return true;
}

// ---- Bilinear --------------------------------------------------------------------------------

// Between which two input coordinates an output coordinate lies, and how far from the first.
struct Between {
  int32_t first, second;
  ResizeWeight weight;
};

Between IntegerBetween(const Axis& a, int32_t i) {
  const bool corners = a.align_corners && a.out > 1;
  const int64_t in = corners ? a.in - 1 : a.in;
  const int64_t out = corners ? a.out - 1 : a.out;
  const int64_t scale = (1024 * in + out / 2) / out;
  int64_t at = i * scale;
  if (a.half_pixel_centers) at += scale / 2 - 512;
  const int64_t last = a.in - 1;
  const int64_t first = std::min(std::max(at / 1024, int64_t{0}), last);
  const int64_t second = std::min((at + 1023) / 1024, last);
  Between b;
  b.first = static_cast<int32_t>(first);
  b.second = static_cast<int32_t>(std::max(second, first));
  // With both coordinates the same, every weight gives that element.
  b.weight.fixed = b.first == b.second ? 0 : static_cast<int32_t>(at - 1024 * first);
  b.weight.real = 0;
  return b;
}

Between FloatBetween(const Axis& a, int32_t i) {
  float scale = static_cast<float>(a.in) / static_cast<float>(a.out);
  if (a.align_corners && a.out > 1) {
    scale = static_cast<float>(a.in - 1) / static_cast<float>(a.out - 1);
  }
  float at = static_cast<float>(i) * scale;
  if (a.half_pixel_centers) at = (static_cast<float>(i) + 0.5f) * scale - 0.5f;
  const int32_t last = a.in - 1;
  Between b;
  b.first = std::min(std::max(static_cast<int32_t>(std::floor(at)), 0), last);
  b.second = std::max(std::min(static_cast<int32_t>(std::ceil(at)), last), 0);
  b.weight.fixed = 0;
  b.weight.real = at - static_cast<float>(b.first);
  return b;
}

using BetweenFn = Between (*)(const Axis& axis, int32_t i);

struct BilinearParams {
  ResizeBilinearFn kernel;
  BetweenFn between;
  Axis height;
  size_t width, channels, in_row, out_row;  // output columns; elements; bytes

  // One for each output column; they lie behind.
  const ResizeColumn* columns() const { return reinterpret_cast<const ResizeColumn*>(this + 1); }
  ResizeColumn* columns() { return reinterpret_cast<ResizeColumn*>(this + 1); }
};
static_assert(sizeof(BilinearParams) % alignof(ResizeColumn) == 0, "columns are aligned");

ResizeBilinearKind Kind(const OpView& op) {
  switch (op.in(0).type) {
    case DType::INT16:
      return ResizeBilinearKind::kS16;
    case DType::FLOAT32:
      return ResizeBilinearKind::kF32;
    default:
      break;
  }
  return op.options<fb::ResizeOptions>()->legacy_u8() ? ResizeBilinearKind::kU8
                                                      : ResizeBilinearKind::kS8;
}

BetweenFn BetweenOf(const OpView& op) {
  const ResizeBilinearKind kind = Kind(op);
  const bool integer = kind == ResizeBilinearKind::kS8 || kind == ResizeBilinearKind::kS16;
  return integer ? IntegerBetween : FloatBetween;
}

Status CheckBilinear(const OpView& op) {
  OCTET_RETURN_IF_ERROR(Check(op));
  const DType type = op.in(0).type;
  const auto* options = op.options<fb::ResizeOptions>();
  const bool known = type == DType::INT8 ||
                     (!options->legacy_u8() && (type == DType::INT16 || type == DType::FLOAT32));
  if (!known) return UnsupportedTypes(op);
  OCTET_CHECK_OP(!(options->align_corners() && options->half_pixel_centers()),
                 "align_corners and half_pixel_centers exclude each other");
  return OCTET_OK;
}

Status RunBilinear(const RunContext& c) {
  const BilinearParams& p = *static_cast<const BilinearParams*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.in_row, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.out_row, c.outputs[0].ring_rows};
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  const size_t grain = 8192 / (p.out_row + 1) + 1;
  c.threads.slices(rows, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t k = begin; k < end; ++k) {
      const int32_t y = c.rows.begin + static_cast<int32_t>(k);
      const int32_t top = y / p.height.out * p.height.in;
      const Between b = p.between(p.height, y % p.height.out);
      p.kernel({in.row(top + b.first), in.row(top + b.second), b.weight, p.columns(), p.width,
                p.channels, out.row(y)});
    }
  });
  return OCTET_OK;
}

void BindBilinear(const OpView& op, IsaSet isa, Binding* binding) {
  for (const ResizeBilinearKernel& row : ResizeBilinearTable()) {
    if (row.kind != Kind(op) || !isa.has(row.isa)) continue;
    binding->kernel = row.name;
    binding->row = &row;
    break;
  }
  binding->run = RunBilinear;
  binding->params_bytes =
      sizeof(BilinearParams) + static_cast<size_t>(op.out().dims[2]) * sizeof(ResizeColumn);
}

void InitBilinear(const OpView& op, const Binding& binding, void* params) {
  BilinearParams& p = *static_cast<BilinearParams*>(params);
  p.kernel = static_cast<const ResizeBilinearKernel*>(binding.row)->run;
  p.between = BetweenOf(op);
  p.height = AxisOf(op, 1);
  p.width = static_cast<size_t>(op.out().dims[2]);
  p.channels = static_cast<size_t>(op.in(0).dims[3]);
  p.in_row = RowBytes(op.in(0));
  p.out_row = RowBytes(op.out());
  const Axis width = AxisOf(op, 2);
  for (int32_t x = 0; x < width.out; ++x) {
    const Between b = p.between(width, x);
    p.columns()[x] = {static_cast<size_t>(b.first) * p.channels,
                      static_cast<size_t>(b.second) * p.channels, b.weight};
  }
}

bool BilinearInputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!OneBatchOfRows(op.in(0), op.out())) return false;
  const Axis height = AxisOf(op, 1);
  const BetweenFn between = BetweenOf(op);
  const Between first = between(height, out.begin), last = between(height, out.end - 1);
  *in = {first.first, std::max(last.first, last.second) + 1};
  return true;
}

}  // namespace

extern const OpDef kRESIZE_BILINEAROp = {CheckBilinear, BindBilinear,      InitBilinear,
                                         nullptr,       BilinearInputRows, nullptr};
extern const OpDef kRESIZE_NEAREST_NEIGHBOROp = {Check,   BindNearest,      InitNearest,
                                                 nullptr, NearestInputRows, nullptr};

}  // namespace octet
