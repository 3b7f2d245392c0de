// Any bytes as an ONNX model.
#include "src/import/onnx/importer.h"
#include "tests/fuzz/convert_any.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!octet::LooksLikeOnnx(data, size)) return 0;
  octet::compiler::ConvertOptions options;
  options.optimize = size % 4 != 0;
  options.import.channels_last_inputs = size % 3 == 0;
  octet::fuzz::ConvertAny(data, size, options);
  return 0;
}
