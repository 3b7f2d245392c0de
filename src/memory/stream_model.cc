#include "src/memory/stream_model.h"

#include <algorithm>

namespace octet {
namespace {

bool InArena(const Graph& g, int32_t t) {
  return t >= 0 && !g.tensors[t].is_constant() && !g.tensors[t].is_state;
}

// Fills what the operator needs to run by rows; leaves by_rows false where it cannot.
void FindRows(const OpView& view, const OpDef& def, const Graph& g, const GraphOp& op,
              const StreamModel& model, StreamOp* s) {
  const GraphTensor& out = g.tensors[op.outputs[0]];
  if (def.input_rows == nullptr || op.outputs.size() != 1 || out.shape.size() != 4 ||
      out.shape[0] != 1 || !model.storages[s->outputs[0]].root_only) {
    return;
  }
  size_t next = 0;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (!InArena(g, op.inputs[i])) continue;
    StreamInput& input = s->inputs[next++];
    const StreamStorage& storage = model.storages[input.storage];
    // A view inside another tensor is read as a whole, by operators that take whole tensors.
    if (!storage.single || (g.tensors[op.inputs[i]].shape.size() != 4 && storage.rows != 1)) return;
    std::vector<RowRange> needs(static_cast<size_t>(s->rows));
    for (int32_t y = 0; y < s->rows; ++y) {
      RowRange& need = needs[static_cast<size_t>(y)];
      if (!def.input_rows(view, i, {y, y + 1}, &need)) return;
      need.begin = std::max(0, std::min(need.begin, storage.rows));
      need.end = std::max(need.begin, std::min(need.end, storage.rows));
      // Rows are made and forgotten from the top down.
      if (y > 0 && (need.begin < needs[static_cast<size_t>(y) - 1].begin ||
                    need.end < needs[static_cast<size_t>(y) - 1].end)) {
        return;
      }
    }
    input.needs = std::move(needs);
  }
  s->by_rows = true;
}

// By rows of a step: an operator that needs scratch at all is asked for each number of them.
void FindScratch(const OpView& view, const OpDef& def, IsaSet isa, StreamOp* s) {
  const auto ask = [&](int32_t rows) {
    Binding binding;
    binding.step_rows = rows;
    def.bind(view, isa, &binding);
    s->macs = binding.macs;
    return (uint64_t{binding.scratch_bytes} + 63) / 64 * 64;
  };
  const uint64_t all = ask(0);
  if (all == 0) return;
  s->scratch.assign(static_cast<size_t>(s->rows), all);
  if (!s->by_rows) return;
  for (int32_t rows = 1; rows < s->rows; ++rows) {
    if ((s->scratch[static_cast<size_t>(rows) - 1] = ask(rows)) == all) break;
  }
}

}  // namespace

