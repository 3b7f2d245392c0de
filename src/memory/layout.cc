#include "src/memory/layout.h"

#include <algorithm>
#include <numeric>

namespace octet {
namespace {

// A byte range of a storage between two neighbouring tensor boundaries.
struct Segment {
  uint64_t begin = 0, end = 0;
  int32_t writer = -2;  // operator; -1: graph input; -2: nobody
  std::vector<int32_t> readers;
  bool is_output = false;
};

struct Storage {
  std::vector<int32_t> members;
  std::vector<Segment> segments;
};

bool InArena(const Graph& g, int32_t t) {
  return t >= 0 && !g.tensors[t].is_constant() && !g.tensors[t].is_state;
}

// Storages by root tensor; those of tensors outside the arena stay empty.
std::vector<Storage> MakeStorages(const Graph& g, const Views& v) {
  std::vector<Storage> storages(g.tensors.size());
  // Tensors that nothing writes or reads have no bytes.
  std::vector<bool> used(g.tensors.size(), false);
  const auto use = [&](const std::vector<int32_t>& list) {
    for (const int32_t t : list) {
      if (t >= 0) used[t] = true;
    }
  };
  use(g.inputs);
  use(g.outputs);
  for (const GraphOp& op : g.ops) {
    use(op.inputs);
    use(op.outputs);
  }
  for (size_t i = 0; i < g.tensors.size(); ++i) {
    const int32_t t = static_cast<int32_t>(i);
    if (used[i] && InArena(g, t)) storages[v.root[i]].members.push_back(t);
  }
  for (Storage& s : storages) {
    std::vector<uint64_t> cuts;
    for (const int32_t t : s.members) {
      cuts.push_back(v.offset[t]);
      cuts.push_back(v.offset[t] + g.tensors[t].bytes());
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      Segment segment;
      segment.begin = cuts[i];
      segment.end = cuts[i + 1];
      s.segments.push_back(segment);
    }
  }
  const auto each = [&](int32_t t, auto f) {
    if (!InArena(g, t)) return;
    const uint64_t begin = v.offset[t], end = begin + g.tensors[t].bytes();
    for (Segment& s : storages[v.root[t]].segments) {
      if (s.begin >= begin && s.end <= end) f(s);
    }
  };
  for (const int32_t t : g.inputs) each(t, [](Segment& s) { s.writer = -1; });
  for (const int32_t t : g.outputs) each(t, [](Segment& s) { s.is_output = true; });
  for (size_t i = 0; i < g.ops.size(); ++i) {
    if (v.elided[i]) continue;
    const int32_t op = static_cast<int32_t>(i);
    for (const int32_t t : g.ops[i].inputs) {
      each(t, [&](Segment& s) {
        if (s.readers.empty() || s.readers.back() != op) s.readers.push_back(op);
      });
    }
    for (const int32_t t : g.ops[i].outputs) each(t, [&](Segment& s) { s.writer = op; });
  }
  return storages;
}

uint64_t PeakOf(const std::vector<const Rect*>& rects) {
  std::vector<std::pair<int32_t, int64_t>>
      events;  // frees come before allocations of the same time
  for (const Rect* r : rects) {
    events.push_back({r->first, static_cast<int64_t>(r->bytes)});
    events.push_back({r->last + 1, -static_cast<int64_t>(r->bytes)});
  }
  std::sort(events.begin(), events.end());
  int64_t live = 0, peak = 0;
  for (const auto& [time, bytes] : events) peak = std::max(peak, live += bytes);
  return static_cast<uint64_t>(peak);
}

bool Overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

// A cluster while it is put together; positions are relative to its first storage and signed.
struct Draft {
  std::vector<int32_t> roots;
  uint32_t alignment = 1;
};

class Builder {
 public:
  Builder(const Graph& graph, uint32_t view_mode, bool in_place, bool fine)
      : g_(graph), in_place_(in_place), fine_(fine) {
    layout_.views = FindViews(graph, view_mode);
  }

  Layout Run() {
    storages_ = MakeStorages(g_, layout_.views);
    Times();
    std::vector<const Rect*> all;
    for (const auto& list : rects_) {
      for (const Rect& r : list) all.push_back(&r);
    }
    layout_.bound = PeakOf(all);
    Drafts();
    if (in_place_) {
      for (size_t s = 0; s < layout_.step_ops.size(); ++s) TryInPlace(static_cast<int32_t>(s));
    }
    Finish();
    return std::move(layout_);
  }

 private:
  int32_t TimeOf(int32_t op) const { return 2 * step_of_[op] + 2; }

