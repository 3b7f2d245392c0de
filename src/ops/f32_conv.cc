#include "src/ops/f32_conv.h"

#include "src/ops/conv_common.h"

namespace octet {
namespace {

struct Params {
  F32ConvShape shape;
  bool has_bias;  // a third input, that is
};

Rows<const float> InputRowsOf(const RunContext& c, const F32ConvShape& s) {
  return {c.in<float>(0), static_cast<size_t>(s.in_w) * static_cast<size_t>(s.in_c),
          c.inputs[0].ring_rows};
}

Rows<float> OutputRowsOf(const RunContext& c, const F32ConvShape& s) {
  return {c.out<float>(), static_cast<size_t>(s.out_w) * static_cast<size_t>(s.out_c),
          c.outputs[0].ring_rows};
}

uint64_t MacsOf(const F32ConvShape& s, size_t rows) {
  return static_cast<uint64_t>(rows) * static_cast<uint64_t>(s.out_w) *
         static_cast<uint64_t>(s.out_c) * static_cast<uint64_t>(s.kernel_h) *
         static_cast<uint64_t>(s.kernel_w) * static_cast<uint64_t>(s.group_in_c());
}

Status RunConv(const RunContext& c) {
  const F32ConvShape& s = static_cast<const Params*>(c.params)->shape;
  F32ConvRun whole;
  whole.shape = &s;
  whole.weights = static_cast<const float*>(c.pack);
  whole.input = InputRowsOf(c, s);
  whole.output = OutputRowsOf(c, s);
  whole.row_begin = c.rows.begin, whole.row_end = c.rows.end;
  whole.block_end = F32ConvBlocks(s);
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  Threads used = c.threads;
  if (MacsOf(s, rows) < kMinMacsToSplit) used.count = 1;
  // Rows where there are enough for an even split, else blocks of output channels.
  if (rows >= 4 * used.count || used.count == 1) {
    used.slices(rows, 1, [&](size_t, size_t begin, size_t end) {
      F32ConvRun run = whole;
      run.row_begin = c.rows.begin + static_cast<int32_t>(begin);
      run.row_end = c.rows.begin + static_cast<int32_t>(end);
      F32ConvRef(run);
    });
    return OCTET_OK;
  }
  used.slices(static_cast<size_t>(whole.block_end), 1, [&](size_t, size_t begin, size_t end) {
    F32ConvRun run = whole;
    run.block_begin = static_cast<int32_t>(begin);
    run.block_end = static_cast<int32_t>(end);
    F32ConvRef(run);
  });
  return OCTET_OK;
}

Status RunFullyConnected(const RunContext& c) {
  RunContext whole = c;  // the tensors need not have four dimensions
  whole.rows = {0, 1};
  return RunConv(whole);
}

template <void (*kRun)(const F32ConvRun&)>
Status RunByRows(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const F32ConvShape& s = p.shape;
  F32ConvRun whole;
  whole.shape = &s;
  const bool depthwise = kRun == F32DwConvRef;
  whole.weights = depthwise ? c.in<float>(1) : static_cast<const float*>(c.pack);
  whole.bias = depthwise && p.has_bias ? c.in<float>(2) : nullptr;
  whole.input = InputRowsOf(c, s);
  whole.output = OutputRowsOf(c, s);
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  const uint64_t row_work = static_cast<uint64_t>(s.out_w) * static_cast<uint64_t>(s.out_c) *
                            static_cast<uint64_t>(s.kernel_h * s.kernel_w);
  const size_t grain = static_cast<size_t>(kMinMacsToSplit / 16 / row_work) + 1;
  c.threads.slices(rows, grain, [&](size_t, size_t begin, size_t end) {
    F32ConvRun run = whole;
    run.row_begin = c.rows.begin + static_cast<int32_t>(begin);
    run.row_end = c.rows.begin + static_cast<int32_t>(end);
    kRun(run);
  });
  return OCTET_OK;
}

}  // namespace

Status CheckF32Clamp(float low, float high) {
  OCTET_CHECK_OP(low <= high, "clamp from %g to %g", static_cast<double>(low),
                 static_cast<double>(high));
  return OCTET_OK;
}

Status CheckF32Product(const OpView& op, int64_t channels, float act_min, float act_max) {
  const TensorView& weights = op.in(1);
  const TensorView* bias = op.input(2);
  if (op.out().type != DType::FLOAT32 || weights.type != DType::FLOAT32 ||
      (bias != nullptr && bias->type != DType::FLOAT32)) {
    return UnsupportedTypes(op);
  }
  OCTET_RETURN_IF_ERROR(CheckConstant(weights, "weights"));
  if (bias != nullptr) {
    OCTET_RETURN_IF_ERROR(CheckConstant(*bias, "bias"));
    OCTET_CHECK_OP(bias->elements() == channels, "bias \"%s\" has %lld values for %lld channels",
                   bias->name, static_cast<long long>(bias->elements()),
                   static_cast<long long>(channels));
  }
  return CheckF32Clamp(act_min, act_max);
}

F32ConvShape MakeF32ConvShape(const OpView& op, bool depthwise) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  F32ConvShape s;
  s.batch = in.dims[0];
  s.in_h = in.dims[1], s.in_w = in.dims[2], s.in_c = in.dims[3];
  s.out_h = out.dims[1], s.out_w = out.dims[2], s.out_c = out.dims[3];
  s.kernel_h = w.dims[1], s.kernel_w = w.dims[2];
  s.stride_h = o.stride_h(), s.stride_w = o.stride_w();
  s.dilation_h = o.dilation_h(), s.dilation_w = o.dilation_w();
  s.pad_top = o.pad_top(), s.pad_left = o.pad_left();
  s.groups = depthwise ? in.dims[3] : in.dims[3] / w.dims[3];
  s.act_min = o.act_min_f(), s.act_max = o.act_max_f();
  return s;
}

