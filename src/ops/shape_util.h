// What operators that move data share: checks, strides, fills, and CopyNest, the loop nest that
// most of them are.
#pragma once

#include "kernels/xx_copy/xx_copy.h"
#include "kernels/xx_transpose/xx_transpose.h"
#include "src/ops/op.h"

namespace octet {

// A slice of work worth another thread.
constexpr size_t kCopyGrainBytes = 64 * 1024;

// How many items of `item_bytes` are worth a thread.
inline size_t CopyGrain(size_t item_bytes) { return kCopyGrainBytes / (item_bytes + 1) + 1; }

// Counts fit, every input is present, and all outputs and the first `same` inputs have one type.
Status CheckMove(const OpView& op, size_t min_in, size_t max_in, size_t min_out, size_t max_out,
                 size_t same);

// Copies an option's entries; fails unless there are exactly `count` of them.
Status CheckInts(const flatbuffers::Vector<int32_t>* option, const char* name, int32_t count,
                 int32_t* values);

// Steps in bytes of a dense tensor's axes.
void ByteStrides(const TensorView& t, ptrdiff_t* strides);

// Product of dims [begin, end).
int64_t DimProduct(const TensorView& t, int32_t begin, int32_t end);

// Writes `bytes` bytes of repeated elements.
void FillElements(uint8_t* to, const uint8_t* element, size_t element_bytes, size_t bytes);

inline size_t RowBytes(const TensorView& t) { return RowElements(t) * TypeBytes(t.type); }

// True where the operator's tensors are rank 4 with one batch, that is, where a row is one index of
// the height.
inline bool OneBatchOfRows(const TensorView& a, const TensorView& b) {
  return a.rank == 4 && b.rank == 4 && a.dims[0] == 1 && b.dims[0] == 1;
}

// A copy described as loops over axes with a step in bytes on each side, outermost first; the
// innermost item is `run` contiguous bytes. Finish folds axes into the longest runs there are, and
// finds the two axes that a transposition kernel can take.
struct CopyNest {
  static constexpr int32_t kMaxAxes = 2 * kMaxRank;
  struct Axis {
    size_t n;
    ptrdiff_t from, to;
  };
  Axis axis[kMaxAxes];
  int32_t axes;
  bool turned;  // the last two axes are the columns and rows of an XxTransposeFn
  size_t run;
  size_t bytes;      // all that is copied
  ptrdiff_t offset;  // of the first item on the source's side
  XxCopyRunsFn copy;
  XxTransposeFn turn;

  void Add(size_t n, ptrdiff_t from, ptrdiff_t to) { axis[axes++] = {n, from, to}; }
  void Finish(size_t element_bytes);
  void Bind(IsaSet isa, Binding* binding) const;
  void Init(const Binding& binding);
  void Run(const uint8_t* from, uint8_t* to, const Threads& threads) const;

 private:
  void Part(const uint8_t* from, uint8_t* to, int32_t split, size_t n) const;
};

// An operator of one input and one output that is a CopyNest: Build adds the axes.
template <void (*Build)(const OpView&, CopyNest*)>
struct NestOp {
  static CopyNest Make(const OpView& op) {
    CopyNest nest = {};
    Build(op, &nest);
    nest.Finish(TypeBytes(op.out().type));
    return nest;
  }
  static Status Run(const RunContext& c) {
    const CopyNest& nest = *static_cast<const CopyNest*>(c.params);
    nest.Run(c.in<uint8_t>(0), c.out<uint8_t>(), c.threads);
    return OCTET_OK;
  }
  static void Bind(const OpView& op, IsaSet isa, Binding* binding) {
    Make(op).Bind(isa, binding);
    binding->run = Run;
    binding->params_bytes = sizeof(CopyNest);
  }
  static void Init(const OpView& op, const Binding& binding, void* params) {
    CopyNest& nest = *static_cast<CopyNest*>(params);
    nest = Make(op);
    nest.Init(binding);
  }
};

}  // namespace octet
