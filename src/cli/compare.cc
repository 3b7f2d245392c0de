// octet compare: do two models, or a model and recorded outputs, give the same bytes?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Options {
  std::string a, b;
  std::vector<std::string> inputs;
  ImageOptions image;
  LoadOptions load;
  size_t threads = 1, seeds = 3;
  double max_diff = 0;
  bool json = false;
};

struct Difference {
  size_t elements = 0, differing = 0, at = 0;  // at: index of the largest difference
  size_t differing_bytes = 0;
  double max = 0;   // in the stored type's units
  double sqnr = 0;  // dB; infinite when equal
};

Difference CompareTensors(const TensorInfo& info, const ByteVector& got,
                          const ByteVector& expected) {
  Difference difference;
  difference.elements = info.elements();
  double signal = 0, noise = 0;
  for (size_t i = 0; i < got.size(); ++i) difference.differing_bytes += got[i] != expected[i];
  const size_t size = TypeSize(info.type);
  for (size_t i = 0; i < difference.elements; ++i) {
    const double real = RealValue(info, expected, i);
    signal += real * real;
    if (std::memcmp(&got[i * size], &expected[i * size], size) == 0) continue;
    ++difference.differing;
    double gap = std::fabs(RawValue(info, got, i) - RawValue(info, expected, i));
    if (std::isnan(gap)) gap = INFINITY;  // one of them is no number
    if (gap > difference.max) {
      difference.max = gap;
      difference.at = i;
    }
    const double error = RealValue(info, got, i) - real;
    noise += error * error;
  }
  difference.sqnr = difference.differing == 0 ? INFINITY : 10 * std::log10(signal / noise);
  return difference;
}

struct Case {
  std::string name;
  std::vector<ByteVector> inputs, expected;
};

// inK.bin (unless inputs are given) and outK.bin of a folder.
Case ReadCase(const fs::path& folder, const Model& model, const Options& options) {
  Case test;
  test.name = folder.filename().string();
  std::vector<std::string> inputs = options.inputs;
  if (inputs.empty()) {
    for (size_t i = 0; i < model.input_count(); ++i) {
      inputs.push_back((folder / ("in" + std::to_string(i) + ".bin")).string());
    }
  }
  test.inputs = ReadInputs(inputs, model, options.image);
  for (size_t i = 0; i < model.output_count(); ++i) {
    const TensorInfo info = Unwrap(model.OutputInfo(i));
    const std::string path = (folder / ("out" + std::to_string(i) + ".bin")).string();
    test.expected.push_back(ReadFile(path));
    if (test.expected.back().size() != info.bytes) {
      Die(kExitUsage, "%s: %zu bytes, but the output \"%s\", %s %s, has %zu", path.c_str(),
          test.expected.back().size(), info.name, TypeName(info.type),
          ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str(), info.bytes);
    }
  }
  return test;
}

bool IsCase(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "out0.bin", error);
}

// A folder is a case itself or holds cases.
std::vector<fs::path> FindCases(const std::string& folder) {
  fs::path path(folder);
  if (!path.has_filename()) path = path.parent_path();
  if (IsCase(path)) return {path};
  std::vector<fs::path> cases;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (IsCase(it->path())) cases.push_back(it->path());
  }
  if (error) Die(kExitIo, "%s: %s", folder.c_str(), error.message().c_str());
  if (cases.empty()) Die(kExitIo, "%s: no out0.bin here or one folder down", folder.c_str());
  std::sort(cases.begin(), cases.end());
  return cases;
}

void RequireSameTensors(const Model& a, const Model& b) {
  const auto same = [](const TensorInfo& x, const TensorInfo& y) {
    return x.type == y.type && x.rank == y.rank && std::equal(x.shape, x.shape + x.rank, y.shape);
  };
  if (a.input_count() != b.input_count() || a.output_count() != b.output_count()) {
    Die(kExitUsage, "the models cannot be compared: %zu inputs and %zu outputs, %zu and %zu",
        a.input_count(), a.output_count(), b.input_count(), b.output_count());
  }
  for (size_t i = 0; i < a.input_count(); ++i) {
    const TensorInfo x = Unwrap(a.InputInfo(i)), y = Unwrap(b.InputInfo(i));
    if (!same(x, y)) {
      Die(kExitUsage, "the models cannot be compared: %s; %s", Describe("input", i, x).c_str(),
          Describe("input", i, y).c_str());
    }
  }
  for (size_t i = 0; i < a.output_count(); ++i) {
    const TensorInfo x = Unwrap(a.OutputInfo(i)), y = Unwrap(b.OutputInfo(i));
    if (!same(x, y)) {
      Die(kExitUsage, "the models cannot be compared: %s; %s", Describe("output", i, x).c_str(),
          Describe("output", i, y).c_str());
    }
  }
}

