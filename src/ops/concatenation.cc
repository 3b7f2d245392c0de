// CONCATENATION and PACK: inputs side by side along one axis.
//
// CONCATENATION requantises int8 inputs whose scale or zero point is not the output's. TensorFlow
// Lite has that for uint8 only (its reference ConcatenationWithScaling, in float), so an int8
// tensor here is a uint8 one less 128, and the formula is applied to the uint8 values, once, to
// make a table of 256 entries.
#include <cmath>
#include <limits>

#include "kernels/common/rows.h"
#include "kernels/x8_lut/x8_lut.h"
#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Part {
  size_t chunk;  // contiguous bytes that this input gives to each chunk of the output
  size_t at;     // where they go in it
  size_t row_bytes;
  bool requantise;
  uint8_t table[256];
};

// The tensors are cut into `rows` rows of `runs` chunks.
struct Params {
  XxCopyRunsFn copy;
  X8LutFn lut;
  size_t chunk;  // of the output
  size_t runs;
  size_t row_bytes;
  size_t inputs;
  bool rowwise;

  // `inputs` of them lie behind.
  const Part* parts() const { return reinterpret_cast<const Part*>(this + 1); }
  Part* parts() { return reinterpret_cast<Part*>(this + 1); }
};
static_assert(sizeof(Params) % alignof(Part) == 0, "parts are aligned");

bool SameQuantisation(const TensorView& a, const TensorView& b) {
  if (!a.quantised() || !b.quantised()) return true;
  return a.scale() == b.scale() && a.zero_point == b.zero_point;
}

float Ratio(const TensorView& in, const TensorView& out) {
  const float inverse = 1.f / out.scale();
  return in.scale() * inverse;
}

Status CheckConcatenation(const OpView& op) {
  OCTET_RETURN_IF_ERROR(
      CheckMove(op, 1, std::numeric_limits<int32_t>::max(), 1, 1, op.inputs.size));
  const TensorView& out = op.out();
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  OCTET_CHECK_OP(axis >= 0 && axis < out.rank, "axis %d of a tensor of rank %d", int{axis},
                 int{out.rank});
  int64_t sum = 0;
  for (size_t i = 0; i < op.inputs.size; ++i) {
    const TensorView& in = op.in(i);
    OCTET_CHECK_OP(in.rank == out.rank, "input %zu has rank %d, the output %d", i, int{in.rank},
                   int{out.rank});
    for (int32_t d = 0; d < out.rank; ++d) {
      OCTET_CHECK_OP(d == axis || in.dims[d] == out.dims[d],
                     "dimension %d of input %zu is %d, of the output %d", int{d}, i,
                     int{in.dims[d]}, int{out.dims[d]});
    }
    sum += in.dims[axis];
    if (SameQuantisation(in, out)) continue;
    if (out.type != DType::INT8) {
      return Fail(OCTET_UNSUPPORTED, "input %zu of type %s needs another scale or zero point", i,
                  TypeName(in.type));
    }
    OCTET_RETURN_IF_ERROR(CheckQuantised(in, "input"));
    OCTET_RETURN_IF_ERROR(CheckQuantised(out, "output"));
    // Beyond this the float formula's conversion to int32 would overflow.
    if (!(Ratio(in, out) < 1048576.f)) {
      return Fail(OCTET_UNSUPPORTED, "the scale of input %zu is %g times the output's", i,
                  static_cast<double>(Ratio(in, out)));
    }
  }
  OCTET_CHECK_OP(sum == out.dims[axis],
                 "the inputs have %lld elements along axis %d, the output %d",
                 static_cast<long long>(sum), int{axis}, int{out.dims[axis]});
  return OCTET_OK;
}

Status CheckPack(const OpView& op) {
  OCTET_RETURN_IF_ERROR(
      CheckMove(op, 1, std::numeric_limits<int32_t>::max(), 1, 1, op.inputs.size));
  const TensorView& out = op.out();
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  OCTET_CHECK_OP(axis >= 0 && axis < out.rank, "axis %d of a tensor of rank %d", int{axis},
                 int{out.rank});
  OCTET_CHECK_OP(static_cast<size_t>(out.dims[axis]) == op.inputs.size,
                 "%zu inputs, but the output's axis has %d elements", op.inputs.size,
                 int{out.dims[axis]});
  for (size_t i = 0; i < op.inputs.size; ++i) {
    const TensorView& in = op.in(i);
    OCTET_CHECK_OP(in.rank == out.rank - 1, "input %zu has rank %d, the output %d", i, int{in.rank},
                   int{out.rank});
    for (int32_t d = 0; d < in.rank; ++d) {
      OCTET_CHECK_OP(in.dims[d] == out.dims[d < axis ? d : d + 1],
                     "dimension %d of input %zu does not fit the output's", int{d}, i);
    }
  }
  return OCTET_OK;
}

