// CONV_2D: int8 activations (qs8_conv), int16 activations with int8 weights (qs16_conv), float32
// (f32_conv).
// Source: the TensorFlow Lite 8-bit quantization specification and 16x8 specification.
#include "kernels/qs8_conv/qs8_conv.h"
#include "src/ops/conv_common.h"
#include "src/ops/conv_sum.h"
#include "src/ops/f32_conv.h"
#include "src/ops/qs16_common.h"

namespace octet {
namespace {

struct Params {
  const QS8ConvKernel* kernel;
  QS8ConvShape shape;
};

struct SumParams {
  Params conv;
  ConvSum sum;
};

QS8ConvShape MakeShape(const OpView& op) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  QS8ConvShape s;
  s.batch = in.dims[0];
  s.in_h = in.dims[1], s.in_w = in.dims[2], s.in_c = in.dims[3];
  s.out_h = out.dims[1], s.out_w = out.dims[2], s.out_c = out.dims[3];
  s.kernel_h = w.dims[1], s.kernel_w = w.dims[2];
  s.stride_h = o.stride_h(), s.stride_w = o.stride_w();
  s.dilation_h = o.dilation_h(), s.dilation_w = o.dilation_w();
  s.pad_top = o.pad_top(), s.pad_left = o.pad_left();
  s.groups = in.dims[3] / w.dims[3];
  s.input_zero_point = in.zero_point;
  s.weight_zero_point = w.zero_point;
  s.output_zero_point = HasSum(op) ? o.result_zero_point() : out.zero_point;
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  s.act_min = range.min, s.act_max = range.max;
  return s;
}

QS16ConvShape MakeShape16(const OpView& op) {
  const QS8ConvShape s = MakeShape(op);
  QS16ConvShape t;
  t.batch = s.batch;
  t.in_h = s.in_h, t.in_w = s.in_w, t.in_c = s.in_c;
  t.out_h = s.out_h, t.out_w = s.out_w, t.out_c = s.out_c;
  t.kernel_h = s.kernel_h, t.kernel_w = s.kernel_w;
  t.stride_h = s.stride_h, t.stride_w = s.stride_w;
  t.dilation_h = s.dilation_h, t.dilation_w = s.dilation_w;
  t.pad_top = s.pad_top, t.pad_left = s.pad_left;
  t.groups = s.groups;
  t.weight_x = s.group_in_c();
  t.weight_y = t.weight_x * s.kernel_w;
  t.weight_n = t.weight_y * s.kernel_h;
  t.act_min = s.act_min, t.act_max = s.act_max;
  t.acc64 = op.input(2) == nullptr || op.in(2).type == DType::INT64;
  return t;
}

bool LegacyU8(const OpView& op) { return op.options<fb::Conv2DOptions>()->legacy_u8(); }

RequantScales Scales(const OpView& op) {
  RequantScales scales = ProductScales(op, LegacyU8(op));
  if (HasSum(op)) scales.output = op.options<fb::Conv2DOptions>()->result_scale();
  return scales;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 4, 1, 1));
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(w, "weights", 4, 4));
  OCTET_RETURN_IF_ERROR(
      CheckWindow(in, out, *op.options<fb::Conv2DOptions>(), w.dims[1], w.dims[2]));
  OCTET_CHECK_OP(w.dims[0] == out.dims[3], "weights for %d output channels, the output has %d",
                 w.dims[0], out.dims[3]);
  OCTET_CHECK_OP(in.dims[3] % w.dims[3] == 0 && w.dims[0] % (in.dims[3] / w.dims[3]) == 0,
                 "%d input channels, %d in each group, %d output channels: no whole groups",
                 in.dims[3], w.dims[3], w.dims[0]);
  if (IsF32(op)) {
    OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 3, 1, 1));
    const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
    return CheckF32Product(op, w.dims[0], o.act_min_f(), o.act_max_f());
  }
  OCTET_RETURN_IF_ERROR(CheckQuantisedProduct(op, w.dims[0], 0, 4));
  if (HasSum(op)) OCTET_RETURN_IF_ERROR(CheckConvSum(op));
  return CheckMultipliers(op, Scales(op), w.dims[0]);
}

