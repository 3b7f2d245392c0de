// Which operators lose most on 8 bits, and how few must take something better.
#pragma once

#include "src/quantize/measure.h"

namespace octet {

struct Sensitivity {
  size_t op = 0;
  double sqnr_db = 0;  // of the model's output if only this operator is quantised
};

// Of every operator that computes with a rule of its own, the most sensitive first.
Status FindSensitivities(Reference* reference, const QuantPlan& plan,
                         compiler::SampleSource* samples, size_t count, size_t threads,
                         const Progress& progress, std::vector<Sensitivity>* result);

// Gives the fallback to as few of the most sensitive operators as reach the goals of `options`;
// *reached says whether all of them together do. `plan` and `rewritten` become that choice.
Status ReachGoals(Reference* reference, const compiler::QuantizeOptions& options,
                  const std::vector<Sensitivity>& order, compiler::SampleSource* samples,
                  QuantPlan* plan, RewrittenGraph* rewritten, std::vector<std::string>* log,
                  bool* reached);

}  // namespace octet
