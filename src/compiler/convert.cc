// From a model of another format to the bytes of an .octet file.
#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "octet/compiler.h"
#include "src/compiler/aligned.h"
#include "src/compiler/files.h"
#include "src/compiler/packs.h"
#include "src/compiler/sha256.h"
#include "src/compiler/writer.h"
#include "src/import/tflite/importer.h"
#include "src/memory/plan.h"
#include "src/memory/stream.h"
#include "src/passes/passes.h"

namespace octet::compiler {
namespace {

bool HasIdentifier(const uint8_t* data, size_t size, const char* identifier) {
  return size >= 8 && std::memcmp(data + 4, identifier, 4) == 0;
}

// Loads the file as a user would: what the runtime refuses must not be written.
Status CheckLoads(const std::vector<uint8_t>& file) {
  const AlignedCopy copy(file.data(), file.size());
  octet_model_options* options = nullptr;
  OCTET_RETURN_IF_ERROR(octet_model_options_create(&options));
  Status status = octet_model_options_set_isa(options, "scalar");  // the quickest to load
  octet_model* model = nullptr;
  if (status == OCTET_OK) {
    status = octet_model_load_buffer(copy.data(), copy.size(), options, &model);
  }
  octet_model_options_destroy(options);
  octet_model_destroy(model);
  return status;
}

// The operator during which most bytes are live, for error messages.
std::string PeakOperator(const Graph& graph, const Plan& plan) {
  std::vector<size_t> last(graph.tensors.size(), 0), first(graph.tensors.size(), SIZE_MAX);
  for (const int32_t t : graph.inputs) first[t] = 0;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const GraphOp& op = graph.ops[plan.steps[s].op()];
    for (const int32_t t : op.inputs) {
      if (t >= 0) last[t] = s;
    }
    for (const int32_t t : op.outputs) {
      first[t] = std::min(first[t], s);
      last[t] = std::max(last[t], s);
    }
  }
  for (const int32_t t : graph.outputs) last[t] = plan.steps.size();
  size_t peak_step = 0;
  uint64_t peak = 0;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    uint64_t live = 0;
    for (size_t t = 0; t < graph.tensors.size(); ++t) {
      if (plan.places[t].place == fb::Place::ARENA && first[t] <= s && s <= last[t]) {
        live += graph.tensors[t].bytes();
      }
    }
    if (live > peak) {
      peak = live;
      peak_step = s;
    }
  }
  if (plan.steps.empty()) return "no operator";
  const GraphOp& op = graph.ops[plan.steps[peak_step].op()];
  return std::string(OpName(op.kind)) + " \"" + op.name + "\"";
}

Status PassThrough(const uint8_t* data, size_t size, const ConvertOptions& options,
                   std::vector<uint8_t>* file, ConvertReport* report) {
  if (!options.target.empty() || !options.metadata.empty()) {
    return Fail(OCTET_UNSUPPORTED,
                "an .octet file is passed through as it is; convert its source to set a target or "
                "metadata");
  }
  file->assign(data, data + size);
  OCTET_RETURN_IF_ERROR(CheckLoads(*file));
  const fb::Model* model = fb::GetModel(file->data());
  report->arena_bytes = model->arena_bytes();
  report->file_bytes = size;
  report->log.push_back("already an .octet file: passed through");
  if (options.ram_limit != 0 && report->arena_bytes > options.ram_limit) {
    return Fail(OCTET_RAM_LIMIT, "the activations need %llu bytes, more than the limit of %llu",
                static_cast<unsigned long long>(report->arena_bytes),
                static_cast<unsigned long long>(options.ram_limit));
  }
  return OCTET_OK;
}

// The arena that a plan needs, as the loader computes it: scratch lies where the plan keeps room
// for it, else above everything.
uint64_t ArenaWithScratch(const Graph& graph, const Plan& plan, IsaSet isa) {
  uint64_t bytes = plan.arena_bytes;
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOpView view(graph, graph.ops[i]);
    Binding binding;
    FindOp(graph.ops[i].kind)->bind(view.view(), isa, &binding);
    if (i < plan.scratch.size() && binding.scratch_bytes <= plan.scratch[i].bytes) continue;
    // An upper bound: the loader may find the top of what is live lower than the arena's end.
    if (binding.scratch_bytes > 0) {
      bytes = std::max<uint64_t>(bytes, (plan.arena_bytes + 63) / 64 * 64 + binding.scratch_bytes);
    }
  }
  return bytes;
}

