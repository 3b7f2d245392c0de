// octet convert: other formats into .octet.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "octet/compiler.h"
#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

struct Options {
  std::string input, output, ram_limit, goal = "speed";
  MetadataOptions metadata;
  compiler::ConvertOptions convert;
  bool verbose = false, no_optimize = false, json = false;
};

int Convert(Options& options) {
  compiler::ConvertOptions& convert = options.convert;
  convert.optimize = !options.no_optimize;
  convert.goal = options.goal == "ram" ? compiler::Goal::kRam : compiler::Goal::kSpeed;
  if (!options.ram_limit.empty()) {
    convert.ram_limit = ParseBytes(options.ram_limit, "--ram-limit");
  }
  TakeMetadata(options.metadata, &convert);
  compiler::ConvertReport report;
  Check(Result<void>::From(compiler::ConvertFile(options.input, options.output, convert, &report)),
        options.input);
  if (options.json) {
    const nlohmann::ordered_json json = {{"input", options.input},
                                         {"output", options.output},
                                         {"file_bytes", report.file_bytes},
                                         {"arena_bytes", report.arena_bytes},
                                         {"bound_bytes", report.bound_bytes},
                                         {"total_bytes", report.total_bytes},
                                         {"weight_traffic", report.weight_traffic},
                                         {"constant_bytes", report.constant_bytes},
                                         {"stored_bytes", report.stored_bytes},
                                         {"log", report.log}};
    std::printf("%s\n", json.dump(2).c_str());
    return kExitOk;
  }
  if (options.verbose) {
    for (const std::string& line : report.log) std::printf("%s\n", line.c_str());
  }
  std::printf("%s: file %llu bytes, arena %llu bytes, bound %llu bytes\n", options.output.c_str(),
              static_cast<unsigned long long>(report.file_bytes),
              static_cast<unsigned long long>(report.arena_bytes),
              static_cast<unsigned long long>(report.bound_bytes));
  return kExitOk;
}

}  // namespace

void AddConvert(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app->add_subcommand("convert", "Turn a .tflite or .onnx model into an .octet file");
  command->add_option("IN", options->input, "model to convert")->required();
  command->add_option("-o,--output", options->output, ".octet file to write")->required();
  command->add_flag("-v,--verbose", options->verbose, "say what each pass did");
  command->add_option("--target", options->convert.target,
                      "weight packs to put into the file: native, x86-avx2, x86-avxvnni, "
                      "x86-avx512vnni, x86-amx, aarch64-neon, aarch64-dotprod, aarch64-i8mm, "
                      "armv7-neon (default: none; weights are packed when loading)");
  command
      ->add_option("--optimize", options->goal,
                   "what the memory plan is for: speed, or the least ram (operators run a few rows "
                   "at a time)")
      ->check(CLI::IsMember({"speed", "ram"}))
      ->capture_default_str();
  command
      ->add_option(
          "--ram-limit", options->ram_limit,
          "stream by rows as far as needed to keep the arena within BYTES (K, M suffixes), "
          "or refuse")
      ->type_name("BYTES");
  AddCompressOption(command, &options->convert.compress);
  command->add_flag("--row-input", options->convert.row_fed_input,
                    "the application hands the input image over row by row");
  AddMetadataOptions(command, &options->metadata, "--labels");
  AddImportOptions(command, &options->convert.import);
  command->add_flag("--no-optimize", options->no_optimize,
                    "keep the source's operators one by one");
  command->add_flag("--json", options->json, "print the report as JSON");
  command->footer(
      "Examples:\n"
      "  octet convert mobilenet.tflite -o mobilenet.octet --labels imagenet.txt\n"
      "  octet convert resnet.onnx -o resnet.octet --shape input=1,3,224,224\n"
      "  octet convert kws.tflite -o kws.octet --ram-limit 64K -v\n"
      "  octet convert mobilenet.tflite -o mobilenet.octet --optimize ram\n"
      "  octet convert vww.tflite -o vww.octet --target x86-avx2 --metadata licence=Apache-2.0\n"
      "  octet convert vww.tflite -o vww.octet --target aarch64-neon");
  command->callback([=] { *action = [=] { return Convert(*options); }; });
}

}  // namespace octet::cli
