// octet quantize: a float model into an int8 .octet file.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "octet/compiler.h"
#include "src/cli/command.h"
#include "src/cli/dataset.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/quantize_report.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

using compiler::RangeMethod;
using Json = nlohmann::ordered_json;

const std::map<std::string, RangeMethod> kMethods = {
    {"minmax", RangeMethod::kMinMax},         {"average", RangeMethod::kMovingAverage},
    {"percentile", RangeMethod::kPercentile}, {"mse", RangeMethod::kSquaredError},
    {"cubic", RangeMethod::kCubedError},      {"entropy", RangeMethod::kEntropy},
};

struct Options {
  std::string input, output, report, range = "cubic", fallback = "none", io = "int8", ram_limit;
  std::string goal = "speed", drop;
  DatasetOptions data;
  MetadataOptions metadata;
  compiler::QuantizeOptions quantize;
  bool no_bias_correction = false, verbose = false, json = false;
};

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json ToJson(const compiler::QuantizeReport& report) {
  Json layers = Json::array();
  for (const compiler::QuantizedLayer& l : report.layers) {
    layers.push_back({{"kind", l.kind},
                      {"name", l.name},
                      {"precision", l.precision},
                      {"sqnr_db", Number(l.sqnr_db)},
                      {"range_sqnr_db", Number(l.range_sqnr_db)},
                      {"weight_sqnr_db", Number(l.weight_sqnr_db)},
                      {"weights", l.weights},
                      {"sparsity", l.sparsity},
                      {"saturation", l.saturation},
                      {"min", l.min},
                      {"max", l.max},
                      {"low", l.low},
                      {"high", l.high},
                      {"scale", l.scale},
                      {"zero_point", l.zero_point}});
    if (l.sensitivity_db != 0) layers.back()["sensitivity_db"] = Number(l.sensitivity_db);
  }
  return {{"already_quantized", report.already_quantized},
          {"samples", report.samples},
          {"output_sqnr_db", Number(report.output_sqnr_db)},
          {"labelled", report.labelled},
          {"float_accuracy", report.float_accuracy},
          {"accuracy", report.accuracy},
          {"agreement", report.agreement},
          {"float_weight_bytes", report.float_weight_bytes},
          {"weight_bytes", report.weight_bytes},
          {"reached_goals", report.reached_goals},
          {"file_bytes", report.convert.file_bytes},
          {"arena_bytes", report.convert.arena_bytes},
          {"total_bytes", report.convert.total_bytes},
          {"layers", std::move(layers)},
          {"log", report.convert.log}};
}

int Quantize(Options& options) {
  compiler::QuantizeOptions& quantize = options.quantize;
  quantize.range = kMethods.at(options.range);
  quantize.correct_bias = !options.no_bias_correction;
  quantize.float_inputs = options.io == "float" || options.io == "float-in";
  quantize.float_outputs = options.io == "float" || options.io == "float-out";
  quantize.fallback = options.fallback == "int16"   ? compiler::Fallback::kInt16
                      : options.fallback == "float" ? compiler::Fallback::kFloat
                                                    : compiler::Fallback::kNone;
  quantize.convert.goal = options.goal == "ram" ? compiler::Goal::kRam : compiler::Goal::kSpeed;
  if (!options.ram_limit.empty()) {
    quantize.convert.ram_limit = ParseBytes(options.ram_limit, "--ram-limit");
  }
  TakeMetadata(options.metadata, &quantize.convert);
  if (!options.drop.empty()) quantize.max_accuracy_drop = ParseShare(options.drop);
  quantize.histograms = !options.report.empty();
  ProgressBar bar;
  quantize.progress = [&](const char* stage, size_t done, size_t total) {
    bar(stage, done, total);
  };

  // As float32, for what its inputs are.
  LoadOptions load;
  load.import = quantize.convert.import;
  const ModelFile file = LoadModel(options.input, load);
  std::vector<TensorInfo> inputs;
  for (size_t i = 0; i < file.model.input_count(); ++i) {
    inputs.push_back(Unwrap(file.model.InputInfo(i)));
  }
  const std::unique_ptr<Dataset> data = Dataset::Open(options.data, inputs);
  compiler::QuantizeReport report;
  Check(Result<void>::From(
            compiler::QuantizeFile(options.input, options.output, data.get(), quantize, &report)),
        "");
  bar.Clear();
  if (!options.report.empty()) {
    const std::string page = QuantizeHtml(options.input, options.output, report);
    WriteFile(options.report, page.data(), page.size());
  }
  if (options.json) {
    std::printf("%s\n", ToJson(report).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    if (options.verbose || report.already_quantized) {
      for (const std::string& line : report.convert.log) std::printf("%s\n", line.c_str());
    }
    if (!report.already_quantized) std::printf("%s", QuantizeText(report).c_str());
    std::printf("%s: file %llu bytes, arena %llu bytes\n", options.output.c_str(),
                static_cast<unsigned long long>(report.convert.file_bytes),
                static_cast<unsigned long long>(report.convert.arena_bytes));
  }
  if (!report.reached_goals) {
    std::fprintf(stderr, "octet: %s: the goal was not reached\n", options.output.c_str());
    return kExitDifferent;
  }
  return kExitOk;
}

}  // namespace

