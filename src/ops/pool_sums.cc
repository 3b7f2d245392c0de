// POOL_SUMS, AVERAGE_OF_SUMS, MEAN_OF_SUMS: a global AVERAGE_POOL_2D or MEAN over height and width
// of int8, in two operators, so that the image need not be whole: sums of a few rows each by rows,
// as int16, and the average of all from those. Only Octet's compiler makes them.
//
// Source of the formulas: TFLite's reference_integer_ops::AveragePool, reference_ops' for uint8
// (PoolOptions.legacy_u8), and reference_ops::QuantizedMeanOrSum with 32-bit sums.
#include "kernels/common/requant.h"
#include "kernels/s8_pool_sums/s8_pool_sums.h"
#include "src/ops/mean_multiplier.h"
#include "src/ops/op.h"

namespace octet {
namespace {

// ---- POOL_SUMS: [n, h, w, c] of int8 to [n, windows, 1, c] of int16

struct SumParams {
  S8PoolSumsFn kernel;
  int32_t in_h, out_h, rows;  // of a window; the last may be shorter
  size_t width, channels;
  size_t grain;  // output rows that are worth a thread
};

Status CheckSums(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckRank(out, "output", 4, 4));
  if (in.type != DType::INT8 || out.type != DType::INT16) return UnsupportedTypes(op);
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  const int32_t rows = o.filter_h();
  OCTET_CHECK_OP(rows > 0 && rows <= kMostPoolSums && in.dims[2] <= kMostPoolSums / rows,
                 "sums of %d rows of %d do not fit 16 bits", rows, in.dims[2]);
  OCTET_CHECK_OP(o.stride_h() == rows && o.filter_w() == in.dims[2] && o.stride_w() == 1 &&
                     o.pad_top() == 0 && o.pad_left() == 0,
                 "windows are not %d whole rows one after the other", rows);
  OCTET_CHECK_OP(out.dims[0] == in.dims[0] && out.dims[1] == (in.dims[1] - 1) / rows + 1 &&
                     out.dims[2] == 1 && out.dims[3] == in.dims[3],
                 "the output's shape is not that of sums of %d rows", rows);
  OCTET_CHECK_OP(int64_t{in.dims[0]} * in.dims[1] <= INT32_MAX, "too many rows");
  return OCTET_OK;
}

Status RunSums(const RunContext& c) {
  const SumParams& p = *static_cast<const SumParams*>(c.params);
  const Rows<const int8_t> in{c.in<int8_t>(0), p.width * p.channels, c.inputs[0].ring_rows};
  const Rows<int16_t> out{c.out<int16_t>(), p.channels, c.outputs[0].ring_rows};
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  c.threads.slices(rows, p.grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const int32_t y = c.rows.begin + static_cast<int32_t>(i);
      const int32_t image = y / p.out_h * p.in_h;
      const int32_t first = y % p.out_h * p.rows;
      const int32_t last = p.rows < p.in_h - first ? first + p.rows : p.in_h;
      p.kernel(in, image + first, image + last, p.width, p.channels, out.row(y));
    }
  });
  return OCTET_OK;
}

void BindSums(const OpView&, IsaSet isa, Binding* binding) {
  const S8PoolSumsKernel& row = FirstRow(S8PoolSumsTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = RunSums;
  binding->params_bytes = sizeof(SumParams);
}

void InitSums(const OpView& op, const Binding& binding, void* params) {
  SumParams& p = *static_cast<SumParams*>(params);
  p.kernel = static_cast<const S8PoolSumsKernel*>(binding.row)->run;
  p.in_h = op.in(0).dims[1];
  p.out_h = op.out().dims[1];
  p.rows = op.options<fb::PoolOptions>()->filter_h();
  p.width = static_cast<size_t>(op.in(0).dims[2]);
  p.channels = static_cast<size_t>(op.in(0).dims[3]);
  p.grain = 65536 / (static_cast<size_t>(p.rows) * p.width * p.channels) + 1;
}

bool SumRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  const TensorView& image = op.in(0);
  if (image.dims[0] != 1) return false;
  const int32_t rows = op.options<fb::PoolOptions>()->filter_h();
  in->begin = out.begin * rows;
  in->end = out.end == op.out().dims[1] ? image.dims[1] : out.end * rows;
  return true;
}

// ---- The average: [n, windows, 1, c] of int16 to n * c of int8

struct AverageParams {
  int32_t batches, windows, channels;
  int32_t count;             // elements of an image
  int32_t act_min, act_max;  // AVERAGE_OF_SUMS
  bool half_up;
  int32_t bias;  // MEAN_OF_SUMS
  Multiplier multiplier;
  int32_t output_zero_point;
};

