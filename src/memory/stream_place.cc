#include "src/memory/stream_place.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace octet {
namespace {

// Bytes [offset, offset + bytes) of a thing to place, live during the steps [first, last].
struct LiveBytes {
  int64_t offset = 0, bytes = 0;
  int32_t first = 0, last = 0;
};

struct Thing {
  std::vector<LiveBytes> pieces;
  int64_t bytes = 0;
  uint32_t alignment = 1;
  int32_t storage = -1;  // -1: scratch
};

struct Gap {  // open interval of distances between two bases that are forbidden
  int64_t low = 0, high = 0;
};

constexpr size_t kMostPieces = 160;

void Coarsen(std::vector<LiveBytes>* pieces) {
  while (pieces->size() > kMostPieces) {
    std::vector<LiveBytes> merged;
    for (size_t i = 0; i < pieces->size(); i += 2) {
      LiveBytes p = (*pieces)[i];
      if (i + 1 < pieces->size()) {
        const LiveBytes& q = (*pieces)[i + 1];
        p.bytes += q.bytes;
        p.first = std::min(p.first, q.first);
        p.last = std::max(p.last, q.last);
      }
      merged.push_back(p);
    }
    *pieces = std::move(merged);
  }
}

// Where may base(b) - base(a) not be?
std::vector<Gap> Forbidden(const Thing& a, const Thing& b) {
  std::vector<Gap> gaps;
  for (const LiveBytes& p : a.pieces) {
    for (const LiveBytes& q : b.pieces) {
      if (p.first > q.last || q.first > p.last) continue;
      gaps.push_back({p.offset - q.offset - q.bytes, p.offset + p.bytes - q.offset});
    }
  }
  std::sort(gaps.begin(), gaps.end(), [](const Gap& x, const Gap& y) { return x.low < y.low; });
  std::vector<Gap> merged;
  for (const Gap& g : gaps) {
    if (!merged.empty() && g.low < merged.back().high) {
      merged.back().high = std::max(merged.back().high, g.high);
    } else {
      merged.push_back(g);
    }
  }
  return merged;
}

int64_t FloorTo(int64_t n, int64_t a) { return n >= 0 ? n / a * a : -((-n + a - 1) / a * a); }
int64_t CeilTo(int64_t n, int64_t a) { return -FloorTo(-n, a); }

class Placer {
 public:
  explicit Placer(std::vector<Thing> things) : things_(std::move(things)) {
    const size_t n = things_.size();
    forbidden_.resize(n * n);
    for (size_t a = 0; a < n; ++a) {
      for (size_t b = 0; b < n; ++b) {
        if (a != b) forbidden_[a * n + b] = Forbidden(things_[a], things_[b]);
      }
    }
  }

  // Bases of all things, from 0; the extent in *bytes.
  std::vector<int64_t> Run(int64_t* bytes) {
    const size_t n = things_.size();
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    *bytes = std::numeric_limits<int64_t>::max();
    std::vector<int64_t> best;
    std::vector<size_t> best_order = order;
    const auto consider = [&](const std::vector<size_t>& o, int64_t alignment) {
      std::vector<int64_t> bases(n, 0);
      const int64_t extent = PlaceAll(o, alignment, &bases);
      if (extent < *bytes) {
        *bytes = extent;
        best = bases;
        best_order = o;
      }
    };
    const auto size = [this](size_t a, size_t b) { return things_[a].bytes > things_[b].bytes; };
    const auto begin = [this](size_t a, size_t b) { return First(a) < First(b); };
    for (const int64_t alignment : {64, 16, 1}) {
      std::stable_sort(order.begin(), order.end(), size);
      consider(order, alignment);
      std::stable_sort(order.begin(), order.end(), begin);
      consider(order, alignment);
      std::reverse(order.begin(), order.end());
      consider(order, alignment);
    }
    // A bounded, deterministic local search over orders.
    uint64_t random = 0x243F6A8885A308D3u;
    const auto next = [&random](size_t below) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      return static_cast<size_t>((random >> 33) % below);
    };
    const size_t tries = n > 1 ? std::min<size_t>(6000, 12000000 / (n * n) + 60) : 0;
    for (size_t i = 0; i < tries; ++i) {
      std::vector<size_t> o = best_order;
      const size_t from = next(n), to = next(n);
      const size_t moved = o[from];
      o.erase(o.begin() + static_cast<int64_t>(from));
      o.insert(o.begin() + static_cast<int64_t>(to), moved);
      if (next(3) == 0) std::swap(o[next(n)], o[next(n)]);
      consider(o, i % 4 == 0 ? 16 : 1);
    }
    return best;
  }

