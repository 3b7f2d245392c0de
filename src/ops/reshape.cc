// RESHAPE: the same elements in the same order. The planner may lay the output over the input,
// which leaves nothing to do.
#include <cstring>

#include "kernels/common/rows.h"
#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Params {
  size_t row_bytes;  // of the output
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  OCTET_CHECK_OP(op.in(0).elements() == op.out().elements(), "%lld elements cannot become %lld",
                 static_cast<long long>(op.in(0).elements()),
                 static_cast<long long>(op.out().elements()));
  return OCTET_OK;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.row_bytes, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.row_bytes, c.outputs[0].ring_rows};
  int32_t y = c.rows.begin;
  while (y < c.rows.end) {
    const int32_t n = in.contiguous(y, out.contiguous(y, c.rows.end - y));
    const uint8_t* from = in.row(y);
    uint8_t* to = out.row(y);
    if (from != to) {
      const size_t bytes = static_cast<size_t>(n) * p.row_bytes;
      c.threads.slices(bytes, kCopyGrainBytes, [&](size_t, size_t begin, size_t end) {
        std::memcpy(to + begin, from + begin, end - begin);
      });
    }
    y += n;
  }
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet, Binding* binding) {
  binding->kernel = "memcpy";
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding&, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.row_bytes = RowBytes(op.out());
}

// Only where both sides are cut into the same rows.
bool InputRows(const OpView& op, size_t, RowRange out_rows, RowRange* in_rows) {
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  if (RowCount(in) != RowCount(out)) return false;
  if ((in.rank == 4 && in.dims[0] != 1) || (out.rank == 4 && out.dims[0] != 1)) return false;
  *in_rows = out_rows;
  return true;
}

uint32_t InPlace(const OpView&) { return 1; }

}  // namespace

extern const OpDef kRESHAPEOp = {Check, Bind, Init, nullptr, InputRows, InPlace};

}  // namespace octet
