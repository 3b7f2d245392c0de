#include "src/cli/plan_view.h"

#include <algorithm>

#include "src/cli/format.h"
#include "src/model/model.h"

namespace octet::cli {
namespace {

// More pieces than this of one tensor, or of all, would show nothing more.
constexpr int32_t kMaxPieces = 2048;
constexpr size_t kMaxAllPieces = 1u << 20;

struct Life {
  int32_t first = INT32_MAX, last = -1;
};

// A tensor with bytes of its own and the views inside it, cut where lifetimes may change.
struct Storage {
  std::vector<uint64_t> cuts;  // addresses
  std::vector<Life> pieces;    // between neighbouring cuts
};

class Viewer {
 public:
  Viewer(const fb::Model& model, const std::vector<StepInfo>& steps, size_t threads)
      : model_(model), infos_(steps), threads_(threads), storages_(Count(model.tensors())) {}

  PlanView Run() {
    FindStreamed();
    Cut();
    Replay();
    Collect();
    FindScratch();
    FindPeak();
    FindBound();
    return std::move(view_);
  }

 private:
  const fb::Tensor& tensor(int32_t t) const {
    return *model_.tensors()->Get(static_cast<uint32_t>(t));
  }
  const fb::Operator& op(int32_t i) const {
    return *model_.operators()->Get(static_cast<uint32_t>(i));
  }
  const fb::Step& step(int32_t s) const { return *model_.steps()->Get(static_cast<uint32_t>(s)); }
  int32_t step_count() const { return static_cast<int32_t>(Count(model_.steps())); }
  bool in_arena(int32_t t) const { return t >= 0 && tensor(t).place() == fb::Place::ARENA; }
  size_t root(int32_t t) const {
    return static_cast<size_t>(tensor(t).view_of() >= 0 ? tensor(t).view_of() : t);
  }
  int32_t rows(int32_t t) const { return RowCount(ViewTensor(model_, tensor(t))); }
  static bool by_rows(const fb::Step& s) { return s.row_end() >= 0; }
  // A step of an operator below 0 is the caller's: rows of a model input come in.
  static bool is_input(const fb::Step& s) { return s.op() < 0; }
  int32_t input_of(const fb::Step& s) const {
    return model_.inputs()->Get(static_cast<uint32_t>(-1 - s.op()));
  }

  // Blocks of steps that no operator straddles; those of several steps are streamed.
  void FindStreamed() {
    const int32_t inputs = static_cast<int32_t>(Count(model_.inputs()));
    std::vector<int32_t> last(Count(model_.inputs()) + Count(model_.operators()), -1);
    for (int32_t s = 0; s < step_count(); ++s) last[static_cast<size_t>(inputs + step(s).op())] = s;
    for (int32_t s = 0; s < step_count();) {
      StreamedSteps block{s, s, {}};
      for (; s <= block.last; ++s) {
        const int32_t i = step(s).op();
        block.last = std::max(block.last, last[static_cast<size_t>(inputs + i)]);
        if (i >= 0) block.operators.push_back(i);
      }
      if (block.last == block.first) continue;
      std::sort(block.operators.begin(), block.operators.end());
      block.operators.erase(std::unique(block.operators.begin(), block.operators.end()),
                            block.operators.end());
      view_.streamed.push_back(std::move(block));
    }
  }

