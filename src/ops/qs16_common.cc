#include "src/ops/qs16_common.h"

#include "src/ops/conv_common.h"

namespace octet {

Status RunQS16(const RunContext& c) {
  const QS16Params& p = *static_cast<const QS16Params*>(c.params);
  const QS16ConvShape& s = p.shape;
  QS16ConvRun run;
  run.shape = &s;
  run.pack = c.pack;
  run.weights = c.in<int8_t>(1);
  run.input = {c.in<int16_t>(0), static_cast<size_t>(s.in_w) * s.in_c, c.inputs[0].ring_rows};
  run.output = {c.out<int16_t>(), static_cast<size_t>(s.out_w) * s.out_c, c.outputs[0].ring_rows};
  run.channel_end = s.out_c;
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  c.threads.slices(rows, 1, [&](size_t, size_t begin, size_t end) {
    QS16ConvRun slice = run;
    slice.row_begin = c.rows.begin + static_cast<int32_t>(begin);
    slice.row_end = c.rows.begin + static_cast<int32_t>(end);
    p.kernel->run(slice);
  });
  return OCTET_OK;
}

void BindQS16(const QS16ConvShape& shape, IsaSet isa, Binding* b) {
  const QS16ConvKernel& kernel = SelectQS16Conv(shape, isa);
  b->kernel = kernel.name;
  b->run = RunQS16;
  b->row = &kernel;
  b->params_bytes = sizeof(QS16Params);
  b->pack_layout = kernel.pack_layout;
  b->pack_bytes = kernel.pack_bytes(shape);
  b->packed_inputs = kPackedBias;  // weights are read where they lie
}

void InitQS16(const QS16ConvShape& shape, const Binding& b, void* params) {
  QS16Params& p = *static_cast<QS16Params*>(params);
  p.kernel = static_cast<const QS16ConvKernel*>(b.row);
  p.shape = shape;
}

void PackQS16(const OpView& op, const QS16Params& p, bool float_product, void* pack) {
  QS16ConvConstants k;
  k.weights = op.in(1).as<int8_t>();
  k.bias = op.input(2) != nullptr ? op.in(2).data : nullptr;
  k.scales = ProductScales(op, float_product);
  p.kernel->pack(p.shape, k, pack);
}

}  // namespace octet
