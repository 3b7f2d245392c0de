// DEPTHWISE_CONV_2D: int8 activations (qs8_dwconv), int16 with int8 weights (qs16_conv), float32
// (f32_conv).
// Source: the TensorFlow Lite 8-bit quantization specification and 16x8 specification.
#include "kernels/qs8_dwconv/qs8_dwconv.h"
#include "src/ops/conv_common.h"
#include "src/ops/f32_conv.h"
#include "src/ops/qs16_common.h"

namespace octet {
namespace {

struct Params {
  const QS8DwConvKernel* kernel;
  QS8DwConvShape shape;
};

QS8DwConvShape MakeShape(const OpView& op, int32_t step_rows = 0) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  QS8DwConvShape s;
  s.batch = in.dims[0];
  s.in_h = in.dims[1], s.in_w = in.dims[2], s.in_c = in.dims[3];
  s.out_h = out.dims[1], s.out_w = out.dims[2];
  s.depth_multiplier = out.dims[3] / in.dims[3];
  s.kernel_h = w.dims[1], s.kernel_w = w.dims[2];
  s.stride_h = o.stride_h(), s.stride_w = o.stride_w();
  s.dilation_h = o.dilation_h(), s.dilation_w = o.dilation_w();
  s.pad_top = o.pad_top(), s.pad_left = o.pad_left();
  s.input_zero_point = in.zero_point;
  s.weight_zero_point = w.zero_point;
  s.output_zero_point = out.zero_point;
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  s.act_min = range.min, s.act_max = range.max;
  s.run_rows = step_rows;
  return s;
}

QS16ConvShape MakeShape16(const OpView& op) {
  const QS8DwConvShape s = MakeShape(op);
  QS16ConvShape t;
  t.batch = s.batch;
  t.in_h = s.in_h, t.in_w = s.in_w, t.in_c = s.in_c;
  t.out_h = s.out_h, t.out_w = s.out_w, t.out_c = s.out_c();
  t.kernel_h = s.kernel_h, t.kernel_w = s.kernel_w;
  t.stride_h = s.stride_h, t.stride_w = s.stride_w;
  t.dilation_h = s.dilation_h, t.dilation_w = s.dilation_w;
  t.pad_top = s.pad_top, t.pad_left = s.pad_left;
  t.groups = s.in_c;
  t.weight_n = 1;
  t.weight_x = s.out_c();
  t.weight_y = t.weight_x * s.kernel_w;
  t.act_min = s.act_min, t.act_max = s.act_max;
  t.acc64 = op.input(2) == nullptr || op.in(2).type == DType::INT64;
  return t;
}

bool LegacyU8(const OpView& op) { return op.options<fb::Conv2DOptions>()->legacy_u8(); }

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 3, 1, 1));
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  OCTET_RETURN_IF_ERROR(CheckRank(w, "weights", 4, 4));
  OCTET_RETURN_IF_ERROR(
      CheckWindow(in, out, *op.options<fb::Conv2DOptions>(), w.dims[1], w.dims[2]));
  OCTET_CHECK_OP(w.dims[0] == 1 && w.dims[3] == out.dims[3],
                 "weights of shape [%d, .., .., %d] for %d output channels", w.dims[0], w.dims[3],
                 out.dims[3]);
  OCTET_CHECK_OP(out.dims[3] % in.dims[3] == 0, "%d output channels from %d input channels",
                 out.dims[3], in.dims[3]);
  if (IsF32(op)) {
    const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
    return CheckF32Product(op, out.dims[3], o.act_min_f(), o.act_max_f());
  }
  OCTET_RETURN_IF_ERROR(CheckQuantisedProduct(op, out.dims[3], 3));
  return CheckMultipliers(op, ProductScales(op, LegacyU8(op)), out.dims[3]);
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const QS8DwConvShape& s = p.shape;
  QS8DwConvRun whole;
  whole.shape = &s;
  whole.pack = c.pack;
  whole.weights = c.in<int8_t>(1);
  whole.input = {c.in<int8_t>(0), static_cast<size_t>(s.in_w) * s.in_c, c.inputs[0].ring_rows};
  whole.output = {c.out<int8_t>(), static_cast<size_t>(s.out_w) * s.out_c(),
                  c.outputs[0].ring_rows};
  whole.row_begin = c.rows.begin, whole.row_end = c.rows.end;
  whole.channel_end = s.in_c;
  if (c.threads.count == 1) {
    whole.scratch = c.scratch;
    p.kernel->run(whole);
    return OCTET_OK;
  }

  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  const size_t block = static_cast<size_t>(p.kernel->channel_block);
  const size_t blocks = (static_cast<size_t>(s.in_c) + block - 1) / block;
  const uint64_t macs = static_cast<uint64_t>(rows) * static_cast<uint64_t>(s.out_w) *
                        static_cast<uint64_t>(s.out_c()) *
                        static_cast<uint64_t>(s.kernel_h * s.kernel_w);
  Threads used = c.threads;
  // A depthwise multiply-accumulate costs several times a dense one's.
  const uint64_t work = 4 * macs;
  if (work < kMinMacsToSplit) used.count = 1;
  // Captured by value: a helper fetches all of it at once from the leader's cache.
  const auto run_kernel = p.kernel->run;
  const int32_t row_begin = c.rows.begin, channels = s.in_c;
  uint8_t* const scratch = c.scratch;
  const size_t stride = c.scratch_stride;
  if (rows >= 8 * used.count || rows >= blocks) {
    used.slices(rows, ChunkGrain(rows, work, used.count), [=](size_t i, size_t begin, size_t end) {
      QS8DwConvRun run = whole;
      run.row_begin = row_begin + static_cast<int32_t>(begin);
      run.row_end = row_begin + static_cast<int32_t>(end);
      run.scratch = scratch + i * stride;
      run_kernel(run);
    });
    return OCTET_OK;
  }
  used.slices(blocks, ChunkGrain(blocks, work, used.count),
              [=](size_t i, size_t begin, size_t end) {
                QS8DwConvRun run = whole;
                run.channel_begin = static_cast<int32_t>(begin * block);
                run.channel_end = end == blocks ? channels : static_cast<int32_t>(end * block);
                run.scratch = scratch + i * stride;
                run_kernel(run);
              });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* b) {
  const TensorView& w = op.in(1);
  b->macs = static_cast<uint64_t>(op.out().elements()) * static_cast<uint64_t>(w.dims[1]) *
            static_cast<uint64_t>(w.dims[2]);
  if (IsF32(op)) return BindF32DwConv(b);
  if (op.in(0).type == DType::INT16) return BindQS16(MakeShape16(op), isa, b);
  const QS8DwConvShape shape = MakeShape(op, b->step_rows);
  const QS8DwConvKernel& kernel = SelectQS8DwConv(shape, isa);
  b->kernel = kernel.name;
  b->run = Run;
  b->row = &kernel;
  b->params_bytes = sizeof(Params);
  b->pack_layout = kernel.pack_layout;
  b->pack_bytes = kernel.pack_bytes(shape);
  b->packed_inputs = PackedInputs(kernel.isa);
  b->scratch_bytes = kernel.scratch_bytes(shape);
}

