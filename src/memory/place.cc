#include "src/memory/place.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace octet {
namespace {

// Work that the random search may do, in comparisons of clusters; well below a second.
constexpr uint64_t kSearchBudget = 1500000;
constexpr size_t kSearchClusters = 600;

uint64_t AlignUp(uint64_t n, uint64_t alignment) {
  return (n + alignment - 1) / alignment * alignment;
}

// What placement asks again and again, computed once.
class Placer {
 public:
  explicit Placer(const std::vector<Cluster>& clusters) : clusters_(clusters) {
    const size_t n = clusters.size();
    first_.resize(n);
    last_.resize(n);
    area_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      first_[i] = INT32_MAX;
      last_[i] = INT32_MIN;
      for (const Rect& r : clusters[i].rects) {
        first_[i] = std::min(first_[i], r.first);
        last_[i] = std::max(last_[i], r.last);
        area_[i] += static_cast<double>(r.bytes) * (r.last - r.first + 1);
      }
    }
    neighbours_.resize(n);
    for (size_t i = 0; i < n; ++i) {
      for (size_t k = 0; k < n; ++k) {
        if (i != k && first_[i] <= last_[k] && first_[k] <= last_[i]) {
          neighbours_[i].push_back(static_cast<uint32_t>(k));
        }
      }
    }
  }

  // Places in the given order, each at the lowest base that fits, or in the tightest gap.
  Placement Run(const std::vector<uint32_t>& order, uint32_t alignment, bool best_fit) {
    Placement p;
    p.alignment = alignment;
    p.bases.assign(clusters_.size(), 0);
    placed_.assign(clusters_.size(), false);
    for (const uint32_t c : order) {
      p.bases[c] = Fit(c, p, best_fit);
      placed_[c] = true;
      p.bytes = std::max(p.bytes, p.bases[c] + clusters_[c].bytes);
    }
    return p;
  }

  std::vector<uint32_t> Order(const std::function<bool(uint32_t, uint32_t)>& before) const {
    std::vector<uint32_t> order(clusters_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), before);
    return order;
  }

  // Greedy by breadth: the moments with most live bytes first, and in each the largest first.
  std::vector<uint32_t> Breadth() const {
    int32_t end = 0;
    for (const int32_t l : last_) end = std::max(end, l);
    std::vector<uint64_t> live(static_cast<size_t>(end) + 2, 0);
    for (const Cluster& c : clusters_) {
      for (const Rect& r : c.rects) {
        for (int32_t t = r.first; t <= r.last; ++t) live[t] += r.bytes;
      }
    }
    std::vector<int32_t> times(live.size());
    std::iota(times.begin(), times.end(), 0);
    std::stable_sort(times.begin(), times.end(),
                     [&](int32_t a, int32_t b) { return live[a] > live[b]; });
    const std::vector<uint32_t> by_size =
        Order([&](uint32_t a, uint32_t b) { return clusters_[a].bytes > clusters_[b].bytes; });
    std::vector<uint32_t> order;
    std::vector<bool> taken(clusters_.size(), false);
    for (const int32_t t : times) {
      if (order.size() == clusters_.size()) break;
      for (const uint32_t c : by_size) {
        if (!taken[c] && first_[c] <= t && t <= last_[c]) {
          taken[c] = true;
          order.push_back(c);
        }
      }
    }
    for (const uint32_t c : by_size) {
      if (!taken[c]) order.push_back(c);
    }
    return order;
  }

  std::vector<uint32_t> OrderOf(const std::string& method) const {
    const auto bytes = [&](uint32_t c) { return clusters_[c].bytes; };
    const auto duration = [&](uint32_t c) { return last_[c] - first_[c]; };
    if (method == "breadth") return Breadth();
    if (method == "area") return Order([&](uint32_t a, uint32_t b) { return area_[a] > area_[b]; });
    if (method == "lifetime") {
      return Order([&](uint32_t a, uint32_t b) {
        return duration(a) != duration(b) ? duration(a) > duration(b) : bytes(a) > bytes(b);
      });
    }
    if (method == "time") {
      return Order([&](uint32_t a, uint32_t b) {
        return first_[a] != first_[b] ? first_[a] < first_[b] : bytes(a) > bytes(b);
      });
    }
    if (method == "backwards") {
      return Order([&](uint32_t a, uint32_t b) {
        return last_[a] != last_[b] ? last_[a] > last_[b] : bytes(a) > bytes(b);
      });
    }
    return Order([&](uint32_t a, uint32_t b) {  // size
      return bytes(a) != bytes(b) ? bytes(a) > bytes(b) : duration(a) > duration(b);
    });
  }

  // Comparisons that one Run costs.
  uint64_t Cost() const {
    uint64_t cost = clusters_.size();
    for (const auto& n : neighbours_) cost += n.size();
    return cost;
  }

 private:
  uint64_t Fit(uint32_t c, const Placement& p, bool best_fit) {
    const Cluster& cluster = clusters_[c];
    // Bases b with low < b < high collide with something placed.
    forbidden_.clear();
    for (const uint32_t k : neighbours_[c]) {
      if (!placed_[k]) continue;
      for (const Rect& mine : cluster.rects) {
        for (const Rect& theirs : clusters_[k].rects) {
          if (mine.first > theirs.last || theirs.first > mine.last) continue;
          const int64_t at = static_cast<int64_t>(p.bases[k] + theirs.offset);
          const int64_t low =
              at - static_cast<int64_t>(mine.offset) - static_cast<int64_t>(mine.bytes);
          const int64_t high =
              at + static_cast<int64_t>(theirs.bytes) - static_cast<int64_t>(mine.offset);
          if (high > 0) forbidden_.push_back({low, high});
        }
      }
    }
    std::sort(forbidden_.begin(), forbidden_.end());
    const uint64_t alignment = std::max(p.alignment, cluster.alignment);
    uint64_t base = 0, best = UINT64_MAX, best_gap = UINT64_MAX;
    for (const auto& [low, high] : forbidden_) {
      if (low >= 0 && base <= static_cast<uint64_t>(low)) {
        if (!best_fit) return base;
        const uint64_t gap = static_cast<uint64_t>(low) - base;
        if (gap < best_gap) {
          best_gap = gap;
          best = base;
        }
      }
      base = std::max(base, AlignUp(static_cast<uint64_t>(high), alignment));
    }
    return best_gap == UINT64_MAX ? base : best;
  }

  const std::vector<Cluster>& clusters_;
  std::vector<int32_t> first_, last_;
  std::vector<double> area_;
  std::vector<std::vector<uint32_t>> neighbours_;  // those alive at some common moment
  std::vector<bool> placed_;
  std::vector<std::pair<int64_t, int64_t>> forbidden_;
};