  void Times() {
    step_of_.assign(g_.ops.size(), -1);
    for (size_t i = 0; i < g_.ops.size(); ++i) {
      if (layout_.views.elided[i]) continue;
      step_of_[i] = static_cast<int32_t>(layout_.step_ops.size());
      layout_.step_ops.push_back(static_cast<int32_t>(i));
    }
    const int32_t end = 2 * static_cast<int32_t>(layout_.step_ops.size()) + 2;
    rects_.resize(storages_.size());
    for (size_t i = 0; i < storages_.size(); ++i) {
      if (!fine_ && !storages_[i].segments.empty()) {
        rects_[i].push_back(Whole(storages_[i], end));
        continue;
      }
      for (const Segment& s : storages_[i].segments) {
        Rect r;
        r.offset = s.begin;
        r.bytes = s.end - s.begin;
        r.first = s.writer >= 0 ? TimeOf(s.writer) : 0;
        r.last = r.first;
        for (const int32_t reader : s.readers) r.last = std::max(r.last, TimeOf(reader));
        if (s.is_output) r.last = end;
        auto& list = rects_[i];
        if (!list.empty() && list.back().offset + list.back().bytes == r.offset &&
            list.back().first == r.first && list.back().last == r.last) {
          list.back().bytes += r.bytes;
        } else {
          list.push_back(r);
        }
      }
    }
  }

  // A storage as one rect, from its first write to its last read.
  Rect Whole(const Storage& storage, int32_t end) const {
    Rect r;
    r.bytes = storage.segments.back().end;
    r.first = INT32_MAX;
    for (const Segment& s : storage.segments) {
      const int32_t first = s.writer >= 0 ? TimeOf(s.writer) : 0;
      r.first = std::min(r.first, first);
      r.last = std::max(r.last, first);
      for (const int32_t reader : s.readers) r.last = std::max(r.last, TimeOf(reader));
      if (s.is_output) r.last = end;
    }
    return r;
  }

  void Drafts() {
    draft_of_.assign(storages_.size(), -1);
    position_.assign(storages_.size(), 0);
    for (size_t i = 0; i < storages_.size(); ++i) {
      if (storages_[i].segments.empty()) continue;
      Draft d;
      d.roots = {static_cast<int32_t>(i)};
      for (const int32_t t : storages_[i].members) {
        d.alignment = std::max(d.alignment, static_cast<uint32_t>(TypeBytes(g_.tensors[t].type)));
      }
      draft_of_[i] = static_cast<int32_t>(drafts_.size());
      drafts_.push_back(std::move(d));
    }
  }

  // Do the rects of a tensor's bytes in its storage all satisfy f?
  template <class F>
  bool AllRects(int32_t t, F f) const {
    const uint64_t begin = layout_.views.offset[t], bytes = g_.tensors[t].bytes();
    for (const Rect& r : rects_[layout_.views.root[t]]) {
      if (Overlap(r.offset, r.bytes, begin, bytes) && !f(r)) return false;
    }
    return true;
  }

  void TryInPlace(int32_t step) {
    const GraphOp& op = g_.ops[layout_.step_ops[step]];
    const OpDef* def = FindOp(op.kind);
    if (!def || !def->in_place || op.outputs.empty()) return;
    const GraphOpView view(g_, op);
    const uint32_t mask = def->in_place(view.view());
    if (mask == 0) return;
    const Views& v = layout_.views;
    const int32_t out = op.outputs[0];
    const int32_t time = 2 * step + 2;
    for (size_t i = 0; i < op.inputs.size() && i < 32; ++i) {
      if (!(mask >> i & 1) || !InArena(g_, op.inputs[i])) continue;
      const int32_t in = op.inputs[i];
      const uint64_t bytes = g_.tensors[in].bytes();
      if (bytes != g_.tensors[out].bytes() || bytes == 0 || v.root[in] == v.root[out]) continue;
      bool good = true;
      for (size_t k = 0; k < op.inputs.size() && good; ++k) {
        const int32_t other = op.inputs[k];
        if (k == i || !InArena(g_, other) || v.root[other] != v.root[in]) continue;
        good = other == in && k < 32 && (mask >> k & 1);
      }
      good = good && AllRects(in, [&](const Rect& r) { return r.last == time; }) &&
             AllRects(out, [&](const Rect& r) { return r.first == time; });
      if (good && Merge(in, out, time)) return;
    }
  }

