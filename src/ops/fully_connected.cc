// FULLY_CONNECTED: a pointwise convolution over a column of "pixels", one for each batch.
// The contract of the quantised forms is TensorFlow Lite Micro's fixed-point form.
#include "kernels/qs8_conv/qs8_conv.h"
#include "src/ops/conv_common.h"
#include "src/ops/f32_conv.h"
#include "src/ops/qs16_common.h"

namespace octet {
namespace {

// The kernel's shape is mostly ones.
struct Params {
  const QS8ConvKernel* kernel;
  int32_t rows, in_c, out_c;
  int8_t input_zero_point, weight_zero_point, output_zero_point, act_min, act_max;
};

QS8ConvShape ShapeOf(const Params& p) {
  QS8ConvShape s;
  s.in_h = s.out_h = p.rows;
  s.in_c = p.in_c, s.out_c = p.out_c;
  s.input_zero_point = p.input_zero_point;
  s.weight_zero_point = p.weight_zero_point;
  s.output_zero_point = p.output_zero_point;
  s.act_min = p.act_min, s.act_max = p.act_max;
  return s;
}

// Micro multiplies a per-tensor weight scale with the input's in float, per-channel ones in double.
bool FloatProduct(const OpView& op) { return op.in(1).scales.size == 1; }

QS8ConvShape MakeShape(const OpView& op) {
  const fb::FullyConnectedOptions& o = *op.options<fb::FullyConnectedOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  QS8ConvShape s;
  s.in_c = w.dims[1];
  s.out_c = w.dims[0];
  s.in_h = s.out_h = static_cast<int32_t>(in.elements() / w.dims[1]);
  s.input_zero_point = in.zero_point;
  s.weight_zero_point = w.zero_point;
  s.output_zero_point = out.zero_point;
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  s.act_min = range.min, s.act_max = range.max;
  return s;
}

QS16ConvShape MakeShape16(const OpView& op) {
  const QS8ConvShape s = MakeShape(op);
  QS16ConvShape t;
  t.in_c = s.in_c, t.out_c = s.out_c;
  t.in_h = t.out_h = s.in_h;
  t.weight_n = s.in_c;
  t.act_min = s.act_min, t.act_max = s.act_max;
  t.acc64 = op.input(2) == nullptr || op.in(2).type == DType::INT64;
  return t;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 3, 1, 1));
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(w, "weights", 2, 2));
  const int64_t n = w.dims[0], k = w.dims[1];
  OCTET_CHECK_OP(in.elements() % k == 0, "input \"%s\" of %lld values is not in rows of %lld",
                 in.name, static_cast<long long>(in.elements()), static_cast<long long>(k));
  OCTET_CHECK_OP(in.elements() / k < INT32_MAX / 4, "%lld rows are too many",
                 static_cast<long long>(in.elements() / k));
  OCTET_CHECK_OP(out.elements() == in.elements() / k * n,
                 "output \"%s\" has %lld values instead of %lld", out.name,
                 static_cast<long long>(out.elements()),
                 static_cast<long long>(in.elements() / k * n));
  const fb::FullyConnectedOptions& o = *op.options<fb::FullyConnectedOptions>();
  if (IsF32(op)) return CheckF32Product(op, n, o.act_min_f(), o.act_max_f());
  OCTET_RETURN_IF_ERROR(CheckQuantisedProduct(op, n, 0));
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  OCTET_CHECK_OP(range.min <= range.max, "clamp from %d to %d", o.act_min(), o.act_max());
  return CheckMultipliers(op, ProductScales(op, FloatProduct(op)), n);
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const QS8ConvShape s = ShapeOf(p);
  QS8ConvRun run;
  run.shape = &s;
  run.pack = c.pack;
  run.weights = c.in<int8_t>(1);
  run.input = {c.in<int8_t>(0), static_cast<size_t>(s.in_c), 0};
  run.output = {c.out<int8_t>(), static_cast<size_t>(s.out_c), 0};
  RunQS8Conv(*p.kernel, &run, 0, s.out_h, c.scratch, c.scratch_stride, c.threads);
  return OCTET_OK;
}

Status Run16(const RunContext& c) {
  RunContext whole = c;  // the tensors need not have four dimensions
  whole.rows = {0, static_cast<const QS16Params*>(c.params)->shape.out_h};
  return RunQS16(whole);
}

void Bind(const OpView& op, IsaSet isa, Binding* b) {
  if (IsF32(op)) {
    BindF32FullyConnected(MakeF32FullyConnectedShape(op), b);
  } else if (op.in(0).type == DType::INT16) {
    BindQS16(MakeShape16(op), isa, b);
    b->run = Run16;
  } else {
    const QS8ConvShape shape = MakeShape(op);
    const QS8ConvKernel& kernel = SelectQS8Conv(shape, isa);
    b->kernel = kernel.name;
    b->run = Run;
    b->row = &kernel;
    b->params_bytes = sizeof(Params);
    b->pack_layout = kernel.pack_layout;
    b->pack_bytes = kernel.pack_bytes(shape);
    b->packed_inputs = PackedInputs(kernel.isa);
    b->scratch_bytes = kernel.scratch_bytes(shape);
  }
  b->macs = static_cast<uint64_t>(op.in(0).elements()) * static_cast<uint64_t>(op.in(1).dims[0]);
}

void Init(const OpView& op, const Binding& b, void* params) {
  if (IsF32(op)) return InitF32Conv(op, MakeF32FullyConnectedShape(op), params);
  if (op.in(0).type == DType::INT16) return InitQS16(MakeShape16(op), b, params);
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const QS8ConvKernel*>(b.row);
  const QS8ConvShape s = MakeShape(op);
  p.rows = s.out_h, p.in_c = s.in_c, p.out_c = s.out_c;
  p.input_zero_point = static_cast<int8_t>(s.input_zero_point);
  p.weight_zero_point = static_cast<int8_t>(s.weight_zero_point);
  p.output_zero_point = static_cast<int8_t>(s.output_zero_point);
  p.act_min = static_cast<int8_t>(s.act_min), p.act_max = static_cast<int8_t>(s.act_max);
}

void Pack(const OpView& op, const Binding&, const void* params, void* pack) {
  if (IsF32(op)) return PackF32Conv(op, params, pack);
  if (op.in(0).type == DType::INT16) {
    return PackQS16(op, *static_cast<const QS16Params*>(params), FloatProduct(op), pack);
  }
  const Params& p = *static_cast<const Params*>(params);
  QS8ConvConstants k;
  k.weights = op.in(1).as<int8_t>();
  k.bias = op.input(2) != nullptr ? op.in(2).as<int32_t>() : nullptr;
  k.scales = ProductScales(op, FloatProduct(op));
  p.kernel->pack(ShapeOf(p), k, pack);
}

}  // namespace

extern const OpDef kFULLY_CONNECTEDOp = {Check, Bind, Init, Pack, nullptr, nullptr};

}  // namespace octet
