#include "src/quantize/sensitivity.h"

#include <algorithm>
#include <cstdio>

#include "src/passes/passes.h"

namespace octet {
namespace {

bool IsCandidate(const Graph& graph, const GraphOp& op) {
  const QuantRule rule = RuleOf(graph, op);
  return rule != QuantRule::kKeep && rule != QuantRule::kSame && rule != QuantRule::kIndex;
}

std::string Text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

Status FindSensitivities(Reference* reference, const QuantPlan& plan,
                         compiler::SampleSource* samples, size_t count, size_t threads,
                         const Progress& progress, std::vector<Sensitivity>* result) {
  const Graph& graph = reference->graph();
  std::vector<size_t> candidates;
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    if (IsCandidate(graph, graph.ops[i]) && plan.precision[i] == Precision::kInt8) {
      candidates.push_back(i);
    }
  }
  result->clear();
  QuantPlan alone = plan;
  for (size_t k = 0; k < candidates.size(); ++k) {
    if (progress) progress("finding sensitive operators", k, candidates.size());
    std::fill(alone.precision.begin(), alone.precision.end(), Precision::kFloat);
    alone.precision[candidates[k]] = Precision::kInt8;
    RewrittenGraph rewritten;
    std::vector<std::string> unused;
    OCTET_RETURN_IF_ERROR(Rewrite(graph, &alone, &rewritten, &unused));
    Measurement measured;
    OCTET_RETURN_IF_ERROR(
        Measure(reference, rewritten, samples, count, threads, false, nullptr, &measured));
    result->push_back({candidates[k], measured.output_sqnr_db});
  }
  if (progress) progress("finding sensitive operators", candidates.size(), candidates.size());
  std::stable_sort(result->begin(), result->end(), [](const Sensitivity& a, const Sensitivity& b) {
    return a.sqnr_db < b.sqnr_db;
  });
  return OCTET_OK;
}

Status ReachGoals(Reference* reference, const compiler::QuantizeOptions& options,
                  const std::vector<Sensitivity>& order, compiler::SampleSource* samples,
                  QuantPlan* plan, RewrittenGraph* rewritten, std::vector<std::string>* log,
                  bool* reached) {
  const Graph& graph = reference->graph();
  const QuantPlan all_int8 = *plan;
  const bool accuracy = options.max_accuracy_drop >= 0;
  const size_t count = accuracy ? samples->size() : options.measure_samples;
  // Makes `plan` and `rewritten` those with the first `k` operators on the fallback.
  std::vector<std::string> lines;
  const auto attempt = [&](size_t k, bool* good) -> Status {
    *plan = all_int8;
    for (size_t i = 0; i < k; ++i) {
      const GraphOp& op = graph.ops[order[i].op];
      const bool int16 = options.fallback == compiler::Fallback::kInt16 && HasInt16(graph, op);
      plan->precision[order[i].op] = int16 ? Precision::kInt16 : Precision::kFloat;
    }
    lines.clear();
    OCTET_RETURN_IF_ERROR(Rewrite(graph, plan, rewritten, &lines));
    Measurement m;
    OCTET_RETURN_IF_ERROR(
        Measure(reference, *rewritten, samples, count, options.threads, false, nullptr, &m));
    if (accuracy && m.labelled == 0) {
      return Fail(OCTET_INVALID_ARGUMENT, "a limit to the loss of accuracy needs labelled samples");
    }
    *good = (options.min_sqnr_db <= 0 || m.output_sqnr_db >= options.min_sqnr_db) &&
            (!accuracy || m.float_accuracy - m.accuracy <= options.max_accuracy_drop);
    return OCTET_OK;
  };
  const auto progress = [&](size_t step) {
    if (options.progress) options.progress("reaching the goal", step, 0);
  };
  progress(0);
  size_t low = 0, high = order.size();
  OCTET_RETURN_IF_ERROR(attempt(0, reached));
  if (*reached || options.fallback == compiler::Fallback::kNone) return OCTET_OK;
  OCTET_RETURN_IF_ERROR(attempt(high, reached));
  // `low` operators are too few; `high` are enough, or all that there are.
  if (*reached) {
    for (size_t step = 1; high - low > 1; ++step) {
      progress(step);
      const size_t middle = low + (high - low) / 2;
      bool good = false;
      OCTET_RETURN_IF_ERROR(attempt(middle, &good));
      (good ? high : low) = middle;
    }
    OCTET_RETURN_IF_ERROR(attempt(high, reached));
  }
  const char* form = options.fallback == compiler::Fallback::kInt16 ? "int16" : "float32";
  for (size_t i = 0; i < high; ++i) {
    const GraphOp& op = graph.ops[order[i].op];
    lines.push_back(std::string("to ") + form + ": " + OpName(op.kind) + " \"" + op.name +
                    "\" (alone on 8 bits it leaves " + Text("%.1f dB", order[i].sqnr_db) + ")");
  }
  log->insert(log->end(), lines.begin(), lines.end());
  return OCTET_OK;
}

}  // namespace octet