Status CheckAverage(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 4, 4));
  if (in.type != DType::INT16 || out.type != DType::INT8) return UnsupportedTypes(op);
  OCTET_CHECK_OP(in.dims[2] == 1, "sums %d wide", in.dims[2]);
  OCTET_CHECK_OP(int64_t{in.dims[0]} * in.dims[1] <= INT32_MAX, "too many rows");
  // As the operator that this is a part of has it: reduced axes of 1, or none.
  OCTET_CHECK_OP(out.elements() == int64_t{in.dims[0]} * in.dims[3],
                 "the output has not one element for each channel");
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  OCTET_CHECK_OP(o.filter_h() > 0 && o.filter_w() > 0, "an image of %dx%d", o.filter_h(),
                 o.filter_w());
  // Whatever the sums hold: their sum, with half the count or all zero points, stays in 32 bits.
  const int64_t count = int64_t{o.filter_h()} * o.filter_w();
  if (count > INT32_MAX / 1024 || in.dims[1] > INT32_MAX / 2 / 32768) {
    return Fail(OCTET_UNSUPPORTED, "%d sums of %lld elements can overflow", in.dims[1],
                static_cast<long long>(count));
  }
  if (op.kind == OpKind::MEAN_OF_SUMS) {
    OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
    OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
    OCTET_CHECK_OP(in.zero_point >= -128 && in.zero_point <= 127,
                   "the zero point %d is not that of 8 bits", in.zero_point);
    return OCTET_OK;
  }
  OCTET_CHECK_OP(o.act_min() <= o.act_max() && o.act_min() <= 127 && o.act_max() >= -128,
                 "empty activation range [%d, %d]", o.act_min(), o.act_max());
  return OCTET_OK;
}

int8_t Average(const AverageParams& p, int32_t sum) {
  const int32_t half = p.count / 2;
  int32_t y = 0;
  if (p.half_up) {  // floor, as the uint8 sum is this plus 128 * count
    const int32_t dividend = sum + half;
    y = dividend / p.count - (dividend % p.count < 0 ? 1 : 0);
  } else {
    y = (sum > 0 ? sum + half : sum - half) / p.count;
  }
  return static_cast<int8_t>(Clamp(y, p.act_min, p.act_max));
}

int8_t Mean(const AverageParams& p, int32_t sum) {
  // Saturated first: the sum with the zero point could overflow.
  const int32_t mean = Clamp<int32_t>(Requantize(sum + p.bias, p.multiplier), -1024, 1024);
  return static_cast<int8_t>(Clamp<int32_t>(mean + p.output_zero_point, -128, 127));
}

// A few sums for each channel, once a run.
template <int8_t (*kFinish)(const AverageParams&, int32_t)>
Status RunAverage(const RunContext& c) {
  constexpr int32_t kBlock = 64;  // channels whose sums are kept at a time
  const AverageParams& p = *static_cast<const AverageParams*>(c.params);
  const Rows<const int16_t> in{c.in<int16_t>(0), static_cast<size_t>(p.channels),
                               c.inputs[0].ring_rows};
  int8_t* out = c.out<int8_t>();
  for (int32_t b = 0; b < p.batches; ++b) {
    for (int32_t c0 = 0; c0 < p.channels; c0 += kBlock) {
      const int32_t n = p.channels - c0 < kBlock ? p.channels - c0 : kBlock;
      int32_t sums[kBlock] = {};
      for (int32_t y = 0; y < p.windows; ++y) {
        const int16_t* row = in.row(b * p.windows + y) + c0;
        for (int32_t i = 0; i < n; ++i) sums[i] += row[i];
      }
      for (int32_t i = 0; i < n; ++i) *out++ = kFinish(p, sums[i]);
    }
  }
  return OCTET_OK;
}

void BindAverage(const OpView& op, IsaSet, Binding* binding) {
  const bool mean = op.kind == OpKind::MEAN_OF_SUMS;
  binding->kernel = mean ? "mean_of_sums__ref" : "average_of_sums__ref";
  binding->run = mean ? RunAverage<Mean> : RunAverage<Average>;
  binding->params_bytes = sizeof(AverageParams);
}

void InitAverage(const OpView& op, const Binding&, void* params) {
  AverageParams& p = *static_cast<AverageParams*>(params);
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  const TensorView& in = op.in(0);
  p.batches = in.dims[0];
  p.windows = in.dims[1];
  p.channels = in.dims[3];
  p.count = o.filter_h() * o.filter_w();
  if (op.kind == OpKind::MEAN_OF_SUMS) {
    p.bias = -in.zero_point * p.count;
    p.multiplier = MeanMultiplier(in.scale(), op.out().scale(), p.count);
    p.output_zero_point = op.out().zero_point;
    return;
  }
  p.act_min = o.act_min() > -128 ? o.act_min() : -128;
  p.act_max = o.act_max() < 127 ? o.act_max() : 127;
  p.half_up = o.legacy_u8();
}

}  // namespace

extern const OpDef kPOOL_SUMSOp = {CheckSums, BindSums, InitSums, nullptr, SumRows, nullptr};
extern const OpDef kAVERAGE_OF_SUMSOp = {CheckAverage, BindAverage, InitAverage,
                                         nullptr,      nullptr,     nullptr};
extern const OpDef kMEAN_OF_SUMSOp = {CheckAverage, BindAverage, InitAverage,
                                      nullptr,      nullptr,     nullptr};

}  // namespace octet
