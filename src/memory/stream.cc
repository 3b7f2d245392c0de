// Choosing which operators to stream: a dynamic program over contiguous segments.
#include "src/memory/stream.h"

#include <algorithm>
#include <limits>

#include "src/memory/stream_model.h"
#include "src/memory/stream_place.h"

namespace octet {
namespace {

constexpr int32_t kBands[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
constexpr int32_t kInner[] = {1, 2, 4};
constexpr int32_t kLongestSegment = 48;  // operators
// What a step costs beside its weights, in bytes of weights: dispatch and short loops.
constexpr uint64_t kStepCharge = 1024;
constexpr uint64_t kImpossible = std::numeric_limits<uint64_t>::max();

struct Cost {
  uint64_t live = kImpossible;
  uint64_t traffic = kImpossible;
  // An output that overwrites the consumed rows of its input must begin this far below it. Such
  // steps down add up along a chain of segments.
  uint64_t drift = 0;
  uint64_t apart = 0;  // live bytes if the output lay elsewhere
};

}  // namespace

struct StreamPlanner::Impl {
  const Graph& graph;
  StreamModel model;
  int32_t count = 0;

  struct Candidate {
    StreamSegment segment;
    Cost cost;
  };
  std::vector<std::vector<Candidate>> by_end;  // candidates that end before operator i, by i

  Impl(const Graph& g, IsaSet isa, bool row_fed)
      : graph(g), model(MakeStreamModel(g, isa, row_fed)) {
    count = static_cast<int32_t>(model.ops.size());
    by_end.resize(static_cast<size_t>(count) + 1);
    for (int32_t begin = 0; begin < count; ++begin) {
      Consider({begin, begin + 1, 0, 0});
      for (int32_t end = begin + 1; end <= count && end - begin <= kLongestSegment; ++end) {
        const StreamOp& last = model.ops[end - 1];
        if (!last.by_rows) break;
        for (const int32_t band : kBands) {
          if (band >= last.rows && last.rows > 1) continue;
          if (band < last.rows) Consider({begin, end, band, 0});
          if (end - begin == 1) continue;
          for (const int32_t inner : kInner)
            Consider({begin, end, std::min(band, last.rows), inner});
        }
      }
    }
  }

  void Consider(const StreamSegment& segment) {
    const Cost cost = Estimate(segment);
    by_end[segment.end].push_back({segment, cost});
  }

  // Storages that only wait while a segment runs.
  uint64_t Bystanders(const StreamSegment& segment, const RowLives& lives) const {
    uint64_t bytes = 0;
    for (size_t s = 0; s < model.storages.size(); ++s) {
      const StreamStorage& storage = model.storages[s];
      if (!lives.rows[s].empty() || (storage.first_op < 0 && !storage.is_input)) continue;
      const bool before = storage.first_op < segment.begin;
      const bool after = storage.is_output || storage.last_op >= segment.end;
      if (before && after) bytes += storage.bytes();
    }
    return bytes;
  }

