#include "src/cli/model_file.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>

#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

// The file identifier of schema/octet.fbs.
bool IsOctet(const std::vector<uint8_t>& file) {
  return file.size() >= 8 && std::memcmp(file.data() + 4, "OCT1", 4) == 0;
}

double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

ModelFile LoadModel(const std::string& path, const LoadOptions& options) {
  ModelFile file;
  file.path = path;
  std::vector<uint8_t> bytes = ReadFile(path);
  ModelOptions model_options;
  if (!options.isa.empty()) model_options.Isa(options.isa.c_str());
  Check(model_options.error(), "--isa");
  file.converted = !IsOctet(bytes);
  if (file.converted) {
    compiler::ConvertOptions convert_options;
    convert_options.target = options.target;
    std::vector<uint8_t> octet;
    Check(Result<void>::From(
              compiler::Convert(bytes.data(), bytes.size(), convert_options, &octet, &file.report)),
          path);
    bytes = std::move(octet);
    const auto start = std::chrono::steady_clock::now();
    file.model = Unwrap(Model::LoadCopy(bytes.data(), bytes.size(), model_options), path);
    file.load_us = MicrosecondsSince(start);
  } else {
    const auto start = std::chrono::steady_clock::now();
    file.model = Unwrap(Model::LoadFile(path, model_options), path);
    file.load_us = MicrosecondsSince(start);
  }
  file.file_bytes = bytes.size();
  if (options.keep_bytes) file.bytes = std::move(bytes);
  return file;
}

void AddLoadOptions(CLI::App* command, LoadOptions* options) {
  command->add_option("--isa", options->isa,
                      "best instruction set to use: scalar, avx2, avxvnni, avx512vnni, amx, neon, "
                      "neondot, neoni8mm");
  command->add_option("--target", options->target,
                      "weight packs to make when a .tflite is converted, as for octet convert");
}

std::string IsaOf(const Model& model) {
  static const char* const kBestFirst[] = {"amx",      "avx512vnni", "avxvnni", "avx2",
                                           "neoni8mm", "neondot",    "neon"};
  size_t best = std::size(kBestFirst);
  for (size_t i = 0; i < model.step_count(); ++i) {
    const std::string kernel = Unwrap(model.Step(i)).kernel;
    const size_t at = kernel.rfind("__");
    if (at == std::string::npos) continue;
    const std::string isa = kernel.substr(at + 2);
    for (size_t k = 0; k < best; ++k) {
      if (isa == kBestFirst[k]) best = k;
    }
  }
  return best < std::size(kBestFirst) ? kBestFirst[best] : "scalar";
}

}  // namespace octet::cli
