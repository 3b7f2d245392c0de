#include "src/cli/tensor_io.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/npy.h"
#include "src/compiler/files.h"

namespace octet::cli {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

std::string Extension(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

// NumPy's names of the types, little endian; bytes have no order.
const char* NpyType(int type) {
  switch (type) {
    case OCTET_INT8:
      return "|i1";
    case OCTET_UINT8:
      return "|u1";
    case OCTET_INT16:
      return "<i2";
    case OCTET_INT32:
      return "<i4";
    case OCTET_INT64:
      return "<i8";
    case OCTET_FLOAT32:
      return "<f4";
    case OCTET_BOOL:
      return "|b1";
    default:
      return "?";
  }
}

ByteVector ParseNpy(const std::string& path, const ByteVector& file, const TensorInfo& info) {
  const NpyHeader header = ParseNpyHeader(path, file.data(), file.size());
  if (header.type != NpyType(info.type)) {
    Die(kExitUsage, "%s: elements are '%s', but the input \"%s\" is %s ('%s')", path.c_str(),
        header.type.c_str(), info.name, TypeName(info.type), NpyType(info.type));
  }
  // A missing or extra batch of 1 is the same tensor; anything else is a mistake worth naming.
  const auto strip = [](std::vector<int64_t> dims) {
    while (!dims.empty() && dims.front() == 1) dims.erase(dims.begin());
    return dims;
  };
  const std::vector<int64_t> wanted(info.shape, info.shape + info.rank);
  if (strip(header.shape) != strip(wanted)) {
    Die(kExitUsage, "%s: the shape is %s, but the input \"%s\" is %s", path.c_str(),
        header.shape_text.c_str(), info.name,
        ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str());
  }
  if (header.fortran_order && header.shape.size() > 1) {
    Die(kExitUsage, "%s: Fortran order; save numpy.ascontiguousarray(...)", path.c_str());
  }
  const size_t start = header.data_offset;
  if (file.size() - start != info.bytes) {
    Die(kExitUsage, "%s: %zu bytes of data, %zu expected", path.c_str(), file.size() - start,
        info.bytes);
  }
  return ByteVector(file.begin() + static_cast<std::ptrdiff_t>(start), file.end());
}

template <class T>
double Load(const ByteVector& data, size_t index) {
  T value;
  std::memcpy(&value, data.data() + index * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

}  // namespace

ByteVector ReadFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    Die(kExitIo, "%s: is a folder", path.c_str());
  }
  File file(std::fopen(path.c_str(), "rb"));
  if (!file) Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  ByteVector data;
  uint8_t block[65536];
  size_t n;
  while ((n = std::fread(block, 1, sizeof block, file.get())) > 0) {
    data.insert(data.end(), block, block + n);
  }
  if (std::ferror(file.get())) Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  return data;
}

void WriteFile(const std::string& path, const void* data, size_t size) {
  std::error_code unknown;
  const auto what = std::filesystem::status(path, unknown).type();
  if (what == std::filesystem::file_type::not_found ||
      what == std::filesystem::file_type::regular) {
    Check(Result<void>::From(WriteFileAtomically(path, data, size)));
    return;
  }
  // A device or a pipe, such as /dev/stdout.
  File file(std::fopen(path.c_str(), "wb"));
  if (!file) Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  const bool written = size == 0 || std::fwrite(data, 1, size, file.get()) == size;
  if (!written || std::fflush(file.get()) != 0) {
    Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  }
}

void MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) Die(kExitIo, "%s: %s", path.c_str(), error.message().c_str());
}

ByteVector ReadTensor(const std::string& path, const TensorInfo& info,
                      const ImageOptions& image_options) {
  const std::string extension = Extension(path);
  if (IsImageExtension(extension)) return ReadImage(path, info, image_options);
  ByteVector file = ReadFile(path);
  if (extension == ".npy") return ParseNpy(path, file, info);
  if (file.size() != info.bytes) {
    Die(kExitUsage, "%s: %zu bytes, but the input \"%s\", %s %s, takes %zu", path.c_str(),
        file.size(), info.name, TypeName(info.type),
        ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str(), info.bytes);
  }
  return file;
}