  void Cut() {
    const int32_t count = static_cast<int32_t>(storages_.size());
    for (int32_t t = 0; t < count; ++t) {
      if (!in_arena(t)) continue;
      std::vector<uint64_t>& cuts = storages_[root(t)].cuts;
      cuts.push_back(tensor(t).offset());
      cuts.push_back(tensor(t).offset() + StoredBytes(tensor(t)));
    }
    // Rows matter where a step takes some of them.
    std::vector<bool> split(storages_.size());
    size_t budget = kMaxAllPieces;
    const auto split_rows = [&](int32_t t) {
      if (!in_arena(t) || tensor(t).ring_rows() > 0 || split[static_cast<size_t>(t)]) return;
      split[static_cast<size_t>(t)] = true;
      const int32_t all = rows(t), pieces = std::min(all, kMaxPieces);
      if (static_cast<size_t>(pieces) > budget) return;
      budget -= static_cast<size_t>(pieces);
      const uint64_t row = StoredBytes(tensor(t)) / static_cast<uint64_t>(all);
      for (int32_t i = 1; i < pieces; ++i) {
        const int64_t y = int64_t{i} * all / pieces;
        storages_[root(t)].cuts.push_back(tensor(t).offset() + static_cast<uint64_t>(y) * row);
      }
    };
    for (int32_t s = 0; s < step_count(); ++s) {
      if (!by_rows(step(s))) continue;
      if (is_input(step(s))) {
        split_rows(input_of(step(s)));
        continue;
      }
      for (int32_t t : *op(step(s).op()).inputs()) split_rows(t);
      for (int32_t t : *op(step(s).op()).outputs()) split_rows(t);
    }
    for (Storage& storage : storages_) {
      std::sort(storage.cuts.begin(), storage.cuts.end());
      storage.cuts.erase(std::unique(storage.cuts.begin(), storage.cuts.end()), storage.cuts.end());
      if (storage.cuts.size() > 1) storage.pieces.resize(storage.cuts.size() - 1);
    }
  }

  // A step reads or writes rows of a tensor.
  void Touch(int32_t t, RowRange range, int32_t s) {
    Storage& storage = storages_[root(t)];
    uint64_t begin = tensor(t).offset(), end = begin + StoredBytes(tensor(t));
    if (tensor(t).ring_rows() == 0) {
      const int32_t all = rows(t);
      const uint64_t row = (end - begin) / static_cast<uint64_t>(all);
      const int32_t from = std::clamp(range.begin, 0, all), to = std::clamp(range.end, from, all);
      end = begin + static_cast<uint64_t>(to) * row;
      begin += static_cast<uint64_t>(from) * row;
    }
    const auto first = std::upper_bound(storage.cuts.begin(), storage.cuts.end(), begin);
    for (size_t i = static_cast<size_t>(first - storage.cuts.begin()) - 1;
         i < storage.pieces.size() && storage.cuts[i] < end; ++i) {
      storage.pieces[i].first = std::min(storage.pieces[i].first, s);
      storage.pieces[i].last = std::max(storage.pieces[i].last, s);
    }
  }

  void Replay() {
    const RowRange all{0, INT32_MAX};
    std::vector<TensorView> views(MaxOperands(model_));
    std::vector<const TensorView*> pointers(views.size());
    std::vector<bool> comes_by_rows(storages_.size());
    for (int32_t s = 0; s < step_count(); ++s) {
      const int32_t index = step(s).op();
      if (is_input(step(s))) {
        const int32_t t = input_of(step(s));
        comes_by_rows[static_cast<size_t>(t)] = true;
        const RowRange rows{step(s).row_begin(), step(s).row_end()};
        if (in_arena(t)) Touch(t, by_rows(step(s)) ? rows : all, s);
        continue;
      }
      const fb::Operator& o = op(index);
      const FileOpView view(model_, index, views.data(), pointers.data());
      const OpDef* def = FindOp(o.kind());
      const RowRange out{step(s).row_begin(), step(s).row_end()};
      for (uint32_t i = 0; i < o.inputs()->size(); ++i) {
        if (!in_arena(o.inputs()->Get(i))) continue;
        RowRange need = all;
        if (!by_rows(step(s)) || !def || !def->input_rows ||
            !def->input_rows(view.view(), i, out, &need)) {
          need = all;
        }
        Touch(o.inputs()->Get(i), need, s);
      }
      for (uint32_t i = 0; i < o.outputs()->size(); ++i) {
        if (!in_arena(o.outputs()->Get(i))) continue;
        Touch(o.outputs()->Get(i), by_rows(step(s)) && i == 0 ? out : all, s);
      }
    }
    for (int32_t t : *model_.inputs()) {
      if (in_arena(t) && !comes_by_rows[static_cast<size_t>(t)]) Touch(t, all, 0);
    }
    for (int32_t t : *model_.outputs()) {
      if (in_arena(t)) Touch(t, all, std::max(step_count() - 1, 0));
    }
  }

