#include "src/ops/shape_util.h"

#include <cstring>

namespace octet {

Status CheckMove(const OpView& op, size_t min_in, size_t max_in, size_t min_out, size_t max_out,
                 size_t same) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, min_in, max_in, min_out, max_out));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, op.inputs.size));
  const DType type = op.out().type;
  OCTET_CHECK_OP(TypeBytes(type) != 0, "the output has no type");
  for (size_t i = 0; i < op.inputs.size && i < same; ++i) {
    OCTET_CHECK_OP(op.in(i).type == type, "input %zu is %s but the output is %s", i,
                   TypeName(op.in(i).type), TypeName(type));
  }
  for (size_t i = 1; i < op.outputs.size; ++i) {
    OCTET_CHECK_OP(op.out(i).type == type, "outputs are %s and %s", TypeName(type),
                   TypeName(op.out(i).type));
  }
  return OCTET_OK;
}

Status CheckInts(const flatbuffers::Vector<int32_t>* option, const char* name, int32_t count,
                 int32_t* values) {
  const size_t size = option != nullptr ? option->size() : 0;
  OCTET_CHECK_OP(size == static_cast<size_t>(count), "option %s has %zu entries, not %d", name,
                 size, static_cast<int>(count));
  for (int32_t i = 0; i < count; ++i) {
    values[i] = option->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  return OCTET_OK;
}

void ByteStrides(const TensorView& t, ptrdiff_t* strides) {
  ptrdiff_t step = static_cast<ptrdiff_t>(TypeBytes(t.type));
  for (int32_t i = t.rank - 1; i >= 0; --i) {
    strides[i] = step;
    step *= t.dims[i];
  }
}

int64_t DimProduct(const TensorView& t, int32_t begin, int32_t end) {
  int64_t n = 1;
  for (int32_t i = begin; i < end; ++i) n *= t.dims[i];
  return n;
}

void FillElements(uint8_t* to, const uint8_t* element, size_t element_bytes, size_t bytes) {
  if (bytes == 0) return;
  if (element_bytes == 1) {
    std::memset(to, element[0], bytes);
    return;
  }
  std::memcpy(to, element, element_bytes);
  for (size_t done = element_bytes; done < bytes;) {
    const size_t n = done < bytes - done ? done : bytes - done;
    std::memcpy(to + done, to, n);
    done += n;
  }
}

void CopyNest::Finish(size_t element_bytes) {
  run = element_bytes;
  bytes = element_bytes;
  int32_t kept = 0;
  for (int32_t i = 0; i < axes; ++i) {
    const Axis a = axis[i];
    bytes *= a.n;
    if (a.n == 1) continue;
    if (kept > 0) {
      Axis& outer = axis[kept - 1];
      const ptrdiff_t n = static_cast<ptrdiff_t>(a.n);
      if (outer.from == a.from * n && outer.to == a.to * n) {
        outer = {outer.n * a.n, a.from, a.to};
        continue;
      }
    }
    axis[kept++] = a;
  }
  axes = kept;
  if (axes > 0) {
    const Axis& last = axis[axes - 1];
    const ptrdiff_t step = static_cast<ptrdiff_t>(run);
    if (last.from == step && last.to == step) {
      run *= last.n;
      --axes;
    }
  }
  turned = false;
  if (axes < 2 || (run != 1 && run != 2 && run != 4 && run != 8)) return;
  const ptrdiff_t step = static_cast<ptrdiff_t>(run);
  if (axis[axes - 1].to != step) return;
  for (int32_t i = axes - 2; i >= 0 && !turned; --i) {
    if (axis[i].from != step) continue;
    const Axis column = axis[i];
    for (int32_t k = i; k < axes - 2; ++k) axis[k] = axis[k + 1];
    axis[axes - 2] = column;
    turned = true;
  }
}

void CopyNest::Bind(IsaSet isa, Binding* binding) const {
  if (turned) {
    for (const XxTransposeKernel& row : XxTransposeTable()) {
      if (row.element != run || !isa.has(row.isa)) continue;
      binding->kernel = row.name;
      binding->row = &row;
      return;
    }
  }
  const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
}

void CopyNest::Init(const Binding& binding) {
  if (turned) {
    turn = static_cast<const XxTransposeKernel*>(binding.row)->run;
  } else {
    copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  }
}

void CopyNest::Run(const uint8_t* from, uint8_t* to, const Threads& threads) const {
  from += offset;
  if (axes == 0) {
    threads.slices(run, kCopyGrainBytes, [&](size_t, size_t begin, size_t end) {
      std::memcpy(to + begin, from + begin, end - begin);
    });
    return;
  }
  int32_t split = 0;
  for (int32_t i = 1; i < axes; ++i) {
    if (axis[i].n > axis[split].n) split = i;
  }
  const Axis a = axis[split];
  threads.slices(a.n, CopyGrain(bytes / a.n), [&](size_t, size_t begin, size_t end) {
    const ptrdiff_t k = static_cast<ptrdiff_t>(begin);
    Part(from + k * a.from, to + k * a.to, split, end - begin);
  });
}

// The nest with `n` items on the axis `split`.
void CopyNest::Part(const uint8_t* from, uint8_t* to, int32_t split, size_t n) const {
  size_t size[kMaxAxes], index[kMaxAxes] = {};
  for (int32_t i = 0; i < axes; ++i) size[i] = i == split ? n : axis[i].n;
  const int32_t outer = axes - (turned ? 2 : 1);
  const Axis& last = axis[axes - 1];
  while (true) {
    if (turned) {
      turn(from, last.from, to, axis[outer].to, size[axes - 1], size[outer]);
    } else {
      copy(from, last.from, to, last.to, run, size[outer]);
    }
    int32_t i = outer - 1;
    for (; i >= 0; --i) {
      from += axis[i].from;
      to += axis[i].to;
      if (++index[i] < size[i]) break;
      from -= static_cast<ptrdiff_t>(size[i]) * axis[i].from;
      to -= static_cast<ptrdiff_t>(size[i]) * axis[i].to;
      index[i] = 0;
    }
    if (i < 0) return;
  }
}

}  // namespace octet
