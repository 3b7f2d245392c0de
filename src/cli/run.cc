// octet run: one inference from files to files.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/result.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

struct Options {
  std::string model, outputs, labels, ram_limit;
  std::vector<std::string> inputs;
  ImageOptions image;
  LoadOptions load;
  size_t threads = 1, top = 5;
  bool json = false, npy = false;
};

int Run(const Options& options) {
  const ModelFile file = LoadModel(options.model, options.load);
  const Model& model = file.model;
  const std::vector<ByteVector> inputs = ReadInputs(options.inputs, model, options.image);
  SessionOptions session_options;
  session_options.Threads(options.threads);
  if (!options.ram_limit.empty()) {
    const uint64_t limit = ParseBytes(options.ram_limit, "--ram-limit");
    session_options.RamLimit(static_cast<size_t>(std::min<uint64_t>(limit, SIZE_MAX)));
  }
  Session session = Unwrap(Session::Create(model, session_options), options.model);
  const auto start = std::chrono::steady_clock::now();
  const std::vector<ByteVector> outputs = RunOnce(model, &session, inputs);
  const double run_us =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();

  if (!options.outputs.empty()) MakeDirectory(options.outputs);
  const std::vector<std::string> labels = ReadLabels(options.labels, model);
  nlohmann::ordered_json json;
  json["model"] = options.model;
  json["run_us"] = run_us;
  json["outputs"] = nlohmann::ordered_json::array();
  std::string text;
  for (size_t i = 0; i < outputs.size(); ++i) {
    OutputReport report = ReportOutput(model, i, outputs[i], labels, options.top);
    if (!options.outputs.empty()) {
      const std::string name = options.outputs + "/out" + std::to_string(i);
      WriteFile(name + ".bin", outputs[i].data(), outputs[i].size());
      if (options.npy) WriteNpy(name + ".npy", Unwrap(model.OutputInfo(i)), outputs[i]);
      report.json["file"] = name + ".bin";
    }
    json["outputs"].push_back(std::move(report.json));
    text += report.text;
  }
  if (options.json) {
    std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::printf("%s", text.c_str());
  }
  return kExitOk;
}

}  // namespace

void AddRun(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app->add_subcommand("run", "Run a model once on files");
  command->add_option("MODEL", options->model, ".octet, .tflite or .onnx file")->required();
  command
      ->add_option("-i,--inputs", options->inputs,
                   "a file for each input, separated by commas: raw bytes, .npy, or a picture "
                   "(bmp, jpeg, pgm, png, ppm) for an NHWC input of 1 or 3 channels")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("FILE,...");
  command->add_option("-o,--outputs", options->outputs, "folder for out0.bin, out1.bin, ...")
      ->type_name("DIR");
  command->add_flag("--outputs-npy", options->npy, "write out0.npy, ... as well")
      ->needs("--outputs");
  command->add_option("--labels", options->labels, "class names, one a line (default: the model's)")
      ->type_name("FILE");
  command->add_option("--top", options->top, "classes to print")->capture_default_str();
  command
      ->add_option("--mean", options->image.mean,
                   "pictures: real value = (byte - mean) / std, one value or one a channel "
                   "(default: the byte for uint8, byte - 128 for int8, byte / 255 for float32)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--std", options->image.std, "see --mean")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--threads", options->threads, "threads of a run")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--ram-limit", options->ram_limit, "refuse to take more RAM than BYTES")
      ->type_name("BYTES");
  AddLoadOptions(command, &options->load);
  command->add_flag("--json", options->json, "print the results as JSON");
  command->footer(
      "Examples:\n"
      "  octet run mobilenet.octet --inputs cat.jpg --labels imagenet.txt\n"
      "  octet run model.tflite --inputs a.bin,b.bin --outputs results\n"
      "  octet run float.octet --inputs cat.png --mean 127.5 --std 127.5 --json");
  command->callback([=] { *action = [=] { return Run(*options); }; });
}

}  // namespace octet::cli
