// From bytes to a model that needs no further checks: container, structure, meaning, then kernels.
#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "src/model/checksum.h"
#include "src/model/coding.h"
#include "src/model/model.h"

namespace octet {
namespace {

constexpr uint32_t kReaderVersion = 2;

Status CheckContainer(const uint8_t* data, size_t size, const fb::Model** file) {
  if (reinterpret_cast<uintptr_t>(data) % 16 != 0) {
    return Fail(OCTET_INVALID_ARGUMENT, "a model in memory must be 16-byte aligned");
  }
  if (size < 64 + kTrailerBytes) {
    return Fail(OCTET_INVALID_MODEL, "%zu bytes are too few for an .octet file", size);
  }
  if (!fb::ModelBufferHasIdentifier(data)) {
    if (std::memcmp(data + 4, "TFL3", 4) == 0) {
      return Fail(OCTET_INVALID_MODEL,
                  "this is a .tflite file: convert it first (octet convert model.tflite -o "
                  "model.octet)");
    }
    return Fail(OCTET_INVALID_MODEL, "not an .octet file (identifier \"OCT1\" is missing)");
  }
  const uint8_t* trailer = data + size - kTrailerBytes;
  if (std::memcmp(trailer, kTrailerMagic, sizeof kTrailerMagic) != 0) {
    return Fail(OCTET_INVALID_MODEL,
                "the file is cut off or has been added to: no trailer at the "
                "end");
  }
  uint64_t stated = 0;
  for (int i = 7; i >= 0; --i) stated = stated << 8 | trailer[8 + i];
  const size_t content = size - kTrailerBytes;
  if (stated != Checksum(data, content)) {
    return Fail(OCTET_INVALID_MODEL, "the checksum does not match: the file is damaged");
  }
  flatbuffers::Verifier verifier(data, content, /*max_depth=*/16, /*max_tables=*/4000000);
  if (!fb::VerifyModelBuffer(verifier)) {
    return Fail(OCTET_INVALID_MODEL, "the file's structure is broken (FlatBuffers verifier)");
  }
  *file = fb::GetModel(data);
  if ((*file)->min_reader() > kReaderVersion) {
    return Fail(OCTET_UNSUPPORTED, "the file needs a reader of format version %u, this is %u",
                (*file)->min_reader(), kReaderVersion);
  }
  return OCTET_OK;
}

// Everything that laying out a model needs. The arrays have an entry for each operator, except
// `tensors` and `pointers`, which have room for MaxOperands, and `decoded`, with one for each
// buffer: where in the block Build has put its bytes; 0: nowhere.
struct Loading {
  const fb::Model& file;
  const uint8_t* data;
  IsaSet isa;
  size_t* live_top;
  int32_t* step_rows;
  TensorView* tensors;
  const TensorView** pointers;
  size_t* decoded;
  // Where coded constants are decoded for as long as one operator is packed.
  Block room;
};

// The buffer of an operand that is a coded constant; -1: it is none.
int64_t CodedBuffer(const fb::Model& file, int32_t tensor) {
  if (tensor < 0) return -1;
  const fb::Tensor& t = *file.tensors()->Get(static_cast<uint32_t>(tensor));
  if (t.place() != fb::Place::CONSTANT) return -1;
  return CodedOf(*file.buffers()->Get(t.buffer())).coded() ? int64_t{t.buffer()} : -1;
}

Coded BufferOf(const fb::Model& file, int64_t index) {
  return CodedOf(*file.buffers()->Get(static_cast<uint32_t>(index)));
}

// Gives a view of operator `op` its coded inputs: those that lie in the block, and, decoded into
// `room`, the others. Returns what the latter take; with a null `room`, that is all.
size_t DecodeInputs(const Loading& l, uint32_t op, const uint8_t* block, uint8_t* room) {
  Carver carver(room);
  const auto* inputs = l.file.operators()->Get(op)->inputs();
  for (uint32_t j = 0; j < inputs->size(); ++j) {
    const int64_t buffer = CodedBuffer(l.file, inputs->Get(j));
    if (buffer < 0) continue;
    if (l.decoded[buffer] != 0) {
      if (block != nullptr) l.tensors[j].data = block + l.decoded[buffer];
      continue;
    }
    const Coded constant = BufferOf(l.file, buffer);
    uint8_t* const at = carver.take<uint8_t>(static_cast<size_t>(constant.size), kBlockAlignment);
    if (at == nullptr) continue;
    Decode(constant, at);
    l.tensors[j].data = at;
  }
  return carver.size();
}

Status NoRoom(size_t bytes) {
  return Fail(OCTET_OUT_OF_MEMORY, "no memory for decoding constants (%zu bytes)", bytes);
}

Slot MakeSlot(const Loading& l, int32_t tensor) {
  if (tensor < 0) return {Slot::kAbsent, 0, 0};
  const fb::Tensor& t = *l.file.tensors()->Get(static_cast<uint32_t>(tensor));
  if (t.place() == fb::Place::CONSTANT) {
    const Coded constant = CodedOf(*l.file.buffers()->Get(t.buffer()));
    if (!constant.coded()) {
      return {Slot::kFile, 0, static_cast<uint64_t>(constant.data - l.data)};
    }
    const size_t at = l.decoded[t.buffer()];
    return at != 0 ? Slot(Slot::kModel, 0, at) : Slot(Slot::kAbsent, 0, 0);
  }
  return {t.place() == fb::Place::STATE ? Slot::kState : Slot::kArena, t.ring_rows(), t.offset()};
}

constexpr int32_t kNoSteps = -1;

// The most rows of one step of each operator; 0: it runs as a whole. kNoSteps: its outputs are
// views, and it never runs.
void FindStepRows(const fb::Model& file, int32_t* step_rows) {
  for (uint32_t i = 0; i < file.operators()->size(); ++i) step_rows[i] = kNoSteps;
  for (const fb::Step* step : *file.steps()) {
    if (step->op() < 0) continue;
    const int32_t rows = step->row_end() < 0 ? 0 : step->row_end() - step->row_begin();
    step_rows[step->op()] = std::max(step_rows[step->op()], rows);
  }
}

// Does everything fit into slots, and scratch into units?
Status CheckReach(const fb::Model& file, size_t size) {
  constexpr uint64_t kMost = Slot::kMaxOffset - 64;
  bool fits = size <= kMost && file.arena_bytes() <= kMost && file.state_bytes() <= kMost;
  for (const fb::Tensor* t : *file.tensors()) fits &= t->ring_rows() <= Slot::kMaxRingRows;
  if (!fits) return Fail(OCTET_UNSUPPORTED, "a block of 256 GiB, or a ring of 2^23 rows");
  return OCTET_OK;
}

// XNNPACK's operators of a model while it is being loaded; closed unless they are handed over.
class XnnOps {
 public:
  ~XnnOps() {
    for (size_t i = 0; i < count_; ++i) Close(i);
  }
  // `ops` has room for every operator of the file. Fails without memory for decoding. Operators
  // that together take more than `limit` (0: none) are only counted, and closed one by one: the
  // model is going to be refused, with the number that it needs.
  Status Open(Loading* l, const octet_allocator& allocator, size_t limit, XnnOp** ops) {
    ops_ = ops;
    count_ = l->file.operators()->size();
    for (size_t i = 0; i < count_; ++i) ops_[i] = nullptr;
    for (uint32_t i = 0; i < count_; ++i) {
      if (l->step_rows[i] != 0 || UsesRing(l->file, i)) continue;
      const FileOpView op(l->file, static_cast<int32_t>(i), l->tensors, l->pointers);
      if (!XnnHas(op.view())) continue;
      const size_t room = DecodeInputs(*l, i, nullptr, nullptr);
      if (room > l->room.size() && !l->room.allocate(allocator, room)) return NoRoom(room);
      DecodeInputs(*l, i, nullptr, l->room.data());
      ops_[i] = OpenXnn(op.view(), allocator, &bytes_);
      if (limit == 0 || bytes_ <= limit) continue;
      for (uint32_t j = 0; j <= i; ++j) Close(j);
    }
    return OCTET_OK;
  }
  // Not to be used if it was only counted.
  XnnOp* op(size_t i) const { return i < count_ ? ops_[i] : nullptr; }
  size_t bytes() const { return bytes_; }
  void HandOver() { count_ = 0; }