  void Collect() {
    for (size_t i = 0; i < storages_.size(); ++i) {
      const Storage& storage = storages_[i];
      const fb::Tensor& t = tensor(static_cast<int32_t>(i));
      PlacedTensor placed;
      placed.first = INT32_MAX, placed.last = -1;
      for (size_t p = 0; p < storage.pieces.size(); ++p) {
        const Life& life = storage.pieces[p];
        if (life.last < 0) continue;
        placed.first = std::min(placed.first, life.first);
        placed.last = std::max(placed.last, life.last);
        const uint64_t begin = storage.cuts[p], end = storage.cuts[p + 1];
        if (!placed.parts.empty() && placed.parts.back().end == begin &&
            placed.parts.back().first == life.first && placed.parts.back().last == life.last) {
          placed.parts.back().end = end;
        } else {
          placed.parts.push_back({begin, end, life.first, life.last});
        }
      }
      if (placed.last < 0) continue;
      placed.tensor = static_cast<int32_t>(i);
      placed.name = t.name() ? t.name()->str() : std::string();
      placed.type = TypeName(static_cast<int>(t.type()));
      placed.shape = t.shape() ? ShapeText(t.shape()->data(), t.shape()->size()) : "[]";
      placed.offset = t.offset();
      placed.bytes = StoredBytes(t);
      placed.ring_rows = t.ring_rows();
      view_.tensors.push_back(std::move(placed));
    }
    std::stable_sort(view_.tensors.begin(), view_.tensors.end(),
                     [](const PlacedTensor& a, const PlacedTensor& b) {
                       return a.first != b.first ? a.first < b.first : a.offset < b.offset;
                     });
  }

  // Where the loader puts each kernel's scratch: where the plan keeps room, else above what lives.
  void FindScratch() {
    std::vector<std::vector<int32_t>> steps_of(Count(model_.operators()));
    for (int32_t s = 0; s < step_count(); ++s) {
      if (!is_input(step(s))) steps_of[static_cast<size_t>(step(s).op())].push_back(s);
    }
    for (size_t i = 0; i < steps_of.size(); ++i) {
      if (steps_of[i].empty()) continue;
      const fb::Operator& o = op(static_cast<int32_t>(i));
      const size_t first = static_cast<size_t>(steps_of[i].front());
      const uint64_t used = first < infos_.size() ? infos_[first].scratch_bytes * threads_ : 0;
      PlacedScratch scratch{static_cast<int32_t>(i), o.scratch_offset(), o.scratch_bytes(), {}};
      if (used > o.scratch_bytes()) {
        uint64_t top = 0;
        for (const PlacedTensor& t : view_.tensors) {
          const auto inside = std::lower_bound(steps_of[i].begin(), steps_of[i].end(), t.first);
          if (inside == steps_of[i].end() || *inside > t.last) continue;
          top = std::max(top, t.offset + t.bytes);
        }
        scratch.offset = (top + 63) / 64 * 64;
        scratch.bytes = used;
      }
      if (scratch.bytes == 0) continue;
      scratch.steps = std::move(steps_of[i]);
      view_.scratch.push_back(std::move(scratch));
    }
  }

