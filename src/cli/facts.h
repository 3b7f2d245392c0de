// What octet inspect tells of a model, gathered once for every way of showing it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "octet_generated.h"
#include "src/cli/model_file.h"
#include "src/cli/plan_view.h"
#include "src/memory/svg.h"

namespace octet::cli {

// An operator with all of its steps.
struct OperatorFacts {
  std::vector<int32_t> steps;  // none: its outputs are views, nothing runs
  uint64_t macs = 0;
  uint64_t weight_bytes = 0;
};

struct Facts {
  const fb::Model* model;
  size_t threads = 1;
  std::vector<StepInfo> steps;
  std::vector<OperatorFacts> operators;
  std::vector<OperatorFacts> inputs;  // with steps where the caller hands rows over
  Memory memory;
  uint64_t macs = 0, weight_bytes = 0, pack_bytes = 0, mapped_pack_bytes = 0;
  // Constants and packs that the file stores in fewer bytes: all of theirs, and those in the file.
  uint64_t coded_bytes = 0, stored_bytes = 0;
  std::map<std::string, size_t> op_counts;
  PlanView plan;
};

// `file` was loaded with keep_bytes and outlives what is returned.
Facts Gather(const ModelFile& file, size_t threads);

std::string Text(const flatbuffers::String* text);  // "" where there is none
std::string ShapeOf(const fb::Tensor& tensor);
std::string OutputShape(const Facts& facts, const fb::Operator& op);
std::string OutputShape(const Facts& facts, const StepInfo& step);
// The operator that a step is one of, or all steps in which rows of one input come in.
const OperatorFacts& OperatorOf(const Facts& facts, const StepInfo& step);
std::string StepName(const StepInfo& step);  // "CONV_2D stem rows 0-3"
std::string BaseName(const std::string& path);

PlanPicture Picture(const ModelFile& file, const Facts& facts);

}  // namespace octet::cli