void AddQuantize(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app->add_subcommand("quantize", "Turn a float model into an int8 .octet file");
  command->add_option("IN", options->input, "float model: .tflite or .onnx")->required();
  command->add_option("-o,--output", options->output, ".octet file to write")->required();
  AddDatasetOptions(command, &options->data);
  AddImportOptions(command, &options->quantize.convert.import);
  command
      ->add_option("--range", options->range,
                   "how ranges follow from the data: minmax, average, percentile, mse, "
                   "cubic, entropy")
      ->check(CLI::IsMember({"minmax", "average", "percentile", "mse", "cubic", "entropy"}))
      ->capture_default_str();
  command->add_option("--percentile", options->quantize.percentile, "share of values kept, in %")
      ->check(CLI::Range(50.0, 100.0))
      ->capture_default_str();
  command->add_flag("--equalize", options->quantize.equalize,
                    "even out weights across layers first");
  command->add_flag("--no-bias-correction", options->no_bias_correction,
                    "do not undo the mean error of rounded weights");
  command
      ->add_option("--io", options->io,
                   "type of inputs and outputs: int8, float, float-in, float-out")
      ->check(CLI::IsMember({"int8", "float", "float-in", "float-out"}))
      ->capture_default_str();
  command
      ->add_option("--fallback", options->fallback,
                   "for operators that lose too much: none, int16 activations or float")
      ->check(CLI::IsMember({"none", "int16", "float"}))
      ->capture_default_str();
  command
      ->add_option("--keep", options->quantize.keep,
                   "operators that take the fallback (float if none), by name")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  command
      ->add_option("--min-sqnr", options->quantize.min_sqnr_db,
                   "goal: signal to noise of the outputs, in dB")
      ->type_name("DB");
  command
      ->add_option("--max-accuracy-drop", options->drop,
                   "goal: accuracy lost on labelled samples, e.g. 1%")
      ->type_name("SHARE");
  command->add_option("--optimize", options->goal, "what the memory plan is for, as for convert")
      ->check(CLI::IsMember({"speed", "ram"}))
      ->capture_default_str();
  command->add_option("--ram-limit", options->ram_limit, "as for convert")->type_name("BYTES");
  AddMetadataOptions(command, &options->metadata, "--class-names");
  AddCompressOption(command, &options->quantize.convert.compress);
  command->add_option("--target", options->quantize.convert.target, "as for convert");
  command->add_option("--threads", options->quantize.threads, "threads of the float model's runs")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--report", options->report, "page with histograms of every tensor")
      ->type_name("FILE.html");
  command->add_flag("-v,--verbose", options->verbose, "say what each pass did");
  command->add_flag("--json", options->json, "print the report as JSON");
  command->footer(
      "Examples:\n"
      "  octet quantize float.tflite --data pictures/ -o model.octet --report report.html\n"
      "  octet quantize float.onnx --data x.npy --range minmax -o model.octet\n"
      "  octet quantize float.tflite --data classes/ --max-accuracy-drop 1% --fallback int16 "
      "-o model.octet\n"
      "Exit code 1: written, but the goal was not reached.");
  command->callback([=] { *action = [=] { return Quantize(*options); }; });
}

}  // namespace octet::cli
