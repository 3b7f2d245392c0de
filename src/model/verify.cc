// The meaning of a model file: after VerifyModel accepts, running needs no checks.
#include <cmath>
#include <initializer_list>
#include <limits>

#include "src/model/coding.h"
#include "src/model/model.h"
#include "src/model/require.h"

namespace octet {
namespace {

constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 40;
constexpr uint32_t kMaxCount = 1u << 16;  // tensors, operators, inputs, outputs
constexpr uint32_t kMaxStates = 1u << 10;
constexpr uint64_t kMaxOperands = uint64_t{1} << 20;
constexpr uint64_t kMaxWork = uint64_t{1} << 26;  // visits of parts that a file may list repeatedly

const char* NameOf(const fb::Tensor& t) { return t.name() != nullptr ? t.name()->c_str() : ""; }

uint64_t ScaleCount(const fb::Tensor& t) { return t.scale() != nullptr ? t.scale()->size() : 0; }

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
    OCTET_REQUIRE(bytes <= kMaxTensorBytes, "the tensor is too large");
  }
  // Operators count elements in 32 bits.
  OCTET_REQUIRE(bytes / element <= std::numeric_limits<int32_t>::max(),
                "the tensor has more than 2^31 - 1 elements");
  OCTET_REQUIRE(bytes <= std::numeric_limits<size_t>::max() / 2, "the tensor is too large");
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
      const Coded constant = CodedOf(*file.buffers()->Get(t.buffer()));
      OCTET_REQUIRE(
          constant.data != nullptr && constant.size == bytes, "its buffer has %llu bytes, not %llu",
          static_cast<unsigned long long>(constant.size), static_cast<unsigned long long>(bytes));
      OCTET_REQUIRE(constant.coded() || reinterpret_cast<uintptr_t>(constant.data) % 16 == 0,
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

// Operators write their states: no two may share bytes.
Status CheckStates(const fb::Model& file) {
  uint32_t states = 0;
  for (const fb::Tensor* t : *file.tensors()) states += t->place() == fb::Place::STATE ? 1 : 0;
  OCTET_REQUIRE(states <= kMaxStates, "%u states, at most %u are supported", states, kMaxStates);
  if (states < 2) return OCTET_OK;
  const uint32_t count = file.tensors()->size();
  for (uint32_t i = 0; i < count; ++i) {
    const fb::Tensor& a = *file.tensors()->Get(i);
    if (a.place() != fb::Place::STATE) continue;
    for (uint32_t j = i + 1; j < count; ++j) {
      const fb::Tensor& b = *file.tensors()->Get(j);
      if (b.place() != fb::Place::STATE) continue;
      OCTET_REQUIRE(
          a.offset() + StoredBytes(a) <= b.offset() || b.offset() + StoredBytes(b) <= a.offset(),
          "the states \"%s\" and \"%s\" overlap", NameOf(a), NameOf(b));
    }
  }
  return OCTET_OK;
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

Status VerifyCounts(const fb::Model& file) {
  OCTET_REQUIRE(file.tensors() != nullptr && file.operators() != nullptr &&
                    file.inputs() != nullptr && file.outputs() != nullptr &&
                    file.steps() != nullptr,
                "the model lacks tensors, operators, inputs, outputs or steps");
  const uint32_t tensor_count = file.tensors()->size(), op_count = file.operators()->size();
  OCTET_REQUIRE(tensor_count <= kMaxCount && op_count <= kMaxCount &&
                    file.steps()->size() <= 64 * kMaxCount && file.inputs()->size() <= kMaxCount &&
                    file.outputs()->size() <= kMaxCount &&
                    (file.buffers() == nullptr || file.buffers()->size() <= kMaxCount),
                "the model has too many tensors, operators, steps or buffers");
  // A small file may list the same part any number of times, so that its size bounds no work.
  OCTET_REQUIRE(file.packs() == nullptr || uint64_t{file.packs()->size()} * op_count <= kMaxWork,
                "the model has too many packs");
  uint64_t operands = 0, scales = 0;
  for (const fb::Tensor* t : *file.tensors()) scales += ScaleCount(*t);
  for (uint32_t i = 0; i < op_count; ++i) {
    const fb::Operator& op = *file.operators()->Get(i);
    const uint64_t inputs = op.inputs() != nullptr ? op.inputs()->size() : 0;
    const uint64_t outputs = op.outputs() != nullptr ? op.outputs()->size() : 0;
    OCTET_REQUIRE(inputs <= 65535 && outputs <= 65535,
                  "operator %u has more than 65535 inputs or outputs", i);
    operands += inputs + outputs;
    OCTET_REQUIRE(operands <= kMaxOperands, "the operators have too many operands");
    for (const auto* list : {op.inputs(), op.outputs()}) {
      if (list == nullptr) continue;
      for (int32_t t : *list) {
        if (t < 0 || static_cast<uint32_t>(t) >= tensor_count) continue;  // CheckOperator's concern
        scales += ScaleCount(*file.tensors()->Get(static_cast<uint32_t>(t)));
      }
    }
    OCTET_REQUIRE(scales <= kMaxWork, "the model has too many scales");
  }
  OCTET_REQUIRE(file.arena_bytes() <= std::numeric_limits<size_t>::max() / 2 &&
                    file.state_bytes() <= std::numeric_limits<size_t>::max() / 2 &&
                    file.arena_bytes() <= kMaxTensorBytes && file.state_bytes() <= kMaxTensorBytes,
                "the arena is too large");
  return OCTET_OK;
}

Status VerifyModel(const fb::Model& file, const octet_allocator& allocator, TensorView* tensors,
                   const TensorView** pointers, size_t* live_top) {
  const uint32_t tensor_count = file.tensors()->size(), op_count = file.operators()->size();
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
    OCTET_REQUIRE(tensor.place() == fb::Place::ARENA, "model input \"%s\" is not in the arena",
                  NameOf(tensor));
  }
  for (int32_t t : *file.outputs()) {
    OCTET_REQUIRE(t >= 0 && static_cast<uint32_t>(t) < tensor_count,
                  "model output: tensor %d does not exist", t);
    const fb::Tensor& tensor = *file.tensors()->Get(static_cast<uint32_t>(t));
    OCTET_REQUIRE(tensor.place() != fb::Place::STATE && tensor.ring_rows() == 0,
                  "model output \"%s\" is not a whole tensor", NameOf(tensor));
    OCTET_REQUIRE(tensor.place() != fb::Place::CONSTANT ||
                      !CodedOf(*file.buffers()->Get(tensor.buffer())).coded(),
                  "model output \"%s\" is a constant that is not stored plainly", NameOf(tensor));
  }
  OCTET_RETURN_IF_ERROR(CheckStates(file));
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
