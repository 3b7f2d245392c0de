#include "src/compiler/writer.h"

#include <cstring>
#include <unordered_map>

#include "src/compiler/encode.h"
#include "src/model/checksum.h"

namespace octet {
namespace {

constexpr uint32_t kFormatVersion = 2;
constexpr uint32_t kCodingVersion = 2;  // the first that reads coded constants
constexpr size_t kAlignment = 64;
// FlatBuffers address with 31 bits; what is not constants stays far below the difference.
constexpr uint64_t kMaxConstantBytes = (uint64_t{1} << 31) - (uint64_t{64} << 20);

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::Vector;

Offset<Vector<uint8_t>> AlignedBytes(FlatBufferBuilder* b, const std::vector<uint8_t>& data) {
  b->ForceVectorAlignment(data.size(), 1, kAlignment);
  return b->CreateVector(data.data(), data.size());
}

// What is stored of constants and packs. Those that stay as they are have no `data`.
class Storage {
 public:
  void Add(const std::vector<uint8_t>& bytes, bool may_code) {
    coded_.emplace_back();
    if (!may_code) return;
    all_ += bytes.size();
    if (EncodeSparse(bytes, &coded_.back())) saved_ += bytes.size() - coded_.back().data.size();
  }
  // Does it pay to code anything?
  bool pays() const {
    return saved_ >= kMinSavedBytes &&
           static_cast<double>(saved_) >= kMinSaving * static_cast<double>(all_);
  }
  bool any() const { return saved_ > 0; }
  void Drop() {
    for (Sparse& sparse : coded_) sparse = Sparse();
    saved_ = 0;
  }
  // In the order of Add.
  const Sparse& operator[](size_t i) const { return coded_[i]; }

 private:
  std::vector<Sparse> coded_;
  uint64_t all_ = 0, saved_ = 0;  // of those that may be coded
};

// Sets the fields of a Buffer or a PackedData.
template <class Builder>
void AddData(const Sparse& sparse, size_t size, Offset<Vector<uint8_t>> data, Builder* builder) {
  builder->add_data(data);
  if (sparse.data.empty()) return;
  builder->add_size(size);
  builder->add_coding(fb::Coding::SPARSE);
  builder->add_fill(sparse.fill);
}

// Stores each different content once.
class ConstantPool {
 public:
  uint32_t Add(const std::shared_ptr<const std::vector<uint8_t>>& data) {
    const uint64_t key = Checksum(data->data(), data->size()) ^ data->size();
    auto [begin, end] = index_.equal_range(key);
    for (auto it = begin; it != end; ++it) {
      if (*contents_[it->second] == *data) return it->second;
    }
    const uint32_t index = static_cast<uint32_t>(contents_.size());
    contents_.push_back(data.get());
    index_.emplace(key, index);
    return index;
  }
  const std::vector<const std::vector<uint8_t>*>& contents() const { return contents_; }

