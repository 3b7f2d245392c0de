#include "src/ops/binary.h"

#include <cstring>
#include <limits>

#include "kernels/common/requant.h"
#include "kernels/common/rows.h"

namespace octet {
namespace {

// Elements that are worth a thread.
constexpr size_t kGrain = 8192;

// Of each input's elements that short runs are put together in.
constexpr size_t kChunkBytes = 2048;

// How far apart neighbours along output dimension `i` (counted from the last) lie in an input.
size_t StepOf(const TensorView& t, int32_t i) {
  if (t.dim_from_end(i) == 1) return 0;
  size_t step = 1;
  for (int32_t k = 0; k < i; ++k) step *= static_cast<size_t>(t.dim_from_end(k));
  return step;
}

// The rows of one input, for outputs of rank 4.
void PlanRows(const TensorView& t, BinaryPlan::Side* side) {
  const int32_t height = t.dim_from_end(2);
  side->by_rows = t.rank == 4;
  side->row = static_cast<size_t>(t.dim_from_end(0)) * static_cast<size_t>(t.dim_from_end(1));
  side->row_step = height == 1 ? 0 : 1;
  side->batch_step = t.dim_from_end(3) == 1 ? 0 : height;
}

// Drops loops of one pass and joins loops that both inputs step through evenly; the innermost that
// remains is the run.
void PlanRuns(const OpView& op, int32_t dims_in_row, BinaryPlan* plan) {
  int32_t n = 0;
  int32_t dims[kMaxRank];
  size_t a[kMaxRank], b[kMaxRank];  // innermost first
  for (int32_t i = 0; i < dims_in_row; ++i) {
    const int32_t d = op.out().dim_from_end(i);
    if (d == 1) continue;
    const size_t step_a = StepOf(op.in(0), i), step_b = StepOf(op.in(1), i);
    if (n > 0) {
      const size_t inner = static_cast<size_t>(dims[n - 1]);
      if (step_a == a[n - 1] * inner && step_b == b[n - 1] * inner &&
          int64_t{d} * dims[n - 1] <= std::numeric_limits<int32_t>::max()) {
        dims[n - 1] *= d;
        continue;
      }
    }
    dims[n] = d;
    a[n] = step_a;
    b[n] = step_b;
    ++n;
  }
  if (n == 0) {
    plan->run = 1;
    plan->a.step = plan->b.step = 1;
    return;
  }
  plan->run = static_cast<size_t>(dims[0]);
  plan->a.step = static_cast<uint8_t>(a[0]);
  plan->b.step = static_cast<uint8_t>(b[0]);
  plan->loops = n - 1;
  for (int32_t i = 0; i < plan->loops; ++i) {
    const int32_t k = n - 1 - i;
    plan->dims[i] = dims[k];
    plan->a_steps[i] = a[k];
    plan->b_steps[i] = b[k];
    plan->runs *= static_cast<size_t>(dims[k]);
  }
}

BinaryPlan::Side::Pattern PatternOf(const BinaryPlan& plan, const BinaryPlan::Side& side,
                                    const size_t* steps) {
  bool even = side.step == 1, same = true;
  size_t run = plan.run;
  for (int32_t i = plan.loops - 1; i >= 0; --i) {
    even = even && steps[i] == run;
    same = same && steps[i] == 0;
    run *= static_cast<size_t>(plan.dims[i]);
  }
  return even   ? BinaryPlan::Side::kEven
         : same ? BinaryPlan::Side::kSame
                : BinaryPlan::Side::kUneven;
}

// How runs are put together.
void PlanChunks(BinaryPlan* plan) {
  plan->a.pattern = PatternOf(*plan, plan->a, plan->a_steps);
  plan->b.pattern = PatternOf(*plan, plan->b, plan->b_steps);
  const size_t element = plan->a.element > plan->b.element ? plan->a.element : plan->b.element;
  const size_t chunk = kChunkBytes / (plan->run * element);
  plan->chunk = chunk < 2 ? 1 : chunk < plan->runs ? chunk : plan->runs;
}

// True where one run over several rows reads this input as one row does.
bool Flat(const TensorView& t, const TensorView& out, const BinaryPlan::Side& side) {
  return SameShape(t, out) || (t.elements() == 1 && side.step == 0);
}

// Where the kernel reads and writes; positions are in elements.
struct Cursor {
  const BinaryPlan& plan;
  const RunContext& c;

