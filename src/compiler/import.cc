#include "src/compiler/import.h"

#include <cstring>

#include "src/compiler/sha256.h"
#include "src/import/onnx/importer.h"
#include "src/import/tflite/importer.h"
#include "src/passes/passes.h"

namespace octet::compiler {
namespace {

#if OCTET_ONNX
Status Onnx(const uint8_t* data, size_t size, const ImportOptions& options, Graph* graph) {
  OnnxOptions onnx;
  onnx.directory = options.directory;
  onnx.channels_last_inputs = options.channels_last_inputs;
  onnx.channels_last_outputs = options.channels_last_outputs;
  for (const auto& [name, shape] : options.input_shapes) onnx.shapes[name] = shape;
  return ImportOnnx(data, size, onnx, graph);
}
#else
Status Onnx(const uint8_t*, size_t, const ImportOptions&, Graph*) {
  return Fail(OCTET_UNSUPPORTED,
              "this looks like an ONNX model, and this program was built without ONNX");
}
#endif

}  // namespace

Status ImportModel(const void* bytes, size_t size, const ImportOptions& options, Graph* graph,
                   std::vector<std::string>* log) {
  const uint8_t* data = static_cast<const uint8_t*>(bytes);
  if (size >= 8 && std::memcmp(data + 4, "TFL3", 4) == 0) {
    if (!options.input_shapes.empty() || options.channels_last_inputs ||
        options.channels_last_outputs) {
      return Fail(OCTET_INVALID_ARGUMENT,
                  "shapes and layouts can be chosen for ONNX models, not for .tflite");
    }
    OCTET_RETURN_IF_ERROR(ImportTflite(data, size, graph));
  } else if (LooksLikeOnnx(data, size)) {
    OCTET_RETURN_IF_ERROR(Onnx(data, size, options, graph));
  } else {
    return Fail(OCTET_INVALID_MODEL, "the data is neither a .tflite, an .onnx nor an .octet model");
  }
  log->push_back("imported " + Count(static_cast<int>(graph->ops.size()), "operator", "operators"));
  graph->metadata["source_sha256"] = Sha256Hex(data, size);
  return OCTET_OK;
}

}  // namespace octet::compiler
