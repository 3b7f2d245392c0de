// GATHER and GATHER_ND: slices picked by indices that are data, and so are checked at run time.
#include <cstring>

#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct GatherParams {
  size_t batches, outer, axis_size, count, inner_bytes;
  bool wide;  // indices are int64
};

struct GatherNdParams {
  size_t slices, slice_bytes;
  int32_t depth;  // indices for each slice
  int32_t dims[kMaxRank];
  size_t steps[kMaxRank];  // in bytes
  bool wide;
};

int64_t ReadIndex(const uint8_t* indices, size_t i, bool wide) {
  if (wide) {
    int64_t v;
    std::memcpy(&v, indices + i * sizeof v, sizeof v);
    return v;
  }
  int32_t v;
  std::memcpy(&v, indices + i * sizeof v, sizeof v);
  return v;
}

Status CheckIndices(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 2, 2, 1, 1, 1));
  return CheckType(op.in(1), "indices", {DType::INT32, DType::INT64});
}

// The output's dimensions are those of `a` in [a0, a1), `b` in [b0, b1) and `c` from c0 on.
Status CheckJoinedShape(const TensorView& out, const TensorView& a, int32_t a1, const TensorView& b,
                        int32_t b0, int32_t b1, const TensorView& c, int32_t c0) {
  int64_t rank = int64_t{a1} + (b1 - b0) + (c.rank - c0);
  OCTET_CHECK_OP(rank == out.rank, "the output has rank %d, not %d", int{out.rank},
                 static_cast<int>(rank));
  int32_t k = 0;
  bool same = true;
  for (int32_t i = 0; i < a1; ++i) same &= out.dims[k++] == a.dims[i];
  for (int32_t i = b0; i < b1; ++i) same &= out.dims[k++] == b.dims[i];
  for (int32_t i = c0; i < c.rank; ++i) same &= out.dims[k++] == c.dims[i];
  OCTET_CHECK_OP(same, "the output's shape is not that of the gathered slices");
  return OCTET_OK;
}

Status CheckGather(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckIndices(op));
  const TensorView& in = op.in(0);
  const TensorView& indices = op.in(1);
  const int32_t axis = op.options<fb::GatherOptions>()->axis();
  const int32_t batch_dims = op.options<fb::GatherOptions>()->batch_dims();
  OCTET_CHECK_OP(axis >= 0 && axis < in.rank, "axis %d of a tensor of rank %d", int{axis},
                 int{in.rank});
  OCTET_CHECK_OP(batch_dims >= 0 && batch_dims <= axis && batch_dims <= indices.rank,
                 "batch_dims is %d with axis %d and indices of rank %d", int{batch_dims}, int{axis},
                 int{indices.rank});
  for (int32_t i = 0; i < batch_dims; ++i) {
    OCTET_CHECK_OP(in.dims[i] == indices.dims[i], "batch dimension %d is %d and %d", int{i},
                   int{in.dims[i]}, int{indices.dims[i]});
  }
  return CheckJoinedShape(op.out(), in, axis, indices, batch_dims, indices.rank, in, axis + 1);
}

Status CheckGatherNd(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckIndices(op));
  const TensorView& in = op.in(0);
  const TensorView& indices = op.in(1);
  OCTET_CHECK_OP(indices.rank >= 1, "the indices are a scalar");
  const int32_t depth = indices.dims[indices.rank - 1];
  OCTET_CHECK_OP(depth >= 1 && depth <= in.rank, "%d indices into a tensor of rank %d", int{depth},
                 int{in.rank});
  return CheckJoinedShape(op.out(), indices, indices.rank - 1, in, depth, in.rank, in, in.rank);
}