  const uint8_t* Input(size_t i, int32_t y) const {
    const BinaryPlan::Side& side = i == 0 ? plan.a : plan.b;
    int32_t row = y / plan.height * side.batch_step + y % plan.height * side.row_step;
    const int32_t ring = c.inputs[i].ring_rows;
    if (side.by_rows && ring > 0) row %= ring;
    return c.inputs[i].data + static_cast<size_t>(row) * side.row * side.element;
  }
  uint8_t* Output(int32_t y) const {
    const int32_t ring = c.outputs[0].ring_rows;
    const int32_t row = ring > 0 ? y % ring : y;
    return c.outputs[0].data + static_cast<size_t>(row) * plan.out_row * plan.out_element;
  }
  // How many of `wanted` rows from y on lie one behind the other in every tensor.
  int32_t Contiguous(int32_t y, int32_t wanted) const {
    const int32_t height = plan.height;
    const auto limit = [&](const BinaryPlan::Side& side, int32_t ring) {
      if (side.row_step == 0 && side.batch_step == 0) return;  // a single value
      const int32_t row = y / height * side.batch_step + y % height * side.row_step;
      wanted = Rows<const uint8_t>{nullptr, 0, side.by_rows ? ring : 0}.contiguous(row, wanted);
    };
    limit(plan.a, c.inputs[0].ring_rows);
    limit(plan.b, c.inputs[1].ring_rows);
    return Rows<const uint8_t>{nullptr, 0, c.outputs[0].ring_rows}.contiguous(y, wanted);
  }
};

void RunFlat(const BinaryParams& p, const RunContext& c) {
  const BinaryPlan& plan = p.plan;
  const Cursor cursor{plan, c};
  int32_t y = c.rows.begin;
  while (y < c.rows.end) {
    const int32_t rows = cursor.Contiguous(y, c.rows.end - y);
    const uint8_t* a = cursor.Input(0, y);
    const uint8_t* b = cursor.Input(1, y);
    uint8_t* out = cursor.Output(y);
    c.threads.slices(static_cast<size_t>(rows) * plan.out_row, kGrain,
                     [&](size_t, size_t begin, size_t end) {
                       p.fn(end - begin, a + begin * plan.a.step * plan.a.element, plan.a.step,
                            b + begin * plan.b.step * plan.b.element, plan.b.step,
                            out + begin * plan.out_element, p.kernel);
                     });
    y += rows;
  }
}

// Walks the loops around a run; offsets are elements from the start of the row.
struct Odometer {
  const BinaryPlan& plan;
  int32_t index[kMaxRank] = {};
  size_t a = 0, b = 0;

