// Choosing which operators to stream: a dynamic program over contiguous segments.
#include "src/memory/stream.h"

#include <algorithm>
#include <deque>
#include <limits>

#include "src/memory/stream_model.h"
#include "src/memory/stream_place.h"

namespace octet {
namespace {

constexpr int32_t kBands[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
constexpr int32_t kInner[] = {1, 2, 4};
constexpr int32_t kLongestSegment = 48;  // operators
// What a step costs beside its share of the work, in bytes of weights that are read again:
// dispatch, the set-up of kernels, short loops. Measured on x86-64 as the time that streamed
// MobileNets take beyond whole operators, by step: 0.08 to 0.18 us, in which some 8 KB of weights
// come from the second-level cache.
constexpr uint64_t kStepCharge = 8192;
// What --optimize ram may cost of the time, by estimate, before it takes more RAM: 1.25 measured.
constexpr double kSlow = 1.22;
constexpr uint64_t kMostSparePercent = 25;
constexpr uint64_t kImpossible = std::numeric_limits<uint64_t>::max();

struct Cost {
  uint64_t live = kImpossible;
  uint64_t traffic = kImpossible;  // bytes of weights
  uint64_t time = kImpossible;     // in bytes of weights: traffic and the charge for steps
  // An output that overwrites the consumed rows of its input must begin this far below it. Such
  // steps down add up along a chain of segments.
  uint64_t drift = 0;
  uint64_t apart = 0;  // live bytes if the output lay elsewhere
};

void Add(const Cost& cost, StreamChoice* choice) {
  choice->live_bytes = std::max(choice->live_bytes, cost.live);
  choice->traffic += cost.traffic;
  choice->time += cost.time;
}

}  // namespace

// What a multiply-accumulate takes, in bytes of weights like kStepCharge.
double MacCharge(IsaSet isa) {
  if (isa.has(Isa::kAvx512Vnni)) return 0.6;
  return isa.has(Isa::kAvxVnni) ? 1.0 : 2.0;
}

struct StreamPlanner::Impl {
  const Graph& graph;
  StreamModel model;
  double layers = 0;  // the time of running layer by layer
  double work = 0;    // the part of it that no choice changes
  int32_t count = 0;

  struct Candidate {
    StreamSegment segment;
    Cost cost;
  };
  std::vector<std::vector<Candidate>> by_end;  // candidates that end before operator i, by i

  const bool row_fed;

  Impl(const Graph& g, IsaSet isa, bool fed)
      : graph(g), model(MakeStreamModel(g, isa, fed)), row_fed(fed) {
    count = static_cast<int32_t>(model.ops.size());
    for (const StreamOp& op : model.ops) {
      work += static_cast<double>(op.macs) * MacCharge(isa);
      layers += static_cast<double>(op.weight_bytes + kStepCharge);
    }
    layers += work;
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

  // A run of the choice over one layer by layer.
  double Slowdown(const StreamChoice& choice) const {
    return (work + static_cast<double>(choice.time)) / layers;
  }

  const Cost& CostOf(const StreamSegment& segment) const {
    const std::vector<Candidate>& list = by_end[static_cast<size_t>(segment.end)];
    return std::find_if(list.begin(), list.end(),
                        [&](const Candidate& c) { return c.segment == segment; })
        ->cost;
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
    for (const StreamStep& s : steps) cost.traffic += model.ops[s.op].weight_bytes;
    cost.time = cost.traffic + steps.size() * kStepCharge;
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
      const double price = before + static_cast<double>(c.cost.time) + drift_price * drift;
      if (price < here.price) here = {price, &c};
    }
  }
  if (best[static_cast<size_t>(n)].price == kNone) return false;
  StreamChoice result;
  for (int32_t end = n; end > 0;) {
    const Impl::Candidate& c = *best[static_cast<size_t>(end)].last;
    result.segments.push_back(c.segment);
    Add(c.cost, &result);
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
  for (const StreamOp& op : impl_->model.ops) traffic += op.weight_bytes;
  return traffic;
}

namespace {

struct Placed {
  StreamChoice choice;
  Plan plan;
};

using Better = bool (*)(const Placed&, const Placed&);

bool Smaller(const Placed& a, const Placed& b) {
  return a.plan.arena_bytes < b.plan.arena_bytes ||
         (a.plan.arena_bytes == b.plan.arena_bytes && a.choice.time < b.choice.time);
}

bool Faster(const Placed& a, const Placed& b) {
  return a.choice.time < b.choice.time ||
         (a.choice.time == b.choice.time && a.plan.arena_bytes < b.plan.arena_bytes);
}

}  // namespace

// Collects placed choices: those of the dynamic program, and their neighbours.
class StreamPlanner::Search {
 public:
  explicit Search(const StreamPlanner& planner) : planner_(planner) {}

  // Places a choice unless it was placed before.
  const Placed* Try(StreamChoice choice) {
    if (std::find(seen_.begin(), seen_.end(), choice.segments) != seen_.end()) return nullptr;
    seen_.push_back(choice.segments);
    Placed placed{std::move(choice), {}};
    planner_.Place(placed.choice, &placed.plan);
    placed_.push_back(std::move(placed));
    return &placed_.back();
  }