F32ConvShape MakeF32FullyConnectedShape(const OpView& op) {
  const fb::FullyConnectedOptions& o = *op.options<fb::FullyConnectedOptions>();
  const TensorView& w = op.in(1);
  F32ConvShape s;
  s.in_c = w.dims[1];
  s.out_c = w.dims[0];
  s.in_w = s.out_w = static_cast<int32_t>(op.in(0).elements() / w.dims[1]);
  s.act_min = o.act_min_f(), s.act_max = o.act_max_f();
  return s;
}

void BindF32Conv(const F32ConvShape& shape, Binding* b) {
  b->kernel = "f32_conv__ref";
  b->run = RunConv;
  b->params_bytes = sizeof(Params);
  b->pack_layout = "f32_conv/ref/1";
  b->pack_bytes = F32ConvPackBytes(shape);
  b->packed_inputs = kPackedWeights | kPackedBias;
}

void BindF32FullyConnected(const F32ConvShape& shape, Binding* b) {
  BindF32Conv(shape, b);
  b->run = RunFullyConnected;
}

void BindF32DwConv(Binding* b) {
  b->kernel = "f32_dwconv__ref";
  b->run = RunByRows<F32DwConvRef>;
  b->params_bytes = sizeof(Params);
}

void BindF32Deconv(const F32ConvShape& shape, Binding* b) {
  b->kernel = "f32_deconv__ref";
  b->run = RunByRows<F32DeconvRef>;
  b->params_bytes = sizeof(Params);
  b->pack_layout = "f32_conv/ref/1";
  b->pack_bytes = F32ConvPackBytes(shape);
  b->packed_inputs = kPackedWeights | kPackedBias;
}

void InitF32Conv(const OpView& op, const F32ConvShape& shape, void* params) {
  *static_cast<Params*>(params) = {shape, op.input(2) != nullptr};
}

void PackF32Conv(const OpView& op, const void* params, void* pack) {
  F32ConvPack(static_cast<const Params*>(params)->shape, op.in(1).as<float>(),
              op.input(2) != nullptr ? op.in(2).as<float>() : nullptr, static_cast<float*>(pack));
}

}  // namespace octet