 private:
  static XnnOp* Counted() {
    static char mark;
    return reinterpret_cast<XnnOp*>(&mark);
  }
  void Close(size_t i) {
    if (ops_[i] == nullptr || ops_[i] == Counted()) return;
    CloseXnn(ops_[i]);
    ops_[i] = Counted();
  }
  static bool UsesRing(const fb::Model& file, uint32_t op) {
    const fb::Operator& o = *file.operators()->Get(op);
    for (const auto* list : {o.inputs(), o.outputs()}) {
      for (int32_t t : *list) {
        if (t >= 0 && file.tensors()->Get(static_cast<uint32_t>(t))->ring_rows() > 0) return true;
      }
    }
    return false;
  }

  XnnOp** ops_ = nullptr;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

// What a kernel asks for must leave every sum of sizes far from overflow, whatever the shapes.
Status CheckSizes(const fb::Model& file, IsaSet isa, TensorView* tensors,
                  const TensorView** pointers) {
  const uint64_t most =
      std::min<uint64_t>(uint64_t{1} << 37, std::numeric_limits<size_t>::max() / 16);
  uint64_t total = 0;
  for (uint32_t i = 0; file.buffers() != nullptr && i < file.buffers()->size(); ++i) {
    const Coded constant = BufferOf(file, i);
    if (constant.coded()) total += AlignUp(static_cast<size_t>(constant.size), kBlockAlignment);
    if (total > most) {
      return Fail(OCTET_UNSUPPORTED,
                  "its constants need more memory than this machine can address");
    }
  }
  for (uint32_t i = 0; i < file.operators()->size(); ++i) {
    const FileOpView op(file, static_cast<int32_t>(i), tensors, pointers);
    Binding binding;
    FindOp(op.view().kind)->bind(op.view(), isa, &binding);
    total += uint64_t{binding.params_bytes} + binding.pack_bytes;
    if (binding.pack_bytes > most || binding.scratch_bytes > most || total > most) {
      return Fail(OCTET_UNSUPPORTED,
                  "operator %u (%s \"%s\"): its kernel needs more memory than this machine can "
                  "address",
                  i, OpName(op.view().kind), op.view().name);
    }
  }
  return OCTET_OK;
}

// Lays out the model's block. Called with a null base to learn the size, and how much room for
// decoding it takes, then to fill it.
size_t Build(const Loading& l, const XnnOps& xnn, size_t* room, uint8_t* base) {
  const fb::Model& file = l.file;
  for (uint32_t i = 0; file.buffers() != nullptr && i < file.buffers()->size(); ++i) {
    l.decoded[i] = 0;
  }
  Carver carver(base);
  octet_model* model = carver.take<octet_model>(1);
  const uint32_t count = file.operators()->size();
  BoundOp* ops = carver.take<BoundOp>(count);
  uint64_t work = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const FileOpView op_view(file, static_cast<int32_t>(i), l.tensors, l.pointers);
    const OpView& op = op_view.view();
    if (l.step_rows[i] == kNoSteps) {
      if (base != nullptr) ops[i] = BoundOp();
      continue;
    }
    const OpDef& def = *FindOp(op.kind);
    Binding binding;
    binding.step_rows = l.step_rows[i];
    def.bind(op, l.isa, &binding);
    if (xnn.op(i) != nullptr) {
      binding = Binding();
      binding.run = RunXnn;
      binding.params_bytes = sizeof(XnnOp*);
      binding.packed_inputs = XnnPackedInputs(op.kind);
    }
    const fb::Operator& source = *file.operators()->Get(i);

    const size_t operands = op.inputs.size + op.outputs.size;
    Slot* slots = carver.take<Slot>(operands);
    uint8_t* params = carver.take<uint8_t>(binding.params_bytes, 16);
    const uint8_t* pack = nullptr;
    uint8_t* own_pack = nullptr;  // in the block
    const fb::PackedData* found = nullptr;
    if (binding.pack_layout != nullptr) {
      found = FindPack(file, static_cast<int32_t>(i), binding.pack_layout, binding.pack_bytes);
      if (found != nullptr && found->coding() == fb::Coding::PLAIN) {
        pack = found->data()->data();
      } else {
        pack = own_pack = carver.take<uint8_t>(binding.pack_bytes, kBlockAlignment);
      }
    }
    const bool packs = binding.pack_layout != nullptr && found == nullptr;
    // Coded constants that runs read get a place.
    for (uint32_t j = 0; j < source.inputs()->size(); ++j) {
      const int64_t buffer = CodedBuffer(file, source.inputs()->Get(j));
      if (buffer < 0 || l.decoded[buffer] != 0) continue;
      if (j < 32 && (binding.packed_inputs >> j & 1) != 0) continue;
      const Coded constant = BufferOf(file, buffer);
      const size_t size = static_cast<size_t>(constant.size);
      uint8_t* const at = carver.take<uint8_t>(size, kBlockAlignment);
      l.decoded[buffer] = carver.size() - size;
      if (base != nullptr) Decode(constant, at);
    }
    if (base == nullptr) {
      if (packs) *room = std::max(*room, DecodeInputs(l, i, nullptr, nullptr));
      continue;
    }
    DecodeInputs(l, i, base, packs ? l.room.data() : nullptr);

    for (size_t j = 0; j < op.inputs.size; ++j) {
      new (&slots[j]) Slot(MakeSlot(l, source.inputs()->Get(static_cast<uint32_t>(j))));
    }
    for (size_t j = 0; j < op.outputs.size; ++j) {
      new (&slots[op.inputs.size + j])
          Slot(MakeSlot(l, source.outputs()->Get(static_cast<uint32_t>(j))));
    }
    std::memset(params, 0, binding.params_bytes);
    if (XnnOp* const x = xnn.op(i); x != nullptr) {
      new (params) XnnOp*(x);
    } else if (def.init != nullptr) {
      def.init(op, binding, params);
    }
    if (packs) {
      std::memset(own_pack, 0, binding.pack_bytes);
      def.pack(op, binding, params, own_pack);
    } else if (own_pack != nullptr) {
      Decode(CodedOf(*found), own_pack);
    }
    BoundOp& bound = ops[i];
    bound.run = binding.run;
    bound.pack = pack;
    bound.slots = slots;
    bound.input_count = static_cast<uint16_t>(op.inputs.size);
    bound.output_count = static_cast<uint16_t>(op.outputs.size);
    bound.rows = RowCount(op.out());
    const auto units = [](uint64_t bytes) { return static_cast<uint32_t>(bytes / 64); };
    bound.scratch_units = units(AlignUp(binding.scratch_bytes, 64));
    bound.scratch_offset = units(AlignUp(l.live_top[i], 64));
    bound.planned_offset = units(source.scratch_offset());
    bound.planned_units = units(source.scratch_bytes());
    work += binding.macs + 10 * static_cast<uint64_t>(op.out().elements());
  }
  if (base != nullptr) {
    model->ops = ops;
    model->block_bytes = carver.size();
    model->work = work;
  }
  return carver.size();
}

}  // namespace

const fb::PackedData* FindPack(const fb::Model& file, int32_t op, const char* layout,
                               size_t bytes) {
  if (file.packs() == nullptr) return nullptr;
  for (const fb::PackedData* pack : *file.packs()) {
    if (pack->op() != op || pack->layout() == nullptr || pack->data() == nullptr) continue;
    if (std::strcmp(pack->layout()->c_str(), layout) != 0) continue;
    const Coded stored = CodedOf(*pack);
    const bool aligned = reinterpret_cast<uintptr_t>(stored.data) % 64 == 0;
    if (stored.size == bytes && (aligned || stored.coded())) return pack;
  }
  return nullptr;
}

Status LoadModel(const uint8_t* data, size_t size, bool mapped, const octet_allocator& allocator,
                 IsaSet isa, size_t ram_limit, octet_model** out) {
  const fb::Model* file = nullptr;
  OCTET_RETURN_IF_ERROR(CheckContainer(data, size, &file));
  OCTET_RETURN_IF_ERROR(VerifyCounts(*file));
  OCTET_RETURN_IF_ERROR(VerifyCoding(*file, size));

  // Temporary memory, given back before this returns.
  Block block;
  const size_t op_count = file->operators()->size();
  const size_t operands = MaxOperands(*file);
  const size_t buffers = file->buffers() != nullptr ? file->buffers()->size() : 0;
  Carver sizes(nullptr);
  sizes.take<size_t>(op_count);
  sizes.take<size_t>(buffers);
  sizes.take<int32_t>(op_count);
  sizes.take<TensorView>(operands);
  sizes.take<const TensorView*>(operands);
  sizes.take<XnnOp*>(op_count);
  if (!block.allocate(allocator, sizes.size())) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for loading (%zu bytes)", sizes.size());
  }
  Carver carver(block.data());
  size_t* live_top = carver.take<size_t>(op_count);
  size_t* decoded = carver.take<size_t>(buffers);
  int32_t* step_rows = carver.take<int32_t>(op_count);
  TensorView* tensors = carver.take<TensorView>(operands);
  const TensorView** pointers = carver.take<const TensorView*>(operands);
  XnnOp** xnn_ops = carver.take<XnnOp*>(op_count);
  for (size_t i = 0; i < operands; ++i) new (&tensors[i]) TensorView();