StreamModel MakeStreamModel(const Graph& g, IsaSet isa, bool row_fed) {
  StreamModel m;
  m.views = FindViews(g, kAllViews);
  m.storages.resize(g.tensors.size());
  for (size_t i = 0; i < g.tensors.size(); ++i) {
    const GraphTensor& t = g.tensors[i];
    StreamStorage& s = m.storages[i];
    s.alignment = static_cast<uint32_t>(std::max<size_t>(TypeBytes(t.type), 1));
    s.rows = t.shape.size() == 4 ? std::max(1, t.shape[0] * t.shape[1]) : 1;
    s.row_bytes = t.bytes() / static_cast<uint64_t>(s.rows);
  }
  for (size_t i = 0; i < g.tensors.size(); ++i) {
    const int32_t root = m.views.root[i];
    if (root == static_cast<int32_t>(i)) continue;
    m.storages[root].single = false;
    m.storages[root].alignment = std::max(m.storages[root].alignment, m.storages[i].alignment);
  }
  for (int32_t t : g.inputs) m.storages[m.views.root[t]].is_input = true;
  for (int32_t t : g.outputs) {
    if (InArena(g, t)) m.storages[m.views.root[t]].is_output = true;
  }
  for (size_t i = 0; row_fed && i < g.inputs.size(); ++i) {
    const int32_t t = g.inputs[i];
    StreamStorage& storage = m.storages[t];
    if (m.views.root[t] != t || !storage.single || storage.is_output ||
        g.tensors[t].shape.size() != 4 || g.tensors[t].shape[0] != 1) {
      continue;
    }
    StreamOp feed;
    feed.op = -1 - static_cast<int32_t>(i);
    feed.outputs = {t};
    feed.rows = storage.rows;
    feed.by_rows = true;
    storage.is_input = false;
    storage.first_op = storage.last_op = static_cast<int32_t>(m.ops.size());
    m.ops.push_back(feed);
  }
  for (size_t i = 0; i < g.ops.size(); ++i) {
    if (m.views.elided[i]) continue;
    const GraphOp& op = g.ops[i];
    const int32_t index = static_cast<int32_t>(m.ops.size());
    StreamOp s;
    s.op = static_cast<int32_t>(i);
    for (int32_t t : op.inputs) {
      if (t >= 0 && g.tensors[t].is_constant()) s.weight_bytes += g.tensors[t].bytes();
      if (!InArena(g, t)) continue;
      StreamInput input;
      input.storage = m.views.root[t];
      m.storages[input.storage].last_op = index;
      s.inputs.push_back(input);
    }
    for (int32_t t : op.outputs) {
      StreamStorage& storage = m.storages[m.views.root[t]];
      if (storage.first_op >= 0 || storage.is_input || m.views.root[t] != t) {
        storage.root_only = false;
      }
      if (storage.first_op < 0 && !storage.is_input) storage.first_op = index;
      storage.last_op = index;
      s.outputs.push_back(m.views.root[t]);
    }
    const GraphTensor& out = g.tensors[op.outputs[0]];
    s.rows = out.shape.size() == 4 ? out.shape[0] * out.shape[1] : 1;
    const OpDef& def = *FindOp(op.kind);
    const GraphOpView view(g, op);
    FindRows(view.view(), def, g, op, m, &s);
    FindScratch(view.view(), def, isa, &s);
    const uint32_t mask = def.in_place != nullptr ? def.in_place(view.view()) : 0;
    for (size_t j = 0; j < op.inputs.size() && j < 32; ++j) {
      if (!(mask >> j & 1u) || !InArena(g, op.inputs[j])) continue;
      const StreamStorage& in = m.storages[m.views.root[op.inputs[j]]];
      const StreamStorage& o = m.storages[s.outputs[0]];
      const int32_t reads =
          static_cast<int32_t>(std::count(op.inputs.begin(), op.inputs.end(), op.inputs[j]));
      if (in.single && o.single && in.bytes() == o.bytes() && in.rows == o.rows && reads == 1 &&
          !in.is_output) {
        s.in_place = m.views.root[op.inputs[j]];
        break;
      }
    }
    m.ops.push_back(std::move(s));
  }
  return m;
}

namespace {

class BandSteps {
 public:
  BandSteps(const StreamModel& model, const StreamSegment& segment)
      : m_(model), segment_(segment), writer_(model.storages.size(), -1) {
    const int32_t n = segment.end - segment.begin;
    done_.assign(static_cast<size_t>(n), 0);
    for (int32_t i = 0; i < n; ++i) writer_[static_cast<size_t>(Op(i).outputs[0])] = i;
  }

  void Run(std::vector<StreamStep>* steps) {
    steps_ = steps;
    const int32_t last = segment_.end - segment_.begin - 1;
    const int32_t rows = Op(last).rows;
    for (int32_t y = 0; y < rows;) {
      y = std::min(y + segment_.band, rows);
      if (segment_.inner == 0) {
        InTurn(last, y);
      } else {
        Make(last, y, segment_.band);
      }
    }
    // Rows that nobody in the segment asked for.
    for (int32_t i = 0; i <= last; ++i) Make(i, Op(i).rows, Op(i).rows);
  }

 private:
  const StreamOp& Op(int32_t i) const { return m_.ops[static_cast<size_t>(segment_.begin + i)]; }

  void Emit(int32_t i, int32_t end) {
    int32_t& done = done_[static_cast<size_t>(i)];
    if (end <= done) return;
    steps_->push_back({segment_.begin + i, done, end, false});
    done = end;
  }

  // What rows of operator i up to `end` ask of the operators before it.
  template <class F>
  void ForNeeds(int32_t i, int32_t end, const F& need) const {
    for (const StreamInput& in : Op(i).inputs) {
      const int32_t w = writer_[static_cast<size_t>(in.storage)];
      if (w >= 0 && w < i) need(w, in.needs[static_cast<size_t>(end) - 1].end);
    }
  }

  // Rows of operator i up to `end`, `chunk` at a time, each just after what it needs.
  void Make(int32_t i, int32_t end, int32_t chunk) {
    for (int32_t done; (done = done_[static_cast<size_t>(i)]) < end;) {
      const int32_t next = std::min(done + chunk, end);
      ForNeeds(i, next, [&](int32_t w, int32_t rows) {
        Make(w, rows, segment_.inner > 0 ? segment_.inner : Op(w).rows);
      });
      Emit(i, next);
    }
  }

  // Every operator once, in order.
  void InTurn(int32_t last, int32_t end) {
    std::vector<int32_t> wanted = done_;
    wanted[static_cast<size_t>(last)] = end;
    for (int32_t i = last; i >= 0; --i) {
      const int32_t mine = wanted[static_cast<size_t>(i)];
      if (mine <= done_[static_cast<size_t>(i)]) continue;
      ForNeeds(i, mine, [&](int32_t w, int32_t rows) {
        wanted[static_cast<size_t>(w)] = std::max(wanted[static_cast<size_t>(w)], rows);
      });
    }
    for (int32_t i = 0; i <= last; ++i) Emit(i, wanted[static_cast<size_t>(i)]);
  }

