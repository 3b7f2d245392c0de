// octet inspect: what is in a model file, what runs on this CPU, where the memory goes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "octet_generated.h"
#include "src/cli/command.h"
#include "src/cli/format.h"
#include "src/cli/model_file.h"
#include "src/cli/result.h"
#include "src/memory/svg.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string model, svg;
  LoadOptions load;
  size_t threads = 1;
  bool json = false, steps = false;
};

// A tensor that has bytes of its own in the arena.
struct Placed {
  int32_t tensor;
  std::string name, type, shape;
  uint64_t offset, bytes;
  int32_t first, last;  // steps
  int32_t ring_rows;
};

struct Facts {
  const fb::Model* model;
  std::vector<StepInfo> steps;
  Memory memory;
  uint64_t macs = 0, weight_bytes = 0, pack_bytes = 0, mapped_pack_bytes = 0;
  std::vector<uint64_t> op_weights;
  std::vector<Placed> plan;
  uint64_t peak_bytes = 0;  // the largest sum of live bytes
  size_t peak_step = 0;
  std::map<std::string, size_t> op_counts;
};

template <class Vector>
size_t Count(const Vector* vector) {
  return vector ? vector->size() : 0;
}

std::string Name(const flatbuffers::String* name) { return name ? name->str() : std::string(); }

uint64_t TensorBytes(const fb::Tensor& tensor) {
  uint64_t bytes = TypeSize(static_cast<int>(tensor.type()));
  for (flatbuffers::uoffset_t i = 0; i < Count(tensor.shape()); ++i) {
    // A ring buffer keeps `ring_rows` rows of NHWC's height.
    const bool rows = i == 1 && tensor.ring_rows() > 0;
    bytes *= static_cast<uint64_t>(rows ? tensor.ring_rows() : tensor.shape()->Get(i));
  }
  return bytes;
}

std::string ShapeOf(const fb::Tensor& tensor) {
  return tensor.shape() ? ShapeText(tensor.shape()->data(), tensor.shape()->size()) : "[]";
}

// The tensor whose bytes a view shares.
int32_t Root(const fb::Model& model, int32_t index) {
  for (size_t guard = 0; guard < Count(model.tensors()); ++guard) {
    const int32_t of = model.tensors()->Get(static_cast<flatbuffers::uoffset_t>(index))->view_of();
    if (of < 0) break;
    index = of;
  }
  return index;
}

// First and last step in which each tensor's bytes matter, from the operators' inputs and outputs.
void FindPlan(Facts* facts) {
  const fb::Model& model = *facts->model;
  const size_t tensors = Count(model.tensors());
  const int32_t last_step = static_cast<int32_t>(Count(model.steps())) - 1;
  std::vector<int32_t> first(tensors, INT32_MAX), last(tensors, -1);
  const auto use = [&](int32_t tensor, int32_t step) {
    if (tensor < 0) return;
    const size_t root = static_cast<size_t>(Root(model, tensor));
    first[root] = std::min(first[root], step);
    last[root] = std::max(last[root], step);
  };
  for (int32_t s = 0; s <= last_step; ++s) {
    const fb::Step* step = model.steps()->Get(static_cast<flatbuffers::uoffset_t>(s));
    const fb::Operator* op =
        model.operators()->Get(static_cast<flatbuffers::uoffset_t>(step->op()));
    for (flatbuffers::uoffset_t i = 0; i < Count(op->inputs()); ++i) use(op->inputs()->Get(i), s);
    for (flatbuffers::uoffset_t i = 0; i < Count(op->outputs()); ++i) {
      use(op->outputs()->Get(i), s);
    }
  }
  for (flatbuffers::uoffset_t i = 0; i < Count(model.inputs()); ++i) use(model.inputs()->Get(i), 0);
  for (flatbuffers::uoffset_t i = 0; i < Count(model.outputs()); ++i) {
    use(model.outputs()->Get(i), std::max(last_step, 0));
  }
  for (size_t t = 0; t < tensors; ++t) {
    const fb::Tensor& tensor = *model.tensors()->Get(static_cast<flatbuffers::uoffset_t>(t));
    if (tensor.place() != fb::Place::ARENA || tensor.view_of() >= 0 || last[t] < 0) continue;
    facts->plan.push_back({static_cast<int32_t>(t), Name(tensor.name()),
                           TypeName(static_cast<int>(tensor.type())), ShapeOf(tensor),
                           tensor.offset(), TensorBytes(tensor), first[t], last[t],
                           tensor.ring_rows()});
  }
  std::sort(facts->plan.begin(), facts->plan.end(), [](const Placed& a, const Placed& b) {
    return a.first != b.first ? a.first < b.first : a.offset < b.offset;
  });
  // Live bytes of a step: the union of intervals, since tensors worked on in place overlap.
  for (int32_t s = 0; s <= last_step; ++s) {
    std::vector<std::pair<uint64_t, uint64_t>> live;
    for (const Placed& p : facts->plan) {
      if (p.first <= s && s <= p.last) live.emplace_back(p.offset, p.offset + p.bytes);
    }
    std::sort(live.begin(), live.end());
    uint64_t sum = 0, end = 0;
    for (const auto& [begin, stop] : live) {
      if (stop > end) sum += stop - std::max(begin, end);
      end = std::max(end, stop);
    }
    if (sum > facts->peak_bytes) {
      facts->peak_bytes = sum;
      facts->peak_step = static_cast<size_t>(s);
    }
  }
}

