// Any bytes as a model to convert: refused with a sentence, or made into a file that loads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "octet/compiler.h"
#include "tests/fuzz/mutate.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return octet::fuzz::MutateFields(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  octet::compiler::ConvertOptions options;
  options.ram_limit = uint64_t{64} << 20;
  options.optimize = size % 4 != 0;
  std::vector<uint8_t> file;
  const octet_status status = octet::compiler::Convert(data, size, options, &file, nullptr);
  if (status != OCTET_OK) {
    if (octet_last_error()[0] == '\0') std::abort();
    return 0;
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, file.size()) != 0) return 0;
  std::memcpy(memory, file.data(), file.size());
  octet_model* model = nullptr;
  const octet_status loaded = octet_model_load_buffer(memory, file.size(), nullptr, &model);
  if (loaded != OCTET_OK && loaded != OCTET_OUT_OF_MEMORY) {
    std::fprintf(stderr, "converted, but: %s\n", octet_last_error());
    std::abort();
  }
  octet_model_destroy(model);
  std::free(memory);
  return 0;
}
