// octet bench: how fast, and in how much memory.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Options {
  std::string model;
  LoadOptions load;
  size_t threads = 1, runs = 0;
  int warmup = -1;
  bool json = false, per_op = false;
};

// What runs and profiling cost when nobody says how many.
constexpr double kWarmupSeconds = 0.1, kRunSeconds = 1.0, kProfileSeconds = 0.5;
constexpr size_t kMinRuns = 20, kMaxRuns = 10000, kMaxProfiledRuns = 200;

double Microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return Percentile(values, 50);
}

// Inputs share the arena with everything else, so each run needs them anew; that is not timed.
class Runner {
 public:
  Runner(const Model& model, Session session) : model_(model), session_(std::move(session)) {
    for (size_t i = 0; i < model.input_count(); ++i) {
      inputs_.push_back(RandomTensor(Unwrap(model.InputInfo(i)), i + 1));
    }
  }
  Clock::duration Run() {
    SetInputs(model_, &session_, inputs_);
    const Clock::time_point start = Clock::now();
    const Result<void> result = session_.Run();
    const Clock::duration time = Clock::now() - start;
    Check(result);
    return time;
  }
  Session& session() { return session_; }

 private:
  const Model& model_;
  Session session_;
  std::vector<ByteVector> inputs_;
};

struct Measurement {
  std::vector<double> runs;   // microseconds, sorted
  std::vector<double> steps;  // median microseconds of each step
  double load_us = 0, session_us = 0;
  Memory memory;
};

Measurement Measure(const ModelFile& file, const Options& options) {
  const Model& model = file.model;
  SessionOptions session_options;
  session_options.Threads(options.threads);
  Measurement result;
  result.memory = Unwrap(model.SessionMemory(session_options), file.path);
  result.load_us = file.load_us;
  {
    const Clock::time_point start = Clock::now();
    Session session = Unwrap(Session::Create(model, session_options), file.path);
    result.session_us = Microseconds(Clock::now() - start);
    Runner runner(model, std::move(session));
    const Clock::time_point warm = Clock::now();
    if (options.warmup >= 0) {
      for (int i = 0; i < options.warmup; ++i) runner.Run();
    } else {
      for (int i = 0; i < 3 || SecondsSince(warm) < kWarmupSeconds; ++i) runner.Run();
    }
    const Clock::time_point begin = Clock::now();
    const size_t limit = options.runs ? options.runs : kMaxRuns;
    result.runs.reserve(limit);
    while (result.runs.size() < limit) {
      if (!options.runs && result.runs.size() >= kMinRuns && SecondsSince(begin) > kRunSeconds) {
        break;
      }
      result.runs.push_back(Microseconds(runner.Run()));
    }
    std::sort(result.runs.begin(), result.runs.end());
  }
  // A session of its own, so that reading clocks does not distort the latency above.
  session_options.Profiling(true);
  Runner runner(model, Unwrap(Session::Create(model, session_options), file.path));
  std::vector<std::vector<double>> times(model.step_count());
  runner.Run();
  const Clock::time_point begin = Clock::now();
  const size_t profiled = std::min(result.runs.size(), kMaxProfiledRuns);
  for (size_t r = 0; r < profiled && (r < 3 || SecondsSince(begin) < kProfileSeconds); ++r) {
    runner.Run();
    for (size_t i = 0; i < times.size(); ++i) {
      const uint64_t nanoseconds = Unwrap(runner.session().StepNanoseconds(i));
      times[i].push_back(static_cast<double>(nanoseconds) / 1000);
    }
  }
  for (std::vector<double>& step : times) result.steps.push_back(Median(std::move(step)));
  return result;
}

double GmacsPerSecond(uint64_t macs, double us) {
  return us > 0 ? static_cast<double>(macs) / us / 1000 : 0;
}

// Three decimals are a nanosecond; more would be noise.
double Rounded(double us) { return std::round(us * 1000) / 1000; }

