#include "src/cli/npy.h"

#include <stb_image.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "src/cli/tensor_io.h"
#include "src/import/half.h"

namespace octet::cli {
namespace {

// What follows a key of the header's dictionary, up to the end of its value.
std::string Field(const std::string& header, const char* key) {
  size_t at = header.find(std::string("'") + key + "'");
  if (at == std::string::npos) return {};
  at = header.find(':', at);
  if (at == std::string::npos) return {};
  at = header.find_first_not_of(' ', at + 1);
  if (at == std::string::npos) return {};
  const char close = header[at] == '(' ? ')' : header[at] == '\'' ? '\'' : ',';
  const size_t end = header.find(close, at + 1);
  if (end == std::string::npos) return {};
  return header.substr(at, end - at + (close == ',' ? 0 : 1));
}

uint32_t Little(const uint8_t* p, size_t n) {
  uint32_t v = 0;
  for (size_t i = 0; i < n; ++i) v |= static_cast<uint32_t>(p[i]) << (8 * i);
  return v;
}

template <class T>
void Widen(const std::vector<uint8_t>& bytes, std::vector<double>* values) {
  for (size_t i = 0; i < values->size(); ++i) {
    T v;
    std::memcpy(&v, &bytes[i * sizeof v], sizeof v);
    (*values)[i] = static_cast<double>(v);
  }
}

}  // namespace

int64_t NpyHeader::elements() const {
  int64_t n = 1;
  for (const int64_t dim : shape) {
    if (dim != 0 && n > (int64_t{1} << 50) / dim) return int64_t{1} << 50;
    n *= dim;
  }
  return n;
}

NpyHeader ParseNpyHeader(const std::string& path, const uint8_t* bytes, size_t size) {
  if (size < 10 || std::memcmp(bytes, "\x93NUMPY", 6) != 0) {
    Die(kExitUsage, "%s: not an .npy file", path.c_str());
  }
  const bool wide = bytes[6] >= 2;  // version 2 and later: a 4-byte header length
  const size_t start = wide ? 12 : 10;
  if (start > size) Die(kExitUsage, "%s: the .npy header is cut off", path.c_str());
  const size_t length = Little(bytes + 8, wide ? 4 : 2);
  if (length > size - start) Die(kExitUsage, "%s: the .npy header is cut off", path.c_str());
  const std::string text(reinterpret_cast<const char*>(bytes) + start, length);
  NpyHeader header;
  header.type = Field(text, "descr");
  if (header.type.size() >= 2) header.type = header.type.substr(1, header.type.size() - 2);
  if (header.type.size() == 3 && header.type[2] == '1') header.type[0] = '|';
  header.shape_text = Field(text, "shape");
  const std::string& s = header.shape_text;
  for (size_t i = 0; i < s.size();) {
    if (!std::isdigit(static_cast<unsigned char>(s[i]))) {
      ++i;
      continue;
    }
    int64_t dim = 0;
    for (; i < s.size() && std::isdigit(static_cast<unsigned char>(s[i])); ++i) {
      dim = std::min<int64_t>(dim * 10 + (s[i] - '0'), INT32_MAX);
    }
    header.shape.push_back(dim);
  }
  header.fortran_order = Field(text, "fortran_order") != "False";
  header.data_offset = start + length;
  return header;
}

struct NpyArray::File {
  std::FILE* handle = nullptr;
  ~File() {
    if (handle) std::fclose(handle);
  }
};

NpyArray::NpyArray() = default;
NpyArray::~NpyArray() = default;

void NpyArray::Check() const {
  static const char* const kKnown[] = {"|i1", "|u1", "|b1", "<i2", "<u2", "<i4",
                                       "<u4", "<i8", "<f2", "<f4", "<f8"};
  const auto known = [&](const char* type) { return header_.type == type; };
  if (std::none_of(std::begin(kKnown), std::end(kKnown), known)) {
    Die(kExitUsage,
        "%s: elements are '%s'; whole numbers and floats of 16, 32 and 64 bits can be read",
        path_.c_str(), header_.type.c_str());
  }
  if (header_.fortran_order && header_.shape.size() > 1) {
    Die(kExitUsage, "%s: Fortran order; save numpy.ascontiguousarray(...)", path_.c_str());
  }
  const uint64_t wanted = static_cast<uint64_t>(header_.elements()) * header_.element_bytes();
  if (size_ < header_.data_offset || size_ - header_.data_offset != wanted) {
    Die(kExitUsage, "%s: %zu bytes of data, %llu expected by the shape %s", path_.c_str(),
        size_ - std::min(size_, header_.data_offset), static_cast<unsigned long long>(wanted),
        header_.shape_text.c_str());
  }
}

std::unique_ptr<NpyArray> NpyArray::Open(const std::string& path) {
  std::unique_ptr<NpyArray> array(new NpyArray);
  array->path_ = path;
  array->file_ = std::make_unique<File>();
  std::FILE*& handle = array->file_->handle;
  handle = std::fopen(path.c_str(), "rb");
  if (!handle) Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  std::vector<uint8_t> begin(65536);
  begin.resize(std::fread(begin.data(), 1, begin.size(), handle));
  if (std::ferror(handle) || std::fseek(handle, 0, SEEK_END) != 0) {
    Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  }
  const long size = std::ftell(handle);
  if (size < 0) Die(kExitIo, "%s: %s", path.c_str(), std::strerror(errno));
  array->size_ = static_cast<size_t>(size);
  array->header_ = ParseNpyHeader(path, begin.data(), begin.size());
  array->Check();
  return array;
}

// Source: PKWARE's APPNOTE.TXT, what NumPy writes of it: members stored or deflated, sizes below
// 4 GB, found by the central directory at the file's end.
std::vector<std::unique_ptr<NpyArray>> NpyArray::OpenZip(const std::string& path) {
  const ByteVector zip = ReadFile(path);
  const auto bad = [&](const char* what) {
    Die(kExitUsage, "%s: not an .npz file that can be read (%s)", path.c_str(), what);
  };
  if (zip.size() < 22) bad("too short");
  size_t end = zip.size() - 22;
  const size_t stop = end > 65536 ? end - 65536 : 0;
  while (std::memcmp(&zip[end], "PK\5\6", 4) != 0) {
    if (end == stop) bad("no directory");
    --end;
  }
  const size_t count = Little(&zip[end + 10], 2);
  size_t at = Little(&zip[end + 16], 4);
  size_t left = zip.size();  // for data: members do not overlap
  std::vector<std::unique_ptr<NpyArray>> arrays;
  for (size_t i = 0; i < count; ++i) {
    if (at > end || end - at < 46 || std::memcmp(&zip[at], "PK\1\2", 4) != 0) bad("its directory");
    const uint32_t method = Little(&zip[at + 10], 2);
    const size_t packed = Little(&zip[at + 20], 4), unpacked = Little(&zip[at + 24], 4);
    const size_t name_length = Little(&zip[at + 28], 2);
    const size_t extra = Little(&zip[at + 30], 2), comment = Little(&zip[at + 32], 2);
    const size_t local = Little(&zip[at + 42], 4);
    if (name_length > end - at - 46) bad("its directory");
    std::string name(reinterpret_cast<const char*>(&zip[at + 46]), name_length);
    at += 46 + name_length + extra + comment;
    if (packed == 0xffffffffu || unpacked == 0xffffffffu || local == 0xffffffffu) bad("4 GB");
    if (local > end || end - local < 30) bad("a member");
    const size_t data = local + 30 + Little(&zip[local + 26], 2) + Little(&zip[local + 28], 2);
    if (data > zip.size() || packed > zip.size() - data) bad("a member");
    if (packed > left) bad("members that overlap");
    left -= packed;
    std::unique_ptr<NpyArray> array(new NpyArray);
    if (name.size() > 4 && name.compare(name.size() - 4, 4, ".npy") == 0) {
      name.resize(name.size() - 4);
    }
    array->name_ = name;
    array->path_ = path + ":" + name;
    const auto from = zip.begin() + static_cast<ptrdiff_t>(data);
    const auto to = from + static_cast<ptrdiff_t>(packed);
    if (method == 0 && packed == unpacked) {
      array->memory_.assign(from, to);
    } else if (method == 8 && packed < size_t{INT32_MAX} - 8 && unpacked <= size_t{INT32_MAX}) {
      // Deflate makes at most 1032 bytes of one, so that a small file cannot ask for much memory.
      if (unpacked == 0 || unpacked / 1032 > packed) bad("a damaged member");
      // The decoder looks ahead, as if a checksum followed.
      std::vector<char> stream(from, to);
      stream.resize(packed + 8);
      array->memory_.resize(unpacked);
      const int length = stbi_zlib_decode_noheader_buffer(
          reinterpret_cast<char*>(array->memory_.data()), static_cast<int>(unpacked), stream.data(),
          static_cast<int>(stream.size()));
      if (length < 0 || static_cast<size_t>(length) != unpacked) bad("a damaged member");
    } else {
      bad("its compression");
    }
    array->size_ = array->memory_.size();
    array->header_ = ParseNpyHeader(array->path_, array->memory_.data(), array->size_);
    array->Check();
    arrays.push_back(std::move(array));
  }
  return arrays;
}

std::vector<double> NpyArray::Read(size_t first, size_t count) const {
  const size_t each = header_.element_bytes();
  std::vector<uint8_t> bytes(count * each);
  const size_t at = header_.data_offset + first * each;
  if (at > size_ || bytes.size() > size_ - at) Die(kExitUsage, "%s: cut off", path_.c_str());
  if (file_) {
    std::FILE* handle = file_->handle;
    if (std::fseek(handle, static_cast<long>(at), SEEK_SET) != 0 ||
        std::fread(bytes.data(), 1, bytes.size(), handle) != bytes.size()) {
      Die(kExitIo, "%s: cannot be read", path_.c_str());
    }
  } else if (!bytes.empty()) {
    std::memcpy(bytes.data(), &memory_[at], bytes.size());
  }
  std::vector<double> values(count);
  const std::string& type = header_.type;
  if (type == "|i1") Widen<int8_t>(bytes, &values);
  if (type == "|u1" || type == "|b1") Widen<uint8_t>(bytes, &values);
  if (type == "<i2") Widen<int16_t>(bytes, &values);
  if (type == "<u2") Widen<uint16_t>(bytes, &values);
  if (type == "<i4") Widen<int32_t>(bytes, &values);
  if (type == "<u4") Widen<uint32_t>(bytes, &values);
  if (type == "<i8") Widen<int64_t>(bytes, &values);
  if (type == "<f2") {
    for (size_t i = 0; i < count; ++i) {
      const float value = FromHalf(static_cast<uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8));
      values[i] = static_cast<double>(value);
    }
  }
  if (type == "<f4") Widen<float>(bytes, &values);
  if (type == "<f8") Widen<double>(bytes, &values);
  return values;
}

}  // namespace octet::cli