// splitmix64: the same numbers everywhere.
struct Random {
  uint64_t state = 0x6f63746574;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }
};

const char* const kOrders[] = {"size", "breadth", "area", "lifetime", "time", "backwards"};

// Walks from order to order by moving one cluster towards the front, keeping what is no worse.
void Search(Placer* placer, uint64_t lower_bound, std::vector<uint32_t> order, bool best_fit,
            Placement* best) {
  const size_t n = order.size();
  if (n < 3 || n > kSearchClusters) return;
  Random random;
  const uint64_t rounds = kSearchBudget / (placer->Cost() + 1);
  uint64_t current = best->bytes;
  for (uint64_t i = 0; i < rounds && best->bytes > lower_bound; ++i) {
    std::vector<uint32_t> trial = order;
    const size_t from = random.below(n), to = random.below(n);
    if (random.below(2) == 0) {
      std::swap(trial[from], trial[to]);
    } else {
      const size_t a = std::max(from, to), b = std::min(from, to);
      std::rotate(trial.begin() + b, trial.begin() + a, trial.begin() + a + 1);
    }
    Placement p = placer->Run(trial, best->alignment, best_fit);
    if (p.bytes > current) continue;
    current = p.bytes;
    order = std::move(trial);
    if (p.bytes < best->bytes) {
      p.method = "search";
      *best = std::move(p);
    }
  }
}

}  // namespace

std::vector<std::string> PlacementMethods() {
  std::vector<std::string> names;
  for (const char* order : kOrders) {
    names.push_back(order);
    names.push_back(std::string(order) + " best-fit");
  }
  return names;
}

Placement Place(const std::vector<Cluster>& clusters, const std::string& method,
                uint32_t alignment) {
  Placer placer(clusters);
  const size_t space = method.find(' ');
  Placement p =
      placer.Run(placer.OrderOf(method.substr(0, space)), alignment, space != std::string::npos);
  p.method = method;
  return p;
}

Placement PlaceBest(const std::vector<Cluster>& clusters, uint64_t lower_bound, bool search) {
  Placer placer(clusters);
  Placement best;
  best.bytes = UINT64_MAX;
  // Wide alignment is kept only while it costs nothing.
  for (const uint32_t alignment : {64u, 16u, 4u, 1u}) {
    Placement here;
    here.bytes = UINT64_MAX;
    std::vector<uint32_t> best_order;
    bool best_fit = false;
    for (const std::string& method : PlacementMethods()) {
      const size_t space = method.find(' ');
      const bool fit = space != std::string::npos;
      std::vector<uint32_t> order = placer.OrderOf(method.substr(0, space));
      Placement p = placer.Run(order, alignment, fit);
      if (p.bytes < here.bytes) {
        here = std::move(p);
        here.method = method;
        best_order = std::move(order);
        best_fit = fit;
      }
      if (here.bytes <= lower_bound) break;
    }
    if (search && here.bytes > lower_bound) {
      Search(&placer, lower_bound, std::move(best_order), best_fit, &here);
    }
    if (here.bytes < best.bytes) best = std::move(here);
    if (best.bytes <= lower_bound) break;
  }
  return best;
}

}  // namespace octet