QS8ConvRun MakeRun(const RunContext& c, const QS8ConvShape& s) {
  QS8ConvRun run;
  run.shape = &s;
  run.pack = c.pack;
  run.weights = c.in<int8_t>(1);
  run.input = {c.in<int8_t>(0), static_cast<size_t>(s.in_w) * s.in_c, c.inputs[0].ring_rows};
  run.output = {c.out<int8_t>(), static_cast<size_t>(s.out_w) * s.out_c, c.outputs[0].ring_rows};
  return run;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  QS8ConvRun run = MakeRun(c, p.shape);
  RunQS8Conv(*p.kernel, &run, c.rows.begin, c.rows.end, c.scratch, c.scratch_stride, c.threads);
  return OCTET_OK;
}

Status RunSum(const RunContext& c) {
  const SumParams& p = *static_cast<const SumParams*>(c.params);
  QS8ConvRun run = MakeRun(c, p.conv.shape);
  RunConvSum(p.sum, *p.conv.kernel, &run, c);
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* b) {
  const TensorView& w = op.in(1);
  b->macs =
      static_cast<uint64_t>(op.out().elements()) * static_cast<uint64_t>(w.elements() / w.dims[0]);
  if (IsF32(op)) return BindF32Conv(MakeF32ConvShape(op, false), b);
  if (op.in(0).type == DType::INT16) return BindQS16(MakeShape16(op), isa, b);
  QS8ConvShape shape = MakeShape(op);
  shape.run_rows = b->step_rows;
  const QS8ConvKernel& kernel = SelectQS8Conv(shape, isa);
  b->kernel = kernel.name;
  b->run = HasSum(op) ? RunSum : Run;
  b->row = &kernel;
  b->params_bytes = HasSum(op) ? sizeof(SumParams) : sizeof(Params);
  b->pack_layout = kernel.pack_layout;
  b->pack_bytes = kernel.pack_bytes(shape);
  b->packed_inputs = PackedInputs(kernel.isa);
  b->scratch_bytes = kernel.scratch_bytes(shape);
  if (HasSum(op)) b->scratch_bytes = ConvSumScratch(shape, b->scratch_bytes);
}

void Init(const OpView& op, const Binding& b, void* params) {
  if (IsF32(op)) return InitF32Conv(op, MakeF32ConvShape(op, false), params);
  if (op.in(0).type == DType::INT16) return InitQS16(MakeShape16(op), b, params);
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const QS8ConvKernel*>(b.row);
  p.shape = MakeShape(op);
  p.shape.run_rows = b.step_rows;  // as the scratch was made for
  if (HasSum(op)) InitConvSum(op, p.shape, *p.kernel, &static_cast<SumParams*>(params)->sum);
}

void Pack(const OpView& op, const Binding&, const void* params, void* pack) {
  if (IsF32(op)) return PackF32Conv(op, params, pack);
  if (op.in(0).type == DType::INT16) {
    return PackQS16(op, *static_cast<const QS16Params*>(params), LegacyU8(op), pack);
  }
  const Params& p = *static_cast<const Params*>(params);
  QS8ConvConstants k;
  k.weights = op.in(1).as<int8_t>();
  k.bias = op.input(2) != nullptr ? op.in(2).as<int32_t>() : nullptr;
  k.scales = Scales(op);
  p.kernel->pack(p.shape, k, pack);
}

bool InputRows(const OpView& op, size_t input, RowRange out, RowRange* in) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  if (input == kSumInput) return op.in(0).dims[0] == 1 && SameRows(op, input, out, in);
  return input == 0 && WindowRows(op.in(0), op.out(), op.in(1).dims[1], o.stride_h(),
                                  o.dilation_h(), o.pad_top(), out, in);
}

uint32_t InPlace(const OpView& op) { return HasSum(op) ? 1u << kSumInput : 0; }

}  // namespace

extern const OpDef kCONV_2DOp = {Check, Bind, Init, Pack, InputRows, InPlace};

}  // namespace octet