 private:
  int32_t First(size_t i) const {
    int32_t first = std::numeric_limits<int32_t>::max();
    for (const LiveBytes& p : things_[i].pieces) first = std::min(first, p.first);
    return first;
  }

  // Each thing goes where it makes the whole grow least; bases may be negative on the way.
  int64_t PlaceAll(const std::vector<size_t>& order, int64_t wanted, std::vector<int64_t>* bases) {
    const size_t n = things_.size();
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < n; ++i) {
      const size_t b = order[i];
      const int64_t alignment = std::max<int64_t>(wanted, things_[b].alignment);
      std::vector<Gap> gaps;
      for (size_t j = 0; j < i; ++j) {
        const size_t a = order[j];
        for (const Gap& g : forbidden_[a * n + b]) {
          gaps.push_back({g.low + (*bases)[a], g.high + (*bases)[a]});
        }
      }
      std::sort(gaps.begin(), gaps.end(), [](const Gap& x, const Gap& y) { return x.low < y.low; });
      int64_t best_base = 0, best_extent = std::numeric_limits<int64_t>::max();
      const auto try_base = [&](int64_t base, int64_t free_low, int64_t free_high) {
        if (base < free_low || base > free_high) return;
        const int64_t extent = std::max(high, base + things_[b].bytes) - std::min(low, base);
        if (extent < best_extent) best_extent = extent, best_base = base;
      };
      // Free ranges of bases lie between the gaps.
      constexpr int64_t kFar = int64_t{1} << 50;
      int64_t free_low = -kFar;
      const auto range = [&](int64_t from, int64_t to) {
        try_base(CeilTo(std::max(from, low), alignment), from, to);
        try_base(FloorTo(std::min(to, high - things_[b].bytes), alignment), from, to);
        try_base(CeilTo(from, alignment), from, to);
        try_base(FloorTo(to, alignment), from, to);
      };
      for (const Gap& g : gaps) {
        if (g.low >= free_low) range(free_low, g.low);
        free_low = std::max(free_low, g.high);
      }
      range(free_low, kFar);
      (*bases)[b] = best_base;
      low = std::min(low, best_base);
      high = std::max(high, best_base + things_[b].bytes);
    }
    // The first base is a multiple of 64; keep everyone's alignment.
    const int64_t origin = FloorTo(low, 64);
    for (size_t i = 0; i < n; ++i) (*bases)[i] -= origin;
    return high - origin;
  }

  std::vector<Thing> things_;
  std::vector<std::vector<Gap>> forbidden_;
};

}  // namespace

StreamRows MergeInPlace(const StreamModel& m, const std::vector<StreamStep>& steps) {
  StreamRows r;
  r.lives = FindRowLives(m, steps);
  const int32_t n = static_cast<int32_t>(steps.size());
  r.over.assign(m.storages.size(), -1);
  r.ring.assign(m.storages.size(), 0);
  std::vector<bool> is_output(m.storages.size(), false), seen(m.ops.size(), false);
  for (const int32_t s : r.lives.touched) is_output[s] = m.storages[s].is_output;
  std::vector<std::vector<RowLife>> own = r.lives.rows;  // unmerged
  const auto bottom = [&](int32_t s) {
    while (r.over[s] >= 0) s = r.over[s];
    return s;
  };
  for (const StreamStep& step : steps) {
    if (seen[static_cast<size_t>(step.op)]) continue;
    seen[static_cast<size_t>(step.op)] = true;
    const StreamOp& op = m.ops[step.op];
    if (op.in_place < 0) continue;
    const int32_t out = op.outputs[0];
    const std::vector<RowLife>&in = own[op.in_place], &o = own[out];
    bool fits = r.over[out] < 0 && !in.empty() && in.size() == o.size();
    for (size_t y = 0; fits && y < o.size(); ++y) {
      fits = in[y].read == o[y].written && o[y].written < n;
    }
    if (!fits) continue;
    const int32_t base = bottom(op.in_place);
    if (base == out) continue;
    r.over[out] = op.in_place;
    is_output[base] = is_output[base] || is_output[out];
    for (size_t y = 0; y < o.size(); ++y) r.lives.rows[base][y].read = o[y].read;
  }
  for (const int32_t s : r.lives.touched) {
    if (r.over[s] >= 0) continue;
    StreamStorage storage = m.storages[s];
    storage.is_output = is_output[s];
    r.ring[s] = RingRows(storage, r.lives.rows[s], n);
  }
  for (const int32_t s : r.lives.touched) r.ring[s] = r.ring[bottom(s)];
  return r;
}

