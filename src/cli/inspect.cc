// octet inspect: what is in a model file, what runs on this CPU, where the memory goes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/cli/command.h"
#include "src/cli/facts.h"
#include "src/cli/format.h"
#include "src/cli/html.h"
#include "src/cli/result.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string model, svg, html;
  LoadOptions load;
  size_t threads = 1;
  bool json = false, steps = false;
};

Json MetadataJson(const fb::Model& model) {
  Json json = Json::object();
  for (flatbuffers::uoffset_t i = 0; i < Count(model.metadata()); ++i) {
    const fb::Metadata* entry = model.metadata()->Get(i);
    json[Text(entry->key())] = Text(entry->value());
  }
  return json;
}

void PrintJson(const ModelFile& file, const Facts& facts) {
  const Model& model = file.model;
  Json json;
  json["model"] = file.path;
  json["converted"] = file.converted;
  json["format_version"] = facts.model->version();
  json["producer"] = Text(facts.model->producer());
  json["metadata"] = MetadataJson(*facts.model);
  json["file_bytes"] = file.file_bytes;
  json["isa"] = IsaOf(model);
  json["inputs"] = Json::array();
  json["outputs"] = Json::array();
  for (size_t i = 0; i < model.input_count(); ++i) {
    json["inputs"].push_back(ToJson(Unwrap(model.InputInfo(i))));
  }
  for (size_t i = 0; i < model.output_count(); ++i) {
    json["outputs"].push_back(ToJson(Unwrap(model.OutputInfo(i))));
  }
  json["operators"] = facts.op_counts;
  json["macs"] = facts.macs;
  json["weight_bytes"] = facts.weight_bytes;
  json["pack_bytes"] = facts.pack_bytes;
  json["mapped_pack_bytes"] = facts.mapped_pack_bytes;
  json["coded_bytes"] = facts.coded_bytes;
  json["coded_stored_bytes"] = facts.stored_bytes;
  json["arena_bytes"] = facts.memory.arena_bytes;
  json["activation_bytes"] = facts.memory.activation_bytes;
  json["state_bytes"] = facts.model->state_bytes();
  json["session_bytes"] = facts.memory.session_bytes;
  json["model_bytes"] = facts.memory.model_bytes;
  json["total_ram_bytes"] = facts.memory.total_bytes;
  json["mapped_bytes"] = facts.memory.mapped_bytes;
  json["peak_live_bytes"] = facts.plan.peak_bytes;
  json["peak_step"] = facts.plan.peak_step;
  json["bound_bytes"] = facts.plan.bound_bytes;
  json["steps"] = Json::array();
  for (size_t i = 0; i < facts.steps.size(); ++i) {
    const StepInfo& step = facts.steps[i];
    json["steps"].push_back({{"index", i},
                             {"op", step.op},
                             {"name", step.name},
                             {"kernel", step.kernel},
                             {"output_shape", OutputShape(facts, step)},
                             {"macs", step.macs},
                             {"weight_bytes", OperatorOf(facts, step).weight_bytes},
                             {"pack_bytes", step.pack_bytes},
                             {"pack_mapped", step.pack_mapped != 0},
                             {"scratch_bytes", step.scratch_bytes},
                             {"op_index", step.op_index},
                             {"row_begin", step.row_begin},
                             {"row_end", step.row_end}});
  }
  json["streamed"] = Json::array();
  for (const StreamedSteps& s : facts.plan.streamed) {
    json["streamed"].push_back(
        {{"first_step", s.first}, {"last_step", s.last}, {"operators", s.operators}});
  }
  json["scratch"] = Json::array();
  for (const PlacedScratch& s : facts.plan.scratch) {
    json["scratch"].push_back({{"op_index", s.op}, {"offset", s.offset}, {"bytes", s.bytes}});
  }
  json["plan"] = Json::array();
  for (const PlacedTensor& p : facts.plan.tensors) {
    json["plan"].push_back({{"tensor", p.tensor},
                            {"name", p.name},
                            {"type", p.type},
                            {"shape", p.shape},
                            {"offset", p.offset},
                            {"bytes", p.bytes},
                            {"first_step", p.first},
                            {"last_step", p.last},
                            {"ring_rows", p.ring_rows}});
  }
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

void PrintSummary(const ModelFile& file, const Facts& facts) {
  const Model& model = file.model;
  const Memory& memory = facts.memory;
  std::printf("%s: %s%s\n", file.path.c_str(), BytesText(file.file_bytes).c_str(),
              file.converted ? " as an .octet file" : "");
  std::printf("format     version %u, written by %s\n", facts.model->version(),
              Text(facts.model->producer()).c_str());
  for (flatbuffers::uoffset_t i = 0; i < Count(facts.model->metadata()); ++i) {
    const fb::Metadata* entry = facts.model->metadata()->Get(i);
    std::string value = Text(entry->value());
    const size_t line = value.find('\n');
    if (line != std::string::npos) {
      const auto lines = std::count(value.begin(), value.end(), '\n') + 1;
      value = value.substr(0, line) + Format(" ... (%ld lines)", static_cast<long>(lines));
    }
    std::printf("%-10s %s\n", Text(entry->key()).c_str(), value.c_str());
  }
  for (size_t i = 0; i < model.input_count(); ++i) {
    std::printf("%s\n", Describe("input", i, Unwrap(model.InputInfo(i))).c_str());
  }
  for (size_t i = 0; i < model.output_count(); ++i) {
    std::printf("%s\n", Describe("output", i, Unwrap(model.OutputInfo(i))).c_str());
  }
  std::string counts;
  for (const auto& [op, count] : facts.op_counts) {
    counts += (counts.empty() ? "" : ", ") + std::to_string(count) + " " + op;
  }
  std::printf("operators  %zu: %s\n", facts.operators.size(), counts.c_str());
  std::printf("work       %s MAC in %zu steps, kernels up to %s\n", CountText(facts.macs).c_str(),
              facts.steps.size(), IsaOf(model).c_str());
  std::printf("weights    %s; packed for this CPU %llu, of them %llu used from the file\n",
              BytesText(facts.weight_bytes).c_str(),
              static_cast<unsigned long long>(facts.pack_bytes),
              static_cast<unsigned long long>(facts.mapped_pack_bytes));
  if (facts.coded_bytes > 0) {
    std::printf("compressed %s of weights and packs in %llu bytes of the file\n",
                BytesText(facts.coded_bytes).c_str(),
                static_cast<unsigned long long>(facts.stored_bytes));
  }
  std::printf("RAM        %s in all:\n", BytesText(memory.total_bytes).c_str());
  std::printf("  arena    %s: activations %zu, kernel scratch %zu\n",
              BytesText(memory.arena_bytes).c_str(), memory.activation_bytes,
              memory.arena_bytes - std::min(memory.arena_bytes, memory.activation_bytes));
  std::printf("  session  %s, state kept between runs %llu\n",
              BytesText(memory.session_bytes).c_str(),
              static_cast<unsigned long long>(facts.model->state_bytes()));
  std::printf("  model    %s, shared by sessions\n", BytesText(memory.model_bytes).c_str());
}

void PrintSteps(const Facts& facts, bool all) {
  std::vector<std::vector<std::string>> table = {{">step", "operator", "kernel", "output", ">MAC",
                                                  ">weights", ">scratch", ">packed", "pack",
                                                  "name"}};
  for (size_t i = 0; i < facts.steps.size(); ++i) {
    const StepInfo& step = facts.steps[i];
    const OperatorFacts& op = OperatorOf(facts, step);
    // A streamed operator is one line unless every step was asked for.
    if (!all && op.steps.front() != static_cast<int32_t>(i)) continue;
    uint64_t macs = step.macs;
    std::string index = std::to_string(i), name = step.name;
    if (!all && op.steps.size() > 1) {
      index += Format("x%zu", op.steps.size());
      macs = op.macs;
    } else if (step.row_end >= 0) {
      name += Format(" rows %d-%d", static_cast<int>(step.row_begin),
                     static_cast<int>(step.row_end) - 1);
    }
    table.push_back({index, step.op, step.kernel, OutputShape(facts, step),
                     macs ? CountText(macs) : "", std::to_string(op.weight_bytes),
                     std::to_string(step.scratch_bytes), std::to_string(step.pack_bytes),
                     step.pack_bytes ? (step.pack_mapped ? "file" : "RAM") : "",
                     Shorten(name, 48)});
  }
  const bool grouped = facts.steps.size() != table.size() - 1;
  std::printf("\nSteps%s\n%s",
              !grouped ? "" : " (FIRSTxCOUNT where an operator runs row by row; --steps shows all)",
              Table(std::move(table)).c_str());
}

void PrintPlan(const Facts& facts) {
  std::vector<std::vector<std::string>> table = {
      {">tensor", ">offset", ">bytes", ">steps", "type", "shape", "name"}};
  for (const PlacedTensor& p : facts.plan.tensors) {
    table.push_back({std::to_string(p.tensor), std::to_string(p.offset), std::to_string(p.bytes),
                     Format("%d-%d", static_cast<int>(p.first), static_cast<int>(p.last)), p.type,
                     p.ring_rows ? p.shape + Format(" ring of %d rows", p.ring_rows) : p.shape,
                     Shorten(p.name, 48)});
  }
  std::printf("\nMemory plan: %llu bytes\n%s",
              static_cast<unsigned long long>(facts.model->arena_bytes()),
              Table(std::move(table)).c_str());
  if (facts.plan.peak_step < facts.steps.size()) {
    std::printf("peak: %llu live bytes in step %zu, %s\n",
                static_cast<unsigned long long>(facts.plan.peak_bytes), facts.plan.peak_step,
                Shorten(StepName(facts.steps[facts.plan.peak_step]), 72).c_str());
  }
  if (facts.plan.bound_bytes > 0) {
    std::printf("layer-by-layer bound: %llu bytes; the plan takes %.1f %% of it\n",
                static_cast<unsigned long long>(facts.plan.bound_bytes),
                100.0 * static_cast<double>(facts.model->arena_bytes()) /
                    static_cast<double>(facts.plan.bound_bytes));
  }
}

int Inspect(const Options& options) {
  LoadOptions load = options.load;
  load.keep_bytes = true;
  const ModelFile file = LoadModel(options.model, load);
  const Facts facts = Gather(file, options.threads);
  if (!options.svg.empty()) {
    const std::string svg = PlanSvg(Picture(file, facts));
    WriteFile(options.svg, svg.data(), svg.size());
  }
  if (!options.html.empty()) {
    const std::string page = HtmlPage(file, facts);
    WriteFile(options.html, page.data(), page.size());
  }
  if (options.json) {
    PrintJson(file, facts);
  } else {
    PrintSummary(file, facts);
    PrintSteps(facts, options.steps);
    PrintPlan(facts);
  }
  return kExitOk;
}

}  // namespace

void AddInspect(CLI::App* app, Action* action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app->add_subcommand("inspect", "Show a model's tensors, kernels and memory plan");
  command->add_option("MODEL", options->model, ".octet, .tflite or .onnx file")->required();
  command->add_option("--svg", options->svg, "draw the memory plan")->type_name("FILE");
  command
      ->add_option("--html", options->html,
                   "write one page with the graph, the kernels and the plan; needs no network")
      ->type_name("FILE");
  command->add_option("--threads", options->threads, "threads that the RAM is stated for")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command->add_flag("--steps", options->steps, "every step of operators that run row by row");
  AddLoadOptions(command, &options->load);
  command->add_flag("--json", options->json, "print everything as one JSON object");
  command->footer(
      "Examples:\n"
      "  octet inspect mobilenet.octet\n"
      "  octet inspect mobilenet.tflite --svg plan.svg\n"
      "  octet inspect mobilenet.octet --html mobilenet.html\n"
      "  octet inspect kws.octet --isa scalar --json");
  command->callback([=] { *action = [=] { return Inspect(*options); }; });
}

}  // namespace octet::cli
