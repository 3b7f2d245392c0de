// The memory plan of a model file: no row may be overwritten while a later step still reads it.
//
// A replay of the steps, in rows: for each tensor the window of rows that the arena holds intact.
// A step needs its input rows inside the windows of its inputs; what it writes takes the
// overwritten rows out of every other tensor's window. Whole operators are the case of all rows.
// Tensors that share bytes (view_of) form a family: one is intact if itself, the family's root or
// parts that cover it are.
#include <algorithm>
#include <limits>

#include "src/model/model.h"
#include "src/model/require.h"

namespace octet {
namespace {

// A bound of the time that a hostile file can take: visits of tensors.
constexpr uint64_t kMaxWork = uint64_t{1} << 28;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

struct Window {
  int32_t begin = 0, end = 0;  // rows held intact
  int32_t rows = 1;            // of the whole tensor
  int32_t ring = 0;
  uint64_t row_bytes = 0;
  int64_t last_read = -1;   // step; by anyone in the family
  int64_t last_write = -1;  // step
  bool fed = false;         // a model input whose rows come in during the run
  int32_t fed_rows = 0;

  bool empty() const { return begin >= end; }
  bool whole() const { return begin == 0 && end == rows; }
};

struct Bytes {
  uint64_t begin = 0, end = 0;
  bool meets(const Bytes& o) const { return begin < o.end && o.begin < end; }
};

class PlanVerifier {
 public:
  PlanVerifier(const fb::Model& file, Window* windows, int32_t* done, TensorView* tensors,
               const TensorView** pointers, size_t* live_top)
      : file_(file),
        count_(static_cast<int32_t>(file.tensors()->size())),
        windows_(windows),
        done_(done),
        tensors_(tensors),
        pointers_(pointers),
        live_top_(live_top) {}

  Status Run() {
    OCTET_RETURN_IF_ERROR(CheckViews());
    OCTET_RETURN_IF_ERROR(FindLastReads());
    for (uint32_t i = 0; i < file_.operators()->size(); ++i) {
      live_top_[i] = 0, done_[i] = 0;
      const fb::Operator& op = *file_.operators()->Get(i);
      OCTET_REQUIRE(op.scratch_bytes() <= file_.arena_bytes() &&
                        op.scratch_offset() <= file_.arena_bytes() - op.scratch_bytes() &&
                        op.scratch_offset() % 64 == 0,
                    "the scratch of operator %u lies outside the arena", i);
    }
    for (int32_t t : *file_.inputs()) {
      if (windows_[t].fed) continue;
      OCTET_REQUIRE(windows_[t].ring == 0, "model input \"%s\" is a ring that nobody fills",
                    name(t));
      OCTET_RETURN_IF_ERROR(CheckWork());
      Write(t, {0, windows_[t].rows});
    }
    for (int32_t t : *file_.inputs()) {
      OCTET_REQUIRE(windows_[t].fed || windows_[t].whole(),
                    "two model inputs overlap in the arena");
    }
    const uint32_t step_count = file_.steps()->size();
    for (uint32_t s = 0; s < step_count; ++s) {
      if (Status status = Replay(s); status != OCTET_OK) {
        PrefixError("memory plan, step %u: ", s);
        return status;
      }
    }
    for (int32_t t : *file_.outputs()) {
      OCTET_REQUIRE(!in_arena(t) || Holds(t, {0, windows_[t].rows}),
                    "model output \"%s\" is not there after the last step", name(t));
    }
    return OCTET_OK;
  }

 private:
  const fb::Tensor& tensor(int32_t t) const {
    return *file_.tensors()->Get(static_cast<uint32_t>(t));
  }
  const char* name(int32_t t) const {
    return tensor(t).name() != nullptr ? tensor(t).name()->c_str() : "";
  }
  int32_t root(int32_t t) const { return tensor(t).view_of() >= 0 ? tensor(t).view_of() : t; }
  bool in_arena(int32_t t) const { return t >= 0 && tensor(t).place() == fb::Place::ARENA; }

