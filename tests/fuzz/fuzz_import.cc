// Any bytes as a model to convert.
#include "tests/fuzz/convert_any.h"
#include "tests/fuzz/mutate.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return octet::fuzz::MutateFields(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  octet::compiler::ConvertOptions options;
  options.optimize = size % 4 != 0;
  if (size % 5 == 0) options.compress = octet::compiler::Compress::kOn;
  octet::fuzz::ConvertAny(data, size, options);
  return 0;
}
