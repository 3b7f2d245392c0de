// The independent checker of plans: a replay over a shadow of the arena that knows, for every byte,
// which byte of which tensor it holds. Knows nothing of clusters, lifetimes or views' derivation.
#include <algorithm>
#include <map>
#include <vector>

#include "src/memory/plan.h"

namespace octet {
namespace {

// Bytes [at, at + bytes) of a tensor that some step, or the caller, wrote.
struct Part {
  uint64_t bytes = 0;
  int32_t tensor = -1;
  uint64_t at = 0;
};

class Shadow {
 public:
  void Write(uint64_t offset, const Part& part) {
    if (part.bytes == 0) return;
    Forget(offset, part.bytes);
    held_[offset] = part;
  }

  // Whether the arena at `offset` holds exactly these bytes.
  bool Holds(uint64_t offset, Part part) const {
    while (part.bytes > 0) {
      auto it = held_.upper_bound(offset);
      if (it == held_.begin()) return false;
      --it;
      const uint64_t into = offset - it->first;
      if (into >= it->second.bytes || it->second.tensor != part.tensor ||
          it->second.at + into != part.at) {
        return false;
      }
      const uint64_t n = std::min(part.bytes, it->second.bytes - into);
      offset += n;
      part.at += n;
      part.bytes -= n;
    }
    return true;
  }

 private:
  void Forget(uint64_t offset, uint64_t bytes) {
    const uint64_t end = offset + bytes;
    auto it = held_.upper_bound(offset);
    if (it != held_.begin()) --it;
    while (it != held_.end() && it->first < end) {
      const uint64_t begin = it->first;
      const Part old = it->second;
      if (begin + old.bytes <= offset) {
        ++it;
        continue;
      }
      it = held_.erase(it);
      if (begin < offset) held_[begin] = {offset - begin, old.tensor, old.at};
      if (begin + old.bytes > end) {
        it = held_.insert(it, {end, {begin + old.bytes - end, old.tensor, old.at + (end - begin)}});
        ++it;
      }
    }
  }

  std::map<uint64_t, Part> held_;  // by the arena offset where the part begins
};

struct Range {
  uint64_t begin = 0, end = 0;
  bool meets(const Range& o) const { return begin < o.end && o.begin < end; }
};

class Checker {
 public:
  Checker(const Graph& graph, const Plan& plan) : g_(graph), plan_(plan) {}

  Status Run() {
    OCTET_RETURN_IF_ERROR(CheckPlaces());
    OCTET_RETURN_IF_ERROR(Contents());
    std::vector<bool> fed(g_.tensors.size(), false);  // its rows come in during the run
    for (const fb::Step& s : plan_.steps) {
      if (s.op() < 0) fed[g_.inputs[static_cast<size_t>(-1 - s.op())]] = true;
    }
    for (const int32_t t : g_.inputs) {
      if (InArena(t) && !fed[t]) WriteWhole(t);
    }
    for (const int32_t t : g_.inputs) {
      if (InArena(t) && !fed[t]) OCTET_RETURN_IF_ERROR(Read(t, 0, Bytes(t), "input data"));
    }
    fed_rows_.assign(g_.inputs.size(), 0);
    next_row_.assign(g_.ops.size(), 0);
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      OCTET_RETURN_IF_ERROR(Step(s));
    }
    for (size_t i = 0; i < g_.ops.size(); ++i) {
      if (has_step_[i] && next_row_[i] != -1) {
        return Fail(OCTET_INVALID_MODEL, "plan: operator %zu is not computed to its end", i);
      }
    }
    for (const int32_t t : g_.outputs) {
      if (!InArena(t)) continue;
      if (plan_.places[t].ring_rows != 0) {
        return Fail(OCTET_INVALID_MODEL, "plan: output %d is a ring", t);
      }
      OCTET_RETURN_IF_ERROR(Read(t, 0, Bytes(t), "the end"));
    }
    return OCTET_OK;
  }

 private:
  bool InArena(int32_t t) const {
    return t >= 0 && !g_.tensors[t].is_constant() && !g_.tensors[t].is_state;
  }
  uint64_t Bytes(int32_t t) const { return g_.tensors[t].bytes(); }
  const TensorPlace& Of(int32_t t) const { return plan_.places[t]; }

