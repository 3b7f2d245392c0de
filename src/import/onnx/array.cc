#include "src/import/onnx/array.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "src/import/half.h"

namespace octet::onnx {
namespace {

namespace fs = std::filesystem;

// TensorProto.DataType.
enum : int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16
};

size_t SourceBytes(int32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kUint16:
    case kInt16:
    case kFloat16:
    case kBfloat16:
      return 2;
    case kFloat:
    case kInt32:
    case kUint32:
      return 4;
    default:
      return 8;
  }
}

float FromBfloat(uint16_t b) {
  const uint32_t bits = static_cast<uint32_t>(b) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T>
T Load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void Store(std::vector<uint8_t>* bytes, size_t i, T value) {
  std::memcpy(bytes->data() + i * sizeof(T), &value, sizeof value);
}

// Element i of raw little-endian data. Octet's compiler runs on little-endian machines only, as the
// .octet format does.
void Convert(int32_t type, const uint8_t* raw, size_t i, std::vector<uint8_t>* to) {
  switch (type) {
    case kUint16:
      return Store<int32_t>(to, i, Load<uint16_t>(raw + 2 * i));
    case kFloat16:
      return Store<float>(to, i, FromHalf(Load<uint16_t>(raw + 2 * i)));
    case kBfloat16:
      return Store<float>(to, i, FromBfloat(Load<uint16_t>(raw + 2 * i)));
    case kDouble:
      return Store<float>(to, i, static_cast<float>(Load<double>(raw + 8 * i)));
    case kUint32:
      return Store<int64_t>(to, i, Load<uint32_t>(raw + 4 * i));
    case kUint64:
      return Store<int64_t>(
          to, i, static_cast<int64_t>(std::min<uint64_t>(Load<uint64_t>(raw + 8 * i), INT64_MAX)));
    default:
      return;
  }
}

// Bytes of another file that `entry` describes.
Status ReadExternal(const onnx_pb::TensorProto& source, const std::string& directory,
                    uint64_t wanted, std::vector<uint8_t>* bytes) {
  std::string location;
  uint64_t offset = 0;
  for (const auto& entry : source.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset" || entry.key() == "length") {
      char* end = nullptr;
      const std::string& text = entry.value();
      const unsigned long long value = std::strtoull(text.c_str(), &end, 10);
      if (text.empty() || text[0] < '0' || text[0] > '9' || *end != '\0' || value >> 62 != 0) {
        return Fail(OCTET_INVALID_MODEL, "has external data with %s \"%s\"", entry.key().c_str(),
                    ShortText(text).c_str());
      }
      if (entry.key() == "offset") offset = value;
      if (entry.key() == "length" && value != wanted) {
        return Fail(OCTET_INVALID_MODEL, "has %llu bytes of external data where %llu are needed",
                    value, static_cast<unsigned long long>(wanted));
      }
    }
  }
  const std::string shown = ShortText(location);
  const fs::path path(location);
  bool inside = !location.empty() && location.find('\0') == std::string::npos &&
                path.is_relative() && location.find('\\') == std::string::npos;
  for (const fs::path& part : path) inside = inside && part != "..";
  if (!inside) {
    return Fail(OCTET_INVALID_MODEL, "has external data in \"%s\", which is not beside the model",
                shown.c_str());
  }
  if (directory.empty()) {
    return Fail(OCTET_UNSUPPORTED,
                "has its data in the file \"%s\": convert the model from a file, not from memory",
                shown.c_str());
  }
  // Links may lead out of the folder as well as dots.
  std::error_code error;
  const fs::path base = fs::canonical(directory, error);
  const fs::path file = error ? fs::path() : fs::canonical(base / path, error);
  if (error) {
    return Fail(OCTET_IO_ERROR, "has its data in the file \"%s\", which cannot be read",
                shown.c_str());
  }
  const auto [at, rest] = std::mismatch(base.begin(), base.end(), file.begin(), file.end());
  if (at != base.end() || !fs::is_regular_file(file, error)) {
    return Fail(OCTET_INVALID_MODEL, "has external data in \"%s\", which is not beside the model",
                shown.c_str());
  }
  const uint64_t size = fs::file_size(file, error);
  if (error || offset > size || wanted > size - offset) {
    return Fail(OCTET_INVALID_MODEL, "has external data beyond the end of the file \"%s\"",
                shown.c_str());
  }
  bytes->resize(wanted);
  std::FILE* f = std::fopen(file.c_str(), "rb");
  const bool ok = f && fseeko(f, static_cast<off_t>(offset), SEEK_SET) == 0 &&
                  std::fread(bytes->data(), 1, wanted, f) == wanted;
  if (f) std::fclose(f);
  if (!ok)
    return Fail(OCTET_IO_ERROR, "has its data in \"%s\", which cannot be read", shown.c_str());
  return OCTET_OK;
}

Array Make(DType type, Dims dims, std::vector<uint8_t> bytes) {
  return {type, std::move(dims), std::make_shared<const std::vector<uint8_t>>(std::move(bytes))};
}

}  // namespace

