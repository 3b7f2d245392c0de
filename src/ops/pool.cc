// AVERAGE_POOL_2D, MAX_POOL_2D: NHWC, int8, int16 and float32, by rows.
#include "kernels/common/requant.h"
#include "kernels/f32_pool/f32_pool.h"
#include "kernels/qs8_avgpool/qs8_avgpool.h"
#include "kernels/s8_maxpool/s8_maxpool.h"
#include "src/ops/op.h"

namespace octet {
namespace {

struct Params {
  PoolShape shape;
  PoolFn<int8_t> run8;
  PoolFn<int16_t> run16;
  PoolFn<float> run_f32;
  int32_t in_h, out_h, filter_h, stride_h, pad_top;
  size_t in_row, out_row;  // elements
  size_t grain;            // output rows that are worth a thread
};

constexpr int32_t kMaxSize = 1 << 30;    // of an input side: sums with a window stay in 32 bits
constexpr int32_t kMaxWindow = 1 << 16;  // of a filter's side and of strides

// One axis: is every window at least partly inside the input?
Status CheckAxis(const char* axis, int32_t in, int32_t out, int32_t filter, int32_t stride,
                 int32_t pad) {
  OCTET_CHECK_OP(filter > 0 && stride > 0 && pad >= 0,
                 "%s: filter %d and stride %d must be positive, padding %d not negative", axis,
                 filter, stride, pad);
  if (in > kMaxSize || filter > kMaxWindow || stride > kMaxWindow) {
    return Fail(OCTET_UNSUPPORTED, "%s: input %d, filter %d or stride %d is too large", axis, in,
                filter, stride);
  }
  OCTET_CHECK_OP(pad < filter, "%s: padding %d is not smaller than the filter, %d", axis, pad,
                 filter);
  OCTET_CHECK_OP(int64_t{out - 1} * stride - pad < in,
                 "%s: %d outputs with stride %d and padding %d leave the input of %d", axis, out,
                 stride, pad, in);
  return OCTET_OK;
}

int64_t WindowSize(const fb::PoolOptions& o, const TensorView& in) {
  const int64_t h = o.filter_h() < in.dims[1] ? o.filter_h() : in.dims[1];
  const int64_t w = o.filter_w() < in.dims[2] ? o.filter_w() : in.dims[2];
  return h * w;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(in, "input", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckRank(out, "output", 4, 4));
  if (in.type != out.type ||
      (in.type != DType::INT8 && in.type != DType::INT16 && in.type != DType::FLOAT32)) {
    return UnsupportedTypes(op);
  }
  OCTET_CHECK_OP(in.dims[0] == out.dims[0] && in.dims[3] == out.dims[3],
                 "input and output differ in batch or channels");
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  OCTET_RETURN_IF_ERROR(
      CheckAxis("height", in.dims[1], out.dims[1], o.filter_h(), o.stride_h(), o.pad_top()));
  OCTET_RETURN_IF_ERROR(
      CheckAxis("width", in.dims[2], out.dims[2], o.filter_w(), o.stride_w(), o.pad_left()));
  OCTET_CHECK_OP(int64_t{in.dims[0]} * in.dims[1] <= INT32_MAX &&
                     int64_t{out.dims[0]} * out.dims[1] <= INT32_MAX,
                 "too many rows");
  if (in.type == DType::FLOAT32) {
    OCTET_CHECK_OP(o.act_min_f() <= o.act_max_f(), "clamp from %g to %g",
                   static_cast<double>(o.act_min_f()), static_cast<double>(o.act_max_f()));
    return OCTET_OK;
  }
  const int32_t low = in.type == DType::INT8 ? -128 : -32768;
  OCTET_CHECK_OP(o.act_min() <= o.act_max() && o.act_min() <= -low - 1 && o.act_max() >= low,
                 "empty activation range [%d, %d]", o.act_min(), o.act_max());
  // A sum of a window and half its size stay in 32 bits.
  if (op.kind == OpKind::AVERAGE_POOL_2D && WindowSize(o, in) > INT32_MAX / (1 - low)) {
    return Fail(OCTET_UNSUPPORTED, "windows of %lld elements can overflow 32-bit sums",
                static_cast<long long>(WindowSize(o, in)));
  }
  return OCTET_OK;
}

template <class T>
void RunRow(const Params& p, PoolFn<T> run, const Rows<const T>& in, const Rows<T>& out,
            int32_t row) {
  const int32_t batch = row / p.out_h;
  const int32_t origin = row % p.out_h * p.stride_h - p.pad_top;
  const int32_t begin = origin < 0 ? 0 : origin;
  const int32_t end = p.filter_h < p.in_h - origin ? origin + p.filter_h : p.in_h;
  run(p.shape, in, batch * p.in_h + begin, batch * p.in_h + end, out.row(row));
}

template <class T>
void RunRows(const RunContext& c, PoolFn<T> run) {
  const Params& p = *static_cast<const Params*>(c.params);
  const Rows<const T> in{c.in<T>(0), p.in_row, c.inputs[0].ring_rows};
  const Rows<T> out{c.out<T>(), p.out_row, c.outputs[0].ring_rows};
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  c.threads.slices(rows, p.grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      RunRow(p, run, in, out, c.rows.begin + static_cast<int32_t>(i));
    }
  });
}