void Init(const OpView& op, const Binding& b, void* params) {
  if (IsF32(op)) return InitF32Conv(op, MakeF32ConvShape(op, true), params);
  if (op.in(0).type == DType::INT16) return InitQS16(MakeShape16(op), b, params);
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const QS8DwConvKernel*>(b.row);
  p.shape = MakeShape(op, b.step_rows);
}

void Pack(const OpView& op, const Binding&, const void* params, void* pack) {
  if (op.in(0).type == DType::INT16) {
    return PackQS16(op, *static_cast<const QS16Params*>(params), LegacyU8(op), pack);
  }
  const Params& p = *static_cast<const Params*>(params);
  QS8DwConvConstants k;
  k.weights = op.in(1).as<int8_t>();
  k.bias = op.input(2) != nullptr ? op.in(2).as<int32_t>() : nullptr;
  k.scales = ProductScales(op, LegacyU8(op));
  p.kernel->pack(p.shape, k, pack);
}

bool InputRows(const OpView& op, size_t input, RowRange out, RowRange* in) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  return input == 0 && WindowRows(op.in(0), op.out(), op.in(1).dims[1], o.stride_h(),
                                  o.dilation_h(), o.pad_top(), out, in);
}

}  // namespace

extern const OpDef kDEPTHWISE_CONV_2DOp = {Check, Bind, Init, Pack, InputRows, nullptr};

}  // namespace octet
