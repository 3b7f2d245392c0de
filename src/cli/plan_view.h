// What a file's memory plan means: which bytes hold what, from which step to which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet/octet.hpp"
#include "octet_generated.h"

namespace octet::cli {

// Bytes [begin, end) of the arena, held during the steps [first, last].
struct HeldBytes {
  uint64_t begin, end;
  int32_t first, last;
};

// A tensor that has bytes of its own in the arena.
struct PlacedTensor {
  int32_t tensor;
  std::string name, type, shape;
  uint64_t offset, bytes;
  int32_t first, last;  // steps
  int32_t ring_rows;
  // One entry, or several in order of address where rows come and go one by one.
  std::vector<HeldBytes> parts;
};

// Kernel scratch of one operator; it holds the bytes during each of the operator's steps.
struct PlacedScratch {
  int32_t op;
  uint64_t offset, bytes;
  std::vector<int32_t> steps;
};

// Steps [first, last] in which some operators run interleaved, a few rows at a time.
struct StreamedSteps {
  int32_t first, last;
  std::vector<int32_t> operators;
};

struct PlanView {
  std::vector<PlacedTensor> tensors;
  std::vector<PlacedScratch> scratch;
  std::vector<StreamedSteps> streamed;
  uint64_t peak_bytes = 0;  // the largest sum of live bytes, planned scratch included
  size_t peak_step = 0;
  uint64_t bound_bytes = 0;  // largest sum of live tensors, if run layer by layer and not in place
  int32_t bound_op = -1;     // where that is
};

template <class Vector>
size_t Count(const Vector* vector) {
  return vector ? vector->size() : 0;
}

// `model` is the file of a loaded (so verified) model, `steps` what the model says of its steps.
PlanView ViewPlan(const fb::Model& model, const std::vector<StepInfo>& steps, size_t threads);

}  // namespace octet::cli