Status Run8(const RunContext& c) {
  RunRows<int8_t>(c, static_cast<const Params*>(c.params)->run8);
  return OCTET_OK;
}

Status Run16(const RunContext& c) {
  RunRows<int16_t>(c, static_cast<const Params*>(c.params)->run16);
  return OCTET_OK;
}

Status RunF32(const RunContext& c) {
  RunRows<float>(c, static_cast<const Params*>(c.params)->run_f32);
  return OCTET_OK;
}

// `names` are those of int8, int16 and float32.
void BindCommon(const OpView& op, std::initializer_list<const char*> names, Binding* binding) {
  const DType type = op.in(0).type;
  const size_t i = type == DType::INT8 ? 0 : type == DType::INT16 ? 1 : 2;
  constexpr RunFn kRun[] = {Run8, Run16, RunF32};
  binding->kernel = names.begin()[i];
  binding->run = kRun[i];
  binding->params_bytes = sizeof(Params);
}

void BindAverage(const OpView& op, IsaSet isa, Binding* binding) {
  const QS8AvgPoolKernel& row = FirstRow(QS8AvgPoolTable(), isa);
  BindCommon(op, {row.name, "qs16_avgpool__ref", "f32_avgpool__ref"}, binding);
  binding->row = &row;
}

void BindMax(const OpView& op, IsaSet isa, Binding* binding) {
  const S8MaxPoolKernel& row = FirstRow(S8MaxPoolTable(), isa);
  BindCommon(op, {row.name, "s16_maxpool__ref", "f32_maxpool__ref"}, binding);
  binding->row = &row;
}

void InitCommon(const OpView& op, Params* p) {
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  PoolShape& s = p->shape;
  s.in_w = in.dims[2];
  s.out_w = out.dims[2];
  s.channels = in.dims[3];
  s.filter_w = o.filter_w();
  s.stride_w = o.stride_w();
  s.pad_left = o.pad_left();
  const int32_t low = in.type == DType::INT8 ? -128 : -32768;
  s.act_min = o.act_min() > low ? o.act_min() : low;
  s.act_max = o.act_max() < -low - 1 ? o.act_max() : -low - 1;
  s.act_min_f = o.act_min_f();
  s.act_max_f = o.act_max_f();
  s.half_up = o.legacy_u8();
  p->in_h = in.dims[1];
  p->out_h = out.dims[1];
  p->filter_h = o.filter_h();
  p->stride_h = o.stride_h();
  p->pad_top = o.pad_top();
  p->in_row = RowElements(in);
  p->out_row = RowElements(out);
  const int64_t work = WindowSize(o, in) * static_cast<int64_t>(p->out_row);
  p->grain = static_cast<size_t>(65536 / work + 1);
}

void InitAverage(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  InitCommon(op, &p);
  p.run8 = static_cast<const QS8AvgPoolKernel*>(binding.row)->run;
  p.run16 = QS16AvgPoolRef;
  p.run_f32 = F32AvgPoolRef;
}

void InitMax(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  InitCommon(op, &p);
  p.run8 = static_cast<const S8MaxPoolKernel*>(binding.row)->run;
  p.run16 = S16MaxPoolRef;
  p.run_f32 = F32MaxPoolRef;
}

bool InputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (op.in(0).dims[0] != 1) return false;
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  const int64_t begin = int64_t{out.begin} * o.stride_h() - o.pad_top();
  const int64_t end = int64_t{out.end - 1} * o.stride_h() - o.pad_top() + o.filter_h();
  in->begin = static_cast<int32_t>(begin < 0 ? 0 : begin);
  in->end = static_cast<int32_t>(end < op.in(0).dims[1] ? end : op.in(0).dims[1]);
  return true;
}

}  // namespace

extern const OpDef kAVERAGE_POOL_2DOp = {Check,   BindAverage, InitAverage,
                                         nullptr, InputRows,   nullptr};
extern const OpDef kMAX_POOL_2DOp = {Check, BindMax, InitMax, nullptr, InputRows, nullptr};

}  // namespace octet