void PrintJson(const ModelFile& file, const Options& options, const Measurement& m, uint64_t macs) {
  const double median = Percentile(m.runs, 50);
  const double mean =
      std::accumulate(m.runs.begin(), m.runs.end(), 0.0) / static_cast<double>(m.runs.size());
  Json json;
  json["model"] = file.path;
  json["version"] = octet_version();
  json["isa"] = IsaOf(file.model);
  json["threads"] = options.threads;
  json["runs"] = m.runs.size();
  json["median_us"] = Rounded(median);
  json["p90_us"] = Rounded(Percentile(m.runs, 90));
  json["p99_us"] = Rounded(Percentile(m.runs, 99));
  json["min_us"] = Rounded(m.runs.front());
  json["mean_us"] = Rounded(mean);
  json["load_us"] = Rounded(m.load_us + m.session_us);
  json["model_load_us"] = Rounded(m.load_us);
  json["session_create_us"] = Rounded(m.session_us);
  json["macs"] = macs;
  json["gmacs_per_s"] = Rounded(GmacsPerSecond(macs, median));
  json["arena_bytes"] = m.memory.arena_bytes;
  json["activation_bytes"] = m.memory.activation_bytes;
  json["model_bytes"] = m.memory.model_bytes;
  json["session_bytes"] = m.memory.session_bytes;
  json["total_ram_bytes"] = m.memory.total_bytes;
  json["mapped_bytes"] = m.memory.mapped_bytes;
  json["file_bytes"] = file.file_bytes;
  json["steps"] = Json::array();
  for (size_t i = 0; i < m.steps.size(); ++i) {
    const StepInfo step = Unwrap(file.model.Step(i));
    json["steps"].push_back({{"index", i},
                             {"op", step.op},
                             {"name", step.name},
                             {"kernel", step.kernel},
                             {"us", Rounded(m.steps[i])},
                             {"macs", step.macs},
                             {"op_index", step.op_index},
                             {"row_begin", step.row_begin},
                             {"row_end", step.row_end}});
  }
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

// A row an operator: a streamed operator runs in many steps.
void PrintOperators(const ModelFile& file, const Measurement& m) {
  struct Row {
    StepInfo info;
    double us = 0;
    uint64_t macs = 0;
    size_t steps = 0;
  };
  std::vector<Row> rows;
  std::vector<std::ptrdiff_t> row_of;
  double total = 0;
  for (size_t i = 0; i < m.steps.size(); ++i) {
    const StepInfo step = Unwrap(file.model.Step(i));
    // Below 0: rows of an input come in.
    const size_t op =
        static_cast<size_t>(step.op_index + static_cast<int32_t>(file.model.input_count()));
    if (op >= row_of.size()) row_of.resize(op + 1, -1);
    if (row_of[op] < 0) {
      row_of[op] = static_cast<std::ptrdiff_t>(rows.size());
      rows.push_back({step});
    }
    Row& row = rows[static_cast<size_t>(row_of[op])];
    row.us += m.steps[i];
    row.macs += step.macs;
    ++row.steps;
    total += m.steps[i];
  }
  std::vector<std::vector<std::string>> table = {
      {">op", ">steps", ">us", ">%", ">GMAC/s", "operator", "kernel", "name"}};
  for (const Row& row : rows) {
    table.push_back({row.info.op_index >= 0 ? std::to_string(row.info.op_index) : "",
                     std::to_string(row.steps), Format("%.1f", row.us),
                     Format("%.1f", total > 0 ? 100 * row.us / total : 0),
                     row.macs ? Format("%.1f", GmacsPerSecond(row.macs, row.us)) : "", row.info.op,
                     row.info.kernel, Shorten(row.info.name, 48)});
  }
  std::printf("\n%s", Table(std::move(table)).c_str());
}

int Bench(const Options& options) {
  const ModelFile file = LoadModel(options.model, options.load);
  const Measurement m = Measure(file, options);
  uint64_t macs = 0;
  for (size_t i = 0; i < file.model.step_count(); ++i) macs += Unwrap(file.model.Step(i)).macs;
  if (options.json) {
    PrintJson(file, options, m, macs);
    return kExitOk;
  }
  const double median = Percentile(m.runs, 50);
  std::printf("%s: %s, %zu thread%s, %zu runs\n", file.path.c_str(), IsaOf(file.model).c_str(),
              options.threads, options.threads == 1 ? "" : "s", m.runs.size());
  std::printf("latency    median %.1f us, p90 %.1f, p99 %.1f, min %.1f\n", median,
              Percentile(m.runs, 90), Percentile(m.runs, 99), m.runs.front());
  std::printf("speed      %.2f GMAC/s (%s MAC)\n", GmacsPerSecond(macs, median),
              CountText(macs).c_str());
  std::printf("load       %.0f us (model %.0f, session %.0f)\n", m.load_us + m.session_us,
              m.load_us, m.session_us);
  std::printf("RAM        %s: arena %zu, session %zu, model %zu\n",
              BytesText(m.memory.total_bytes).c_str(), m.memory.arena_bytes, m.memory.session_bytes,
              m.memory.model_bytes);
  std::printf("file       %s\n", BytesText(file.file_bytes).c_str());
  if (options.per_op) PrintOperators(file, m);
  return kExitOk;
}

}  // namespace

void AddBench(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app->add_subcommand("bench", "Measure latency, load time and memory");
  command->add_option("MODEL", options->model, ".octet, .tflite or .onnx file")->required();
  command->add_option("--threads", options->threads, "threads of a run")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_option("--runs", options->runs, "timed runs (default: about a second's worth)")
      ->check(CLI::Range(0, 10000000));
  command
      ->add_option("--warmup", options->warmup,
                   "runs before those (default: a tenth of a second's worth)")
      ->check(CLI::Range(0, 10000000));
  command->add_flag("--per-op", options->per_op, "time and kernel of every operator");
  AddLoadOptions(command, &options->load);
  command->add_flag("--json", options->json, "print one JSON object");
  command->footer(
      "Examples:\n"
      "  octet bench mobilenet.octet --per-op\n"
      "  octet bench mobilenet.octet --threads 4 --runs 200 --json\n"
      "  octet bench mobilenet.octet --isa avx2\n"
      "Inputs are pseudo-random and the same each time. load_us is loading the .octet and making\n"
      "a session; converting a model is not in it. Step times come from runs of their own.");
  command->callback([=] { *action = [=] { return Bench(*options); }; });
}

}  // namespace octet::cli
