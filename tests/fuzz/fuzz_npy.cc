// Any bytes as an .npy and as an .npz file: refused with a sentence, or arrays all of which can be
// read. Linux: the file lies in memory.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "src/cli/command.h"
#include "src/cli/npy.h"

namespace {

using octet::cli::CommandError;
using octet::cli::NpyArray;

void ReadAll(const NpyArray& array) {
  const size_t count = static_cast<size_t>(array.header().elements());
  constexpr size_t kSome = 1000;
  for (size_t first = 0; first < count; first += kSome) {
    const size_t n = count - first < kSome ? count - first : kSome;
    if (array.Read(first, n).size() != n) std::abort();
  }
}

template <class F>
void RefusedOr(F read) {
  try {
    read();
  } catch (const CommandError& e) {
    if (e.what()[0] == '\0') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int file = memfd_create("input", MFD_CLOEXEC);
  if (file < 0 || write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  RefusedOr([&] { ReadAll(*NpyArray::Open(path)); });
  RefusedOr([&] {
    for (const auto& array : NpyArray::OpenZip(path)) ReadAll(*array);
  });
  close(file);
  return 0;
}