void PlaceStream(const Graph& g, const StreamModel& m, const std::vector<StreamSegment>& segments,
                 Plan* plan) {
  std::vector<StreamStep> steps;
  std::vector<Thing> things;
  plan->steps.clear();
  plan->scratch.assign(g.ops.size(), PlannedScratch());
  struct Scratch {
    int32_t begin;                // StreamOp
    std::vector<uint64_t> bytes;  // of each StreamOp from there on
    size_t thing;
  };
  std::vector<Scratch> scratches;
  for (const StreamSegment& segment : segments) {
    const std::vector<StreamStep> more = SegmentSteps(m, segment);
    Thing scratch;  // as much at a time as the step needs
    scratch.alignment = 64;
    const int32_t first = static_cast<int32_t>(steps.size());
    std::vector<uint64_t> needed = SegmentScratch(m, segment, more);
    for (const StreamStep& s : more) {
      const int64_t bytes = static_cast<int64_t>(needed[static_cast<size_t>(s.op - segment.begin)]);
      const int32_t at = first + static_cast<int32_t>(&s - more.data());
      if (bytes > 0) scratch.pieces.push_back({0, bytes, at, at});
      scratch.bytes = std::max(scratch.bytes, bytes);
      const int32_t op = m.ops[s.op].op;
      plan->steps.push_back(segment.band > 0 ? fb::Step(op, s.begin, s.end) : fb::Step(op, 0, -1));
    }
    if (scratch.bytes > 0) {
      scratches.push_back({segment.begin, std::move(needed), things.size()});
      things.push_back(std::move(scratch));
    }
    steps.insert(steps.end(), more.begin(), more.end());
  }

  const StreamRows rows = MergeInPlace(m, steps);
  const int32_t end = static_cast<int32_t>(steps.size());
  std::vector<size_t> thing_of(m.storages.size(), things.size());
  for (const int32_t s : rows.lives.touched) {
    if (rows.over[s] >= 0) continue;
    const StreamStorage& storage = m.storages[s];
    const std::vector<RowLife>& lives = rows.lives.rows[s];
    Thing t;
    t.storage = s;
    t.alignment = storage.alignment;
    const int64_t row = static_cast<int64_t>(storage.row_bytes);
    if (rows.ring[s] > 0) {
      t.bytes = rows.ring[s] * row;
      LiveBytes p{0, t.bytes, end, -1};
      for (const RowLife& l : lives) {
        p.first = std::min(p.first, l.written);
        p.last = std::max(p.last, l.read);
      }
      t.pieces.push_back(p);
    } else {
      t.bytes = static_cast<int64_t>(storage.bytes());
      for (size_t y = 0; y < lives.size(); ++y) {
        const LiveBytes p{static_cast<int64_t>(y) * row, row, lives[y].written, lives[y].read};
        if (!t.pieces.empty() && t.pieces.back().first == p.first &&
            t.pieces.back().last == p.last) {
          t.pieces.back().bytes += row;
        } else {
          t.pieces.push_back(p);
        }
      }
      Coarsen(&t.pieces);
    }
    thing_of[s] = things.size();
    things.push_back(std::move(t));
  }

  Placer placer(things);
  int64_t bytes = 0;
  const std::vector<int64_t> bases = placer.Run(&bytes);
  plan->arena_bytes = things.empty() ? 0 : static_cast<uint64_t>(bytes);
  plan->state_bytes = 0;
  plan->places.assign(g.tensors.size(), TensorPlace());
  for (size_t i = 0; i < g.tensors.size(); ++i) {
    const GraphTensor& t = g.tensors[i];
    TensorPlace& place = plan->places[i];
    if (t.is_constant()) continue;
    if (t.is_state) {
      place.place = fb::Place::STATE;
      place.offset = (plan->state_bytes + 15) / 16 * 16;
      plan->state_bytes = place.offset + t.bytes();
      continue;
    }
    place.place = fb::Place::ARENA;
    const int32_t root = m.views.root[i];
    int32_t s = root;
    while (rows.over[s] >= 0) s = rows.over[s];
    if (!rows.lives.rows[s].empty()) {
      place.offset = static_cast<uint64_t>(bases[thing_of[s]]) + m.views.offset[i];
      place.ring_rows = root == static_cast<int32_t>(i) ? rows.ring[s] : 0;
    }
    if (root != static_cast<int32_t>(i)) place.view_of = root;
  }
  for (const Scratch& s : scratches) {
    for (size_t i = 0; i < s.bytes.size(); ++i) {
      if (s.bytes[i] == 0) continue;
      const int32_t op = m.ops[static_cast<size_t>(s.begin) + i].op;
      plan->scratch[static_cast<size_t>(op)] = {static_cast<uint64_t>(bases[s.thing]), s.bytes[i]};
    }
  }
}

}  // namespace octet
