// From a model of another format to the bytes of an .octet file.
#include <algorithm>
#include <cstring>
#include <utility>

#include "src/compiler/aligned.h"
#include "src/compiler/convert.h"
#include "src/compiler/files.h"
#include "src/compiler/import.h"
#include "src/compiler/packs.h"
#include "src/compiler/writer.h"
#include "src/memory/plan.h"
#include "src/memory/stream.h"
#include "src/model/coding.h"
#include "src/model/model.h"
#include "src/passes/passes.h"

namespace octet::compiler {
namespace {

// Of the smallest arena, for which --optimize ram always takes a faster plan: the last few bytes
// can be dear, since they take bands of single rows. A limit may still ask for the smallest.
constexpr uint32_t kSparePercent = 2;

bool HasIdentifier(const uint8_t* data, size_t size, const char* identifier) {
  return size >= 8 && std::memcmp(data + 4, identifier, 4) == 0;
}

// Loads the file as a user would (what the runtime refuses must not be written) and asks what a
// session takes, with the kernels of `isa`, which this CPU need not have; null: of this machine.
Status Measure(const std::vector<uint8_t>& file, const IsaSet* isa, octet_memory* memory) {
  const AlignedCopy copy(file.data(), file.size());
  IsaSet here;
  if (isa == nullptr) OCTET_RETURN_IF_ERROR(ChooseIsa(nullptr, &here));
  octet_model* model = nullptr;
  OCTET_RETURN_IF_ERROR(LoadModel(copy.data(), copy.size(), false, DefaultAllocator(),
                                  isa != nullptr ? *isa : here, 0, &model));
  memory->struct_size = sizeof *memory;
  const Status status = octet_session_memory(model, nullptr, memory);
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

// Of a file that loads.
void CountConstants(const fb::Model& file, ConvertReport* report) {
  report->constant_bytes = report->stored_bytes = 0;
  const auto count = [&](const auto* list) {
    for (uint32_t i = 0; list != nullptr && i < list->size(); ++i) {
      const Coded constant = CodedOf(*list->Get(i));
      report->constant_bytes += constant.size;
      report->stored_bytes += constant.stored;
    }
  };
  count(file.buffers());
  count(file.packs());
}

Status PassThrough(const uint8_t* data, size_t size, const ConvertOptions& options,
                   std::vector<uint8_t>* file, ConvertReport* report) {
  if (!options.target.empty() || !options.metadata.empty() || options.compress == Compress::kOn) {
    return Fail(OCTET_UNSUPPORTED,
                "an .octet file is passed through as it is; convert its source to set a target or "
                "metadata, or to compress its weights");
  }
  file->assign(data, data + size);
  octet_memory memory = {};
  OCTET_RETURN_IF_ERROR(Measure(*file, nullptr, &memory));
  report->arena_bytes = memory.activation_bytes;
  report->total_bytes = memory.total_bytes;
  report->file_bytes = size;
  CountConstants(*fb::GetModel(data), report);
  report->log.push_back("already an .octet file: passed through");
  if (options.ram_limit != 0 && report->total_bytes > options.ram_limit) {
    return Fail(OCTET_RAM_LIMIT, "a session needs %llu bytes, more than the limit of %llu",
                static_cast<unsigned long long>(report->total_bytes),
                static_cast<unsigned long long>(options.ram_limit));
  }
  return OCTET_OK;
}

// Plans, packs and writes one graph, as often as a limit makes it necessary.
class Writer {
 public:
  Writer(const ConvertOptions& options, Graph* graph, ConvertReport* report)
      : options_(options), graph_(*graph), report_(report) {
    const bool least_ram = options.goal == Goal::kRam || options.ram_limit != 0;
    if (options.compress != Compress::kAuto || !least_ram) compress_ = options.compress;
  }

  // What a session takes with the file that Run made, or at least with any that it could make.
  uint64_t total_bytes() const { return total_bytes_; }

  Status Run(std::vector<uint8_t>* file) {
    OCTET_RETURN_IF_ERROR(TargetIsa(options_.target.empty() ? "native" : options_.target, &isa_));
    // Without a target, and for "native", OCTET_ISA has a say in what is measured.
    elsewhere_ = !options_.target.empty() && options_.target != "native";
    OCTET_RETURN_IF_ERROR(PlanMemory(&graph_, PlanOptions{options_.optimize}, &layers_));
    OCTET_RETURN_IF_ERROR(CheckGraph(graph_));  // planning may have reordered it
    OCTET_RETURN_IF_ERROR(PackForTarget(graph_, options_.target, &packs_));
    report_->bound_bytes = layers_.bound_bytes;
    if (!options_.row_fed_input) {
      plan_ = layers_;
      OCTET_RETURN_IF_ERROR(Write());
    }
    const bool fits =
        !file_.empty() && (options_.ram_limit == 0 || memory_.total_bytes <= options_.ram_limit);
    if (options_.goal == Goal::kRam || !fits) OCTET_RETURN_IF_ERROR(Stream());
    total_bytes_ = memory_.total_bytes;
    Report();
    *file = std::move(file_);
    return OCTET_OK;
  }

 private:
  Status Write() {
    OCTET_RETURN_IF_ERROR(CheckPlan(graph_, plan_));
    OCTET_RETURN_IF_ERROR(WriteModel(graph_, plan_, packs_, &file_, compress_));
    if (Status status = Measure(file_, elsewhere_ ? &isa_ : nullptr, &memory_);
        status != OCTET_OK) {
      PrefixError("the converted model does not load: ");
      return status;
    }
    return OCTET_OK;
  }

  uint64_t Fixed() const { return memory_.total_bytes - memory_.arena_bytes; }

  // The least RAM, or the least time that the limit allows.
  Status Stream() {
    const StreamPlanner planner(graph_, isa_, options_.row_fed_input);
    const uint64_t limit = options_.ram_limit;
    const Plan whole = plan_;
    const uint64_t whole_total = file_.empty() ? UINT64_MAX : memory_.total_bytes;
    StreamChoice choice;
    Plan streamed;
    // How much of the limit is not the arena's is known only once a file is written.
    uint64_t budget = 0;
    if (options_.goal == Goal::kSpeed && limit != 0 && !file_.empty()) {
      budget = limit > Fixed() ? limit - Fixed() : 1;
    }
    uint32_t spare = options_.goal == Goal::kRam ? kSparePercent : 0;
    for (int attempt = 0; attempt < 6; ++attempt) {
      if (!planner.Best(budget, spare, &choice, &streamed)) break;
      plan_ = streamed;
      plan_.bound_bytes = layers_.bound_bytes;
      OCTET_RETURN_IF_ERROR(Write());
      choice_ = choice;
      traffic_ = static_cast<double>(choice.traffic) / static_cast<double>(planner.LayerTraffic());
      const bool fits = limit == 0 || memory_.total_bytes <= limit;
      if (fits && budget == 0 && options_.goal == Goal::kSpeed && limit != 0) {
        budget = limit - Fixed();  // row-fed: now spend what there is
        continue;
      }
      if (fits) {
        if (memory_.total_bytes <= whole_total) return OCTET_OK;
        plan_ = whole;  // streaming did not pay
        choice_ = StreamChoice();
        traffic_ = 1;
        return Write();
      }
      if (budget == 0 && spare == 0) break;
      if (std::exchange(spare, 0) > 0) continue;
      const uint64_t excess = memory_.total_bytes - limit;
      budget = budget > excess ? budget - excess : 1;
    }
    // Nothing fits: say what would.
    if (planner.Best(0, 0, &choice, &streamed)) {
      plan_ = streamed;
      OCTET_RETURN_IF_ERROR(Write());
    }
    total_bytes_ = std::min<uint64_t>(memory_.total_bytes, whole_total);
    return Fail(
        OCTET_RAM_LIMIT,
        "a session needs %llu bytes at least, more than the limit of %llu: arena %llu "
        "(the peak is at %s), parameters and packed weights %llu, session %llu%s%s",
        static_cast<unsigned long long>(total_bytes_), static_cast<unsigned long long>(limit),
        static_cast<unsigned long long>(memory_.arena_bytes), PeakOperator(graph_, layers_).c_str(),
        static_cast<unsigned long long>(memory_.model_bytes),
        static_cast<unsigned long long>(memory_.session_bytes),
        options_.target.empty() ? "; a target keeps packed weights in the file" : "",
        options_.row_fed_input ? "" : "; row-fed input saves most of the input");
  }

  void Report() {
    report_->arena_bytes = plan_.arena_bytes;
    report_->total_bytes = memory_.total_bytes;
    report_->weight_traffic = traffic_;
    report_->file_bytes = file_.size();
    std::vector<bool> runs(graph_.ops.size(), false);
    for (const fb::Step& s : plan_.steps) {
      if (s.op() >= 0) runs[static_cast<size_t>(s.op())] = true;
    }
    const int views = static_cast<int>(std::count(runs.begin(), runs.end(), false));
    int bands = 0;
    for (const StreamSegment& s : choice_.segments) bands += s.band > 0;
    report_->log.push_back(
        "planned " + Count(static_cast<int>(plan_.steps.size()), "step", "steps") +
        (views > 0 ? " (" + Count(views, "copy", "copies") + " saved by views)" : "") + ": " +
        std::to_string(plan_.arena_bytes) + " bytes of activations, layer by layer " +
        std::to_string(plan_.bound_bytes) + " (" +
        (bands > 0 ? "streamed by rows in " + Count(bands, "segment", "segments") : plan_.method) +
        ")");
    if (!packs_.empty()) {
      uint64_t bytes = 0;
      for (const PackedOp& p : packs_) bytes += p.data.size();
      report_->log.push_back("packed the weights of " +
                             Count(static_cast<int>(packs_.size()), "operator", "operators") +
                             " for " + options_.target + ": " + std::to_string(bytes) + " bytes");
    }
    CountConstants(*fb::GetModel(file_.data()), report_);
    if (report_->stored_bytes < report_->constant_bytes) {
      report_->log.push_back("stored " + std::to_string(report_->constant_bytes) +
                             " bytes of weights in " + std::to_string(report_->stored_bytes) +
                             ", of which what runs read is decoded into RAM");
    }
  }

  const ConvertOptions& options_;
  Graph& graph_;
  ConvertReport* report_;
  Compress compress_ = Compress::kOff;
  IsaSet isa_;
  bool elsewhere_ = false;  // isa_ is another machine's
  std::vector<PackedOp> packs_;
  Plan layers_, plan_;
  StreamChoice choice_;
  double traffic_ = 1;
  std::vector<uint8_t> file_;  // of plan_
  octet_memory memory_ = {};   // of file_
  uint64_t total_bytes_ = 0;
};

// Writes the graph as it is, and where RAM matters also with its global averages split; the file
// that needs less, or the one that meets the limit, remains.
Status WriteSmaller(Graph* graph, const ConvertOptions& options, std::vector<uint8_t>* file,
                    ConvertReport* report) {
  Graph split = *graph;
  ConvertReport split_report = *report;
  Writer writer(options, graph, report);
  const Status status = writer.Run(file);
  if ((status == OCTET_OK && options.goal != Goal::kRam) ||
      (status != OCTET_OK && status != OCTET_RAM_LIMIT) || !options.optimize ||
      SplitPoolsPass(&split, &split_report.log) == 0) {
    return status;
  }
  const std::string message = status == OCTET_OK ? "" : octet_last_error();
  Writer other(options, &split, &split_report);
  std::vector<uint8_t> split_file;
  const Status split_status = other.Run(&split_file);
  if (split_status != OCTET_OK && split_status != OCTET_RAM_LIMIT) return split_status;
  if (other.total_bytes() >= writer.total_bytes()) {
    return status == OCTET_OK ? status : Fail(OCTET_RAM_LIMIT, "%s", message.c_str());
  }
  *file = std::move(split_file);
  *report = std::move(split_report);
  *graph = std::move(split);
  return split_status;
}

Status ConvertImpl(const uint8_t* data, size_t size, const ConvertOptions& options,
                   std::vector<uint8_t>* file, ConvertReport* report) {
  if (IsOctetFile(data, size)) return PassThrough(data, size, options, file, report);
  Graph graph;
  OCTET_RETURN_IF_ERROR(ImportModel(data, size, options.import, &graph, &report->log));
  return WriteOctet(&graph, options, file, report);
}

}  // namespace

bool IsOctetFile(const void* data, size_t size) {
  return HasIdentifier(static_cast<const uint8_t*>(data), size, fb::ModelIdentifier());
}

Status WriteOctet(Graph* graph, const ConvertOptions& options, std::vector<uint8_t>* file,
                  ConvertReport* report) {
  if (options.optimize) RunPasses(graph, &report->log);
  OCTET_RETURN_IF_ERROR(CheckGraph(*graph));
  for (const auto& [key, value] : options.metadata) graph->metadata[key] = value;
  return WriteSmaller(graph, options, file, report);
}

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
    ConvertOptions here = options;
    if (here.import.directory.empty()) here.import.directory = FolderOf(input);
    OCTET_RETURN_IF_ERROR(ConvertImpl(source.data(), source.size(), here, &file, &made));
    OCTET_RETURN_IF_ERROR(WriteFileAtomically(output, file.data(), file.size()));
    if (report) *report = std::move(made);
    return OCTET_OK;
  });
}

}  // namespace octet::compiler