Facts Gather(const ModelFile& file, const Options& options) {
  Facts facts;
  facts.model = fb::GetModel(file.bytes.data());  // verified by the load
  facts.memory = Unwrap(file.model.SessionMemory(SessionOptions().Threads(options.threads)));
  std::vector<bool> packed_seen(Count(facts.model->operators()));
  for (size_t i = 0; i < file.model.step_count(); ++i) {
    facts.steps.push_back(Unwrap(file.model.Step(i)));
    const StepInfo& step = facts.steps.back();
    facts.macs += step.macs;
    const size_t op = static_cast<size_t>(std::max(step.op_index, 0));
    if (op < packed_seen.size() && !packed_seen[op]) {
      packed_seen[op] = true;
      facts.pack_bytes += step.pack_bytes;
      if (step.pack_mapped) facts.mapped_pack_bytes += step.pack_bytes;
    }
  }
  for (flatbuffers::uoffset_t i = 0; i < Count(facts.model->operators()); ++i) {
    const fb::Operator& op = *facts.model->operators()->Get(i);
    ++facts.op_counts[fb::EnumNameOpKind(op.kind())];
    uint64_t weights = 0;
    for (flatbuffers::uoffset_t k = 0; k < Count(op.inputs()); ++k) {
      const int32_t input = op.inputs()->Get(k);
      if (input < 0) continue;
      const fb::Tensor& tensor =
          *facts.model->tensors()->Get(static_cast<flatbuffers::uoffset_t>(input));
      if (tensor.place() == fb::Place::CONSTANT) weights += TensorBytes(tensor);
    }
    facts.op_weights.push_back(weights);
  }
  for (flatbuffers::uoffset_t i = 0; i < Count(facts.model->buffers()); ++i) {
    const fb::Buffer* buffer = facts.model->buffers()->Get(i);
    if (buffer) facts.weight_bytes += Count(buffer->data());
  }
  FindPlan(&facts);
  return facts;
}

std::string OutputShape(const Facts& facts, const StepInfo& step) {
  const fb::Operator* op = facts.model->operators()->Get(
      static_cast<flatbuffers::uoffset_t>(std::max(step.op_index, 0)));
  if (!Count(op->outputs())) return {};
  return ShapeOf(
      *facts.model->tensors()->Get(static_cast<flatbuffers::uoffset_t>(op->outputs()->Get(0))));
}

uint64_t WeightsOf(const Facts& facts, const StepInfo& step) {
  const size_t op = static_cast<size_t>(std::max(step.op_index, 0));
  return op < facts.op_weights.size() ? facts.op_weights[op] : 0;
}

std::string StepName(const StepInfo& step) {
  std::string name = std::string(step.op) + " " + step.name;
  if (step.row_end >= 0) {
    name +=
        Format(" rows %d-%d", static_cast<int>(step.row_begin), static_cast<int>(step.row_end) - 1);
  }
  return name;
}

void WriteSvg(const std::string& path, const ModelFile& file, const Facts& facts) {
  PlanPicture picture;
  picture.title = file.path.substr(file.path.find_last_of('/') + 1);
  picture.arena_bytes = facts.model->arena_bytes();
  picture.bound_bytes = file.converted ? file.report.bound_bytes : 0;
  for (const Placed& p : facts.plan) {
    picture.tensors.push_back(
        {p.name, p.type + " " + p.shape, p.offset, p.bytes, p.first, p.last, p.ring_rows});
  }
  for (const StepInfo& step : facts.steps) picture.steps.push_back(StepName(step));
  const std::string svg = PlanSvg(picture);
  WriteFile(path, svg.data(), svg.size());
}

Json MetadataJson(const fb::Model& model) {
  Json json = Json::object();
  for (flatbuffers::uoffset_t i = 0; i < Count(model.metadata()); ++i) {
    const fb::Metadata* entry = model.metadata()->Get(i);
    json[Name(entry->key())] = Name(entry->value());
  }
  return json;
}