  const StreamModel& m_;
  const StreamSegment& segment_;
  std::vector<int32_t> writer_;  // in the segment, by storage
  std::vector<int32_t> done_;
  std::vector<StreamStep>* steps_ = nullptr;
};

}  // namespace

std::vector<StreamStep> SegmentSteps(const StreamModel& m, const StreamSegment& segment) {
  std::vector<StreamStep> steps;
  if (segment.band == 0) {
    for (int32_t i = segment.begin; i < segment.end; ++i)
      steps.push_back({i, 0, m.ops[i].rows, true});
    return steps;
  }
  BandSteps(m, segment).Run(&steps);
  return steps;
}

std::vector<uint64_t> SegmentScratch(const StreamModel& m, const StreamSegment& segment,
                                     const std::vector<StreamStep>& steps) {
  std::vector<int32_t> most(static_cast<size_t>(segment.end - segment.begin), 1);
  for (const StreamStep& s : steps) {
    int32_t& rows = most[static_cast<size_t>(s.op - segment.begin)];
    rows = std::max(rows, s.end - s.begin);
  }
  std::vector<uint64_t> bytes(most.size());
  for (size_t i = 0; i < most.size(); ++i) {
    bytes[i] = m.ops[static_cast<size_t>(segment.begin) + i].scratch_bytes(most[i]);
  }
  return bytes;
}

RowLives FindRowLives(const StreamModel& m, const std::vector<StreamStep>& steps) {
  RowLives lives;
  lives.rows.resize(m.storages.size());
  const int32_t count = static_cast<int32_t>(steps.size());
  int32_t first_op = count > 0 ? steps[0].op : 0, last_op = first_op;
  for (const StreamStep& s : steps) {
    first_op = std::min(first_op, s.op);
    last_op = std::max(last_op, s.op);
  }
  const auto touch = [&](int32_t storage) -> std::vector<RowLife>& {
    std::vector<RowLife>& rows = lives.rows[storage];
    if (rows.empty()) {
      const StreamStorage& s = m.storages[storage];
      const bool before = s.first_op < first_op;
      const bool after = s.is_output || s.last_op > last_op;
      rows.assign(static_cast<size_t>(s.rows), RowLife{before ? -1 : count, after ? count : -1});
      lives.touched.push_back(storage);
    }
    return rows;
  };
  for (int32_t i = 0; i < count; ++i) {
    const StreamOp& op = m.ops[steps[i].op];
    for (const StreamInput& in : op.inputs) {
      std::vector<RowLife>& rows = touch(in.storage);
      RowRange need{0, static_cast<int32_t>(rows.size())};
      if (!steps[i].whole && !in.needs.empty()) {
        need.begin = in.needs[static_cast<size_t>(steps[i].begin)].begin;
        need.end = in.needs[static_cast<size_t>(steps[i].end) - 1].end;
      }
      for (int32_t y = need.begin; y < need.end; ++y) {
        rows[static_cast<size_t>(y)].read = std::max(rows[static_cast<size_t>(y)].read, i);
      }
    }
    for (size_t o = 0; o < op.outputs.size(); ++o) {
      std::vector<RowLife>& rows = touch(op.outputs[o]);
      const bool part = o == 0 && m.storages[op.outputs[0]].root_only;
      const int32_t begin = part ? steps[i].begin : 0;
      const int32_t end = part ? steps[i].end : static_cast<int32_t>(rows.size());
      for (int32_t y = begin; y < end; ++y) {
        RowLife& life = rows[static_cast<size_t>(y)];
        life.written = std::min(life.written, i);
        life.read = std::max(life.read, i);  // written is live, read by nobody or not
      }
    }
  }
  return lives;
}

int32_t RingRows(const StreamStorage& s, const std::vector<RowLife>& lives, int32_t step_count) {
  if (!s.single || s.is_input || s.is_output || s.rows < 2) return 0;
  const int32_t n = s.rows;
  int32_t ring = 1, oldest = 0;
  for (int32_t y = 0; y < n; ++y) {
    const RowLife& life = lives[static_cast<size_t>(y)];
    if (life.written < 0 || life.read >= step_count) return 0;
    // Rows that must still be there, or are written in the same step, when this one is.
    while (lives[static_cast<size_t>(oldest)].read < life.written) ++oldest;
    ring = std::max(ring, y - oldest + 1);
  }
  // Rows behind one that lives on must not be forgotten before it.
  return ring < n ? ring : 0;
}

}  // namespace octet
