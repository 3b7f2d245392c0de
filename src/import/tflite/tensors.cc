#include "src/import/tflite/tensors.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "src/import/half.h"

namespace octet {
namespace {

constexpr int64_t kMaxTensorBytes = int64_t{1} << 40;
// Over all tensors. Offsets in a file may point to one vector many times; without a limit a small
// file could ask for any amount of memory.
constexpr size_t kMaxScales = size_t{1} << 24;

DType ToDType(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType_INT8:
      return DType::INT8;
    case tflite::TensorType_UINT8:
      return DType::UINT8;
    case tflite::TensorType_INT16:
      return DType::INT16;
    case tflite::TensorType_INT32:
      return DType::INT32;
    case tflite::TensorType_INT64:
      return DType::INT64;
    case tflite::TensorType_FLOAT32:
    case tflite::TensorType_FLOAT16:
      return DType::FLOAT32;
    case tflite::TensorType_BOOL:
      return DType::BOOL;
    default:
      return DType::NONE;
  }
}

// FlatBuffers' verifier does not check that the elements of a vector are aligned.
int64_t LoadInt64(const flatbuffers::Vector<int64_t>& vector, flatbuffers::uoffset_t i) {
  int64_t value;
  std::memcpy(&value, vector.Data() + i * sizeof value, sizeof value);
  return flatbuffers::EndianScalar(value);
}

class TensorReader {
 public:
  TensorReader(const tflite::Model& model, size_t file_bytes, Graph* graph)
      : model_(model), constant_budget_(4 * file_bytes), graph_(*graph) {}

  Status Read(const tflite::Tensor* source, SourceTensor* info) {
    GraphTensor t;
    if (!source) {
      Problem(info, OCTET_INVALID_MODEL, "is missing from the file");
    } else {
      t.name = ShortText(source->name());
      if (t.name.empty()) t.name = "tensor " + std::to_string(graph_.tensors.size());
      if (ReadShape(*source, &t, info) && ReadQuantisation(*source, &t, info) && !fatal_) {
        ReadData(*source, &t, info);
      }
      if (info->status == OCTET_OK && IsHalf(*source) && !t.is_constant()) {
        Problem(info, OCTET_UNSUPPORTED, "has type FLOAT16, which is read for constants only");
      }
    }
    graph_.AddTensor(std::move(t));
    return fatal_ ? Fail(OCTET_INVALID_MODEL, "%s", fatal_) : OCTET_OK;
  }

 private:
  // Returns false, for `return Problem(...)`.
  static bool Problem(SourceTensor* info, Status status, const char* format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    info->status = status;
    info->problem = text;
    return false;
  }

  static bool IsHalf(const tflite::Tensor& source) {
    return source.type() == tflite::TensorType_FLOAT16;
  }

  bool ReadShape(const tflite::Tensor& source, GraphTensor* t, SourceTensor* info) {
    t->type = ToDType(source.type());
    if (t->type == DType::NONE) {
      return Problem(info, OCTET_UNSUPPORTED, "has type %s",
                     tflite::EnumNameTensorType(source.type()));
    }
    if (source.sparsity()) return Problem(info, OCTET_UNSUPPORTED, "is sparse");
    const auto* shape = source.shape();
    const size_t rank = shape ? shape->size() : 0;
    if (rank > static_cast<size_t>(kMaxRank)) {
      return Problem(info, OCTET_UNSUPPORTED, "has %zu dimensions, more than %d", rank, kMaxRank);
    }
    int64_t bytes = static_cast<int64_t>(TypeBytes(t->type));
    for (size_t i = 0; i < rank; ++i) {
      const int32_t d = shape->Get(static_cast<flatbuffers::uoffset_t>(i));
      t->shape.push_back(d);
      if (info->status != OCTET_OK) continue;  // the whole shape is wanted for the error
      if (d < 0) {
        Problem(info, d == -1 ? OCTET_UNSUPPORTED : OCTET_INVALID_MODEL,
                "has a dynamic shape (size %zu is %d)", i, d);
      } else if (d == 0) {
        Problem(info, OCTET_UNSUPPORTED, "is empty (size %zu is 0)", i);
      } else if (bytes >= kMaxTensorBytes / d) {
        Problem(info, OCTET_INVALID_MODEL, "is too large");
      } else {
        bytes *= d;
      }
    }
    if (static_cast<uint64_t>(bytes) > SIZE_MAX) {
      Problem(info, OCTET_UNSUPPORTED, "is too large for this machine");
    }
    return info->status == OCTET_OK;
  }

