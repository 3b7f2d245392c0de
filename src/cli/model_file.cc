#include "src/cli/model_file.h"

#include <CLI/CLI.hpp>
#include <algorithm>
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

// "x=1,3,224,224", or without a name for every input.
std::pair<std::string, std::vector<int32_t>> ParseShape(const std::string& text) {
  const size_t at = text.rfind('=');
  std::pair<std::string, std::vector<int32_t>> shape;
  if (at != std::string::npos) shape.first = text.substr(0, at);
  size_t begin = at == std::string::npos ? 0 : at + 1;
  for (;;) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string number = text.substr(begin, end - begin);
    if (number.empty() || number.size() > 9 ||
        number.find_first_not_of("0123456789") != std::string::npos || std::stoi(number) < 1) {
      Die(kExitUsage, "--shape: \"%s\" is not NAME=SIZE,SIZE,...", text.c_str());
    }
    shape.second.push_back(std::stoi(number));
    if (end == text.size()) return shape;
    begin = end + 1;
  }
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
    convert_options.import = options.import;
    if (convert_options.import.directory.empty()) {
      const size_t slash = path.find_last_of('/');
      convert_options.import.directory =
          slash == std::string::npos ? "." : path.substr(0, slash + 1);
    }
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
                      "weight packs to make when the model is converted, as for octet convert");
  AddImportOptions(command, &options->import);
}

void AddMetadataOptions(CLI::App* command, MetadataOptions* options, const char* labels) {
  command->add_option(labels, options->labels, "class names for the file, one a line")
      ->type_name("FILE");
  command->add_option("--metadata", options->entries, "free text for the file")
      ->type_name("KEY=VALUE");
}

void TakeMetadata(const MetadataOptions& options, compiler::ConvertOptions* convert) {
  if (!options.labels.empty()) {
    const ByteVector file = ReadFile(options.labels);
    std::string text(file.begin(), file.end());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    convert->metadata.emplace_back("labels", std::move(text));
  }
  for (const std::string& entry : options.entries) {
    const size_t at = entry.find('=');
    if (at == std::string::npos || at == 0) {
      Die(kExitUsage, "--metadata: \"%s\" is not KEY=VALUE", entry.c_str());
    }
    convert->metadata.emplace_back(entry.substr(0, at), entry.substr(at + 1));
  }
}

void AddCompressOption(CLI::App* command, compiler::Compress* compress) {
  command
      ->add_option_function<std::string>(
          "--compress-weights",
          [compress](const std::string& value) {
            *compress = value == "auto"  ? compiler::Compress::kAuto
                        : value == "off" ? compiler::Compress::kOff
                                         : compiler::Compress::kOn;
          },
          "store weights that are mostly 0 in fewer bytes: auto (where that costs no RAM, if it "
          "saves a fifth), off, on (also what runs then read from RAM; default auto)")
      ->check(CLI::IsMember({"auto", "off", "on"}))
      ->type_name("auto|off|on");
}

void AddImportOptions(CLI::App* command, compiler::ImportOptions* options) {
  command
      ->add_option_function<std::vector<std::string>>(
          "--shape",
          [options](const std::vector<std::string>& shapes) {
            for (const std::string& text : shapes)
              options->input_shapes.push_back(ParseShape(text));
          },
          "shape of an ONNX model's input, if the model leaves it open: x=1,3,224,224")
      ->type_name("[NAME=]D,D,...")
      ->allow_extra_args(false);
  const auto layout = [command](const char* name, bool* last, const char* what) {
    command
        ->add_option_function<std::string>(
            name, [last](const std::string& value) { *last = value == "nhwc"; }, what)
        ->check(CLI::IsMember({"nchw", "nhwc"}))
        ->type_name("nchw|nhwc");
  };
  layout("--input-layout", &options->channels_last_inputs,
         "where an ONNX model's inputs have their channels (default nchw; nhwc saves a "
         "transposition)");
  layout("--output-layout", &options->channels_last_outputs, "the same for its outputs");
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
