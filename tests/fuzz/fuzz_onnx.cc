// Any bytes as an ONNX model: refused with a sentence, or made into a file that loads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "octet/compiler.h"
#include "src/import/onnx/importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!octet::LooksLikeOnnx(data, size)) return 0;
  octet::compiler::ConvertOptions options;
  options.ram_limit = uint64_t{64} << 20;
  options.optimize = size % 4 != 0;
  options.import.channels_last_inputs = size % 3 == 0;
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
