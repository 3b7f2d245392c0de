#include "src/cli/validate.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

#include "src/cli/command.h"
#include "src/cli/dataset.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/npy.h"
#include "src/cli/quantize_report.h"
#include "src/cli/result.h"
#include "src/cli/tensor_io.h"
#include "src/cli/whole_plan.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string a, b, report, drop, targets, rise;
  DatasetOptions data;
  LoadOptions load;
  size_t threads = 1, layer_samples = 16, runs = 100;
  double min_sqnr = -1, max_latency_ms = -1;
  bool json = false, no_layers = false;
};

double Decibels(double signal, double noise) {
  if (noise <= 0) return INFINITY;
  return signal > 0 ? 10 * std::log10(signal / noise) : -INFINITY;
}

std::vector<float> Reals(const TensorInfo& info, const ByteVector& data) {
  std::vector<float> values(info.elements());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(RealValue(info, data, i));
  }
  return values;
}

// The place of `label` among the best `most` values; `most` where it is not among them.
size_t RankOf(const std::vector<float>& scores, size_t label, size_t most) {
  if (label >= scores.size()) return most;
  size_t rank = 0;
  for (size_t i = 0; i < scores.size() && rank < most; ++i) {
    rank += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
  }
  return rank;
}

size_t Best(const std::vector<float>& scores) {
  return static_cast<size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

void SetCallback(Session* session, octet_tensor_callback callback, void* context) {
  Check(Result<void>::From(octet_session_set_tensor_callback(session->get(), callback, context)));
}

// Tensors of one run by name.
struct Captured {
  std::map<std::string, std::vector<float>> values;
  std::vector<std::pair<std::string, std::string>> order;  // name, type

  static void Keep(void* context, size_t, size_t, const octet_tensor_info* info, const void* data) {
    Captured& c = *static_cast<Captured*>(context);
    TensorInfo tensor;
    static_cast<octet_tensor_info&>(tensor) = *info;
    ByteVector bytes(info->bytes);
    if (!bytes.empty()) std::memcpy(bytes.data(), data, bytes.size());
    c.order.emplace_back(info->name, TypeName(info->type));
    c.values[info->name] = Reals(tensor, bytes);
  }
};

class Validator {
 public:
  Validator(const Options& options)
      : options_(options),
        a_(LoadModel(options.a, WithBytes(options.load))),
        b_(LoadModel(options.b, WithBytes(options.load))) {}

  Validation Run() {
    RequireSameShapes();
    std::vector<TensorInfo> inputs;
    for (size_t i = 0; i < a_.model.input_count(); ++i) {
      inputs.push_back(Unwrap(a_.model.InputInfo(i)));
    }
    const std::unique_ptr<Dataset> data = Dataset::Open(options_.data, inputs);
    SessionOptions session_options;
    session_options.Threads(options_.threads);
    session_a_ = Unwrap(Session::Create(a_.model, session_options), options_.a);
    session_b_ = Unwrap(Session::Create(b_.model, session_options), options_.b);
    Facts(a_, session_options, &v_.a);
    Facts(b_, session_options, &v_.b);
    v_.classes = IsClassification(a_.model, Unwrap(a_.model.OutputInfo(0)));
    if (!options_.drop.empty() && !data->labelled()) {
      Die(kExitUsage, "--max-accuracy-drop needs labelled samples (sub-folders or --labels)");
    }
    if (data->labelled() && !v_.classes) {
      Die(kExitUsage, "the samples have classes, but the model's output is no list of scores");
    }
    OpenTargets(data->all());
    Warm(*data);
    signal_.assign(a_.model.output_count(), 0);
    noise_ = signal_;
    ProgressBar bar;
    compiler::Sample sample;
    for (size_t i = 0; i < data->size(); ++i) {
      bar("validating", i, data->size());
      Check(Result<void>::From(data->Read(i, &sample)));
      One(sample, data->place(i));
    }
    // Few samples make no distribution.
    for (size_t i = v_.a.runs_us.size(); i < options_.runs; ++i) {
      Check(Result<void>::From(data->Read(i % data->size(), &sample)));
      Time(sample.inputs, nullptr, nullptr);
    }
    if (!options_.no_layers) Layers(data.get(), &bar);
    bar.Clear();
    Finish(data->size());
    return std::move(v_);
  }

 private:
  static LoadOptions WithBytes(LoadOptions load) {
    load.keep_bytes = true;
    return load;
  }

  // A model to look into, and a session of it: those of the validation, or, since tensors of a
  // streamed plan are never whole, those of another plan.
  struct Window {
    Window(const ModelFile& file, Session* its_session, const SessionOptions& options)
        : model(&file.model), session(its_session) {
      if (!IsStreamed(file.bytes)) return;
      const std::vector<uint8_t> bytes = WithWholeTensors(file.bytes);
      own_model = Unwrap(Model::LoadCopy(bytes.data(), bytes.size(), ModelOptions()), file.path);
      own_session = Unwrap(Session::Create(own_model, options), file.path);
      model = &own_model;
      session = &own_session;
    }
    Window(const Window&) = delete;
    const Model* model;
    Session* session;
    Model own_model;
    Session own_session;
  };

  // The right values of each output, of every sample.
  void OpenTargets(size_t samples) {
    const std::string& path = options_.targets;
    if (path.empty()) return;
    const bool zip = path.size() > 4 && path.compare(path.size() - 4, 4, ".npz") == 0;
    if (zip) {
      targets_ = NpyArray::OpenZip(path);
    } else {
      targets_.push_back(NpyArray::Open(path));
    }
    if (targets_.size() != a_.model.output_count()) {
      Die(kExitUsage, "%s: %zu arrays for the model's %zu outputs%s", path.c_str(), targets_.size(),
          a_.model.output_count(), zip ? "" : " (an .npz file has one for each)");
    }
    for (size_t k = 0; k < targets_.size(); ++k) {
      const TensorInfo info = Unwrap(a_.model.OutputInfo(k));
      const NpyHeader& header = targets_[k]->header();
      const int64_t n = header.elements();
      if (header.shape.empty() || static_cast<uint64_t>(header.shape[0]) != samples ||
          n / header.shape[0] != static_cast<int64_t>(info.elements())) {
        Die(kExitUsage,
            "%s: the shape is %s, but there are %zu samples of which the output \"%s\" is %s",
            path.c_str(), header.shape_text.c_str(), samples, info.name,
            ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str());
      }
    }
    v_.targets = true;
  }

  void RequireSameShapes() const {
    const auto same = [](const TensorInfo& x, const TensorInfo& y) {
      return x.elements() == y.elements() && x.rank == y.rank &&
             std::equal(x.shape, x.shape + x.rank, y.shape);
    };
    const Model &a = a_.model, &b = b_.model;
    if (a.input_count() != b.input_count() || a.output_count() != b.output_count()) {
      Die(kExitUsage, "the models cannot be compared: %zu inputs and %zu outputs, %zu and %zu",
          a.input_count(), a.output_count(), b.input_count(), b.output_count());
    }
    for (size_t i = 0; i < a.input_count() + a.output_count(); ++i) {
      const bool input = i < a.input_count();
      const size_t k = input ? i : i - a.input_count();
      const TensorInfo x = Unwrap(input ? a.InputInfo(k) : a.OutputInfo(k));
      const TensorInfo y = Unwrap(input ? b.InputInfo(k) : b.OutputInfo(k));
      const char* role = input ? "input" : "output";
      if (!same(x, y)) {
        Die(kExitUsage, "the models cannot be compared: %s; %s", Describe(role, k, x).c_str(),
            Describe(role, k, y).c_str());
      }
    }
  }

  void Facts(const ModelFile& file, const SessionOptions& options, ModelFacts* facts) const {
    facts->path = file.path;
    facts->file_bytes = file.file_bytes;
    facts->ram_bytes = Unwrap(file.model.SessionMemory(options)).total_bytes;
  }

  // The same real values in the other model's type and scale.
  std::vector<ByteVector> InputsOfB(const std::vector<ByteVector>& inputs) const {
    std::vector<ByteVector> converted;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorInfo from = Unwrap(a_.model.InputInfo(i)), to = Unwrap(b_.model.InputInfo(i));
      if (from.type == to.type && from.scale == to.scale && from.zero_point == to.zero_point) {
        converted.push_back(inputs[i]);
        continue;
      }
      ByteVector bytes(to.bytes);
      double low = 0, high = 0;
      switch (to.type) {
        case OCTET_INT8:
          low = -128, high = 127;
          break;
        case OCTET_UINT8:
          low = 0, high = 255;
          break;
        case OCTET_INT16:
          low = -32768, high = 32767;
          break;
        case OCTET_FLOAT32:
          break;
        default:
          Die(kExitUsage, "the models cannot be compared: %s; %s",
              Describe("input", i, from).c_str(), Describe("input", i, to).c_str());
      }
      for (size_t k = 0; k < to.elements(); ++k) {
        const double real = RealValue(from, inputs[i], k);
        if (to.type == OCTET_FLOAT32) {
          const float v = static_cast<float>(real);
          std::memcpy(&bytes[k * sizeof v], &v, sizeof v);
          continue;
        }
        const double scale = to.quantized() ? static_cast<double>(to.scale) : 1;
        const double steps = std::round(real / scale) + to.zero_point;
        const int32_t q = static_cast<int32_t>(steps == steps ? std::clamp(steps, low, high) : 0);
        std::memcpy(&bytes[k * TypeSize(to.type)], &q, TypeSize(to.type));  // little endian
      }
      converted.push_back(std::move(bytes));
    }
    return converted;
  }

  static double RunTimed(const Model& model, Session* session,
                         const std::vector<ByteVector>& inputs, std::vector<ByteVector>* outputs) {
    Check(session->ResetState());
    SetInputs(model, session, inputs);
    const Clock::time_point start = Clock::now();
    const Result<void> result = session->Run();
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    Check(result);
    if (outputs) {
      outputs->resize(model.output_count());
      for (size_t i = 0; i < outputs->size(); ++i) {
        (*outputs)[i].resize(Unwrap(model.OutputInfo(i)).bytes);
        Check(session->GetOutput(i, (*outputs)[i].data(), (*outputs)[i].size()));
      }
    }
    return us;
  }

  // Both models in turn, so that what else the machine does meets both.
  void Time(const std::vector<ByteVector>& inputs, std::vector<ByteVector>* a,
            std::vector<ByteVector>* b) {
    const std::vector<ByteVector> other = InputsOfB(inputs);
    v_.a.runs_us.push_back(RunTimed(a_.model, &session_a_, inputs, a));
    v_.b.runs_us.push_back(RunTimed(b_.model, &session_b_, other, b));
  }

  void Warm(Dataset& data) {
    compiler::Sample sample;
    Check(Result<void>::From(data.Read(0, &sample)));
    for (int i = 0; i < 3; ++i) Time(sample.inputs, nullptr, nullptr);
    v_.a.runs_us.clear();
    v_.b.runs_us.clear();
  }

  // Sums up what is wrong.
  void CompareWithTargets(size_t output, size_t place, const std::vector<float>& a,
                          const std::vector<float>& b) {
    const std::vector<double> right = targets_[output]->Read(place * a.size(), a.size());
    for (size_t i = 0; i < right.size(); ++i) {
      if (!std::isfinite(right[i])) {
        Die(kExitUsage, "%s: value %zu of sample %zu is not finite", options_.targets.c_str(), i,
            place);
      }
      v_.a.mean_error += std::fabs(static_cast<double>(a[i]) - right[i]);
      v_.b.mean_error += std::fabs(static_cast<double>(b[i]) - right[i]);
    }
  }

  void One(const compiler::Sample& sample, size_t place) {
    std::vector<ByteVector> a, b;
    Time(sample.inputs, &a, &b);
    double sample_signal = 0, sample_noise = 0;
    for (size_t k = 0; k < a.size(); ++k) {
      const std::vector<float> x = Reals(Unwrap(a_.model.OutputInfo(k)), a[k]);
      const std::vector<float> y = Reals(Unwrap(b_.model.OutputInfo(k)), b[k]);
      double signal = 0, noise = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double want = static_cast<double>(x[i]), error = static_cast<double>(y[i]) - want;
        if (!std::isfinite(want)) {
          Die(kExitUsage, "%s: the float model's output is not finite", sample.name.c_str());
        }
        signal += want * want;
        noise += error * error;
        v_.mean_error += std::fabs(error);
        v_.max_error = std::max(v_.max_error, std::fabs(error));
        ++values_;
      }
      if (v_.targets) CompareWithTargets(k, place, x, y);
      signal_[k] += signal;
      noise_[k] += noise;
      sample_signal += signal;
      sample_noise += noise;
      if (k > 0 || !v_.classes) continue;
      agreeing_ += Best(x) == Best(y);
      if (sample.label < 0) continue;
      ++v_.labelled;
      const size_t label = static_cast<size_t>(sample.label);
      const size_t rank_a = RankOf(x, label, 5), rank_b = RankOf(y, label, 5);
      v_.a.top1 += rank_a == 0;
      v_.b.top1 += rank_b == 0;
      v_.a.top5 += rank_a < 5;
      v_.b.top5 += rank_b < 5;
    }
    v_.worst.push_back({sample.name, Decibels(sample_signal, sample_noise)});
  }

  void Layers(Dataset* data, ProgressBar* bar) {
    Captured a, b;
    struct Sums {
      double signal = 0, noise = 0, error = 0;
      uint64_t values = 0;
      std::string type;
    };
    std::map<std::string, Sums> sums;
    std::vector<std::string> order;
    SessionOptions session_options;
    session_options.Threads(options_.threads);
    const Window of_a(a_, &session_a_, session_options), of_b(b_, &session_b_, session_options);
    SetCallback(of_a.session, Captured::Keep, &a);
    SetCallback(of_b.session, Captured::Keep, &b);
    const size_t count = std::min(options_.layer_samples, data->size());
    compiler::Sample sample;
    for (size_t i = 0; i < count; ++i) {
      (*bar)("comparing layers", i, count);
      Check(Result<void>::From(data->Read(i * data->size() / count, &sample)));
      a = Captured();
      b = Captured();
      RunTimed(*of_a.model, of_a.session, sample.inputs, nullptr);
      RunTimed(*of_b.model, of_b.session, InputsOfB(sample.inputs), nullptr);
      for (const auto& [name, type] : b.order) {
        const auto it = a.values.find(name);
        const std::vector<float>& got = b.values[name];
        if (it == a.values.end() || it->second.size() != got.size()) continue;
        if (!sums.count(name)) order.push_back(name);
        Sums& s = sums[name];
        s.type = type;
        for (size_t k = 0; k < got.size(); ++k) {
          const double want = static_cast<double>(it->second[k]);
          const double error = static_cast<double>(got[k]) - want;
          s.signal += want * want;
          s.noise += error * error;
          s.error += error;
        }
        s.values += got.size();
      }
    }
    SetCallback(of_a.session, nullptr, nullptr);
    SetCallback(of_b.session, nullptr, nullptr);
    for (const std::string& name : order) {
      const Sums& s = sums[name];
      v_.layers.push_back({name, s.type, Decibels(s.signal, s.noise),
                           s.values ? s.error / static_cast<double>(s.values) : 0});
    }
    v_.compared_layers = order.size();
    if (order.empty()) v_.layers_note = "no tensor of the two models has the same name";
  }

  void Finish(size_t samples) {
    v_.samples = samples;
    const auto share = [](double* value, size_t n) {
      if (n > 0) *value /= static_cast<double>(n);
    };
    for (double* value : {&v_.a.top1, &v_.b.top1, &v_.a.top5, &v_.b.top5}) {
      share(value, v_.labelled);
    }
    v_.agreement = static_cast<double>(agreeing_);
    share(&v_.agreement, samples);
    for (double* value : {&v_.mean_error, &v_.a.mean_error, &v_.b.mean_error}) {
      share(value, values_);
    }
    v_.sqnr_db = INFINITY;
    for (size_t k = 0; k < signal_.size(); ++k) {
      v_.sqnr_db = std::min(v_.sqnr_db, Decibels(signal_[k], noise_[k]));
    }
    std::sort(v_.a.runs_us.begin(), v_.a.runs_us.end());
    std::sort(v_.b.runs_us.begin(), v_.b.runs_us.end());
    std::stable_sort(v_.worst.begin(), v_.worst.end(),
                     [](const auto& x, const auto& y) { return x.sqnr_db < y.sqnr_db; });
    if (v_.worst.size() > 5) v_.worst.resize(5);
    if (!options_.drop.empty()) {
      const double most = ParseShare(options_.drop), drop = v_.a.top1 - v_.b.top1;
      // A share of samples is a quotient of whole numbers: no rounding error shall decide.
      if (drop > most + 1e-9) {
        v_.failures.push_back("accuracy drops by " + ShareText(drop) + ", more than " +
                              ShareText(most));
      }
    }
    if (!options_.rise.empty()) {
      const double most = (1 + ParseShare(options_.rise)) * v_.a.mean_error;
      if (!(v_.b.mean_error <= most * (1 + 1e-9))) {
        v_.failures.push_back(Format("mean error is %.5g, more than %.5g", v_.b.mean_error, most));
      }
    }
    if (options_.min_sqnr >= 0 && !(v_.sqnr_db >= options_.min_sqnr)) {
      v_.failures.push_back("SQNR of the output is " + DecibelText(v_.sqnr_db) + ", less than " +
                            DecibelText(options_.min_sqnr));
    }
    const double p99 = Percentile(v_.b.runs_us, 99) / 1000;
    if (options_.max_latency_ms >= 0 && p99 > options_.max_latency_ms) {
      v_.failures.push_back(
          Format("latency (p99) is %.3f ms, more than %.3f ms", p99, options_.max_latency_ms));
    }
  }

  const Options& options_;
  ModelFile a_, b_;
  Session session_a_, session_b_;
  Validation v_;
  std::vector<std::unique_ptr<NpyArray>> targets_;
  std::vector<double> signal_, noise_;
  size_t agreeing_ = 0, values_ = 0;
};