  Odometer(const BinaryPlan& the_plan, size_t run) : plan(the_plan) {
    for (int32_t i = plan.loops - 1; i >= 0; --i) {
      index[i] = static_cast<int32_t>(run % static_cast<size_t>(plan.dims[i]));
      run /= static_cast<size_t>(plan.dims[i]);
      a += static_cast<size_t>(index[i]) * plan.a_steps[i];
      b += static_cast<size_t>(index[i]) * plan.b_steps[i];
    }
  }
  size_t offset(size_t side) const { return side == 0 ? a : b; }
  void Next() {
    for (int32_t i = plan.loops - 1; i >= 0; --i) {
      a += plan.a_steps[i];
      b += plan.b_steps[i];
      if (++index[i] < plan.dims[i]) return;
      a -= plan.a_steps[i] * static_cast<size_t>(plan.dims[i]);
      b -= plan.b_steps[i] * static_cast<size_t>(plan.dims[i]);
      index[i] = 0;
    }
  }
};

// Puts the elements of `count` runs from `first` on one behind the other.
void Gather(const BinaryPlan& plan, size_t i, const uint8_t* row, size_t first, size_t count,
            uint8_t* to) {
  const BinaryPlan::Side& side = i == 0 ? plan.a : plan.b;
  Odometer at(plan, first);
  for (size_t k = 0; k < count; ++k, at.Next()) {
    const uint8_t* from = row + at.offset(i) * side.element;
    const size_t bytes = plan.run * side.element;
    if (side.step == 1) {
      std::memcpy(to, from, bytes);
    } else if (side.element == 1) {
      std::memset(to, *from, bytes);
    } else {
      for (size_t e = 0; e < bytes; e += side.element) std::memcpy(to + e, from, side.element);
    }
    to += bytes;
  }
}

void RunNested(const BinaryParams& p, const RunContext& c) {
  const BinaryPlan& plan = p.plan;
  const Cursor cursor{plan, c};
  const BinaryPlan::Side* const sides[2] = {&plan.a, &plan.b};
  const size_t runs = static_cast<size_t>(c.rows.end - c.rows.begin) * plan.runs;
  c.threads.slices(runs, kGrain / plan.run + 1, [&](size_t, size_t begin, size_t end) {
    alignas(64) uint8_t blocks[2][kChunkBytes];
    const uint8_t* held[2] = {nullptr, nullptr};  // the row whose runs a block holds, over and over
    int32_t y = c.rows.begin + static_cast<int32_t>(begin / plan.runs);
    size_t first = begin % plan.runs;
    while (begin < end) {
      const size_t left = plan.runs - first < end - begin ? plan.runs - first : end - begin;
      const size_t n = left < plan.chunk ? left : plan.chunk;
      const uint8_t* from[2];
      size_t step[2];
      for (size_t i = 0; i < 2; ++i) {
        const BinaryPlan::Side& side = *sides[i];
        const uint8_t* row = cursor.Input(i, y);
        step[i] = side.step;
        if (side.pattern == BinaryPlan::Side::kEven) {
          from[i] = row + first * plan.run * side.element;
        } else if (side.pattern == BinaryPlan::Side::kSame && (side.step == 0 || n == 1)) {
          from[i] = row;
        } else if (n == 1) {
          from[i] = row + Odometer(plan, first).offset(i) * side.element;
        } else {
          const bool same = side.pattern == BinaryPlan::Side::kSame;
          if (!same || held[i] != row) {
            Gather(plan, i, row, first, same ? plan.chunk : n, blocks[i]);
          }
          held[i] = row;
          from[i] = blocks[i];
          step[i] = 1;
        }
      }
      p.fn(n * plan.run, from[0], step[0], from[1], step[1],
           cursor.Output(y) + first * plan.run * plan.out_element, p.kernel);
      begin += n;
      first += n;
      if (first == plan.runs) {
        first = 0;
        ++y;
      }
    }
  });
}

}  // namespace

Status CheckBinary(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 2, 1, 1));
  OCTET_RETURN_IF_ERROR(CheckPresent(op, 2));
  const TensorView &a = op.in(0), &b = op.in(1), &out = op.out();
  OCTET_CHECK_OP(out.rank == (a.rank > b.rank ? a.rank : b.rank),
                 "the output has %d dimensions, the inputs %d and %d", out.rank, a.rank, b.rank);
  for (int32_t i = 0; i < out.rank; ++i) {
    const int32_t x = a.dim_from_end(i), y = b.dim_from_end(i), z = out.dim_from_end(i);
    OCTET_CHECK_OP((x == y || x == 1 || y == 1) && z == (x == 1 ? y : x),
                   "sizes %d and %d do not broadcast to %d", x, y, z);
  }
  return OCTET_OK;
}

