// LUT: any unary operator on 8-bit values, computed once by the compiler (src/passes) into a table
// of 256 entries indexed by the input byte.
#include "kernels/common/rows.h"
#include "kernels/x8_lut/x8_lut.h"
#include "src/ops/op.h"

namespace octet {
namespace {

struct Params {
  X8LutFn kernel;
  size_t row_elements;
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 2, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 2));
  OCTET_RETURN_IF_ERROR(CheckType(op.in(0), "input", {DType::INT8, DType::UINT8, DType::BOOL}));
  OCTET_RETURN_IF_ERROR(CheckType(op.out(), "output", {DType::INT8, DType::UINT8, DType::BOOL}));
  OCTET_RETURN_IF_ERROR(CheckConstant(op.in(1), "table"));
  OCTET_CHECK_OP(op.in(1).bytes() == 256, "the table has %zu bytes, not 256", op.in(1).bytes());
  return CheckSameShape(op.in(0), op.out(), "input and output");
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const size_t row = p.row_elements;
  const Rows<const uint8_t> in{c.in<uint8_t>(0), row, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), row, c.outputs[0].ring_rows};
  const uint8_t* table = c.in<uint8_t>(1);
  const size_t grain = 16384 / (row + 1) + 1;
  c.threads.slices(c.rows.end - c.rows.begin, grain, [&](size_t, size_t begin, size_t end) {
    int32_t y = c.rows.begin + static_cast<int32_t>(begin);
    const int32_t stop = c.rows.begin + static_cast<int32_t>(end);
    while (y < stop) {
      const int32_t n = in.contiguous(y, out.contiguous(y, stop - y));
      p.kernel(in.row(y), n * row, table, out.row(y));
      y += n;
    }
  });
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet isa, Binding* binding) {
  const X8LutKernel& row = FirstRow(X8LutTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.kernel = static_cast<const X8LutKernel*>(binding.row)->run;
  p.row_elements = RowElements(op.out());
}

uint32_t InPlace(const OpView&) { return 1; }

}  // namespace

extern const OpDef kLUTOp = {Check, Bind, Init, nullptr, SameRows, InPlace};

}  // namespace octet