  // Joins the clusters so that `out` lies over `in`, unless something else would collide.
  bool Merge(int32_t in, int32_t out, int32_t time) {
    const Views& v = layout_.views;
    const int32_t a = draft_of_[v.root[in]], b = draft_of_[v.root[out]];
    if (a < 0 || b < 0 || a == b) return false;
    const int64_t shift = position_[v.root[in]] + static_cast<int64_t>(v.offset[in]) -
                          position_[v.root[out]] - static_cast<int64_t>(v.offset[out]);
    const uint32_t alignment = std::max(drafts_[a].alignment, drafts_[b].alignment);
    if (shift % static_cast<int64_t>(alignment) != 0) return false;
    // The output begins once the input is read.
    std::vector<Rect> before = rects_[v.root[out]];
    const uint64_t begin = v.offset[out], bytes = g_.tensors[out].bytes();
    for (Rect& r : rects_[v.root[out]]) {
      if (!Overlap(r.offset, r.bytes, begin, bytes)) continue;
      // A rect of equal times may reach beyond this output (another output of the same step).
      if (r.offset < begin || r.offset + r.bytes > begin + bytes) {
        rects_[v.root[out]] = std::move(before);
        return false;
      }
      r.first = time + 1;
      r.last = std::max(r.last, r.first);
    }
    for (const int32_t p : drafts_[a].roots) {
      for (const Rect& r : rects_[p]) {
        for (const int32_t q : drafts_[b].roots) {
          for (const Rect& s : rects_[q]) {
            const int64_t r_at = position_[p] + static_cast<int64_t>(r.offset);
            const int64_t s_at = position_[q] + shift + static_cast<int64_t>(s.offset);
            if (r.first <= s.last && s.first <= r.last &&
                r_at < s_at + static_cast<int64_t>(s.bytes) &&
                s_at < r_at + static_cast<int64_t>(r.bytes)) {
              rects_[v.root[out]] = std::move(before);
              return false;
            }
          }
        }
      }
    }
    for (const int32_t q : drafts_[b].roots) {
      position_[q] += shift;
      draft_of_[q] = a;
      drafts_[a].roots.push_back(q);
    }
    drafts_[b].roots.clear();
    drafts_[a].alignment = alignment;
    return true;
  }

  void Finish() {
    const Views& v = layout_.views;
    std::vector<int32_t> index(drafts_.size(), -1);
    std::vector<int64_t> low(drafts_.size(), 0);
    for (size_t d = 0; d < drafts_.size(); ++d) {
      if (drafts_[d].roots.empty()) continue;
      Cluster c;
      c.alignment = drafts_[d].alignment;
      low[d] = INT64_MAX;
      for (const int32_t root : drafts_[d].roots) {
        low[d] = std::min(low[d], position_[root]);
      }
      for (const int32_t root : drafts_[d].roots) {
        for (Rect r : rects_[root]) {
          r.offset += static_cast<uint64_t>(position_[root] - low[d]);
          c.bytes = std::max(c.bytes, r.offset + r.bytes);
          c.rects.push_back(r);
        }
      }
      index[d] = static_cast<int32_t>(layout_.clusters.size());
      layout_.clusters.push_back(std::move(c));
    }
    layout_.cluster_of.assign(g_.tensors.size(), -1);
    layout_.cluster_offset.assign(g_.tensors.size(), 0);
    for (size_t i = 0; i < storages_.size(); ++i) {
      if (draft_of_[i] < 0) continue;
      const int32_t d = draft_of_[i];
      for (const int32_t t : storages_[i].members) {
        layout_.cluster_of[t] = index[d];
        layout_.cluster_offset[t] = static_cast<uint64_t>(position_[i] - low[d]) + v.offset[t];
      }
    }
    std::vector<const Rect*> all;
    for (const Cluster& c : layout_.clusters) {
      for (const Rect& r : c.rects) all.push_back(&r);
    }
    layout_.lower_bound = PeakOf(all);
  }

  const Graph& g_;
  const bool in_place_;
  const bool fine_;
  Layout layout_;
  std::vector<Storage> storages_;
  std::vector<std::vector<Rect>> rects_;  // of each storage
  std::vector<int32_t> step_of_;          // of each operator
  std::vector<Draft> drafts_;
  std::vector<int32_t> draft_of_;  // of each storage
  std::vector<int64_t> position_;  // of each storage within its draft
};

}  // namespace

Layout MakeLayout(const Graph& graph, uint32_t view_mode, bool in_place, bool fine) {
  return Builder(graph, view_mode, in_place, fine).Run();
}

std::vector<Piece> MakePieces(const Graph& graph, const Views& views) {
  std::vector<Piece> pieces;
  for (const Storage& storage : MakeStorages(graph, views)) {
    for (const Segment& s : storage.segments) {
      Piece p;
      p.bytes = s.end - s.begin;
      p.writer = s.writer < 0 ? -1 : s.writer;
      p.readers = s.readers;
      p.is_output = s.is_output;
      pieces.push_back(std::move(p));
    }
  }
  return pieces;
}

}  // namespace octet
