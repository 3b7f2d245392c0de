// What the fuzzers of the importers share: any bytes are refused with a sentence, or made into a
// file that loads.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "octet/compiler.h"

namespace octet::fuzz {

// Adds what must be set for any input to be safe: a bound of the RAM.
inline void ConvertAny(const uint8_t* data, size_t size, compiler::ConvertOptions options) {
  options.ram_limit = uint64_t{64} << 20;
  std::vector<uint8_t> file;
  const octet_status status = compiler::Convert(data, size, options, &file, nullptr);
  if (status != OCTET_OK) {
    if (octet_last_error()[0] == '\0') std::abort();
    return;
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, file.size()) != 0) return;
  std::memcpy(memory, file.data(), file.size());
  octet_model* model = nullptr;
  const octet_status loaded = octet_model_load_buffer(memory, file.size(), nullptr, &model);
  if (loaded != OCTET_OK && loaded != OCTET_OUT_OF_MEMORY) {
    std::fprintf(stderr, "converted, but: %s\n", octet_last_error());
    std::abort();
  }
  octet_model_destroy(model);
  std::free(memory);
}

}  // namespace octet::fuzz