namespace {

BinaryPlan MakePlan(const OpView& op) {
  BinaryPlan plan;
  plan.a.element = static_cast<uint8_t>(TypeBytes(op.in(0).type));
  plan.b.element = static_cast<uint8_t>(TypeBytes(op.in(1).type));
  plan.out_element = static_cast<uint8_t>(TypeBytes(op.out().type));
  plan.out_row = RowElements(op.out());
  if (op.out().rank == 4) {
    plan.height = op.out().dims[1];
    PlanRows(op.in(0), &plan.a);
    PlanRows(op.in(1), &plan.b);
    PlanRuns(op, 2, &plan);
  } else {
    PlanRuns(op, op.out().rank, &plan);
  }
  PlanChunks(&plan);
  plan.flat =
      plan.loops == 0 && Flat(op.in(0), op.out(), plan.a) && Flat(op.in(1), op.out(), plan.b);
  return plan;
}

size_t PlanBytes(const BinaryPlan& plan) {
  return plan.loops == 0 ? offsetof(BinaryPlan, dims) : sizeof plan;
}

}  // namespace

void InitBinary(const OpView& op, BinaryFn fn, BinaryParams* params) {
  const BinaryPlan plan = MakePlan(op);
  params->fn = fn;
  std::memcpy(static_cast<void*>(&params->plan), &plan, PlanBytes(plan));
}

void BindBinary(const OpView& op, const char* kernel, Binding* binding) {
  binding->kernel = kernel;
  binding->run = RunBinary;
  binding->params_bytes = offsetof(BinaryParams, plan) + PlanBytes(MakePlan(op));
}

Status RunBinary(const RunContext& c) {
  const BinaryParams& p = *static_cast<const BinaryParams*>(c.params);
  if (p.plan.flat) {
    RunFlat(p, c);
  } else {
    RunNested(p, c);
  }
  return OCTET_OK;
}

bool BinaryRows(const OpView& op, size_t input, RowRange out, RowRange* in) {
  if (op.out().rank != 4) return false;
  const TensorView& t = op.in(input);
  if (t.rank != 4) {
    *in = {0, 1};  // the whole tensor
    return true;
  }
  const int32_t height = op.out().dims[1];
  const int32_t n = out.begin / height;
  const int32_t last = (out.end - 1) / height;
  if (last > n) {  // several batches: all of theirs
    *in = t.dims[0] == 1 ? RowRange{0, t.dims[1]} : RowRange{n * t.dims[1], (last + 1) * t.dims[1]};
    return true;
  }
  const int32_t base = t.dims[0] == 1 ? 0 : n * t.dims[1];
  if (t.dims[1] == 1) {
    *in = {base, base + 1};
  } else {
    *in = {base + out.begin - n * height, base + out.end - n * height};
  }
  return true;
}

uint32_t BinaryInPlace(const OpView& op) {
  uint32_t mask = 0;
  for (size_t i = 0; i < 2; ++i) {
    const TensorView& t = op.in(i);
    if (SameShape(t, op.out()) && TypeBytes(t.type) == TypeBytes(op.out().type)) mask |= 1u << i;
  }
  return mask;
}

IntClamp OutputClamp(const fb::ElementwiseOptions& options, DType type) {
  int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  if (type == DType::INT8) {
    low = std::numeric_limits<int8_t>::min();
    high = std::numeric_limits<int8_t>::max();
  } else if (type == DType::INT16) {
    low = std::numeric_limits<int16_t>::min();
    high = std::numeric_limits<int16_t>::max();
  } else if (type == DType::INT32) {
    low = std::numeric_limits<int32_t>::min();
    high = std::numeric_limits<int32_t>::max();
  }
  // The limits of int32 mean "none", which matters for int64.
  if (options.act_min() != std::numeric_limits<int32_t>::min() && options.act_min() > low) {
    low = options.act_min();
  }
  if (options.act_max() != std::numeric_limits<int32_t>::max() && options.act_max() < high) {
    high = options.act_max();
  }
  return {low, high};
}

Status CheckClamp(const fb::ElementwiseOptions& options, DType type) {
  const IntClamp clamp = OutputClamp(options, type);
  OCTET_CHECK_OP(clamp.low <= clamp.high, "the clamp [%d, %d] is empty", options.act_min(),
                 options.act_max());
  OCTET_CHECK_OP(options.act_min_f() <= options.act_max_f(), "the clamp [%g, %g] is empty",
                 static_cast<double>(options.act_min_f()),
                 static_cast<double>(options.act_max_f()));
  return OCTET_OK;
}

}  // namespace octet