void JoinRuns(const Params& p, const Part& part, const uint8_t* from, uint8_t* to, size_t runs) {
  if (from == to + part.at && part.chunk == p.chunk && !part.requantise) return;
  if (!part.requantise) {
    p.copy(from, static_cast<ptrdiff_t>(part.chunk), to + part.at, static_cast<ptrdiff_t>(p.chunk),
           part.chunk, runs);
    return;
  }
  for (size_t i = 0; i < runs; ++i) {
    p.lut(from + i * part.chunk, part.chunk, part.table, to + i * p.chunk + part.at);
  }
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  if (p.rowwise) {
    const Rows<uint8_t> out{c.out<uint8_t>(), p.row_bytes, c.outputs[0].ring_rows};
    const size_t rows = static_cast<size_t>(c.rows.end - c.rows.begin);
    c.threads.slices(rows, CopyGrain(p.row_bytes), [&](size_t, size_t begin, size_t end) {
      for (size_t i = 0; i < p.inputs; ++i) {
        const Rows<const uint8_t> in{c.in<uint8_t>(i), p.parts()[i].row_bytes,
                                     c.inputs[i].ring_rows};
        for (size_t k = begin; k < end; ++k) {
          const int32_t y = c.rows.begin + static_cast<int32_t>(k);
          JoinRuns(p, p.parts()[i], in.row(y), out.row(y), p.runs);
        }
      }
    });
    return OCTET_OK;
  }
  c.threads.slices(p.runs, CopyGrain(p.chunk), [&](size_t, size_t begin, size_t end) {
    for (size_t i = 0; i < p.inputs; ++i) {
      JoinRuns(p, p.parts()[i], c.in<uint8_t>(i) + begin * p.parts()[i].chunk,
               c.out<uint8_t>() + begin * p.chunk, end - begin);
    }
  });
  return OCTET_OK;
}

bool Requantises(const OpView& op, const TensorView& in) {
  return op.kind == OpKind::CONCATENATION && !SameQuantisation(in, op.out());
}

bool Requantises(const OpView& op) {
  for (const TensorView* in : op.inputs) {
    if (Requantises(op, *in)) return true;
  }
  return false;
}

// One kernel is bound: that of the tables where there are any, beside which copying is cheap.
void Bind(const OpView& op, IsaSet isa, Binding* binding) {
  if (Requantises(op)) {
    const X8LutKernel& row = FirstRow(X8LutTable(), isa);
    binding->kernel = row.name;
    binding->row = &row;
  } else {
    const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
    binding->kernel = row.name;
    binding->row = &row;
  }
  binding->run = Run;
  binding->params_bytes = sizeof(Params) + op.inputs.size * sizeof(Part);
}

bool Rowwise(const OpView& op) {
  return op.kind == OpKind::CONCATENATION && op.out().rank == 4 &&
         op.options<fb::AxisOptions>()->axis() >= 2;
}

void FillTable(const TensorView& in, const TensorView& out, uint8_t* table) {
  const float scale = Ratio(in, out);
  const float bias = static_cast<float>(-(in.zero_point + 128)) * scale;
  for (int32_t v = -128; v < 128; ++v) {
    const float scaled = static_cast<float>(v + 128) * scale + bias;
    const int32_t value = static_cast<int32_t>(std::round(scaled)) + out.zero_point + 128;
    const int32_t clamped = value < 0 ? 0 : value > 255 ? 255 : value;
    table[static_cast<uint8_t>(v)] = static_cast<uint8_t>(clamped - 128);
  }
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  const TensorView& out = op.out();
  const int32_t axis = op.options<fb::AxisOptions>()->axis();
  const size_t element = TypeBytes(out.type);
  if (Requantises(op)) {
    p.copy = XxCopyRunsRef;
    p.lut = static_cast<const X8LutKernel*>(binding.row)->run;
  } else {
    p.copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  }
  p.rowwise = Rowwise(op);
  p.chunk = static_cast<size_t>(DimProduct(out, axis, out.rank)) * element;
  p.runs = static_cast<size_t>(DimProduct(out, p.rowwise ? 2 : 0, axis));
  p.row_bytes = RowBytes(out);
  p.inputs = op.inputs.size;
  size_t at = 0;
  for (size_t i = 0; i < op.inputs.size; ++i) {
    Part& part = p.parts()[i];
    const TensorView& in = op.in(i);
    part.chunk = static_cast<size_t>(DimProduct(in, axis, in.rank)) * element;
    part.at = at;
    at += part.chunk;
    part.row_bytes = RowBytes(in);
    part.requantise = Requantises(op, in);
    if (part.requantise) FillTable(in, out, part.table);
  }
}

bool InputRows(const OpView& op, size_t, RowRange out, RowRange* in) {
  if (!Rowwise(op) || op.out().dims[0] != 1) return false;
  *in = out;
  return true;
}

}  // namespace

extern const OpDef kCONCATENATIONOp = {CheckConcatenation, Bind, Init, nullptr, InputRows, nullptr};
extern const OpDef kPACKOp = {CheckPack, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