  // The rows of a tensor as RowCount and RowElements of op.h count them.
  uint64_t RowBytes(int32_t t) const {
    const GraphTensor& x = g_.tensors[t];
    const uint64_t rows = RowsOf(t);
    return rows > 0 ? x.bytes() / rows : 0;
  }
  uint64_t RowsOf(int32_t t) const {
    const auto& s = g_.tensors[t].shape;
    if (s.size() != 4) return 1;
    return static_cast<uint64_t>(s[0]) * static_cast<uint64_t>(s[1]);
  }
  uint64_t StoredBytes(int32_t t) const {
    return Of(t).ring_rows > 0 ? static_cast<uint64_t>(Of(t).ring_rows) * RowBytes(t) : Bytes(t);
  }

  Status CheckPlaces() {
    if (plan_.places.size() != g_.tensors.size()) {
      return Fail(OCTET_INVALID_MODEL, "plan: %zu places for %zu tensors", plan_.places.size(),
                  g_.tensors.size());
    }
    std::vector<Range> state;
    for (size_t i = 0; i < g_.tensors.size(); ++i) {
      const int32_t t = static_cast<int32_t>(i);
      const GraphTensor& x = g_.tensors[i];
      const TensorPlace& p = plan_.places[i];
      const fb::Place wanted = x.is_constant() ? fb::Place::CONSTANT
                               : x.is_state    ? fb::Place::STATE
                                               : fb::Place::ARENA;
      if (p.place != wanted)
        return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu in a wrong place", i);
      if (wanted == fb::Place::CONSTANT) continue;
      if (p.ring_rows < 0 || (p.ring_rows > 0 && (p.view_of >= 0 || wanted == fb::Place::STATE))) {
        return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu cannot be a ring", i);
      }
      const uint64_t space = wanted == fb::Place::STATE ? plan_.state_bytes : plan_.arena_bytes;
      const uint64_t bytes = StoredBytes(t);
      if (bytes > space || p.offset > space - bytes) {
        return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu lies outside its block", i);
      }
      if (p.offset % TypeBytes(x.type) != 0) {
        return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu is not aligned", i);
      }
      if (wanted == fb::Place::STATE) state.push_back({p.offset, p.offset + bytes});
      if (p.view_of >= 0) {
        if (static_cast<size_t>(p.view_of) >= g_.tensors.size() || !InArena(p.view_of) ||
            p.view_of == t) {
          return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu is a view of nothing", i);
        }
        const TensorPlace& root = plan_.places[p.view_of];
        if (root.view_of >= 0 || root.ring_rows != 0 || p.offset < root.offset ||
            p.offset + bytes > root.offset + Bytes(p.view_of)) {
          return Fail(OCTET_INVALID_MODEL, "plan: tensor %zu does not lie inside tensor %d", i,
                      p.view_of);
        }
      }
    }
    std::sort(state.begin(), state.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < state.size(); ++i) {
      if (state[i].meets(state[i - 1])) {
        return Fail(OCTET_INVALID_MODEL, "plan: two state tensors overlap");
      }
    }
    has_step_.assign(g_.ops.size(), false);
    for (const fb::Step& s : plan_.steps) {
      if (s.op() < 0 && static_cast<size_t>(-1 - s.op()) < g_.inputs.size()) continue;
      if (s.op() < 0 || static_cast<size_t>(s.op()) >= g_.ops.size()) {
        return Fail(OCTET_INVALID_MODEL, "plan: a step of no operator");
      }
      has_step_[s.op()] = true;
    }
    return OCTET_OK;
  }

  // What each tensor consists of, in terms of tensors that steps or the caller write: itself, or,
  // for what an operator without a step yields, the bytes that this operator would have copied.
  Status Contents() {
    contents_.resize(g_.tensors.size());
    for (size_t i = 0; i < g_.tensors.size(); ++i) {
      contents_[i] = {{Bytes(static_cast<int32_t>(i)), static_cast<int32_t>(i), 0}};
    }
    for (size_t i = 0; i < g_.ops.size(); ++i) {
      if (has_step_[i]) continue;
      if (!Copy(g_.ops[i])) {
        return Fail(OCTET_INVALID_MODEL, "plan: operator %zu (%s) needs a step", i,
                    OpName(g_.ops[i].kind));
      }
    }
    return OCTET_OK;
  }

