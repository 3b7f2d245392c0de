// A picture of a memory plan for people: which tensor lies where in the arena, and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet {

struct PlanPicture {
  // A tensor that has bytes of its own in the arena (views and constants are left out by whoever
  // fills this). It holds them during the steps [first_step, last_step]. Graph inputs begin at step
  // 0, graph outputs end at the last step.
  struct Tensor {
    std::string name;
    std::string detail;  // type and shape, for the hover text; may be empty
    uint64_t offset = 0;
    uint64_t bytes = 0;  // as stored: ring_rows rows where the tensor is a ring buffer
    int32_t first_step = 0;
    int32_t last_step = 0;
    int32_t ring_rows = 0;  // 0: stored whole
  };
  std::string title;  // e.g. the model's file name
  std::vector<Tensor> tensors;
  std::vector<std::string> steps;  // a name for each step, in order: "CONV_2D stem"
  uint64_t arena_bytes = 0;
  uint64_t bound_bytes = 0;  // largest sum of live bytes, layer by layer; 0: unknown, not drawn
};

// A complete SVG document, at most about 1600 pixels wide.
std::string PlanSvg(const PlanPicture& picture);

}  // namespace octet
