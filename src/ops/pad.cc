// PAD and MIRROR_PAD: elements added before and after each axis, all of one value or mirrored.
//
// Tensors are seen with rank 6; a row is one index of the first four axes. An output row is either
// outside (all padding) or one input row between paddings.
#include <algorithm>
#include <cstring>

#include "kernels/common/rows.h"
#include "src/ops/shape_util.h"

namespace octet {
namespace {

constexpr int32_t kOuter = kMaxRank - 2;  // axes that are not part of a row
constexpr int32_t kW = kMaxRank - 2, kC = kMaxRank - 1;
static_assert(kMaxRank == 6, "dims below are written for six axes");

struct Params {
  XxCopyRunsFn copy;
  int32_t in[kMaxRank], out[kMaxRank], before[kMaxRank];
  int32_t reflect;  // MIRROR_PAD: 1 where the edge itself is not repeated
  bool mirror;
  bool rowwise;  // rows are those of RunContext
  int32_t rows;
  size_t element, in_row, out_row;  // bytes
  uint8_t value[8];
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const auto* options = op.options<fb::PadOptions>();
  OCTET_CHECK_OP(in.rank == out.rank, "the input has rank %d, the output %d", int{in.rank},
                 int{out.rank});
  int32_t before[kMaxRank], after[kMaxRank];
  OCTET_RETURN_IF_ERROR(CheckInts(options->before(), "before", in.rank, before));
  OCTET_RETURN_IF_ERROR(CheckInts(options->after(), "after", in.rank, after));
  for (int32_t i = 0; i < in.rank; ++i) {
    OCTET_CHECK_OP(before[i] >= 0 && after[i] >= 0 &&
                       int64_t{in.dims[i]} + before[i] + after[i] == out.dims[i],
                   "axis %d: %d elements padded by %d and %d do not give %d", int{i},
                   int{in.dims[i]}, int{before[i]}, int{after[i]}, int{out.dims[i]});
    if (op.kind != OpKind::MIRROR_PAD) continue;
    const int32_t most = in.dims[i] - (options->reflect() ? 1 : 0);
    OCTET_CHECK_OP(before[i] <= most && after[i] <= most,
                   "axis %d: %d elements cannot be mirrored by %d and %d", int{i}, int{in.dims[i]},
                   int{before[i]}, int{after[i]});
  }
  const int64_t rows = in.rank <= 2 ? 1 : DimProduct(out, 0, out.rank - 2);
  OCTET_CHECK_OP(rows < INT32_MAX, "%lld rows are too many", static_cast<long long>(rows));
  return OCTET_OK;
}

// Where the input's axis of n elements is mirrored at index i, which may be outside.
int32_t Mirror(int32_t i, int32_t n, int32_t reflect) {
  if (i < 0) return reflect - 1 - i;
  if (i >= n) return static_cast<int32_t>(int64_t{n} * 2 - 1 - reflect - i);
  return i;
}

// The input row of output row y, or -1 where it is all padding.
int32_t InputRow(const Params& p, int32_t y) {
  int32_t row = 0, step = 1;
  for (int32_t d = kOuter - 1; d >= 0; --d) {
    int32_t i = y % p.out[d] - p.before[d];
    y /= p.out[d];
    if (p.mirror) i = Mirror(i, p.in[d], p.reflect);
    if (i < 0 || i >= p.in[d]) return -1;
    row += i * step;
    step *= p.in[d];
  }
  return row;
}

void PadRow(const Params& p, const uint8_t* from, uint8_t* to) {
  const size_t in_c = static_cast<size_t>(p.in[kC]) * p.element;
  const size_t out_c = static_cast<size_t>(p.out[kC]) * p.element;
  const size_t left = static_cast<size_t>(p.before[kW]) * out_c;
  if (from == nullptr) {
    FillElements(to, p.value, p.element, p.out_row);
  } else if (in_c == out_c) {
    FillElements(to, p.value, p.element, left);
    std::memcpy(to + left, from, p.in_row);
    const size_t right = left + p.in_row;
    FillElements(to + right, p.value, p.element, p.out_row - right);
  } else {
    FillElements(to, p.value, p.element, p.out_row);
    p.copy(from, static_cast<ptrdiff_t>(in_c),
           to + left + static_cast<size_t>(p.before[kC]) * p.element, static_cast<ptrdiff_t>(out_c),
           in_c, static_cast<size_t>(p.in[kW]));
  }
}

// Items i in [begin, end) of a mirrored axis, which lie outside of it on one side: input items in
// descending order.
void MirrorItems(const Params& p, const uint8_t* from, uint8_t* to, size_t item, int32_t begin,
                 int32_t end, int32_t n) {
  if (begin >= end) return;
  const ptrdiff_t step = static_cast<ptrdiff_t>(item);
  p.copy(from + static_cast<size_t>(Mirror(begin, n, p.reflect)) * item, -step, to, step, item,
         static_cast<size_t>(end - begin));
}

// A whole mirrored axis whose items need no padding themselves.
void MirrorAxis(const Params& p, int32_t axis, const uint8_t* from, uint8_t* to, size_t item) {
  const int32_t n = p.in[axis], before = p.before[axis];
  const size_t left = static_cast<size_t>(before) * item;
  const size_t middle = static_cast<size_t>(n) * item;
  MirrorItems(p, from, to, item, -before, 0, n);
  std::memcpy(to + left, from, middle);
  MirrorItems(p, from, to + left + middle, item, n, p.out[axis] - before, n);
}

void MirrorRow(const Params& p, const uint8_t* from, uint8_t* to) {
  const size_t in_c = static_cast<size_t>(p.in[kC]) * p.element;
  const size_t out_c = static_cast<size_t>(p.out[kC]) * p.element;
  if (in_c == out_c) {
    MirrorAxis(p, kW, from, to, in_c);
    return;
  }
  for (int32_t w = 0; w < p.out[kW]; ++w) {
    const int32_t i = Mirror(w - p.before[kW], p.in[kW], p.reflect);
    MirrorAxis(p, kC, from + static_cast<size_t>(i) * in_c, to, p.element);
    to += out_c;
  }
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const Rows<const uint8_t> in{c.in<uint8_t>(0), p.in_row, c.inputs[0].ring_rows};
  const Rows<uint8_t> out{c.out<uint8_t>(), p.out_row, c.outputs[0].ring_rows};
  const RowRange rows = p.rowwise ? c.rows : RowRange{0, p.rows};
  c.threads.slices(static_cast<size_t>(rows.end - rows.begin), CopyGrain(p.out_row),
                   [&](size_t, size_t begin, size_t end) {
                     for (size_t k = begin; k < end; ++k) {
                       const int32_t y = rows.begin + static_cast<int32_t>(k);
                       const int32_t row = InputRow(p, y);
                       const uint8_t* from = row < 0 ? nullptr : in.row(row);
                       if (p.mirror) {
                         MirrorRow(p, from, out.row(y));
                       } else {
                         PadRow(p, from, out.row(y));
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
  const TensorView& in = op.in(0);
  const TensorView& out = op.out();
  const auto* options = op.options<fb::PadOptions>();
  p.copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  const int32_t skip = kMaxRank - in.rank;
  p.rows = 1;
  p.element = TypeBytes(in.type);
  for (int32_t i = 0; i < kMaxRank; ++i) {
    const int32_t d = i - skip;
    p.in[i] = d < 0 ? 1 : in.dims[d];
    p.out[i] = d < 0 ? 1 : out.dims[d];
    p.before[i] = d < 0 ? 0 : options->before()->Get(static_cast<flatbuffers::uoffset_t>(d));
    if (i < kOuter) p.rows *= p.out[i];
  }
  p.in_row = static_cast<size_t>(p.in[kW]) * static_cast<size_t>(p.in[kC]) * p.element;
  p.out_row = static_cast<size_t>(p.out[kW]) * static_cast<size_t>(p.out[kC]) * p.element;
  p.mirror = op.kind == OpKind::MIRROR_PAD;
  p.reflect = options->reflect() ? 1 : 0;
  p.rowwise = in.rank == 4;
  // The low bytes first, whatever the host's order of bytes; 8-byte elements are sign-extended.
  const uint64_t value = static_cast<uint64_t>(int64_t{options->value()});
  if (p.element == 1) {
    p.value[0] = static_cast<uint8_t>(value);
  } else if (p.element == 2) {
    const uint16_t bits = static_cast<uint16_t>(value);
    std::memcpy(p.value, &bits, sizeof bits);
  } else if (p.element == 4) {
    const uint32_t bits = static_cast<uint32_t>(value);
    std::memcpy(p.value, &bits, sizeof bits);
  } else {
    std::memcpy(p.value, &value, sizeof value);
  }
}

// Rows above and below the input map to nothing, so the range may be empty.
bool PadInputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!OneBatchOfRows(op.in(0), op.out())) return false;
  const int32_t before = op.options<fb::PadOptions>()->before()->Get(1);
  const int32_t n = op.in(0).dims[1];
  in->begin = std::min(std::max(out.begin - before, 0), n);
  in->end = std::min(std::max(out.end - before, 0), n);
  return true;
}

bool MirrorInputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!OneBatchOfRows(op.in(0), op.out())) return false;
  const auto* options = op.options<fb::PadOptions>();
  const int32_t before = options->before()->Get(1);
  const int32_t n = op.in(0).dims[1];
  in->begin = n;
  in->end = 0;
  for (int32_t y = out.begin; y < out.end; ++y) {
    const int32_t i = Mirror(y - before, n, options->reflect() ? 1 : 0);
    in->begin = std::min(in->begin, i);
    in->end = std::max(in->end, i + 1);
  }
  if (in->begin > in->end) in->begin = in->end;
  return true;
}

}  // namespace

extern const OpDef kPADOp = {Check, Bind, Init, nullptr, PadInputRows, nullptr};
extern const OpDef kMIRROR_PADOp = {Check, Bind, Init, nullptr, MirrorInputRows, nullptr};

}  // namespace octet