  static std::vector<Part> Cut(const std::vector<Part>& parts, uint64_t begin, uint64_t bytes) {
    std::vector<Part> out;
    for (Part p : parts) {
      if (begin >= p.bytes) {
        begin -= p.bytes;
        continue;
      }
      p.at += begin;
      p.bytes = std::min(p.bytes - begin, bytes);
      begin = 0;
      bytes -= p.bytes;
      if (p.bytes > 0) out.push_back(p);
    }
    return out;
  }

  static int64_t Product(const std::vector<int32_t>& shape, size_t end) {
    int64_t n = 1;
    for (size_t i = 0; i < end; ++i) n *= shape[i];
    return n;
  }

  // Performs an operator without a step symbolically; false unless it moves plain runs of bytes.
  bool Copy(const GraphOp& op) {
    const auto plain = [&](int32_t in, int32_t out) {
      return InArena(in) && InArena(out) && g_.tensors[in].type == g_.tensors[out].type;
    };
    switch (op.kind) {
      case OpKind::RESHAPE:
        if (!plain(op.inputs[0], op.outputs[0]) || Bytes(op.inputs[0]) != Bytes(op.outputs[0])) {
          return false;
        }
        contents_[op.outputs[0]] = contents_[op.inputs[0]];
        return true;
      case OpKind::SPLIT:
      case OpKind::UNPACK: {
        const auto* o = op.options.AsAxisOptions();
        const auto& shape = g_.tensors[op.inputs[0]].shape;
        if (!o) return false;
        const int64_t axis = o->axis < 0 ? o->axis + static_cast<int64_t>(shape.size()) : o->axis;
        if (axis < 0 || Product(shape, static_cast<size_t>(axis)) != 1) return false;
        uint64_t at = 0;
        for (const int32_t out : op.outputs) {
          if (!plain(op.inputs[0], out) || at + Bytes(out) > Bytes(op.inputs[0])) return false;
          contents_[out] = Cut(contents_[op.inputs[0]], at, Bytes(out));
          at += Bytes(out);
        }
        return at == Bytes(op.inputs[0]);
      }
      case OpKind::CONCATENATION:
      case OpKind::PACK: {
        const auto* o = op.options.AsAxisOptions();
        const int32_t out = op.outputs[0];
        const auto& shape = g_.tensors[out].shape;
        if (!o) return false;
        const int64_t axis = o->axis < 0 ? o->axis + static_cast<int64_t>(shape.size()) : o->axis;
        if (axis < 0 || Product(shape, static_cast<size_t>(axis)) != 1) return false;
        std::vector<Part> parts;
        uint64_t at = 0;
        for (const int32_t in : op.inputs) {
          if (!plain(in, out)) return false;
          const GraphTensor& a = g_.tensors[in];
          const GraphTensor& b = g_.tensors[out];
          if (a.scale != b.scale || a.zero_point != b.zero_point) return false;
          parts.insert(parts.end(), contents_[in].begin(), contents_[in].end());
          at += Bytes(in);
        }
        if (at != Bytes(out)) return false;
        contents_[out] = std::move(parts);
        return true;
      }
      case OpKind::SLICE: {
        const auto* o = op.options.AsSliceOptions();
        const int32_t in = op.inputs[0], out = op.outputs[0];
        const auto& a = g_.tensors[in].shape;
        const auto& b = g_.tensors[out].shape;
        if (!o || !plain(in, out) || a.size() != b.size() || o->begin.size() != a.size()) {
          return false;
        }
        for (const int32_t s : o->strides) {
          if (s != 1) return false;
        }
        // The first and the last element taken must be as far apart as the output is long.
        int64_t first = 0, last = 0;
        for (size_t i = 0; i < a.size(); ++i) {
          if (o->begin[i] < 0 || b[i] < 1 || o->begin[i] + int64_t{b[i]} > a[i]) return false;
          first = first * a[i] + o->begin[i];
          last = last * a[i] + o->begin[i] + b[i] - 1;
        }
        if (last - first + 1 != Product(b, b.size())) return false;
        const uint64_t size = TypeBytes(g_.tensors[in].type);
        contents_[out] = Cut(contents_[in], static_cast<uint64_t>(first) * size, Bytes(out));
        return true;
      }
      default:
        return false;
    }
  }