  Status CheckViews() {
    for (int32_t i = 0; i < count_; ++i) {
      const fb::Tensor& t = tensor(i);
      Window& w = windows_[i];
      w = Window();
      const TensorView view = ViewTensor(file_, t);
      w.rows = RowCount(view);
      w.row_bytes = view.bytes() / static_cast<size_t>(w.rows);
      w.ring = t.ring_rows();
      if (t.view_of() < 0) continue;
      OCTET_REQUIRE(t.view_of() < count_ && t.view_of() != i, "tensor %d is a view of nothing", i);
      const fb::Tensor& r = tensor(t.view_of());
      OCTET_REQUIRE(r.view_of() < 0 && r.place() == fb::Place::ARENA &&
                        t.place() == fb::Place::ARENA && r.ring_rows() == 0 && t.ring_rows() == 0 &&
                        t.offset() >= r.offset() &&
                        t.offset() + StoredBytes(t) <= r.offset() + StoredBytes(r),
                    "tensor %d \"%s\" lies outside the tensor it is a view of", i, name(i));
    }
    return OCTET_OK;
  }

  Status FindLastReads() {
    const uint32_t step_count = file_.steps()->size();
    OCTET_REQUIRE(uint64_t{step_count} * static_cast<uint64_t>(count_) <= uint64_t{1} << 28,
                  "the memory plan is too long: %u steps over %d tensors", step_count, count_);
    for (uint32_t s = 0; s < step_count; ++s) {
      const fb::Step& step = *file_.steps()->Get(s);
      if (step.op() < 0) {
        const int64_t input = -1 - int64_t{step.op()};
        OCTET_REQUIRE(input < static_cast<int64_t>(file_.inputs()->size()),
                      "step %u feeds input %lld, which does not exist", s,
                      static_cast<long long>(input));
        const int32_t t = file_.inputs()->Get(static_cast<uint32_t>(input));
        const auto* shape = tensor(t).shape();
        OCTET_REQUIRE(shape != nullptr && shape->size() == 4 && shape->Get(0) == 1 && root(t) == t,
                      "step %u feeds input %lld by rows, which is no image", s,
                      static_cast<long long>(input));
        windows_[t].fed = true;
        continue;
      }
      OCTET_REQUIRE(static_cast<uint32_t>(step.op()) < file_.operators()->size(),
                    "step %u runs operator %d, which does not exist", s, step.op());
      const auto& inputs = *file_.operators()->Get(static_cast<uint32_t>(step.op()))->inputs();
      work_ += inputs.size();
      OCTET_RETURN_IF_ERROR(CheckWork());
      for (int32_t t : inputs) {
        if (in_arena(t)) windows_[root(t)].last_read = s;
      }
    }
    work_ = 0;
    for (int32_t t : *file_.outputs()) {
      if (in_arena(t)) windows_[root(t)].last_read = kForever;
    }
    return OCTET_OK;
  }

  // Where rows lie: one range, or two where a ring wraps.
  int Ranges(int32_t t, RowRange rows, Bytes ranges[2]) const {
    const Window& w = windows_[t];
    const uint64_t base = tensor(t).offset();
    if (rows.begin >= rows.end) return 0;
    if (w.ring == 0) {
      ranges[0] = {base + static_cast<uint64_t>(rows.begin) * w.row_bytes,
                   base + static_cast<uint64_t>(rows.end) * w.row_bytes};
      return 1;
    }
    const int32_t first = rows.begin % w.ring, n = std::min(rows.end - rows.begin, w.ring);
    const int32_t straight = std::min(n, w.ring - first);
    ranges[0] = {base + static_cast<uint64_t>(first) * w.row_bytes,
                 base + static_cast<uint64_t>(first + straight) * w.row_bytes};
    if (straight == n) return 1;
    ranges[1] = {base, base + static_cast<uint64_t>(n - straight) * w.row_bytes};
    return 2;
  }

