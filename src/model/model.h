// A loaded, verified model: what octet_model is.
#pragma once

#include "src/base/memory.h"
#include "src/ops/op.h"
#include "src/runtime/xnnpack.h"

namespace octet {

// A tensor's place, resolved as far as that goes without a session: in one word, since there is one
// for each operand of each operator.
class Slot {
 public:
  enum Base : uint32_t {
    kFile = 0,
    kArena = 1,
    kState = 2,
    kAbsent = 3,
    kModel = 4  // the model's block
  };            // what offset counts from
  static constexpr uint64_t kMaxOffset = (uint64_t{1} << 38) - 1;
  static constexpr int32_t kMaxRingRows = (1 << 23) - 1;

  Slot(Base base, int32_t ring_rows, uint64_t offset)
      : bits_(offset << 26 | static_cast<uint64_t>(ring_rows) << 3 | base) {}
  Base base() const { return static_cast<Base>(bits_ & 7); }
  int32_t ring_rows() const { return static_cast<int32_t>(bits_ >> 3 & kMaxRingRows); }
  size_t offset() const { return static_cast<size_t>(bits_ >> 26); }

 private:
  uint64_t bits_;
};

// An operator bound to a kernel. Scratch is counted in units of 64 bytes.
struct BoundOp {
  RunFn run;
  const void* pack;
  const Slot* slots;  // inputs, then outputs, then the parameters
  uint16_t input_count;
  uint16_t output_count;
  int32_t rows;             // of output 0, as RunContext::rows counts them
  uint32_t scratch_units;   // for each thread
  uint32_t scratch_offset;  // in the arena, above every tensor that is live in the operator's steps
  uint32_t planned_offset;  // where the plan keeps planned_units free for scratch
  uint32_t planned_units;

  size_t scratch_bytes() const { return size_t{scratch_units} * 64; }  // for each thread
  size_t scratch_at(size_t threads) const {
    const bool fits = threads * scratch_units <= planned_units;
    return size_t{fits ? planned_offset : scratch_offset} * 64;
  }
  const void* params() const {
    const uintptr_t end =
        reinterpret_cast<uintptr_t>(slots + size_t{input_count} + size_t{output_count});
    return reinterpret_cast<const void*>((end + 15) / 16 * 16);
  }
  // Null: one of Octet's kernels. The parameters of XNNPACK's are the pointer.
  XnnOp* xnn() const { return run == RunXnn ? *static_cast<XnnOp* const*>(params()) : nullptr; }
};

// Temporary views of one operator of a file.
class FileOpView {
 public:
  // `tensors` and `pointers` have room for the operator's inputs and outputs.
  FileOpView(const fb::Model& file, int32_t op, TensorView* tensors, const TensorView** pointers);
  const OpView& view() const { return view_; }

 private:
  OpView view_;
};

// Counts, and what bounds the time that all that follows may take. Comes before everything else.
Status VerifyCounts(const fb::Model& file);

// Checks everything about a file that running relies on, VerifyCounts having passed. `tensors` and
// `pointers` have room for MaxOperands. `live_top`, of operator count, receives for each operator
// the end of the highest tensor that is live while it runs.
Status VerifyModel(const fb::Model& file, const octet_allocator& allocator, TensorView* tensors,
                   const TensorView** pointers, size_t* live_top);

// Largest number of inputs plus outputs of any operator.
size_t MaxOperands(const fb::Model& file);
TensorView ViewTensor(const fb::Model& file, const fb::Tensor& tensor);
size_t StoredBytes(const fb::Tensor& tensor);  // of a ring or a whole tensor

}  // namespace octet

struct octet_model {
  octet_allocator allocator;
  const uint8_t* data;
  size_t size;
  bool mapped;  // by octet_model_load_file: to be unmapped
  const octet::fb::Model* file;
  octet::IsaSet isa;
  size_t block_bytes;  // of the block that begins with this struct
  size_t xnn_bytes;    // that XNNPACK has allocated for `ops`
  const octet::BoundOp* ops;
  size_t max_operands;
  uint64_t work;  // of a run, about, in multiply-accumulates
};

namespace octet {

Status LoadModel(const uint8_t* data, size_t size, bool mapped, const octet_allocator& allocator,
                 IsaSet isa, size_t ram_limit, octet_model** model);

// The arena for a number of threads: activations, and each operator's scratch above what lives
// while it runs.
size_t ArenaBytes(const octet_model& model, size_t threads);

// Finds the file's pack for an operator and a layout, to be used in place or decoded; null if there
// is none that can be used.
const fb::PackedData* FindPack(const fb::Model& file, int32_t op, const char* layout, size_t bytes);

}  // namespace octet
