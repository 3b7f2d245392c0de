// The meaning of a model file: after VerifyModel accepts, running needs no checks.
#include <cmath>
#include <limits>

#include "src/model/model.h"

namespace octet {
namespace {

constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 40;
constexpr uint32_t kMaxCount = 1u << 16;  // tensors, operators, inputs, outputs

#define OCTET_REQUIRE(condition, ...)                                \
  do {                                                               \
    if (!(condition)) return Fail(OCTET_INVALID_MODEL, __VA_ARGS__); \
  } while (0)

const char* NameOf(const fb::Tensor& t) { return t.name() != nullptr ? t.name()->c_str() : ""; }

bool ZeroPointFits(DType type, int32_t zero_point) {
  switch (type) {
    case DType::INT8:
      return zero_point >= -128 && zero_point <= 127;
    case DType::UINT8:
      return zero_point >= 0 && zero_point <= 255;
    case DType::INT16:
      return zero_point >= -32768 && zero_point <= 32767;
    default:
      return zero_point == 0;
  }
}

Status CheckTensor(const fb::Model& file, const fb::Tensor& t) {
  const size_t element = TypeBytes(t.type());
  OCTET_REQUIRE(element != 0, "unknown type %d", static_cast<int>(t.type()));
  const uint32_t rank = t.shape() != nullptr ? t.shape()->size() : 0;
  OCTET_REQUIRE(rank <= kMaxRank, "%u dimensions, at most %d are supported", rank, kMaxRank);
  uint64_t bytes = element;
  for (uint32_t i = 0; i < rank; ++i) {
    const int32_t d = t.shape()->Get(i);
    OCTET_REQUIRE(d > 0, "dimension %u is %d", i, d);
    // No overflow: bytes <= 2^40 and d < 2^31.
    bytes *= static_cast<uint64_t>(d);
    OCTET_REQUIRE(bytes <= kMaxTensorBytes && bytes <= std::numeric_limits<size_t>::max() / 2,
                  "the tensor is too large");
  }
  // Operators count elements in 32 bits.
  OCTET_REQUIRE(bytes / element <= std::numeric_limits<int32_t>::max(),
                "the tensor has more than 2^31 - 1 elements");
  const uint32_t scales = t.scale() != nullptr ? t.scale()->size() : 0;
  if (scales > 0) {
    for (float s : *t.scale()) {
      OCTET_REQUIRE(std::isfinite(s) && s > 0.f, "scale %g is not finite and positive",
                    static_cast<double>(s));
    }
    OCTET_REQUIRE(ZeroPointFits(t.type(), t.zero_point()), "zero point %d does not fit its type",
                  t.zero_point());
  }
  if (scales > 1) {
    OCTET_REQUIRE(t.axis() >= 0 && static_cast<uint32_t>(t.axis()) < rank,
                  "quantisation axis %d of %u dimensions", t.axis(), rank);
    OCTET_REQUIRE(static_cast<int64_t>(scales) == t.shape()->Get(static_cast<uint32_t>(t.axis())),
                  "%u scales along axis %d", scales, t.axis());
  }
  OCTET_REQUIRE(t.ring_rows() >= 0, "ring of %d rows", t.ring_rows());
  if (t.ring_rows() > 0) {
    OCTET_REQUIRE(t.place() == fb::Place::ARENA && rank == 4 && t.shape()->Get(0) == 1 &&
                      t.ring_rows() <= t.shape()->Get(1),
                  "a ring of %d rows fits no such tensor", t.ring_rows());
  }
  switch (t.place()) {
    case fb::Place::CONSTANT: {
      OCTET_REQUIRE(file.buffers() != nullptr && t.buffer() < file.buffers()->size(),
                    "its buffer %u does not exist", t.buffer());
      const auto* data = file.buffers()->Get(t.buffer())->data();
      OCTET_REQUIRE(data != nullptr && data->size() == bytes, "its buffer has %zu bytes, not %zu",
                    data != nullptr ? static_cast<size_t>(data->size()) : size_t{0},
                    static_cast<size_t>(bytes));
      OCTET_REQUIRE(reinterpret_cast<uintptr_t>(data->data()) % 16 == 0,
                    "its buffer is not aligned");
      return OCTET_OK;
    }
    case fb::Place::ARENA:
    case fb::Place::STATE: {
      const uint64_t end = t.place() == fb::Place::ARENA ? file.arena_bytes() : file.state_bytes();
      const uint64_t stored = StoredBytes(t);
      OCTET_REQUIRE(stored <= end && t.offset() <= end - stored,
                    "it lies outside its memory: %llu bytes at %llu of %llu",
                    static_cast<unsigned long long>(stored),
                    static_cast<unsigned long long>(t.offset()),
                    static_cast<unsigned long long>(end));
      OCTET_REQUIRE(t.offset() % element == 0, "it is not aligned to its elements");
      return OCTET_OK;
    }
  }
  return Fail(OCTET_INVALID_MODEL, "unknown place %d", static_cast<int>(t.place()));
}

Status CheckOperator(const fb::Model& file, const fb::Operator& op, int32_t index,
                     TensorView* tensors, const TensorView** pointers) {
  const int64_t tensor_count = file.tensors()->size();
  const OpDef* def = FindOp(op.kind());
  if (def == nullptr) {
    return Fail(OCTET_UNSUPPORTED, "operator kind %d is unknown to this version",
                static_cast<int>(op.kind()));
  }
  OCTET_REQUIRE(op.inputs() != nullptr && op.outputs() != nullptr && op.outputs()->size() > 0,
                "it has no inputs or no outputs");
  OCTET_REQUIRE(op.inputs()->size() <= 65535 && op.outputs()->size() <= 65535,
                "it has more than 65535 operands");
  for (int32_t t : *op.inputs()) {
    OCTET_REQUIRE(t >= -1 && t < tensor_count, "input tensor %d does not exist", t);
  }
  for (int32_t t : *op.outputs()) {
    OCTET_REQUIRE(t >= 0 && t < tensor_count, "output tensor %d does not exist", t);
    OCTET_REQUIRE(file.tensors()->Get(static_cast<uint32_t>(t))->place() == fb::Place::ARENA,
                  "output tensor %d is not in the arena", t);
  }
  const fb::Options expected = OpOptionsType(op.kind());
  OCTET_REQUIRE(
      op.options_type() == expected && (expected == fb::Options::NONE || op.options() != nullptr),
      "its options are of another operator");
  const FileOpView view(file, index, tensors, pointers);
  return def->check(view.view());
}

}  // namespace

Status VerifyPlan(const fb::Model& file, const octet_allocator& allocator, TensorView* tensors,
                  const TensorView** pointers, size_t* live_top);

Status VerifyModel(const fb::Model& file, const octet_allocator& allocator, size_t* live_top) {
  OCTET_REQUIRE(file.tensors() != nullptr && file.operators() != nullptr &&
                    file.inputs() != nullptr && file.outputs() != nullptr &&
                    file.steps() != nullptr,
                "the model lacks tensors, operators, inputs, outputs or steps");
  const uint32_t tensor_count = file.tensors()->size(), op_count = file.operators()->size();
  OCTET_REQUIRE(tensor_count <= kMaxCount && op_count <= kMaxCount &&
                    file.steps()->size() <= 64 * kMaxCount && file.inputs()->size() <= kMaxCount &&
                    file.outputs()->size() <= kMaxCount,
                "the model has too many tensors, operators or steps");
  OCTET_REQUIRE(file.arena_bytes() <= std::numeric_limits<size_t>::max() / 2 &&
                    file.state_bytes() <= std::numeric_limits<size_t>::max() / 2 &&
                    file.arena_bytes() <= kMaxTensorBytes && file.state_bytes() <= kMaxTensorBytes,
                "the arena is too large");
  for (uint32_t i = 0; i < tensor_count; ++i) {
    const fb::Tensor& t = *file.tensors()->Get(i);
    if (Status s = CheckTensor(file, t); s != OCTET_OK) {
      PrefixError("tensor %u \"%s\": ", i, NameOf(t));
      return s;
    }
  }
  for (int32_t t : *file.inputs()) {
    OCTET_REQUIRE(t >= 0 && static_cast<uint32_t>(t) < tensor_count,
                  "model input: tensor %d does not exist", t);
    const fb::Tensor& tensor = *file.tensors()->Get(static_cast<uint32_t>(t));
    OCTET_REQUIRE(tensor.place() == fb::Place::ARENA && tensor.ring_rows() == 0,
                  "model input \"%s\" is not a whole tensor in the arena", NameOf(tensor));
  }
  for (int32_t t : *file.outputs()) {
    OCTET_REQUIRE(t >= 0 && static_cast<uint32_t>(t) < tensor_count,
                  "model output: tensor %d does not exist", t);
    const fb::Tensor& tensor = *file.tensors()->Get(static_cast<uint32_t>(t));
    OCTET_REQUIRE(tensor.place() != fb::Place::STATE && tensor.ring_rows() == 0,
                  "model output \"%s\" is not a whole tensor", NameOf(tensor));
  }
  Block block;
  const size_t operands = MaxOperands(file);
  Carver sizes(nullptr);
  sizes.take<TensorView>(operands);
  sizes.take<const TensorView*>(operands);
  if (!block.allocate(allocator, sizes.size())) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for verifying (%zu bytes)", sizes.size());
  }
  Carver carver(block.data());
  TensorView* tensors = carver.take<TensorView>(operands);
  const TensorView** pointers = carver.take<const TensorView*>(operands);
  for (uint32_t i = 0; i < op_count; ++i) {
    const fb::Operator& op = *file.operators()->Get(i);
    if (Status s = CheckOperator(file, op, static_cast<int32_t>(i), tensors, pointers);
        s != OCTET_OK) {
      PrefixError("operator %u (%s \"%s\"): ", i, OpName(op.kind()),
                  op.name() != nullptr ? op.name()->c_str() : "");
      return s;
    }
  }
  return VerifyPlan(file, allocator, tensors, pointers, live_top);
}

}  // namespace octet