  bool ReadQuantisation(const tflite::Tensor& source, GraphTensor* t, SourceTensor* info) {
    const tflite::QuantizationParameters* q = source.quantization();
    if (!q || t->type == DType::FLOAT32 || t->type == DType::BOOL) return true;
    if (q->details_type() != tflite::QuantizationDetails_NONE) {
      return Problem(info, OCTET_UNSUPPORTED, "is quantised by a custom scheme or in blocks");
    }
    const auto* scales = q->scale();
    const size_t count = scales ? scales->size() : 0;
    if (count == 0) return true;
    // The quantisation of wide integers says nothing to operators that use them as indices or
    // counts, and biases have the scale of their operator: one that makes no sense is dropped.
    const bool wide = t->type == DType::INT32 || t->type == DType::INT64;
    if (count > 1) {
      const int32_t axis = q->quantized_dimension();
      const size_t rank = t->shape.size();
      if (axis < 0 || static_cast<size_t>(axis) >= rank ||
          count != static_cast<size_t>(t->shape[static_cast<size_t>(axis)])) {
        if (wide) return true;
        return Problem(info, OCTET_INVALID_MODEL, "has %zu scales along dimension %d", count, axis);
      }
      t->axis = axis;
      if (count > kMaxScales - scales_read_) {
        fatal_ = "the model has too many scales";
        return false;
      }
      scales_read_ += count;
    }
    for (flatbuffers::uoffset_t i = 0; i < count; ++i) {
      const float scale = scales->Get(i);
      if (std::isfinite(scale) && scale > 0) continue;
      // One scale of zero is how some converters write "not quantised".
      if (wide || (count == 1 && scale == 0)) return true;
      return Problem(info, OCTET_INVALID_MODEL, "has scale %g, not a positive number",
                     static_cast<double>(scale));
    }

    const auto* zero_points = q->zero_point();
    const size_t zeros = zero_points ? zero_points->size() : 0;
    if (zeros > 1 && zeros != count) {
      if (wide) return true;
      return Problem(info, OCTET_INVALID_MODEL, "has %zu zero points and %zu scales", zeros, count);
    }
    const int64_t zero_point = zeros ? LoadInt64(*zero_points, 0) : 0;
    for (flatbuffers::uoffset_t i = 1; i < zeros; ++i) {
      if (LoadInt64(*zero_points, i) != zero_point) {
        return Problem(info, OCTET_UNSUPPORTED, "has a zero point a channel");
      }
    }
    int64_t low = INT32_MIN, high = INT32_MAX;
    if (t->type == DType::INT8) low = -128, high = 127;
    if (t->type == DType::UINT8) low = 0, high = 255;
    if (t->type == DType::INT16) low = -32768, high = 32767;
    if (zero_point < low || zero_point > high) {
      if (wide) return true;
      return Problem(info, OCTET_INVALID_MODEL, "has zero point %lld, outside its type",
                     static_cast<long long>(zero_point));
    }
    t->scale.assign(scales->begin(), scales->end());
    t->zero_point = static_cast<int32_t>(zero_point);
    if (t->type == DType::UINT8) {
      info->legacy_u8 = true;
      t->type = DType::INT8;
      t->zero_point -= 128;
    }
    return true;
  }

  bool ReadData(const tflite::Tensor& source, GraphTensor* t, SourceTensor* info) {
    if (source.external_buffer() != 0) {
      return Problem(info, OCTET_UNSUPPORTED, "has its data in another file");
    }
    if (source.is_variable()) {
      t->is_state = true;
      return true;
    }
    const auto* buffers = model_.buffers();
    const uint32_t index = source.buffer();
    if (index == 0) return true;
    if (!buffers || index >= buffers->size() || !buffers->Get(index)) {
      return Problem(info, OCTET_INVALID_MODEL, "refers to buffer %u, which does not exist", index);
    }
    const tflite::Buffer& buffer = *buffers->Get(index);
    if (buffer.offset() > 1 || buffer.size() > 1) {
      return Problem(info, OCTET_UNSUPPORTED, "has its data behind the model (files above 2 GB)");
    }
    if (!buffer.data() || buffer.data()->size() == 0) return true;
    const uint8_t* data = buffer.data()->data();
    const size_t size = buffer.data()->size();
    const bool half = IsHalf(source);
    const size_t wanted = half ? t->bytes() / 2 : t->bytes();
    if (size != wanted) {
      return Problem(info, OCTET_INVALID_MODEL,
                     "has %zu bytes of data where its shape asks for %zu", size, wanted);
    }
    const Form form = half ? Form::kHalf : info->legacy_u8 ? Form::kShifted : Form::kStored;
    auto& shared = constants_[{data, form}];
    if (!shared) {
      // Buffers do not overlap in a file that a converter wrote, so that together they are smaller
      // than the file (four times: as stored, shifted, and as float32 what is stored as float16).
      if (t->bytes() > constant_budget_) {
        fatal_ = "the model's buffers overlap";
        return false;
      }
      constant_budget_ -= t->bytes();
      auto bytes = std::make_shared<std::vector<uint8_t>>(data, data + size);
      if (form == Form::kShifted) {
        for (uint8_t& b : *bytes) b ^= 0x80;
      } else if (form == Form::kHalf) {
        bytes->resize(t->bytes());
        for (size_t i = 0; i < size / 2; ++i) {
          const float value = FromHalf(static_cast<uint16_t>(data[2 * i] | data[2 * i + 1] << 8));
          std::memcpy(bytes->data() + i * sizeof value, &value, sizeof value);
        }
      }
      shared = std::move(bytes);
    }
    t->data = shared;
    return true;
  }

  enum class Form { kStored, kShifted, kHalf };

  const tflite::Model& model_;
  size_t constant_budget_;
  Graph& graph_;
  size_t scales_read_ = 0;
  const char* fatal_ = nullptr;
  std::map<std::pair<const uint8_t*, Form>, std::shared_ptr<const std::vector<uint8_t>>> constants_;
};

}  // namespace

std::string ShortText(const flatbuffers::String* text) {
  constexpr size_t kLongest = 250;
  if (!text) return {};
  std::string s(text->c_str(), std::min<size_t>(text->size(), kLongest));
  // Names end up in messages: no control characters, no zero bytes.
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return s;
}

Status ImportTensors(const tflite::Model& model, const tflite::SubGraph& subgraph,
                     size_t file_bytes, Graph* graph, std::vector<SourceTensor>* sources) {
  const size_t count = subgraph.tensors() ? subgraph.tensors()->size() : 0;
  sources->resize(count);
  graph->tensors.reserve(count);
  TensorReader reader(model, file_bytes, graph);
  for (size_t i = 0; i < count; ++i) {
    OCTET_RETURN_IF_ERROR(reader.Read(
        subgraph.tensors()->Get(static_cast<flatbuffers::uoffset_t>(i)), &(*sources)[i]));
  }
  return OCTET_OK;
}

}  // namespace octet
