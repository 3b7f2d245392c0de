// TILE: the input repeated along each axis; how often follows from the shapes.
#include "src/ops/shape_util.h"

namespace octet {
namespace {

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_CHECK_OP(in.rank == out.rank, "the input has rank %d, the output %d", int{in.rank},
                 int{out.rank});
  for (int32_t i = 0; i < in.rank; ++i) {
    OCTET_CHECK_OP(out.dims[i] % in.dims[i] == 0, "output dimension %d, %d, is no multiple of %d",
                   int{i}, int{out.dims[i]}, int{in.dims[i]});
  }
  return OCTET_OK;
}

void Build(const OpView& op, CopyNest* nest) {
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  ptrdiff_t from[kMaxRank], to[kMaxRank];
  ByteStrides(in, from);
  ByteStrides(out, to);
  for (int32_t i = 0; i < in.rank; ++i) {
    nest->Add(static_cast<size_t>(out.dims[i] / in.dims[i]), 0, to[i] * in.dims[i]);
    nest->Add(static_cast<size_t>(in.dims[i]), from[i], to[i]);
  }
}

using Nest = NestOp<Build>;

}  // namespace

extern const OpDef kTILEOp = {Check, Nest::Bind, Nest::Init, nullptr, nullptr, nullptr};

}  // namespace octet
