#include "src/compiler/files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#endif

namespace octet {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

// A file in the folder of `path` that has no name yet: nothing of it stays if the process is
// killed. Null where the system or the file system has no such thing.
File OpenNameless(const std::string& path) {
#if defined(__linux__) && defined(O_TMPFILE)
  if (access("/proc/self/fd", X_OK) != 0) return nullptr;
  const int fd = open(FolderOf(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0) return nullptr;
  File file(fdopen(fd, "wb"));
  if (!file) close(fd);
  return file;
#else
  static_cast<void>(path);
  return nullptr;
#endif
}

// Gives it a name; false, and errno EEXIST, if something else has that.
bool Link(std::FILE* file, const char* name) {
#if defined(__linux__)
  const std::string self = "/proc/self/fd/" + std::to_string(fileno(file));
  return linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
#else
  static_cast<void>(file);
  static_cast<void>(name);
  return false;
#endif
}

bool Sync(std::FILE* file) {
#if defined(__unix__) || defined(__APPLE__)
  // What cannot be synchronised, on some file systems, is as good as it gets.
  return fsync(fileno(file)) == 0 || errno == EINVAL;
#else
  static_cast<void>(file);
  return true;
#endif
}

// A name beside the target, on the same file system and nobody else's: the first that `create`
// takes; empty where it takes none.
template <class Create>
std::string NameBeside(const std::string& path, Create create) {
  for (int i = 0; i < 100; ++i) {
    const std::string name = path + ".part" + std::to_string(i);
    if (create(name.c_str())) return name;
    if (errno != EEXIST) break;
  }
  return {};
}

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

Status WriteFileAtomically(const std::string& path, const void* data, size_t size) {
  namespace fs = std::filesystem;
  std::error_code unknown;
  // A device or a pipe would be replaced by a file.
  if (fs::exists(path, unknown) && !fs::is_regular_file(path, unknown)) {
    return Fail(OCTET_IO_ERROR, "cannot write %s: it exists and is no regular file", path.c_str());
  }
  std::string target = path;
  if (fs::is_symlink(path, unknown)) {
    const fs::path end = fs::canonical(path, unknown);
    if (!unknown) target = end.string();
  }
  std::string part;
  File file = OpenNameless(target);
  const bool nameless = file != nullptr;
  if (!nameless) {
    part = NameBeside(target, [&](const char* name) {
      file.reset(std::fopen(name, "wbx"));
      return file != nullptr;
    });
  }
  bool good = file && std::fwrite(data, 1, size, file.get()) == size &&
              std::fflush(file.get()) == 0 && Sync(file.get());
  if (good && nameless) {
    part = NameBeside(target, [&](const char* name) { return Link(file.get(), name); });
    good = !part.empty();
  }
  int error = errno;
  if (file && std::fclose(file.release()) != 0 && good) good = false, error = errno;
  if (good && std::rename(part.c_str(), target.c_str()) != 0) good = false, error = errno;
  if (good) return OCTET_OK;
  if (!part.empty()) std::remove(part.c_str());
  return Fail(OCTET_IO_ERROR, "cannot write %s: %s", path.c_str(), std::strerror(error));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace octet
