// SPLIT and UNPACK: one input cut along an axis.
#include <limits>

#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Params {
  XxCopyRunsFn copy;
  size_t chunk;  // of the input
  size_t runs;
  size_t outputs;

  // Contiguous bytes that each chunk of the input gives to an output; `outputs` of them lie behind.
  const size_t* parts() const { return reinterpret_cast<const size_t*>(this + 1); }
  size_t* parts() { return reinterpret_cast<size_t*>(this + 1); }
};

Status CheckAxis(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, std::numeric_limits<int32_t>::max(), 1));
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  OCTET_CHECK_OP(axis >= 0 && axis < op.in(0).rank, "axis %d of a tensor of rank %d", int{axis},
                 int{op.in(0).rank});
  return OCTET_OK;
}

Status CheckSplit(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckAxis(op));
  const TensorView& in = op.in(0);
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  int64_t sum = 0;
  for (size_t i = 0; i < op.outputs.size; ++i) {
    const TensorView& out = op.out(i);
    OCTET_CHECK_OP(out.rank == in.rank, "output %zu has rank %d, the input %d", i, int{out.rank},
                   int{in.rank});
    for (int32_t d = 0; d < in.rank; ++d) {
      OCTET_CHECK_OP(d == axis || in.dims[d] == out.dims[d],
                     "dimension %d of output %zu is %d, of the input %d", int{d}, i,
                     int{out.dims[d]}, int{in.dims[d]});
    }
    sum += out.dims[axis];
  }
  OCTET_CHECK_OP(sum == in.dims[axis], "the outputs have %lld elements along axis %d, the input %d",
                 static_cast<long long>(sum), int{axis}, int{in.dims[axis]});
  return OCTET_OK;
}

Status CheckUnpack(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckAxis(op));
  const TensorView& in = op.in(0);
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  OCTET_CHECK_OP(static_cast<size_t>(in.dims[axis]) == op.outputs.size,
                 "%zu outputs, but the input's axis has %d elements", op.outputs.size,
                 int{in.dims[axis]});
  for (size_t i = 0; i < op.outputs.size; ++i) {
    const TensorView& out = op.out(i);
    OCTET_CHECK_OP(out.rank == in.rank - 1, "output %zu has rank %d, the input %d", i,
                   int{out.rank}, int{in.rank});
    for (int32_t d = 0; d < out.rank; ++d) {
      OCTET_CHECK_OP(out.dims[d] == in.dims[d < axis ? d : d + 1],
                     "dimension %d of output %zu does not fit the input's", int{d}, i);
    }
  }
  return OCTET_OK;
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  c.threads.slices(p.runs, CopyGrain(p.chunk), [&](size_t, size_t begin, size_t end) {
    const uint8_t* from = c.in<uint8_t>(0) + begin * p.chunk;
    for (size_t i = 0; i < p.outputs; ++i) {
      const size_t part = p.parts()[i];
      uint8_t* to = c.out<uint8_t>(i) + begin * part;
      if (from != to) {
        p.copy(from, static_cast<ptrdiff_t>(p.chunk), to, static_cast<ptrdiff_t>(part), part,
               end - begin);
      }
      from += part;
    }
  });
  return OCTET_OK;
}

void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = Run;
  binding->params_bytes = sizeof(Params) + op.outputs.size * sizeof(size_t);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  const TensorView& in = op.in(0);
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  const size_t element = TypeBytes(in.type);
  p.copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  p.chunk = static_cast<size_t>(DimProduct(in, axis, in.rank)) * element;
  p.runs = static_cast<size_t>(DimProduct(in, 0, axis));
  p.outputs = op.outputs.size;
  for (size_t i = 0; i < op.outputs.size; ++i) {
    p.parts()[i] = static_cast<size_t>(DimProduct(op.out(i), axis, op.out(i).rank)) * element;
  }
}

}  // namespace

extern const OpDef kSPLITOp = {CheckSplit, Bind, Init, nullptr, nullptr, nullptr};
extern const OpDef kUNPACKOp = {CheckUnpack, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