  void WriteWhole(int32_t t) { shadow_.Write(Of(t).offset, {Bytes(t), t, 0}); }

  // Do bytes [begin, begin + bytes) of a tensor stand where the plan says?
  Status Read(int32_t t, uint64_t begin, uint64_t bytes, const char* who) const {
    uint64_t at = begin;
    for (const Part& part : Cut(contents_[t], begin, bytes)) {
      if (!shadow_.Holds(Address(t, at), part)) {
        return Fail(OCTET_INVALID_MODEL, "plan: tensor %d (\"%s\") is not intact for %s", t,
                    g_.tensors[t].name.c_str(), who);
      }
      at += part.bytes;
    }
    if (at != begin + bytes) return Fail(OCTET_INVALID_MODEL, "plan: tensor %d is cut short", t);
    return OCTET_OK;
  }

  // Of a byte of a tensor. Runs of bytes that the checker asks for never cross a ring's end.
  uint64_t Address(int32_t t, uint64_t at) const {
    const TensorPlace& p = Of(t);
    if (p.ring_rows == 0) return p.offset + at;
    const uint64_t row = RowBytes(t);
    return p.offset + at / row % static_cast<uint64_t>(p.ring_rows) * row + at % row;
  }

  // The caller hands over rows of an input.
  Status Feed(const fb::Step& step) {
    const size_t input = static_cast<size_t>(-1 - step.op());
    const int32_t t = g_.inputs[input];
    const int32_t count = static_cast<int32_t>(RowsOf(t));
    const int32_t end = step.row_end() < 0 ? count : step.row_end();
    if (step.row_begin() != fed_rows_[input] || end <= step.row_begin() || end > count ||
        (Of(t).ring_rows != 0 && end - step.row_begin() > Of(t).ring_rows)) {
      return Fail(OCTET_INVALID_MODEL, "plan: input %zu is fed wrong rows", input);
    }
    const uint64_t row = RowBytes(t);
    for (int32_t y = step.row_begin(); y < end; ++y) {
      const uint64_t at = static_cast<uint64_t>(y) * row;
      shadow_.Write(Address(t, at), {row, t, at});
    }
    fed_rows_[input] = end;
    return OCTET_OK;
  }

  Status Step(size_t index) {
    const fb::Step& step = plan_.steps[index];
    if (step.op() < 0) return Feed(step);
    const GraphOp& op = g_.ops[step.op()];
    const GraphOpView view(g_, op);
    const OpDef* def = FindOp(op.kind);
    const std::string who = "step " + std::to_string(index) + " (" + OpName(op.kind) + ")";
    const bool whole = step.row_end() == -1;
    int32_t& next = next_row_[step.op()];
    RowRange rows{0, 1};
    if (whole) {
      if (next != 0 || step.row_begin() != 0) {
        return Fail(OCTET_INVALID_MODEL, "plan: %s runs twice", who.c_str());
      }
      next = -1;
    } else {
      const int64_t count = static_cast<int64_t>(RowsOf(op.outputs[0]));
      if (!def || !def->input_rows || op.outputs.size() != 1 || next < 0 ||
          step.row_begin() != next || step.row_end() <= next || step.row_end() > count) {
        return Fail(OCTET_INVALID_MODEL, "plan: %s has a wrong range of rows", who.c_str());
      }
      rows = {step.row_begin(), step.row_end()};
      next = step.row_end() == count ? -1 : step.row_end();
    }

    // Reads.
    std::vector<std::vector<Range>> read(op.inputs.size());
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const int32_t t = op.inputs[i];
      if (!InArena(t)) continue;
      RowRange need{0, static_cast<int32_t>(RowsOf(t))};
      if (!whole && !def->input_rows(view.view(), i, rows, &need)) {
        return Fail(OCTET_INVALID_MODEL, "plan: %s cannot run by rows", who.c_str());
      }
      if (whole && Of(t).ring_rows == 0) {
        OCTET_RETURN_IF_ERROR(Read(t, 0, Bytes(t), who.c_str()));
        read[i].push_back({Of(t).offset, Of(t).offset + Bytes(t)});
        continue;
      }
      const uint64_t row = RowBytes(t);
      if (need.begin < 0 || static_cast<uint64_t>(need.end) > RowsOf(t)) {
        return Fail(OCTET_INVALID_MODEL, "plan: %s reads rows that do not exist", who.c_str());
      }
      for (int32_t y = need.begin; y < need.end; ++y) {
        const uint64_t at = static_cast<uint64_t>(y) * row;
        OCTET_RETURN_IF_ERROR(Read(t, at, row, who.c_str()));
        read[i].push_back({Address(t, at), Address(t, at) + row});
      }
    }

