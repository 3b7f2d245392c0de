// A picture of a memory plan for people: which tensor lies where in the arena, and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet {

struct PlanPicture {
  // Bytes [begin, end) of the arena during the steps [first_step, last_step].
  struct Part {
    uint64_t begin = 0, end = 0;
    int32_t first_step = 0, last_step = 0;
  };
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
    int32_t ring_rows = 0;    // 0: stored whole
    std::string label;        // inside the tensor; empty: its name
    std::vector<Part> parts;  // by address, where rows come and go one by one; empty: one part
  };
  // Kernel scratch of an operator.
  struct Scratch {
    std::string name;
    uint64_t offset = 0, bytes = 0;
    std::vector<int32_t> steps;  // ascending
  };
  // Steps [first_step, last_step] in which operators run interleaved by rows.
  struct Segment {
    int32_t first_step = 0, last_step = 0;
    int32_t operators = 0;
    std::string detail;  // for the hover text
  };
  std::string title;  // e.g. the model's file name
  std::vector<Tensor> tensors;
  std::vector<std::string> steps;  // a name for each step, in order: "CONV_2D stem"
  uint64_t arena_bytes = 0;
  uint64_t bound_bytes = 0;  // largest sum of live bytes, layer by layer; 0: unknown, not drawn
  std::vector<std::string> step_labels;  // below the axis; empty: the names
  std::vector<Scratch> scratch;
  std::vector<Segment> segments;  // in order, apart from each other
  uint64_t peak_bytes = 0;        // largest sum of live bytes of this plan; 0: not shown
  int32_t peak_step = -1;
};

// Full: at most about 1600 pixels wide, complete in itself. Compact: 360 wide, for a page on a
// phone, without title and legend.
enum class PlanSvgSize { kFull, kCompact };

// A complete SVG document. Steps that run by rows are drawn narrower than others.
std::string PlanSvg(const PlanPicture& picture, PlanSvgSize size = PlanSvgSize::kFull);

// Text for XML and HTML: markup escaped, what is no UTF-8 or no XML character replaced.
std::string XmlText(const std::string& text);

}  // namespace octet