  // Live bytes of a step: the union of intervals, since tensors worked on in place overlap.
  void FindPeak() {
    std::vector<HeldBytes> parts;
    for (const PlacedTensor& t : view_.tensors) {
      parts.insert(parts.end(), t.parts.begin(), t.parts.end());
    }
    for (const PlacedScratch& scratch : view_.scratch) {
      const fb::Operator& o = op(scratch.op);
      if (o.scratch_bytes() == 0) continue;  // not of the plan
      for (int32_t s : scratch.steps) {
        parts.push_back({o.scratch_offset(), o.scratch_offset() + o.scratch_bytes(), s, s});
      }
    }
    std::sort(parts.begin(), parts.end(),
              [](const HeldBytes& a, const HeldBytes& b) { return a.first < b.first; });
    std::vector<HeldBytes> live;
    size_t next = 0;
    for (int32_t s = 0; s < step_count(); ++s) {
      live.erase(std::remove_if(live.begin(), live.end(),
                                [&](const HeldBytes& part) { return part.last < s; }),
                 live.end());
      const size_t kept = live.size();
      while (next < parts.size() && parts[next].first <= s) live.push_back(parts[next++]);
      const auto lower = [](const HeldBytes& a, const HeldBytes& b) { return a.begin < b.begin; };
      std::sort(live.begin() + static_cast<std::ptrdiff_t>(kept), live.end(), lower);
      std::inplace_merge(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(kept), live.end(),
                         lower);
      uint64_t sum = 0, end = 0;
      for (const HeldBytes& part : live) {
        if (part.end > end) sum += part.end - std::max(part.begin, end);
        end = std::max(end, part.end);
      }
      if (sum > view_.peak_bytes) {
        view_.peak_bytes = sum;
        view_.peak_step = static_cast<size_t>(s);
      }
    }
  }

  // Whole tensors, each from the operator that writes it first to the one that reads it last.
  void FindBound() {
    std::vector<int32_t> order;  // operators that run
    std::vector<bool> seen(Count(model_.operators()));
    for (int32_t s = 0; s < step_count(); ++s) {
      if (!is_input(step(s))) seen[static_cast<size_t>(step(s).op())] = true;
    }
    std::vector<Life> lives(storages_.size());
    const auto use = [&](int32_t t, size_t at) {
      if (!in_arena(t)) return;
      lives[root(t)].first = std::min(lives[root(t)].first, static_cast<int32_t>(at));
      lives[root(t)].last = std::max(lives[root(t)].last, static_cast<int32_t>(at));
    };
    for (size_t i = 0; i < seen.size(); ++i) {
      if (!seen[i]) continue;
      for (int32_t t : *op(static_cast<int32_t>(i)).inputs()) use(t, order.size());
      for (int32_t t : *op(static_cast<int32_t>(i)).outputs()) use(t, order.size());
      order.push_back(static_cast<int32_t>(i));
    }
    if (order.empty()) return;
    for (int32_t t : *model_.inputs()) use(t, 0);
    for (int32_t t : *model_.outputs()) use(t, order.size() - 1);
    std::vector<int64_t> change(order.size() + 1);
    for (size_t i = 0; i < lives.size(); ++i) {
      if (lives[i].last < 0) continue;
      const int64_t bytes =
          static_cast<int64_t>(ViewTensor(model_, tensor(static_cast<int32_t>(i))).bytes());
      change[static_cast<size_t>(lives[i].first)] += bytes;
      change[static_cast<size_t>(lives[i].last) + 1] -= bytes;
    }
    int64_t live = 0;
    for (size_t at = 0; at < order.size(); ++at) {
      live += change[at];
      if (live > static_cast<int64_t>(view_.bound_bytes)) {
        view_.bound_bytes = static_cast<uint64_t>(live);
        view_.bound_op = order[at];
      }
    }
  }

  const fb::Model& model_;
  const std::vector<StepInfo>& infos_;
  const size_t threads_;
  std::vector<Storage> storages_;  // by root tensor
  PlanView view_;
};

}  // namespace

PlanView ViewPlan(const fb::Model& model, const std::vector<StepInfo>& steps, size_t threads) {
  return Viewer(model, steps, threads).Run();
}

}  // namespace octet::cli