  // Takes the rows that touch `bytes` out of a window; in a ring, what is older goes with them.
  void Overwrite(int32_t t, const Bytes& bytes) {
    Window& w = windows_[t];
    const uint64_t base = tensor(t).offset();
    const int32_t stored = w.ring > 0 ? w.ring : w.rows;
    const uint64_t end = base + static_cast<uint64_t>(stored) * w.row_bytes;
    if (bytes.end <= base || bytes.begin >= end) return;
    const int32_t first =
        bytes.begin > base ? static_cast<int32_t>((bytes.begin - base) / w.row_bytes) : 0;
    const int32_t last = static_cast<int32_t>((std::min(bytes.end, end) - 1 - base) / w.row_bytes);
    if (w.ring == 0) {
      if (first >= w.end || last < w.begin) return;
      // A window is one range: keep the larger side.
      if (first - w.begin > w.end - 1 - last) {
        w.end = first;
      } else {
        w.begin = std::min(last + 1, w.end);
      }
      return;
    }
    if (w.empty()) return;
    // The newest row in one of the slots [first, last], going back from the newest of all.
    const int32_t slot = (w.end - 1) % w.ring;
    int32_t back = 0;
    if (slot > last) back = slot - last;
    if (slot < first) back = slot + w.ring - last;
    if (w.end - 1 - back >= w.begin) w.begin = w.end - back;
  }

  void Write(int32_t t, RowRange rows) {
    Bytes ranges[2];
    const int n = Ranges(t, rows, ranges);
    work_ += static_cast<uint64_t>(count_);
    for (int32_t other = 0; other < count_; ++other) {
      if (other == t || windows_[other].empty()) continue;
      for (int i = 0; i < n; ++i) Overwrite(other, ranges[i]);
    }
    Window& w = windows_[t];
    if (w.empty() || rows.begin != w.end) w.begin = rows.begin;
    w.end = rows.end;
    if (w.ring > 0) w.begin = std::max(w.begin, w.end - w.ring);
  }

  // Are these rows of a tensor intact, in itself or through the family it shares bytes with?
  bool Holds(int32_t t, RowRange rows) {
    const Window& w = windows_[t];
    if (rows.begin >= rows.end || (w.begin <= rows.begin && w.end >= rows.end)) return true;
    const int32_t family = root(t);
    if (family != t && windows_[family].whole()) return true;
    // The parts that were written one by one.
    uint64_t covered = tensor(t).offset();
    const uint64_t end = covered + StoredBytes(tensor(t));
    for (bool more = true; more && covered < end;) {
      more = false;
      work_ += static_cast<uint64_t>(count_);
      if (work_ > kMaxWork) return false;
      for (int32_t part = 0; part < count_; ++part) {
        if (!in_arena(part) || part == t || root(part) != family || !windows_[part].whole())
          continue;
        const uint64_t begin = tensor(part).offset();
        const uint64_t part_end = begin + StoredBytes(tensor(part));
        if (begin <= covered && part_end > covered) {
          covered = part_end;
          more = true;
        }
      }
    }
    return covered >= end;
  }

  Status ReplayFeed(const fb::Step& step) {
    const int32_t t = file_.inputs()->Get(static_cast<uint32_t>(-1 - step.op()));
    Window& w = windows_[t];
    const bool whole = step.row_begin() == 0 && step.row_end() == -1;
    const RowRange rows = whole ? RowRange{0, w.rows} : RowRange{step.row_begin(), step.row_end()};
    OCTET_REQUIRE(rows.begin == w.fed_rows && rows.end > rows.begin && rows.end <= w.rows,
                  "rows %d to %d of input \"%s\" come in after %d", rows.begin, rows.end, name(t),
                  w.fed_rows);
    w.fed_rows = rows.end;
    Write(t, rows);
    return OCTET_OK;
  }