  // Places the least time whose live bytes stay within `live`.
  void TryLive(uint64_t live) {
    for (const double price : {0., 1., 3., 10., 30., 100., 300., 2000.}) {
      StreamChoice choice;
      if (planner_.Choose(live, price, &choice)) Try(std::move(choice));
    }
  }

  // The smallest arena; null: no choice was found. Choices that are placed well may have more live
  // bytes than `smallest`, but none has more of them than the arena that counts.
  const Placed* Least(uint64_t smallest) {
    for (uint64_t percent = 100; percent < 200; ++percent) {
      const uint64_t live = smallest / 100 * percent + smallest % 100;
      const Placed* best = Best(UINT64_MAX, Smaller);
      if (best != nullptr && live > best->plan.arena_bytes) break;
      TryLive(live);
    }
    Climb(UINT64_MAX, Smaller);
    return Best(UINT64_MAX, Smaller);
  }

  // The best of those that fit; null: none does.
  const Placed* Best(uint64_t limit, Better better) const {
    const Placed* best = nullptr;
    for (const Placed& p : placed_) {
      if (p.plan.arena_bytes <= limit && (best == nullptr || better(p, *best))) best = &p;
    }
    return best;
  }

  // Other bands for one segment at a time, as long as that makes the best better.
  void Climb(uint64_t limit, Better better) {
    const Placed* best = Best(limit, better);
    if (best == nullptr) return;
    size_t left = std::max<size_t>(kLeastTries, kTriedSteps / best->plan.steps.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < best->choice.segments.size(); ++i) {
        if (best->choice.segments[i].band == 0) continue;
        for (const StreamChoice& other : Neighbours(best->choice, i)) {
          // Not worth placing: an arena holds all live bytes.
          if (other.live_bytes > (better == Smaller ? best->plan.arena_bytes : limit) ||
              (better == Faster && other.time >= best->choice.time)) {
            continue;
          }
          const Placed* placed = Try(other);
          if (placed == nullptr) continue;
          if (placed->plan.arena_bytes <= limit && better(*placed, *best)) {
            best = placed;
            changed = true;
            break;
          }
          if (--left == 0) return;
        }
      }
    }
  }

 private:
  // The same choice with other bands for segment i.
  std::vector<StreamChoice> Neighbours(const StreamChoice& choice, size_t i) const {
    StreamChoice rest = choice;  // without segment i
    rest.live_bytes = rest.traffic = rest.time = 0;
    for (size_t j = 0; j < choice.segments.size(); ++j) {
      if (j != i) Add(planner_.impl_->CostOf(choice.segments[j]), &rest);
    }
    const StreamSegment& old = choice.segments[i];
    std::vector<StreamChoice> neighbours;
    for (const Impl::Candidate& c : planner_.impl_->by_end[static_cast<size_t>(old.end)]) {
      if (c.segment.begin != old.begin || c.segment.band == 0 || c.segment == old) continue;
      neighbours.push_back(rest);
      neighbours.back().segments[i] = c.segment;
      Add(c.cost, &neighbours.back());
    }
    return neighbours;
  }

  static constexpr size_t kLeastTries = 16, kTriedSteps = 40000;
  const StreamPlanner& planner_;
  std::deque<Placed> placed_;
  std::vector<std::vector<StreamSegment>> seen_;
};

bool StreamPlanner::Best(uint64_t limit, uint32_t spare_percent, StreamChoice* choice,
                         Plan* plan) const {
  const uint64_t smallest = SmallestLimit();
  if (limit != 0 && smallest > limit) return false;
  Search search(*this);
  uint64_t allowed = limit;
  if (limit != 0) {
    for (uint64_t i = 0; i <= 12; ++i) search.TryLive(limit - (limit - smallest) / 12 * i);
  }
  if (limit == 0 || search.Best(limit, Faster) == nullptr) {
    const Placed* least = search.Least(smallest);
    if (least == nullptr) return false;
    if (limit == 0) {
      allowed = least->plan.arena_bytes / 100 * (100 + spare_percent);
      allowed = std::max(allowed, least->plan.arena_bytes);
    }
    if (spare_percent > 0) search.TryLive(allowed);
  }
  if (limit != 0 || spare_percent > 0) search.Climb(allowed, Faster);
  const Placed* best = search.Best(allowed, Faster);
  if (best == nullptr) return false;
  if (limit == 0 && spare_percent > 0 && !impl_->row_fed) {
    const uint64_t least = search.Best(UINT64_MAX, Smaller)->plan.arena_bytes;
    for (uint64_t percent = 5;
         impl_->Slowdown(best->choice) > kSlow && percent <= kMostSparePercent; percent += 5) {
      allowed = least + least / 100 * percent;
      search.TryLive(allowed);
      search.Climb(allowed, Faster);
      const Placed* faster = search.Best(allowed, Faster);
      if (impl_->Slowdown(faster->choice) <= kSlow) best = faster;
    }
  }
  *choice = best->choice;
  *plan = best->plan;
  return true;
}

void StreamPlanner::Place(const StreamChoice& choice, Plan* plan) const {
  PlaceStream(impl_->graph, impl_->model, choice.segments, plan);
}

}  // namespace octet