void PrintJson(const ModelFile& file, const Facts& facts) {
  const Model& model = file.model;
  Json json;
  json["model"] = file.path;
  json["converted"] = file.converted;
  json["format_version"] = facts.model->version();
  json["producer"] = Name(facts.model->producer());
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
  json["arena_bytes"] = facts.memory.arena_bytes;
  json["activation_bytes"] = facts.memory.activation_bytes;
  json["state_bytes"] = facts.model->state_bytes();
  json["session_bytes"] = facts.memory.session_bytes;
  json["model_bytes"] = facts.memory.model_bytes;
  json["total_ram_bytes"] = facts.memory.total_bytes;
  json["mapped_bytes"] = facts.memory.mapped_bytes;
  json["peak_live_bytes"] = facts.peak_bytes;
  json["peak_step"] = facts.peak_step;
  json["steps"] = Json::array();
  for (size_t i = 0; i < facts.steps.size(); ++i) {
    const StepInfo& step = facts.steps[i];
    json["steps"].push_back({{"index", i},
                             {"op", step.op},
                             {"name", step.name},
                             {"kernel", step.kernel},
                             {"output_shape", OutputShape(facts, step)},
                             {"macs", step.macs},
                             {"weight_bytes", WeightsOf(facts, step)},
                             {"pack_bytes", step.pack_bytes},
                             {"pack_mapped", step.pack_mapped != 0},
                             {"scratch_bytes", step.scratch_bytes},
                             {"op_index", step.op_index},
                             {"row_begin", step.row_begin},
                             {"row_end", step.row_end}});
  }
  json["plan"] = Json::array();
  for (const Placed& p : facts.plan) {
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
              Name(facts.model->producer()).c_str());
  for (flatbuffers::uoffset_t i = 0; i < Count(facts.model->metadata()); ++i) {
    const fb::Metadata* entry = facts.model->metadata()->Get(i);
    std::string value = Name(entry->value());
    const size_t line = value.find('\n');
    if (line != std::string::npos) {
      const auto lines = std::count(value.begin(), value.end(), '\n') + 1;
      value = value.substr(0, line) + Format(" ... (%ld lines)", static_cast<long>(lines));
    }
    std::printf("%-10s %s\n", Name(entry->key()).c_str(), value.c_str());
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
  std::printf("operators  %zu: %s\n", facts.op_weights.size(), counts.c_str());
  std::printf("work       %s MAC in %zu steps, kernels up to %s\n", CountText(facts.macs).c_str(),
              facts.steps.size(), IsaOf(model).c_str());
  std::printf("weights    %s; packed for this CPU %llu, of them %llu used from the file\n",
              BytesText(facts.weight_bytes).c_str(),
              static_cast<unsigned long long>(facts.pack_bytes),
              static_cast<unsigned long long>(facts.mapped_pack_bytes));
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
  std::vector<size_t> steps_of_op(facts.op_weights.size());
  for (const StepInfo& step : facts.steps) {
    ++steps_of_op[static_cast<size_t>(std::max(step.op_index, 0))];
  }
  std::vector<bool> shown(facts.op_weights.size());
  for (size_t i = 0; i < facts.steps.size(); ++i) {
    const StepInfo& step = facts.steps[i];
    const size_t op = static_cast<size_t>(std::max(step.op_index, 0));
    // A streamed operator is one line unless every step was asked for.
    if (!all && shown[op]) continue;
    shown[op] = true;
    uint64_t macs = step.macs;
    std::string index = std::to_string(i), name = step.name;
    if (!all && steps_of_op[op] > 1) {
      index += Format("x%zu", steps_of_op[op]);
      macs = 0;
      for (const StepInfo& other : facts.steps) {
        if (other.op_index == step.op_index) macs += other.macs;
      }
    } else if (step.row_end >= 0) {
      name += Format(" rows %d-%d", static_cast<int>(step.row_begin),
                     static_cast<int>(step.row_end) - 1);
    }
    table.push_back({index, step.op, step.kernel, OutputShape(facts, step),
                     macs ? CountText(macs) : "", std::to_string(WeightsOf(facts, step)),
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
  for (const Placed& p : facts.plan) {
    table.push_back({std::to_string(p.tensor), std::to_string(p.offset), std::to_string(p.bytes),
                     Format("%d-%d", static_cast<int>(p.first), static_cast<int>(p.last)), p.type,
                     p.ring_rows ? p.shape + Format(" ring of %d rows", p.ring_rows) : p.shape,
                     Shorten(p.name, 48)});
  }
  std::printf("\nMemory plan: %llu bytes\n%s",
              static_cast<unsigned long long>(facts.model->arena_bytes()),
              Table(std::move(table)).c_str());
  if (facts.peak_step < facts.steps.size()) {
    std::printf("peak: %llu live bytes in step %zu, %s\n",
                static_cast<unsigned long long>(facts.peak_bytes), facts.peak_step,
                Shorten(StepName(facts.steps[facts.peak_step]), 72).c_str());
  }
}

int Inspect(const Options& options) {
  LoadOptions load = options.load;
  load.keep_bytes = true;
  const ModelFile file = LoadModel(options.model, load);
  const Facts facts = Gather(file, options);
  if (!options.svg.empty()) WriteSvg(options.svg, file, facts);
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
  command->add_option("MODEL", options->model, ".octet or .tflite file")->required();
  command->add_option("--svg", options->svg, "draw the memory plan")->type_name("FILE");
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
      "  octet inspect kws.octet --isa scalar --json");
  command->callback([=] { *action = [=] { return Inspect(*options); }; });
}

}  // namespace octet::cli