  Status Replay(uint32_t s) {
    const fb::Step& step = *file_.steps()->Get(s);
    if (step.op() < 0) return ReplayFeed(step);
    const fb::Operator& op = *file_.operators()->Get(static_cast<uint32_t>(step.op()));
    const OpDef& def = *FindOp(op.kind());
    const FileOpView op_view(file_, step.op(), tensors_, pointers_);
    const OpView& view = op_view.view();
    const int32_t out = op.outputs()->Get(0);
    const int32_t out_rows = windows_[out].rows;
    const bool whole = step.row_begin() == 0 && step.row_end() == -1;
    const RowRange rows =
        whole ? RowRange{0, out_rows} : RowRange{step.row_begin(), step.row_end()};
    OCTET_REQUIRE(rows.begin == done_[step.op()] && rows.end > rows.begin && rows.end <= out_rows,
                  "operator %d computes rows %d to %d of %d, having computed %d", step.op(),
                  rows.begin, rows.end, out_rows, done_[step.op()]);
    done_[step.op()] = rows.end;
    bool by_rows = !whole;
    for (uint32_t i = 0; i < op.inputs()->size(); ++i) {
      if (in_arena(op.inputs()->Get(i))) by_rows |= windows_[op.inputs()->Get(i)].ring > 0;
    }
    for (int32_t t : *op.outputs()) by_rows |= windows_[t].ring > 0;
    OCTET_REQUIRE(!by_rows || (def.input_rows != nullptr && op.outputs()->size() == 1),
                  "operator %d cannot run by rows", step.op());

    const Bytes scratch{op.scratch_offset(), op.scratch_offset() + op.scratch_bytes()};
    const uint32_t in_place = def.in_place != nullptr ? def.in_place(view) : 0;
    for (uint32_t i = 0; i < op.inputs()->size(); ++i) {
      const int32_t in = op.inputs()->Get(i);
      if (!in_arena(in)) continue;
      // Operators that run by rows state what they read, even when they run as a whole.
      RowRange needed{0, windows_[in].rows};
      const bool stated = def.input_rows != nullptr && op.outputs()->size() == 1 &&
                          def.input_rows(view, i, rows, &needed);
      OCTET_REQUIRE(stated || !by_rows, "operator %d cannot run by rows", step.op());
      OCTET_REQUIRE(needed.begin >= 0 && needed.end <= windows_[in].rows,
                    "operator %d reads rows that do not exist", step.op());
      OCTET_REQUIRE(op.scratch_bytes() == 0 || !Meets(in, needed, scratch),
                    "the scratch of operator %d lies over its input \"%s\"", step.op(), name(in));
      const bool holds = Holds(in, needed);
      OCTET_RETURN_IF_ERROR(CheckWork());
      OCTET_REQUIRE(holds, "rows %d to %d of \"%s\" are not there for operator %d", needed.begin,
                    needed.end, name(in), step.op());
      for (int32_t t : *op.outputs()) {
        OCTET_REQUIRE(t == out || root(t) != root(in), "an operator writes over its input");
        if (!Apart(in, needed, t, Written(t, out, rows))) {
          const bool over =
              t == out && i < 32 && (in_place >> i & 1u) != 0 && SamePlace(in, needed, out, rows);
          OCTET_REQUIRE(over, "operator %d overwrites its input \"%s\" while reading it", step.op(),
                        name(in));
        }
      }
    }
    if (op.scratch_bytes() > 0) {
      for (int32_t t : *op.outputs()) {
        OCTET_REQUIRE(!Meets(t, t == out ? rows : RowRange{0, windows_[t].rows}, scratch),
                      "the scratch of operator %d lies over its output \"%s\"", step.op(), name(t));
      }
      for (int32_t t = 0; t < count_; ++t) {
        if (in_arena(t) && !windows_[t].empty()) Overwrite(t, scratch);
      }
    }
    for (int32_t t : *op.outputs()) {
      const RowRange written = Written(t, out, rows);
      Window& w = windows_[t];
      OCTET_REQUIRE(w.ring == 0 || written.end - written.begin <= w.ring,
                    "operator %d computes %d rows into a ring of %d", step.op(),
                    written.end - written.begin, w.ring);
      OCTET_REQUIRE(w.last_write < static_cast<int64_t>(s), "operator %d has output \"%s\" twice",
                    step.op(), name(t));
      w.last_write = s;
      OCTET_RETURN_IF_ERROR(CheckWork());
      Write(t, written);
    }
    for (int32_t t : *op.outputs()) {
      const RowRange written = Written(t, out, rows);
      OCTET_REQUIRE(windows_[t].begin <= written.begin && windows_[t].end == written.end,
                    "the outputs of operator %d overlap", step.op());
    }
    // Everything that is still read (views through their family's last reader), and the outputs
    // even if nobody reads them.
    size_t& top = live_top_[step.op()];
    for (int32_t t : *op.outputs()) top = std::max(top, FamilyEnd(t));
    for (int32_t t = 0; t < count_; ++t) {
      if (windows_[t].empty() || windows_[root(t)].last_read < static_cast<int64_t>(s)) continue;
      top = std::max(top, FamilyEnd(t));
    }
    work_ += 2 * static_cast<uint64_t>(count_) + op.inputs()->size() + op.outputs()->size();
    return OCTET_OK;
  }