// Layer by layer, or streamed where the goal or the limit asks for it.
Status MakePlan(const ConvertOptions& options, Graph* graph, Plan* plan, ConvertReport* report) {
  OCTET_RETURN_IF_ERROR(PlanMemory(graph, PlanOptions{options.optimize}, plan));
  OCTET_RETURN_IF_ERROR(CheckGraph(*graph));  // planning may have reordered it
  report->bound_bytes = plan->bound_bytes;
  IsaSet isa = DetectIsa();
  if (!options.target.empty()) OCTET_RETURN_IF_ERROR(TargetIsa(options.target, &isa));
  const uint64_t whole = ArenaWithScratch(*graph, *plan, isa);
  const bool too_large = options.ram_limit != 0 && whole > options.ram_limit;
  if (options.goal == Goal::kRam || too_large) {
    const StreamPlanner planner(*graph, isa);
    StreamChoice choice;
    Plan streamed;
    if (!planner.Best(options.goal == Goal::kRam ? 0 : options.ram_limit, &choice, &streamed)) {
      // What is the least, then?
      if (planner.Best(0, &choice, &streamed)) {
        return Fail(
            OCTET_RAM_LIMIT,
            "the arena needs %llu bytes at least (%llu layer by layer), more than the limit "
            "of %llu; the peak is at %s",
            static_cast<unsigned long long>(std::min(streamed.arena_bytes, whole)),
            static_cast<unsigned long long>(whole),
            static_cast<unsigned long long>(options.ram_limit),
            PeakOperator(*graph, *plan).c_str());
      }
    } else if (too_large || streamed.arena_bytes < whole) {
      streamed.bound_bytes = plan->bound_bytes;
      *plan = std::move(streamed);
      report->weight_traffic =
          static_cast<double>(choice.traffic) / static_cast<double>(planner.LayerTraffic());
      int32_t bands = 0;
      for (const StreamSegment& s : choice.segments) bands += s.band > 0;
      plan->method = "streamed by rows in " + Count(bands, "segment", "segments");
    }
  }
  OCTET_RETURN_IF_ERROR(CheckPlan(*graph, *plan));
  report->arena_bytes = plan->arena_bytes;
  std::vector<bool> runs(graph->ops.size(), false);
  for (const fb::Step& s : plan->steps) runs[static_cast<size_t>(s.op())] = true;
  const int views = static_cast<int>(std::count(runs.begin(), runs.end(), false));
  report->log.push_back(
      "planned " + Count(static_cast<int>(plan->steps.size()), "step", "steps") +
      (views > 0 ? " (" + Count(views, "copy", "copies") + " saved by views)" : "") + ": " +
      std::to_string(plan->arena_bytes) + " bytes of activations, layer by layer " +
      std::to_string(plan->bound_bytes) + " (" + plan->method + ")");
  if (options.ram_limit != 0) {
    const uint64_t needed = ArenaWithScratch(*graph, *plan, isa);
    if (needed > options.ram_limit) {
      return Fail(OCTET_RAM_LIMIT,
                  "the arena needs %llu bytes, more than the limit of %llu; the peak is at %s",
                  static_cast<unsigned long long>(needed),
                  static_cast<unsigned long long>(options.ram_limit),
                  PeakOperator(*graph, *plan).c_str());
    }
  }
  return OCTET_OK;
}

Status ConvertImpl(const uint8_t* data, size_t size, const ConvertOptions& options,
                   std::vector<uint8_t>* file, ConvertReport* report) {
  if (HasIdentifier(data, size, fb::ModelIdentifier())) {
    return PassThrough(data, size, options, file, report);
  }
  if (!HasIdentifier(data, size, "TFL3")) {
    return Fail(OCTET_INVALID_MODEL, "the data is neither a .tflite nor an .octet model");
  }
  Graph graph;
  OCTET_RETURN_IF_ERROR(ImportTflite(data, size, &graph));
  report->log.push_back("imported " +
                        Count(static_cast<int>(graph.ops.size()), "operator", "operators"));
  if (options.optimize) RunPasses(&graph, &report->log);
  OCTET_RETURN_IF_ERROR(CheckGraph(graph));

  Plan plan;
  OCTET_RETURN_IF_ERROR(MakePlan(options, &graph, &plan, report));
  graph.metadata["source_sha256"] = Sha256Hex(data, size);
  for (const auto& [key, value] : options.metadata) graph.metadata[key] = value;
  std::vector<PackedOp> packs;
  OCTET_RETURN_IF_ERROR(PackForTarget(graph, options.target, &packs));
  if (!packs.empty()) {
    uint64_t bytes = 0;
    for (const PackedOp& p : packs) bytes += p.data.size();
    report->log.push_back("packed the weights of " +
                          Count(static_cast<int>(packs.size()), "operator", "operators") + " for " +
                          options.target + ": " + std::to_string(bytes) + " bytes");
  }
  OCTET_RETURN_IF_ERROR(WriteModel(graph, plan, packs, file));
  report->file_bytes = file->size();
  if (Status status = CheckLoads(*file); status != OCTET_OK) {
    PrefixError("the converted model does not load: ");
    return status;
  }
  return OCTET_OK;
}

// Runs f, turning exceptions of the standard library into statuses.
template <class F>
octet_status Guarded(F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return Fail(OCTET_OUT_OF_MEMORY, "not enough memory to convert the model");
  } catch (const std::exception& e) {
    return Fail(OCTET_OUT_OF_MEMORY, "converting failed: %s", e.what());
  }
}

}  // namespace

octet_status Convert(const void* data, size_t size, const ConvertOptions& options,
                     std::vector<uint8_t>* octet_file, ConvertReport* report) {
  return Guarded([&]() -> octet_status {
    if (!octet_file || (!data && size > 0)) {
      return Fail(OCTET_INVALID_ARGUMENT, "a null pointer");
    }
    std::vector<uint8_t> file;
    ConvertReport made;
    OCTET_RETURN_IF_ERROR(
        ConvertImpl(static_cast<const uint8_t*>(data), size, options, &file, &made));
    *octet_file = std::move(file);
    if (report) *report = std::move(made);
    return OCTET_OK;
  });
}

octet_status ConvertFile(const std::string& input, const std::string& output,
                         const ConvertOptions& options, ConvertReport* report) {
  return Guarded([&]() -> octet_status {
    std::vector<uint8_t> source, file;
    ConvertReport made;
    OCTET_RETURN_IF_ERROR(ReadFile(input, &source));
    OCTET_RETURN_IF_ERROR(ConvertImpl(source.data(), source.size(), options, &file, &made));
    OCTET_RETURN_IF_ERROR(WriteFileAtomically(output, file));
    if (report) *report = std::move(made);
    return OCTET_OK;
  });
}

}  // namespace octet::compiler
