#include "src/ops/unary.h"

#include "kernels/common/rows.h"

namespace octet {

Status CheckUnary(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 1));
  return CheckSameShape(op.in(0), op.out(), "input and output");
}

void BindUnary(const char* kernel, Binding* binding) {
  binding->kernel = kernel;
  binding->run = RunUnary;
  binding->params_bytes = sizeof(UnaryParams);
}

void InitUnary(const OpView& op, UnaryFn fn, UnaryParams* params) {
  params->fn = fn;
  params->row_elements = RowElements(op.out());
  params->in_row_bytes = params->row_elements * TypeBytes(op.in(0).type);
  params->out_row_bytes = params->row_elements * TypeBytes(op.out().type);
}

Status RunUnary(const RunContext& c) {
  const UnaryParams& p = *static_cast<const UnaryParams*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.in_row_bytes, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.out_row_bytes, c.outputs[0].ring_rows};
  const size_t in_bytes = p.in_row_bytes / p.row_elements;
  const size_t out_bytes = p.out_row_bytes / p.row_elements;
  int32_t y = c.rows.begin;
  while (y < c.rows.end) {
    const int32_t rows = in.contiguous(y, out.contiguous(y, c.rows.end - y));
    const uint8_t* from = in.row(y);
    uint8_t* to = out.row(y);
    c.threads.slices(static_cast<size_t>(rows) * p.row_elements, 16384,
                     [&](size_t, size_t begin, size_t end) {
                       p.fn(end - begin, from + begin * in_bytes, to + begin * out_bytes, p.own);
                     });
    y += rows;
  }
  return OCTET_OK;
}

uint32_t UnaryInPlace(const OpView& op) {
  return TypeBytes(op.in(0).type) == TypeBytes(op.out().type) ? 1 : 0;
}

}  // namespace octet
