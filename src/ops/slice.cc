// SLICE and STRIDED_SLICE: size[i] elements of each input axis, from begin[i] on, strides[i] apart.
#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Slice {
  int32_t begin[kMaxRank], stride[kMaxRank], size[kMaxRank];
};

Status Read(const OpView& op, Slice* s) {
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const auto* options = op.options<fb::SliceOptions>();
  OCTET_RETURN_IF_ERROR(CheckInts(options->begin(), "begin", in.rank, s->begin));
  if (options->strides() != nullptr && options->strides()->size() != 0) {
    OCTET_RETURN_IF_ERROR(CheckInts(options->strides(), "strides", in.rank, s->stride));
  } else {
    for (int32_t i = 0; i < in.rank; ++i) s->stride[i] = 1;
  }
  if (options->size() != nullptr && options->size()->size() != 0) {
    return CheckInts(options->size(), "size", in.rank, s->size);
  }
  OCTET_CHECK_OP(out.rank == in.rank, "without sizes, input and output ranks (%d, %d) must agree",
                 int{in.rank}, int{out.rank});
  for (int32_t i = 0; i < in.rank; ++i) s->size[i] = out.dims[i];
  return OCTET_OK;
}

// The first axis from i on that is not 1.
int32_t SkipOnes(const int32_t* dims, int32_t rank, int32_t i) {
  while (i < rank && dims[i] == 1) ++i;
  return i;
}

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  Slice s;
  OCTET_RETURN_IF_ERROR(Read(op, &s));
  for (int32_t i = 0; i < in.rank; ++i) {
    OCTET_CHECK_OP(s.size[i] > 0 && s.stride[i] != 0, "axis %d: size %d, stride %d", int{i},
                   int{s.size[i]}, int{s.stride[i]});
    const int64_t last = s.begin[i] + (s.size[i] - int64_t{1}) * s.stride[i];
    OCTET_CHECK_OP(s.begin[i] >= 0 && s.begin[i] < in.dims[i] && last >= 0 && last < in.dims[i],
                   "axis %d: elements %d to %lld of %d", int{i}, int{s.begin[i]},
                   static_cast<long long>(last), int{in.dims[i]});
  }
  int32_t i = 0, k = 0;
  while (true) {
    i = SkipOnes(s.size, in.rank, i);
    k = SkipOnes(out.dims, out.rank, k);
    if (i == in.rank || k == out.rank) break;
    if (s.size[i] != out.dims[k]) break;
    ++i, ++k;
  }
  OCTET_CHECK_OP(i == in.rank && k == out.rank, "the output's shape is not that of the slice");
  return OCTET_OK;
}

void Build(const OpView& op, CopyNest* nest) {
  Slice s;
  if (Read(op, &s) != OCTET_OK) return;  // cannot be: checked
  ptrdiff_t from[kMaxRank], to[kMaxRank];
  ByteStrides(op.in(0), from);
  const int32_t rank = op.in(0).rank;
  ptrdiff_t step = static_cast<ptrdiff_t>(TypeBytes(op.out().type));
  for (int32_t i = rank - 1; i >= 0; --i) {
    to[i] = step;
    step *= s.size[i];
  }
  for (int32_t i = 0; i < rank; ++i) {
    nest->offset += s.begin[i] * from[i];
    nest->Add(static_cast<size_t>(s.size[i]), s.size[i] > 1 ? s.stride[i] * from[i] : 0, to[i]);
  }
}

using Nest = NestOp<Build>;

}  // namespace

extern const OpDef kSLICEOp = {Check, Nest::Bind, Nest::Init, nullptr, nullptr, nullptr};
extern const OpDef kSTRIDED_SLICEOp = {Check, Nest::Bind, Nest::Init, nullptr, nullptr, nullptr};

}  // namespace octet