    // Writes: apart from each other and, unless the operator allows it, from what is read.
    std::vector<Range> written;
    const uint32_t mask = def && def->in_place ? def->in_place(view.view()) : 0;
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      const int32_t t = op.outputs[k];
      if (!InArena(t)) return Fail(OCTET_INVALID_MODEL, "plan: %s writes no arena", who.c_str());
      const uint64_t row = RowBytes(t);
      std::vector<Range> mine;
      if (whole && Of(t).ring_rows == 0) {
        mine.push_back({Of(t).offset, Of(t).offset + Bytes(t)});
      } else {
        const RowRange range = whole ? RowRange{0, static_cast<int32_t>(RowsOf(t))} : rows;
        if (Of(t).ring_rows != 0 && range.end - range.begin > Of(t).ring_rows) {
          return Fail(OCTET_INVALID_MODEL, "plan: %s overruns its ring", who.c_str());
        }
        for (int32_t y = range.begin; y < range.end; ++y) {
          const uint64_t at = Address(t, static_cast<uint64_t>(y) * row);
          mine.push_back({at, at + row});
        }
      }
      for (const Range& m : mine) {
        for (const Range& w : written) {
          if (m.meets(w))
            return Fail(OCTET_INVALID_MODEL, "plan: %s: outputs overlap", who.c_str());
        }
      }
      for (size_t i = 0; i < op.inputs.size(); ++i) {
        for (size_t r = 0; r < read[i].size(); ++r) {
          for (size_t m = 0; m < mine.size(); ++m) {
            if (!mine[m].meets(read[i][r])) continue;
            const bool same = m == r && mine.size() == read[i].size() &&
                              mine[m].begin == read[i][r].begin && mine[m].end == read[i][r].end;
            if (k != 0 || i >= 32 || !(mask >> i & 1) || !same || Bytes(t) != Bytes(op.inputs[i])) {
              return Fail(OCTET_INVALID_MODEL, "plan: %s overwrites an input that it reads",
                          who.c_str());
            }
          }
        }
      }
      written.insert(written.end(), mine.begin(), mine.end());
      if (whole && Of(t).ring_rows == 0) {
        WriteWhole(t);
      } else {
        const RowRange range = whole ? RowRange{0, static_cast<int32_t>(RowsOf(t))} : rows;
        for (int32_t y = range.begin; y < range.end; ++y) {
          const uint64_t at = static_cast<uint64_t>(y) * row;
          shadow_.Write(Address(t, at), {row, t, at});
        }
      }
    }
    return OCTET_OK;
  }

  const Graph& g_;
  const Plan& plan_;
  std::vector<bool> has_step_;
  std::vector<int32_t> next_row_;  // of each operator; -1: done
  std::vector<int32_t> fed_rows_;  // of each graph input
  std::vector<std::vector<Part>> contents_;
  Shadow shadow_;
};

}  // namespace

Status CheckPlan(const Graph& graph, const Plan& plan) { return Checker(graph, plan).Run(); }

}  // namespace octet