int Validate(const Options& options) {
  // Before anything takes time.
  if (!options.drop.empty()) ParseShare(options.drop);
  if (!options.rise.empty()) ParseShare(options.rise);
  if (!options.rise.empty() && options.targets.empty()) {
    Die(kExitUsage, "--max-error-rise needs --targets");
  }
  const Validation v = Validator(options).Run();
  if (!options.report.empty()) {
    const std::string page = ValidationHtml(v);
    WriteFile(options.report, page.data(), page.size());
  }
  if (options.json) {
    std::printf("%s\n", ValidationJson(v)
                            .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                            .c_str());
  } else {
    std::printf("%s", ValidationText(v).c_str());
  }
  return v.failures.empty() ? kExitOk : kExitDifferent;
}

}  // namespace

void AddValidate(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app->add_subcommand(
      "validate", "What quantising costs in accuracy and gains in speed and size");
  command->add_option("FLOAT", options->a, "the model before: .tflite, .onnx or .octet")
      ->required();
  command->add_option("INT8", options->b, "the model after")->required();
  AddDatasetOptions(command, &options->data);
  command
      ->add_option("--targets", options->targets,
                   "right values of the outputs, for the mean error of both models: an .npy file "
                   "whose first dimension counts samples, or an .npz file with one for each output")
      ->type_name("FILE");
  command->add_option("--max-accuracy-drop", options->drop, "fail above, e.g. 1%")
      ->type_name("SHARE");
  command
      ->add_option("--max-error-rise", options->rise,
                   "fail if the mean error grows by more, e.g. 5%")
      ->type_name("SHARE");
  command->add_option("--min-sqnr", options->min_sqnr, "fail below: signal to noise of the outputs")
      ->check(CLI::NonNegativeNumber)
      ->type_name("DB");
  command
      ->add_option("--max-latency-ms", options->max_latency_ms,
                   "fail above: 99th percentile of the second model")
      ->check(CLI::NonNegativeNumber)
      ->type_name("MS");
  command->add_option("--runs", options->runs, "least number of timed runs")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--layer-samples", options->layer_samples, "samples to compare layers on")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_flag("--no-layers", options->no_layers, "compare the outputs alone");
  command->add_option("--threads", options->threads, "threads of a run")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  AddLoadOptions(command, &options->load);
  command->add_option("--report,--html", options->report, "write a page with plots")
      ->type_name("FILE.html");
  command->add_flag("--json", options->json, "print the results as JSON");
  command->footer(
      "Examples:\n"
      "  octet validate float.tflite model.octet --data classes/ --max-accuracy-drop 1%\n"
      "  octet validate float.onnx model.octet --data x.npy --min-sqnr 20 --report report.html\n"
      "Exit code 0: every threshold is kept, 1: not.");
  command->callback([=] { *action = [=] { return Validate(*options); }; });
}

}  // namespace octet::cli