 private:
  std::vector<const std::vector<uint8_t>*> contents_;
  std::unordered_multimap<uint64_t, uint32_t> index_;
};

// Whether int8 kernels, all but the reference ones, read a constant through packs alone: to store
// it coded costs no RAM then, since packs are made at load anyway or are in the file themselves.
// Not by Binding::packed_inputs, which would make files depend on where they are made.
std::vector<bool> PackedAlone(const Graph& graph) {
  std::vector<bool> alone(graph.tensors.size(), true);
  for (const GraphOp& op : graph.ops) {
    const bool packs = (op.kind == OpKind::CONV_2D || op.kind == OpKind::DEPTHWISE_CONV_2D ||
                        op.kind == OpKind::FULLY_CONNECTED) &&
                       graph.tensors[static_cast<size_t>(op.inputs[0])].type == DType::INT8;
    for (size_t j = 0; j < op.inputs.size(); ++j) {
      if (op.inputs[j] < 0 || (packs && (j == 1 || j == 2))) continue;
      alone[static_cast<size_t>(op.inputs[j])] = false;
    }
  }
  return alone;
}

}  // namespace

Status WriteModel(const Graph& graph, const Plan& plan, const std::vector<PackedOp>& packs,
                  std::vector<uint8_t>* file, compiler::Compress compress) {
  ConstantPool pool;
  std::vector<uint32_t> buffer_of(graph.tensors.size(), 0);
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    if (graph.tensors[i].is_constant()) buffer_of[i] = pool.Add(graph.tensors[i].data);
  }
  // Outputs are read from the file.
  std::vector<bool> may_code(pool.contents().size(), compress != compiler::Compress::kOff);
  for (const int32_t t : graph.outputs) {
    const size_t output = static_cast<size_t>(t);
    if (graph.tensors[output].is_constant()) may_code[buffer_of[output]] = false;
  }
  if (compress == compiler::Compress::kAuto) {
    const std::vector<bool> alone = PackedAlone(graph);
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      if (graph.tensors[i].is_constant() && !alone[i]) may_code[buffer_of[i]] = false;
    }
  }
  Storage storage;
  for (size_t i = 0; i < may_code.size(); ++i) storage.Add(*pool.contents()[i], may_code[i]);
  for (const PackedOp& pack : packs) storage.Add(pack.data, compress == compiler::Compress::kOn);
  if (compress == compiler::Compress::kAuto && !storage.pays()) storage.Drop();

  uint64_t total = 0;
  for (const auto* content : pool.contents()) total += content->size() + 2 * kAlignment;
  for (const PackedOp& pack : packs) total += pack.data.size() + 2 * kAlignment;
  if (total > kMaxConstantBytes) {
    return Fail(OCTET_UNSUPPORTED, "%llu bytes of constants do not fit a model file",
                static_cast<unsigned long long>(total));
  }

  FlatBufferBuilder b(static_cast<size_t>(total) + 65536);
  std::vector<Offset<fb::Buffer>> buffers;
  for (size_t i = 0; i < pool.contents().size(); ++i) {
    const std::vector<uint8_t>& content = *pool.contents()[i];
    const Sparse& sparse = storage[i];
    const auto data = AlignedBytes(&b, sparse.data.empty() ? content : sparse.data);
    fb::BufferBuilder builder(b);
    AddData(sparse, content.size(), data, &builder);
    buffers.push_back(builder.Finish());
  }
  std::vector<Offset<fb::PackedData>> pack_offsets;
  for (size_t i = 0; i < packs.size(); ++i) {
    const Sparse& sparse = storage[pool.contents().size() + i];
    const auto data = AlignedBytes(&b, sparse.data.empty() ? packs[i].data : sparse.data);
    const auto layout = b.CreateString(packs[i].layout);
    fb::PackedDataBuilder builder(b);
    AddData(sparse, packs[i].data.size(), data, &builder);
    builder.add_layout(layout);
    builder.add_op(packs[i].op);
    pack_offsets.push_back(builder.Finish());
  }

  std::vector<Offset<fb::Tensor>> tensors;
  for (size_t i = 0; i < graph.tensors.size(); ++i) {
    const GraphTensor& t = graph.tensors[i];
    const TensorPlace& place = plan.places[i];
    const auto name = b.CreateString(t.name);
    const auto shape = b.CreateVector(t.shape);
    const Offset<Vector<float>> scale = t.scale.empty() ? 0 : b.CreateVector(t.scale);
    fb::TensorBuilder builder(b);
    builder.add_offset(place.offset);
    builder.add_name(name);
    builder.add_type(t.type);
    builder.add_shape(shape);
    if (!scale.IsNull()) builder.add_scale(scale);
    builder.add_zero_point(t.zero_point);
    builder.add_axis(t.axis);
    builder.add_place(place.place);
    builder.add_buffer(buffer_of[i]);
    builder.add_ring_rows(place.ring_rows);
    builder.add_view_of(place.view_of);
    tensors.push_back(builder.Finish());
  }

  std::vector<Offset<fb::Operator>> ops;
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    const auto name = b.CreateString(op.name);
    const auto inputs = b.CreateVector(op.inputs);
    const auto outputs = b.CreateVector(op.outputs);
    const auto options = op.options.Pack(b);
    fb::OperatorBuilder builder(b);
    builder.add_name(name);
    builder.add_inputs(inputs);
    builder.add_outputs(outputs);
    if (op.options.type != fb::Options::NONE) builder.add_options(options);
    builder.add_options_type(op.options.type);
    builder.add_kind(op.kind);
    if (i < plan.scratch.size()) {
      builder.add_scratch_offset(plan.scratch[i].offset);
      builder.add_scratch_bytes(plan.scratch[i].bytes);
    }
    ops.push_back(builder.Finish());
  }

  std::vector<Offset<fb::Metadata>> metadata;
  for (const auto& [key, value] : graph.metadata) {
    const auto key_text = b.CreateString(key);
    const auto value_text = b.CreateString(value);
    metadata.push_back(fb::CreateMetadata(b, key_text, value_text));
  }

  const auto producer = b.CreateString(std::string("octet ") + octet_version());
  const auto tensors_vector = b.CreateVector(tensors);
  const auto ops_vector = b.CreateVector(ops);
  const auto inputs = b.CreateVector(graph.inputs);
  const auto outputs = b.CreateVector(graph.outputs);
  const auto steps = b.CreateVectorOfStructs(plan.steps);
  const auto buffers_vector = b.CreateVector(buffers);
  const auto packs_vector = b.CreateVector(pack_offsets);
  const auto metadata_vector = b.CreateVector(metadata);
  fb::ModelBuilder model(b);
  model.add_version(kFormatVersion);
  model.add_min_reader(storage.any() ? kCodingVersion : 1);
  model.add_producer(producer);
  model.add_tensors(tensors_vector);
  model.add_operators(ops_vector);
  model.add_inputs(inputs);
  model.add_outputs(outputs);
  model.add_steps(steps);
  model.add_arena_bytes(plan.arena_bytes);
  model.add_state_bytes(plan.state_bytes);
  model.add_buffers(buffers_vector);
  model.add_packs(packs_vector);
  model.add_metadata(metadata_vector);
  fb::FinishModelBuffer(b, model.Finish());

  const size_t body = (b.GetSize() + kAlignment - 1) / kAlignment * kAlignment;
  file->assign(body + 16, 0);
  std::memcpy(file->data(), b.GetBufferPointer(), b.GetSize());
  const uint64_t sum = Checksum(file->data(), body);
  std::memcpy(file->data() + body, "OCTSUM1", 8);
  for (int i = 0; i < 8; ++i) {
    (*file)[body + 8 + i] = static_cast<uint8_t>(sum >> (8 * i));
  }
  return OCTET_OK;
}

}  // namespace octet
