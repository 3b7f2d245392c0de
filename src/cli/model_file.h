// Models for sub-commands: .octet mapped, other formats converted in memory.
#pragma once

#include <string>
#include <vector>

#include "octet/compiler.h"
#include "src/cli/command.h"

namespace octet::cli {

struct LoadOptions {
  std::string isa;     // "": OCTET_ISA or the CPU's best
  std::string target;  // weight packs, when the model is converted
  compiler::ImportOptions import;
  bool keep_bytes = false;
};

struct ModelFile {
  std::string path;
  bool converted = false;          // it was not an .octet file
  compiler::ConvertReport report;  // when converted
  uint64_t file_bytes = 0;         // of the .octet file, in memory or not
  std::vector<uint8_t> bytes;      // of the .octet file, when keep_bytes
  double load_us = 0;              // of loading the .octet file; conversion not included
  Model model;
};

ModelFile LoadModel(const std::string& path, const LoadOptions& options);

// Adds --isa and --target to a sub-command.
void AddLoadOptions(CLI::App* command, LoadOptions* options);

// --shape, --input-layout and --output-layout, of ONNX models.
void AddImportOptions(CLI::App* command, compiler::ImportOptions* options);

// Text for a file that is written.
struct MetadataOptions {
  std::string labels;
  std::vector<std::string> entries;
};

// --metadata, and the file of class names under a name of the sub-command's choice.
void AddMetadataOptions(CLI::App* command, MetadataOptions* options, const char* labels);
void TakeMetadata(const MetadataOptions& options, compiler::ConvertOptions* convert);

// --compress-weights.
void AddCompressOption(CLI::App* command, compiler::Compress* compress);

// The instruction set of the model's best kernel, as OCTET_ISA names it.
std::string IsaOf(const Model& model);

}  // namespace octet::cli