  // Do rows of a tensor lie in these bytes?
  bool Meets(int32_t t, RowRange rows, const Bytes& bytes) const {
    Bytes ranges[2];
    const int n = Ranges(t, rows, ranges);
    for (int i = 0; i < n; ++i) {
      if (ranges[i].meets(bytes)) return true;
    }
    return false;
  }

  // The rows of an output that a step writes: only the first is ever computed in parts.
  RowRange Written(int32_t t, int32_t first_output, RowRange rows) const {
    return t == first_output ? rows : RowRange{0, windows_[t].rows};
  }

  Status CheckWork() const {
    OCTET_REQUIRE(work_ <= kMaxWork, "the memory plan is too long to be checked");
    return OCTET_OK;
  }

  size_t FamilyEnd(int32_t t) const {
    const fb::Tensor& r = tensor(root(t));
    return static_cast<size_t>(r.offset()) + StoredBytes(r);
  }

  // A step's input rows and output rows lie in different bytes.
  bool Apart(int32_t in, RowRange needed, int32_t out, RowRange rows) const {
    Bytes a[2], b[2];
    const int n = Ranges(in, needed, a), m = Ranges(out, rows, b);
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < m; ++j) {
        if (a[i].meets(b[j])) return false;
      }
    }
    return true;
  }

  // Each output row lies exactly over the same input row.
  bool SamePlace(int32_t in, RowRange needed, int32_t out, RowRange rows) const {
    const Window &a = windows_[in], &b = windows_[out];
    if (tensor(in).offset() != tensor(out).offset()) return false;
    const bool whole = needed.begin == 0 && needed.end == a.rows && rows.begin == 0 &&
                       rows.end == b.rows && a.ring == 0 && b.ring == 0;
    if (whole) return StoredBytes(tensor(in)) == StoredBytes(tensor(out));
    return a.ring == b.ring && a.row_bytes == b.row_bytes && needed.begin == rows.begin &&
           needed.end == rows.end;
  }

  const fb::Model& file_;
  const int32_t count_;
  Window* windows_;
  int32_t* done_;
  TensorView* tensors_;
  const TensorView** pointers_;
  size_t* live_top_;
  uint64_t work_ = 0;
};

}  // namespace

Status VerifyPlan(const fb::Model& file, const octet_allocator& allocator, TensorView* tensors,
                  const TensorView** pointers, size_t* live_top) {
  Block block;
  const size_t count = file.tensors()->size(), ops = file.operators()->size();
  Carver sizes(nullptr);
  sizes.take<Window>(count);
  sizes.take<int32_t>(ops);
  if (!block.allocate(allocator, sizes.size())) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for verifying (%zu bytes)", sizes.size());
  }
  Carver carver(block.data());
  Window* windows = carver.take<Window>(count);
  int32_t* done = carver.take<int32_t>(ops);
  return PlanVerifier(file, windows, done, tensors, pointers, live_top).Run();
}

}  // namespace octet