Status RunGather(const RunContext& c) {
  const GatherParams& p = *static_cast<const GatherParams*>(c.params);
  const uint8_t* indices = c.in<uint8_t>(1);
  for (size_t i = 0; i < p.batches * p.count; ++i) {
    const int64_t v = ReadIndex(indices, i, p.wide);
    if (v < 0 || v >= static_cast<int64_t>(p.axis_size)) {
      return Fail(OCTET_RUN_ERROR, "GATHER: index %lld (number %zu) is not in [0, %zu)",
                  static_cast<long long>(v), i, p.axis_size);
    }
  }
  const uint8_t* from = c.in<uint8_t>(0);
  uint8_t* to = c.out<uint8_t>();
  for (size_t b = 0; b < p.batches; ++b) {
    for (size_t o = 0; o < p.outer; ++o) {
      for (size_t i = 0; i < p.count; ++i) {
        const size_t v = static_cast<size_t>(ReadIndex(indices, b * p.count + i, p.wide));
        std::memcpy(to, from + v * p.inner_bytes, p.inner_bytes);
        to += p.inner_bytes;
      }
      from += p.axis_size * p.inner_bytes;
    }
  }
  return OCTET_OK;
}

Status RunGatherNd(const RunContext& c) {
  const GatherNdParams& p = *static_cast<const GatherNdParams*>(c.params);
  const uint8_t* indices = c.in<uint8_t>(1);
  uint8_t* to = c.out<uint8_t>();
  size_t next = 0;
  for (size_t i = 0; i < p.slices; ++i) {
    const uint8_t* from = c.in<uint8_t>(0);
    for (int32_t d = 0; d < p.depth; ++d) {
      const int64_t v = ReadIndex(indices, next++, p.wide);
      if (v < 0 || v >= p.dims[d]) {
        return Fail(OCTET_RUN_ERROR, "GATHER_ND: index %lld (slice %zu, axis %d) is not in [0, %d)",
                    static_cast<long long>(v), i, int{d}, int{p.dims[d]});
      }
      from += static_cast<size_t>(v) * p.steps[d];
    }
    std::memcpy(to, from, p.slice_bytes);
    to += p.slice_bytes;
  }
  return OCTET_OK;
}

void BindGather(const OpView&, IsaSet, Binding* binding) {
  binding->kernel = "memcpy";
  binding->run = RunGather;
  binding->params_bytes = sizeof(GatherParams);
}

void BindGatherNd(const OpView&, IsaSet, Binding* binding) {
  binding->kernel = "memcpy";
  binding->run = RunGatherNd;
  binding->params_bytes = sizeof(GatherNdParams);
}

void InitGather(const OpView& op, const Binding&, void* params) {
  GatherParams& p = *static_cast<GatherParams*>(params);
  const TensorView& in = op.in(0);
  const TensorView& indices = op.in(1);
  const int32_t axis = op.options<fb::GatherOptions>()->axis();
  const int32_t batch_dims = op.options<fb::GatherOptions>()->batch_dims();
  p.batches = static_cast<size_t>(DimProduct(in, 0, batch_dims));
  p.outer = static_cast<size_t>(DimProduct(in, batch_dims, axis));
  p.axis_size = static_cast<size_t>(in.dims[axis]);
  p.count = static_cast<size_t>(DimProduct(indices, batch_dims, indices.rank));
  p.inner_bytes = static_cast<size_t>(DimProduct(in, axis + 1, in.rank)) * TypeBytes(in.type);
  p.wide = indices.type == DType::INT64;
}

void InitGatherNd(const OpView& op, const Binding&, void* params) {
  GatherNdParams& p = *static_cast<GatherNdParams*>(params);
  const TensorView& in = op.in(0);
  const TensorView& indices = op.in(1);
  p.depth = indices.dims[indices.rank - 1];
  p.slices = static_cast<size_t>(DimProduct(indices, 0, indices.rank - 1));
  p.slice_bytes = static_cast<size_t>(DimProduct(in, p.depth, in.rank)) * TypeBytes(in.type);
  size_t step = p.slice_bytes;
  for (int32_t i = p.depth - 1; i >= 0; --i) {
    p.dims[i] = in.dims[i];
    p.steps[i] = step;
    step *= static_cast<size_t>(in.dims[i]);
  }
  p.wide = indices.type == DType::INT64;
}

}  // namespace

extern const OpDef kGATHEROp = {CheckGather, BindGather, InitGather, nullptr, nullptr, nullptr};
extern const OpDef kGATHER_NDOp = {CheckGatherNd, BindGatherNd, InitGatherNd,
                                   nullptr,       nullptr,      nullptr};

}  // namespace octet
