#include "src/compiler/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace octet {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

}  // namespace

Status ReadFile(const std::string& path, std::vector<uint8_t>* bytes) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) return Fail(OCTET_IO_ERROR, "cannot open %s: %s", path.c_str(), std::strerror(errno));
  bytes->clear();
  size_t used = 0;
  for (size_t chunk = size_t{1} << 16;; chunk = used) {
    bytes->resize(used + chunk);
    const size_t n = std::fread(bytes->data() + used, 1, chunk, file.get());
    used += n;
    if (n < chunk) break;
  }
  if (std::ferror(file.get())) {
    return Fail(OCTET_IO_ERROR, "cannot read %s: %s", path.c_str(), std::strerror(errno));
  }
  bytes->resize(used);
  return OCTET_OK;
}

Status WriteFileAtomically(const std::string& path, const std::vector<uint8_t>& bytes) {
  // A device or a pipe would be replaced by a file.
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    return Fail(OCTET_IO_ERROR, "cannot write %s: it exists and is no regular file", path.c_str());
  }
  // A name of our own beside the target: on the same file system, and nobody else's.
  std::string part;
  File file;
  for (int i = 0; i < 100 && !file; ++i) {
    part = path + ".part" + std::to_string(i);
    file.reset(std::fopen(part.c_str(), "wbx"));
    if (!file && errno != EEXIST) break;
  }
  if (!file) {
    return Fail(OCTET_IO_ERROR, "cannot create %s: %s", part.c_str(), std::strerror(errno));
  }
  bool good = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size() &&
              std::fflush(file.get()) == 0;
#if defined(__unix__) || defined(__APPLE__)
  good = good && fsync(fileno(file.get())) == 0;
#endif
  good = std::fclose(file.release()) == 0 && good;
  good = good && std::rename(part.c_str(), path.c_str()) == 0;
  if (good) return OCTET_OK;
  const int error = errno;
  std::remove(part.c_str());
  return Fail(OCTET_IO_ERROR, "cannot write %s: %s", path.c_str(), std::strerror(error));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace octet