int64_t Elements(const Dims& dims) {
  int64_t n = 1;
  for (const int32_t d : dims) {
    if (d < 0 || (d > 0 && n >= (int64_t{1} << 40) / d)) return -1;
    n *= d;
  }
  return n;
}

std::string Text(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

double Array::Number(size_t i) const {
  return type == DType::FLOAT32 ? static_cast<double>(Float(i)) : static_cast<double>(Int(i));
}

float Array::Float(size_t i) const {
  if (type == DType::FLOAT32) return Load<float>(bytes->data() + 4 * i);
  return static_cast<float>(Int(i));
}

int64_t Array::Int(size_t i) const {
  const uint8_t* at = bytes->data();
  switch (type) {
    case DType::INT8:
      return static_cast<int8_t>(at[i]);
    case DType::UINT8:
    case DType::BOOL:
      return at[i];
    case DType::INT16:
      return Load<int16_t>(at + 2 * i);
    case DType::INT32:
      return Load<int32_t>(at + 4 * i);
    case DType::INT64:
      return Load<int64_t>(at + 8 * i);
    default: {
      const float f = Load<float>(at + 4 * i);
      if (!(f > -9.2e18f)) return f != f ? 0 : INT64_MIN;
      return f < 9.2e18f ? static_cast<int64_t>(f) : INT64_MAX;
    }
  }
}

Array Array::Transposed(const std::vector<int32_t>& perm) const {
  const size_t rank = dims.size(), element = TypeBytes(type), n = size();
  Dims to(rank);
  std::vector<size_t> strides(rank, 1), step(rank);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * static_cast<size_t>(dims[i]);
  for (size_t i = 0; i < rank; ++i) {
    to[i] = dims[static_cast<size_t>(perm[i])];
    step[i] = strides[static_cast<size_t>(perm[i])];
  }
  std::vector<uint8_t> out(n * element);
  std::vector<int32_t> index(rank, 0);
  size_t from = 0;
  for (size_t k = 0; k < n; ++k) {
    std::memcpy(out.data() + k * element, bytes->data() + from * element, element);
    for (size_t i = rank; i-- > 0;) {
      from += step[i];
      if (++index[i] < to[i]) break;
      from -= step[i] * static_cast<size_t>(to[i]);
      index[i] = 0;
    }
  }
  return Make(type, std::move(to), std::move(out));
}

Array FloatArray(Dims dims, const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return Make(DType::FLOAT32, std::move(dims), std::move(bytes));
}

Array IntArray(Dims dims, const std::vector<int64_t>& values, DType type) {
  const size_t element = TypeBytes(type);
  std::vector<uint8_t> bytes(values.size() * element);
  // Two's complement, little-endian: the low bytes.
  for (size_t i = 0; i < values.size(); ++i) {
    std::memcpy(bytes.data() + i * element, &values[i], element);
  }
  return Make(type, std::move(dims), std::move(bytes));
}

Array NumberArray(DType type, Dims dims, const std::vector<double>& values) {
  if (type == DType::FLOAT32) {
    return FloatArray(std::move(dims), std::vector<float>(values.begin(), values.end()));
  }
  std::vector<int64_t> integers;
  for (const double v : values) {
    integers.push_back(v != v ? 0 : static_cast<int64_t>(std::clamp(v, -9.2e18, 9.2e18)));
  }
  return IntArray(std::move(dims), integers, type);
}

Status Budget::Take(uint64_t bytes) {
  if (bytes > left) {
    return Fail(OCTET_INVALID_MODEL,
                "the model's constants unfold to much more than the file's size");
  }
  left -= bytes;
  return OCTET_OK;
}

DType StoredType(int32_t onnx_type) {
  switch (onnx_type) {
    case kFloat:
    case kFloat16:
    case kBfloat16:
    case kDouble:
      return DType::FLOAT32;
    case kUint8:
      return DType::UINT8;
    case kInt8:
      return DType::INT8;
    case kInt16:
      return DType::INT16;
    case kUint16:
    case kInt32:
      return DType::INT32;
    case kInt64:
    case kUint32:
    case kUint64:
      return DType::INT64;
    case kBool:
      return DType::BOOL;
    default:
      return DType::NONE;
  }
}

std::string OnnxTypeName(int32_t onnx_type) {
  static const char* const kNames[] = {
      "undefined",      "float32",    "uint8",          "int8",       "uint16",   "int16",
      "int32",          "int64",      "string",         "bool",       "float16",  "float64",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",     "float4e2m1"};
  if (onnx_type >= 0 && static_cast<size_t>(onnx_type) < std::size(kNames)) {
    return kNames[onnx_type];
  }
  return "type " + std::to_string(onnx_type);
}

Status ReadTensor(const onnx_pb::TensorProto& source, const std::string& directory, Budget* budget,
                  Array* array) {
  const int32_t type = source.data_type();
  array->type = StoredType(type);
  if (array->type == DType::NONE) {
    return Fail(OCTET_UNSUPPORTED, "has type %s", OnnxTypeName(type).c_str());
  }
  if (source.dims_size() > kMaxRank) {
    return Fail(OCTET_UNSUPPORTED, "has %d dimensions, more than %d", source.dims_size(), kMaxRank);
  }
  array->dims.clear();
  for (const int64_t d : source.dims()) {
    if (d < 0 || d > INT32_MAX) {
      return Fail(OCTET_INVALID_MODEL, "has a dimension of %lld", static_cast<long long>(d));
    }
    array->dims.push_back(static_cast<int32_t>(d));
  }
  const int64_t count = Elements(array->dims);
  if (count < 0) return Fail(OCTET_INVALID_MODEL, "is too large");
  const size_t n = static_cast<size_t>(count);
  const uint64_t raw_bytes = uint64_t{n} * SourceBytes(type);
  const uint64_t stored_bytes = uint64_t{n} * TypeBytes(array->type);
  if (stored_bytes > SIZE_MAX) return Fail(OCTET_UNSUPPORTED, "is too large for this machine");

  const auto wrong_size = [&](uint64_t has) {
    return Fail(OCTET_INVALID_MODEL,
                "has %llu values or bytes of data where its shape %s asks for %llu",
                static_cast<unsigned long long>(has), Text(array->dims).c_str(),
                static_cast<unsigned long long>(source.has_raw_data() ? raw_bytes : n));
  };
  std::vector<uint8_t> bytes;
  if (source.data_location() == 1 || source.has_raw_data()) {
    std::vector<uint8_t> external;
    const uint8_t* raw;
    if (source.data_location() == 1) {
      // The size of other files is no measure of what a model may take; that they exist is.
      OCTET_RETURN_IF_ERROR(ReadExternal(source, directory, raw_bytes, &external));
      raw = external.data();
      budget->left += 8 * raw_bytes;
    } else {
      if (source.raw_data().size() != raw_bytes) return wrong_size(source.raw_data().size());
      raw = reinterpret_cast<const uint8_t*>(source.raw_data().data());
    }
    OCTET_RETURN_IF_ERROR(budget->Take(stored_bytes));
    if (SourceBytes(type) == TypeBytes(array->type) && type != kUint64) {
      bytes.assign(raw, raw + raw_bytes);
    } else {
      bytes.resize(stored_bytes);
      for (size_t i = 0; i < n; ++i) Convert(type, raw, i, &bytes);
    }
  } else {
    OCTET_RETURN_IF_ERROR(budget->Take(stored_bytes));
    switch (type) {
      case kFloat:
        if (static_cast<size_t>(source.float_data_size()) != n) {
          return wrong_size(static_cast<uint64_t>(source.float_data_size()));
        }
        bytes.resize(stored_bytes);
        if (n) std::memcpy(bytes.data(), source.float_data().data(), stored_bytes);
        break;
      case kDouble:
        if (static_cast<size_t>(source.double_data_size()) != n) {
          return wrong_size(static_cast<uint64_t>(source.double_data_size()));
        }
        bytes.resize(stored_bytes);
        for (size_t i = 0; i < n; ++i) {
          Store(&bytes, i, static_cast<float>(source.double_data(static_cast<int>(i))));
        }
        break;
      case kInt64:
        if (static_cast<size_t>(source.int64_data_size()) != n) {
          return wrong_size(static_cast<uint64_t>(source.int64_data_size()));
        }
        bytes.resize(stored_bytes);
        if (n) std::memcpy(bytes.data(), source.int64_data().data(), stored_bytes);
        break;
      case kUint32:
      case kUint64:
        if (static_cast<size_t>(source.uint64_data_size()) != n) {
          return wrong_size(static_cast<uint64_t>(source.uint64_data_size()));
        }
        bytes.resize(stored_bytes);
        for (size_t i = 0; i < n; ++i) {
          Store(&bytes, i,
                static_cast<int64_t>(
                    std::min<uint64_t>(source.uint64_data(static_cast<int>(i)), INT64_MAX)));
        }
        break;
      default: {
        if (static_cast<size_t>(source.int32_data_size()) != n) {
          return wrong_size(static_cast<uint64_t>(source.int32_data_size()));
        }
        bytes.resize(stored_bytes);
        for (size_t i = 0; i < n; ++i) {
          const int32_t v = source.int32_data(static_cast<int>(i));
          if (type == kFloat16) {
            Store(&bytes, i, FromHalf(static_cast<uint16_t>(v)));
          } else if (type == kBfloat16) {
            Store(&bytes, i, FromBfloat(static_cast<uint16_t>(v)));
          } else {
            std::memcpy(bytes.data() + i * TypeBytes(array->type), &v, TypeBytes(array->type));
          }
        }
      }
    }
  }
  if (array->type == DType::BOOL) {
    for (uint8_t& b : bytes) b = b != 0;
  }
  array->bytes = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return OCTET_OK;
}

std::string ShortText(const std::string& text) {
  constexpr size_t kLongest = 250;
  std::string s = text.substr(0, kLongest);
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return s;
}

}  // namespace octet::onnx