  OCTET_RETURN_IF_ERROR(VerifyModel(*file, allocator, tensors, pointers, live_top));
  OCTET_RETURN_IF_ERROR(CheckReach(*file, size));
  OCTET_RETURN_IF_ERROR(CheckSizes(*file, isa, tensors, pointers));

  FindStepRows(*file, step_rows);
  for (size_t i = 0; i < buffers; ++i) decoded[i] = 0;
  Loading l = {*file, data, isa, live_top, step_rows, tensors, pointers, decoded, {}};
  XnnOps xnn;
  if (isa.xnnpack) OCTET_RETURN_IF_ERROR(xnn.Open(&l, allocator, ram_limit, xnn_ops));
  size_t room = 0;
  const size_t bytes = Build(l, xnn, &room, nullptr);
  if (ram_limit != 0 && bytes + xnn.bytes() > ram_limit) {
    return Fail(
        OCTET_RAM_LIMIT,
        "the model needs %zu bytes (handles, parameters, packed and decoded weights), the limit is "
        "%zu; a file converted with --target for this CPU, and --compress-weights off, needs "
        "neither",
        bytes + xnn.bytes(), ram_limit);
  }
  if (room > l.room.size() && !l.room.allocate(allocator, room)) return NoRoom(room);
  void* memory = allocator.allocate(allocator.context, bytes, kBlockAlignment);
  if (memory == nullptr) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for the model (%zu bytes)", bytes);
  }
  Build(l, xnn, &room, static_cast<uint8_t*>(memory));
  octet_model* model = static_cast<octet_model*>(memory);
  model->allocator = allocator;
  model->data = data;
  model->size = size;
  model->mapped = mapped;
  model->file = file;
  model->isa = isa;
  model->max_operands = operands;
  model->xnn_bytes = xnn.bytes();
  xnn.HandOver();
  *out = model;
  return OCTET_OK;
}

size_t ArenaBytes(const octet_model& model, size_t threads) {
  size_t bytes = static_cast<size_t>(model.file->arena_bytes());
  const uint32_t count = model.file->operators()->size();
  bool any_xnn = false;
  for (uint32_t i = 0; i < count; ++i) {
    const BoundOp& op = model.ops[i];
    any_xnn = any_xnn || op.xnn() != nullptr;
    if (op.scratch_units == 0) continue;
    const size_t end = op.scratch_at(threads) + threads * op.scratch_bytes();
    if (end > bytes) bytes = end;
  }
  return any_xnn ? bytes + kXnnSlackBytes : bytes;
}

}  // namespace octet
