// DEPTH_TO_SPACE and SPACE_TO_DEPTH: blocks of b x b pixels to channels and back. Either way, block
// row i of a block is b * C contiguous bytes on both sides, C being the channels of the pixels.
#include "kernels/common/rows.h"
#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Params {
  XxCopyRunsFn copy;
  int32_t block;
  bool to_space;
  size_t width;            // of the tensor with the many channels
  size_t run;              // bytes of a block row
  size_t in_row, out_row;  // bytes
};

int32_t Block(const OpView& op) { return op.options<fb::BlockOptions>()->block()->Get(0); }

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckRank(op.in(0), "input", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckRank(op.out(), "output", 4, 4));
  int32_t block;
  OCTET_RETURN_IF_ERROR(CheckInts(op.options<fb::BlockOptions>()->block(), "block", 1, &block));
  OCTET_CHECK_OP(block >= 1 && block < 32768, "block size %d", int{block});
  const bool to_space = op.kind == OpKind::DEPTH_TO_SPACE;
  const TensorView& deep = to_space ? op.in(0) : op.out();
  const TensorView& flat = to_space ? op.out() : op.in(0);
  OCTET_CHECK_OP(deep.dims[0] == flat.dims[0] && int64_t{deep.dims[1]} * block == flat.dims[1] &&
                     int64_t{deep.dims[2]} * block == flat.dims[2] &&
                     int64_t{flat.dims[3]} * block * block == deep.dims[3],
                 "the shapes do not fit blocks of %d x %d", int{block}, int{block});
  return OCTET_OK;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.in_row, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.out_row, c.outputs[0].ring_rows};
  const ptrdiff_t run = static_cast<ptrdiff_t>(p.run);
  const ptrdiff_t deep_step = run * p.block;
  const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
  c.threads.slices(rows, CopyGrain(p.out_row), [&](size_t, size_t begin, size_t end) {
    for (size_t k = begin; k < end; ++k) {
      const int32_t y = c.rows.begin + static_cast<int32_t>(k);
      if (p.to_space) {
        const uint8_t* from = in.row(y / p.block) + static_cast<size_t>(y % p.block) * p.run;
        p.copy(from, deep_step, out.row(y), run, p.run, p.width);
      } else {
        for (int32_t i = 0; i < p.block; ++i) {
          p.copy(in.row(y * p.block + i), run, out.row(y) + static_cast<size_t>(i) * p.run,
                 deep_step, p.run, p.width);
        }
      }
    }
  });
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet isa, Binding* binding) {
  const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  p.block = Block(op);
  p.to_space = op.kind == OpKind::DEPTH_TO_SPACE;
  const TensorView& deep = p.to_space ? op.in(0) : op.out();
  p.width = static_cast<size_t>(deep.dims[2]);
  p.run = static_cast<size_t>(deep.dims[3] / p.block) * TypeBytes(deep.type);
  p.in_row = RowBytes(op.in(0));
  p.out_row = RowBytes(op.out());
}

bool InputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!OneBatchOfRows(op.in(0), op.out())) return false;
  const int32_t block = Block(op);
  if (op.kind == OpKind::DEPTH_TO_SPACE) {
    *in = {out.begin / block, (out.end - 1) / block + 1};
  } else {
    *in = {out.begin * block, out.end * block};
  }
  return true;
}

}  // namespace

extern const OpDef kDEPTH_TO_SPACEOp = {Check, Bind, Init, nullptr, InputRows, nullptr};
extern const OpDef kSPACE_TO_DEPTHOp = {Check, Bind, Init, nullptr, InputRows, nullptr};

}  // namespace octet