Session NewSession(const Model& model, const Options& options) {
  return Unwrap(Session::Create(model, SessionOptions().Threads(options.threads)));
}

int Compare(const Options& options) {
  std::error_code error;
  const ModelFile a = LoadModel(options.a, options.load);
  Session session = NewSession(a.model, options);
  std::vector<Case> cases;
  if (fs::is_directory(options.b, error)) {
    for (const fs::path& folder : FindCases(options.b)) {
      cases.push_back(ReadCase(folder, a.model, options));
    }
  } else {
    const ModelFile b = LoadModel(options.b, options.load);
    RequireSameTensors(a.model, b.model);
    Session reference = NewSession(b.model, options);
    const size_t count = options.inputs.empty() ? options.seeds : 1;
    for (size_t seed = 1; seed <= count; ++seed) {
      Case test;
      if (options.inputs.empty()) {
        test.name = "seed " + std::to_string(seed);
        for (size_t i = 0; i < a.model.input_count(); ++i) {
          test.inputs.push_back(RandomTensor(Unwrap(a.model.InputInfo(i)), seed * 1000 + i));
        }
      } else {
        test.name = "inputs";
        test.inputs = ReadInputs(options.inputs, a.model, options.image);
      }
      Check(reference.ResetState());
      test.expected = RunOnce(b.model, &reference, test.inputs);
      cases.push_back(std::move(test));
    }
  }

  Json json;
  json["a"] = options.a;
  json["b"] = options.b;
  json["cases"] = Json::array();
  std::string text;
  size_t outputs = 0, different = 0, over = 0;
  for (const Case& test : cases) {
    Check(session.ResetState());
    const std::vector<ByteVector> got = RunOnce(a.model, &session, test.inputs);
    Json list = Json::array();
    for (size_t i = 0; i < got.size(); ++i) {
      const TensorInfo info = Unwrap(a.model.OutputInfo(i));
      const Difference d = CompareTensors(info, got[i], test.expected[i]);
      ++outputs;
      different += d.differing > 0;
      over += d.max > options.max_diff;
      list.push_back({{"index", i},
                      {"elements", d.elements},
                      {"differing", d.differing},
                      {"differing_bytes", d.differing_bytes},
                      {"max_diff", std::isfinite(d.max) ? Json(d.max) : Json()},
                      {"sqnr_db", std::isfinite(d.sqnr) ? Json(d.sqnr) : Json()}});
      text += Format("%s: out%zu ", test.name.c_str(), i);
      if (d.differing == 0) {
        text += Format("equal (%zu bytes)\n", got[i].size());
      } else {
        text += Format("%zu of %zu values differ (%zu bytes), max difference %.6g at %zu, ",
                       d.differing, d.elements, d.differing_bytes, d.max, d.at);
        text += Format("SQNR %.1f dB\n", d.sqnr);
      }
    }
    json["cases"].push_back({{"name", test.name}, {"outputs", std::move(list)}});
  }
  json["equal"] = different == 0;
  json["within_max_diff"] = over == 0;
  if (options.json) {
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else if (different == 0) {
    std::printf("%sequal: %zu outputs in %zu cases\n", text.c_str(), outputs, cases.size());
  } else {
    std::printf("%s%s: %zu of %zu outputs differ in %zu cases\n", text.c_str(),
                over ? "different" : "equal within --max-diff", different, outputs, cases.size());
  }
  return over ? kExitDifferent : kExitOk;
}

}  // namespace

void AddCompare(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app->add_subcommand("compare", "Compare a model with another, or with recorded outputs");
  command->add_option("A", options->a, ".octet, .tflite or .onnx file")->required();
  command
      ->add_option("B", options->b,
                   "the reference: a model, or a folder with inK.bin and outK.bin or with such "
                   "folders in it")
      ->required();
  command->add_option("-i,--inputs", options->inputs, "a file for each input, as for octet run")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("FILE,...");
  command->add_option("--seeds", options->seeds, "pseudo-random inputs to try on two models")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command
      ->add_option("--max-diff", options->max_diff,
                   "largest difference to accept, in steps of the output's type")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "threads of a run")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  AddLoadOptions(command, &options->load);
  command->add_flag("--json", options->json, "print the differences as JSON");
  command->footer(
      "Examples:\n"
      "  octet compare model.octet model.tflite --seeds 10\n"
      "  octet compare model.octet cases/            # cases/NAME/in0.bin, out0.bin\n"
      "  octet compare movenet.octet cases/ --max-diff 1e-5\n"
      "Exit code 0: equal (within --max-diff), 1: different.");
  command->callback([=] { *action = [=] { return Compare(*options); }; });
}

}  // namespace octet::cli
