// TRANSPOSE: output axis i is input axis perm[i].
#include "src/ops/shape_util.h"

namespace octet {
namespace {

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  OCTET_CHECK_OP(in.rank == out.rank, "the input has rank %d, the output %d", int{in.rank},
                 int{out.rank});
  int32_t perm[kMaxRank];
  OCTET_RETURN_IF_ERROR(
      CheckInts(op.options<fb::TransposeOptions>()->perm(), "perm", in.rank, perm));
  uint32_t seen = 0;
  for (int32_t i = 0; i < in.rank; ++i) {
    OCTET_CHECK_OP(perm[i] >= 0 && perm[i] < in.rank && !(seen >> perm[i] & 1),
                   "perm is not a permutation of the axes");
    seen |= 1u << perm[i];
    OCTET_CHECK_OP(out.dims[i] == in.dims[perm[i]], "output dimension %d is %d, not %d", int{i},
                   int{out.dims[i]}, int{in.dims[perm[i]]});
  }
  return OCTET_OK;
}

void Build(const OpView& op, CopyNest* nest) {
  ptrdiff_t from[kMaxRank], to[kMaxRank];
  ByteStrides(op.in(0), from);
  ByteStrides(op.out(), to);
  const auto* perm = op.options<fb::TransposeOptions>()->perm();
  for (int32_t i = 0; i < op.out().rank; ++i) {
    const int32_t p = perm->Get(static_cast<flatbuffers::uoffset_t>(i));
    nest->Add(static_cast<size_t>(op.out().dims[i]), from[p], to[i]);
  }
}

using Nest = NestOp<Build>;

}  // namespace

extern const OpDef kTRANSPOSEOp = {Check, Nest::Bind, Nest::Init, nullptr, nullptr, nullptr};

}  // namespace octet