  Cost Estimate(const StreamSegment& segment) const {
    const std::vector<StreamStep> steps = SegmentSteps(model, segment);
    const StreamRows rows = MergeInPlace(model, steps);
    const int32_t n = static_cast<int32_t>(steps.size());
    Cost cost;
    cost.traffic = 0;
    for (const StreamStep& s : steps) cost.traffic += model.ops[s.op].weight_bytes + kStepCharge;
    std::vector<int64_t> change(static_cast<size_t>(n) + 1, 0);
    std::vector<int64_t> boundary(static_cast<size_t>(n) + 1, 0);  // of whole tensors, by step
    int64_t inputs = 0, outputs = 0, rings = 0;
    for (const int32_t s : rows.lives.touched) {
      if (rows.over[s] >= 0) continue;
      const StreamStorage& storage = model.storages[s];
      const std::vector<RowLife>& lives = rows.lives.rows[s];
      const int32_t ring = rows.ring[s];
      const auto add = [&](int32_t first, int32_t last, uint64_t bytes) {
        first = std::max(first, 0);
        last = std::min(last, n - 1);
        if (first > last) return;
        change[static_cast<size_t>(first)] += static_cast<int64_t>(bytes);
        change[static_cast<size_t>(last) + 1] -= static_cast<int64_t>(bytes);
      };
      if (ring > 0) {
        int32_t first = n, last = -1;
        for (const RowLife& l : lives) {
          first = std::min(first, l.written);
          last = std::max(last, l.read);
        }
        add(first, last, static_cast<uint64_t>(ring) * storage.row_bytes);
        rings += static_cast<int64_t>(ring) * static_cast<int64_t>(storage.row_bytes);
        continue;
      }
      for (const RowLife& l : lives) {
        add(l.written, l.read, storage.row_bytes);
        const int64_t row = static_cast<int64_t>(storage.row_bytes);
        (l.written < 0 ? inputs : outputs) += row;
        boundary[static_cast<size_t>(std::max(l.written, 0))] += row;
        boundary[static_cast<size_t>(std::min(l.read, n - 1)) + 1] -= row;
      }
    }
    int64_t held = 0, most_held = inputs;
    for (int32_t i = 0; i < n; ++i) {
      most_held = std::max(most_held, held += boundary[static_cast<size_t>(i)]);
    }
    cost.drift = static_cast<uint64_t>(most_held - inputs);
    int64_t live = 0, peak = 0;
    uint64_t most_scratch = 0;
    const std::vector<uint64_t> scratches = SegmentScratch(model, segment, steps);
    for (int32_t i = 0; i < n; ++i) {
      const uint64_t scratch =
          scratches[static_cast<size_t>(steps[static_cast<size_t>(i)].op - segment.begin)];
      live += change[static_cast<size_t>(i)];
      peak = std::max(peak, live + static_cast<int64_t>(scratch));
      most_scratch = std::max(most_scratch, scratch);
    }
    const uint64_t others = Bystanders(segment, rows.lives);
    cost.live = static_cast<uint64_t>(peak) + others;
    cost.apart = static_cast<uint64_t>(inputs + outputs + rings) + most_scratch + others;
    return cost;
  }
};

StreamPlanner::StreamPlanner(const Graph& graph, IsaSet isa, bool row_fed)
    : impl_(new Impl(graph, isa, row_fed)) {}
StreamPlanner::~StreamPlanner() { delete impl_; }

bool StreamPlanner::Choose(uint64_t limit, double drift_price, StreamChoice* choice) const {
  const int32_t n = impl_->count;
  constexpr double kNone = std::numeric_limits<double>::infinity();
  struct Best {
    double price = kNone;
    const Impl::Candidate* last = nullptr;
  };
  std::vector<Best> best(static_cast<size_t>(n) + 1);
  best[0].price = 0;
  for (int32_t end = 1; end <= n; ++end) {
    Best& here = best[static_cast<size_t>(end)];
    for (const Impl::Candidate& c : impl_->by_end[static_cast<size_t>(end)]) {
      const double before = best[static_cast<size_t>(c.segment.begin)].price;
      if (c.cost.live > limit || before == kNone) continue;
      const double drift = c.cost.apart <= limit ? 0. : static_cast<double>(c.cost.drift);
      const double price = before + static_cast<double>(c.cost.traffic) + drift_price * drift;
      if (price < here.price) here = {price, &c};
    }
  }
  if (best[static_cast<size_t>(n)].price == kNone) return false;
  StreamChoice result;
  for (int32_t end = n; end > 0;) {
    const Impl::Candidate& c = *best[static_cast<size_t>(end)].last;
    result.segments.push_back(c.segment);
    result.live_bytes = std::max(result.live_bytes, c.cost.live);
    result.traffic += c.cost.traffic;
    end = c.segment.begin;
  }
  std::reverse(result.segments.begin(), result.segments.end());
  *choice = std::move(result);
  return true;
}

uint64_t StreamPlanner::SmallestLimit() const {
  std::vector<uint64_t> limits;
  for (const auto& list : impl_->by_end) {
    for (const Impl::Candidate& c : list) limits.push_back(c.cost.live);
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  size_t low = 0, high = limits.size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    StreamChoice choice;
    if (Choose(limits[middle], 0, &choice)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low < limits.size() ? limits[low] : 0;
}

uint64_t StreamPlanner::LayerTraffic() const {
  uint64_t traffic = 0;
  for (const StreamOp& op : impl_->model.ops) traffic += op.weight_bytes + kStepCharge;
  return traffic;
}

bool StreamPlanner::Best(uint64_t limit, StreamChoice* choice, Plan* plan) const {
  const uint64_t smallest = SmallestLimit();
  if (limit != 0 && smallest > limit) return false;
  bool found = false;
  const auto better = [&](const StreamChoice& c, const Plan& p) {
    if (!found) return true;
    if (limit != 0) return c.traffic < choice->traffic;
    return p.arena_bytes < plan->arena_bytes ||
           (p.arena_bytes == plan->arena_bytes && c.traffic < choice->traffic);
  };
  std::vector<uint64_t> limits;
  if (limit == 0) {
    for (const uint64_t percent : {100, 101, 102, 103, 105, 108, 112}) {
      limits.push_back(smallest / 100 * percent + smallest % 100);
    }
  } else {
    for (int i = 0; i <= 12; ++i) {
      limits.push_back(limit - (limit - smallest) / 12 * static_cast<uint64_t>(i));
    }
  }
  std::vector<std::vector<StreamSegment>> seen;
  for (const uint64_t live : limits) {
    for (const double price : {0., 1., 3., 10., 30., 100., 300., 2000.}) {
      StreamChoice c;
      if (!Choose(live, price, &c)) continue;
      if (std::find(seen.begin(), seen.end(), c.segments) != seen.end()) continue;
      seen.push_back(c.segments);
      if (found && limit != 0 && c.traffic >= choice->traffic) continue;
      Plan p;
      Place(c, &p);
      if ((limit != 0 && p.arena_bytes > limit) || !better(c, p)) continue;
      *choice = std::move(c);
      *plan = std::move(p);
      found = true;
    }
  }
  return found;
}

void StreamPlanner::Place(const StreamChoice& choice, Plan* plan) const {
  PlaceStream(impl_->graph, impl_->model, choice.segments, plan);
}

}  // namespace octet