void WriteNpy(const std::string& path, const TensorInfo& info, const ByteVector& data) {
  std::string header =
      Format("{'descr': '%s', 'fortran_order': False, 'shape': (", NpyType(info.type));
  for (int32_t i = 0; i < info.rank; ++i) header += std::to_string(info.shape[i]) + ", ";
  header += "), }";
  // Data starts at a multiple of 64, the header ends with a line feed.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  ByteVector file = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  file.push_back(static_cast<uint8_t>(header.size() & 0xff));
  file.push_back(static_cast<uint8_t>(header.size() >> 8));
  file.insert(file.end(), header.begin(), header.end());
  file.insert(file.end(), data.begin(), data.end());
  WriteFile(path, file.data(), file.size());
}

std::vector<ByteVector> ReadInputs(const std::vector<std::string>& paths, const Model& model,
                                   const ImageOptions& image_options) {
  if (paths.size() != model.input_count()) {
    std::string text =
        Format("%zu input files given, but the model has %zu:", paths.size(), model.input_count());
    for (size_t i = 0; i < model.input_count(); ++i) {
      text += "\n  " + Describe("input", i, Unwrap(model.InputInfo(i)));
    }
    throw CommandError(kExitUsage, text);
  }
  std::vector<ByteVector> inputs;
  for (size_t i = 0; i < paths.size(); ++i) {
    inputs.push_back(ReadTensor(paths[i], Unwrap(model.InputInfo(i)), image_options));
  }
  return inputs;
}

ByteVector RandomTensor(const TensorInfo& info, uint64_t seed) {
  // SplitMix64 (Steele, Lea, Flood 2014).
  uint64_t state = seed;
  const auto next = [&state] {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  ByteVector data(info.bytes);
  const size_t element = TypeSize(info.type);
  const bool small = info.type == OCTET_BOOL ||
                     (!info.quantized() && (info.type == OCTET_INT32 || info.type == OCTET_INT64));
  for (size_t i = 0; i + element <= data.size(); i += element) {
    const uint64_t bits = next();
    if (info.type == OCTET_FLOAT32) {
      const float value = static_cast<float>(bits >> 40) / 8388608.0f - 1.0f;
      std::memcpy(&data[i], &value, sizeof value);
    } else if (small) {
      data[i] = static_cast<uint8_t>(bits >> 63);  // little endian; the rest stays 0
    } else {
      for (size_t k = 0; k < element; ++k) data[i + k] = static_cast<uint8_t>(bits >> (8 * k));
    }
  }
  return data;
}

void SetInputs(const Model& model, Session* session, const std::vector<ByteVector>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (Unwrap(model.InputInfo(i)).by_rows) continue;
    Check(session->SetInput(i, inputs[i]));
  }
  // Row-fed inputs are read out of `inputs` while the model runs.
  Check(session->SetRowSource(
      [](void* context, size_t input, int32_t row, void* data, size_t bytes) {
        const auto& all = *static_cast<const std::vector<ByteVector>*>(context);
        std::memcpy(data, all[input].data() + static_cast<size_t>(row) * bytes, bytes);
        return OCTET_OK;
      },
      const_cast<std::vector<ByteVector>*>(&inputs)));
}

std::vector<ByteVector> RunOnce(const Model& model, Session* session,
                                const std::vector<ByteVector>& inputs) {
  SetInputs(model, session, inputs);
  Check(session->Run());
  std::vector<ByteVector> outputs(model.output_count());
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].resize(Unwrap(model.OutputInfo(i)).bytes);
    Check(session->GetOutput(i, outputs[i].data(), outputs[i].size()));
  }
  return outputs;
}

std::string Describe(const char* role, size_t index, const TensorInfo& info) {
  std::string text = Format("%s %zu \"%s\": %s %s", role, index, info.name, TypeName(info.type),
                            ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str());
  if (info.quantized()) {
    text += Format(", scale %.9g, zero point %d", static_cast<double>(info.scale),
                   static_cast<int>(info.zero_point));
  }
  return text;
}

double RawValue(const TensorInfo& info, const ByteVector& data, size_t index) {
  switch (info.type) {
    case OCTET_INT8:
      return Load<int8_t>(data, index);
    case OCTET_UINT8:
    case OCTET_BOOL:
      return Load<uint8_t>(data, index);
    case OCTET_INT16:
      return Load<int16_t>(data, index);
    case OCTET_INT32:
      return Load<int32_t>(data, index);
    case OCTET_INT64:
      return Load<int64_t>(data, index);
    case OCTET_FLOAT32:
      return Load<float>(data, index);
  }
  return 0;
}

double RealValue(const TensorInfo& info, const ByteVector& data, size_t index) {
  const double value = RawValue(info, data, index);
  return info.quantized() ? static_cast<double>(info.scale) * (value - info.zero_point) : value;
}

}  // namespace octet::cli
