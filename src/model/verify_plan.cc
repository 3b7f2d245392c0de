// The memory plan of a model file: no tensor may be overwritten while someone still needs it.
//
// Tensors that share bytes (view_of) form a family, named by its root. A family lives from its
// first write (graph inputs: before the first step) to its last read (graph outputs: after the last
// step). Two families whose bytes overlap may not live at the same time, except that an operator
// may write its output exactly over an input that dies there, if it is made for that.
#include <algorithm>
#include <limits>

#include "src/model/model.h"

namespace octet {
namespace {

#define OCTET_REQUIRE(condition, ...)                                \
  do {                                                               \
    if (!(condition)) return Fail(OCTET_INVALID_MODEL, __VA_ARGS__); \
  } while (0)

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Family {
  int64_t first = kNever;  // step of the first write; -1: a graph input
  int64_t last = -2;       // step of the last read or write; step count: a graph output
  uint64_t begin = 0, end = 0;
};

class PlanVerifier {
 public:
  PlanVerifier(const fb::Model& file, Family* families, uint32_t* order, size_t* live_top)
      : file_(file), families_(families), order_(order), live_top_(live_top) {}

  Status Run(TensorView* tensors, const TensorView** pointers) {
    OCTET_RETURN_IF_ERROR(CheckViews());
    OCTET_RETURN_IF_ERROR(Lifetimes());
    OCTET_RETURN_IF_ERROR(CheckOverlaps(tensors, pointers));
    LiveTops();
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
  Family& family(int32_t t) { return families_[root(t)]; }
  bool in_arena(int32_t t) const { return t >= 0 && tensor(t).place() == fb::Place::ARENA; }

  Status CheckViews() {
    const int32_t count = static_cast<int32_t>(file_.tensors()->size());
    for (int32_t i = 0; i < count; ++i) {
      const fb::Tensor& t = tensor(i);
      families_[i].begin = t.offset();
      families_[i].end = t.offset() + StoredBytes(t);
      if (t.view_of() < 0) continue;
      OCTET_REQUIRE(t.view_of() < count && t.view_of() != i, "tensor %d is a view of nothing", i);
      const fb::Tensor& r = tensor(t.view_of());
      OCTET_REQUIRE(r.view_of() < 0 && r.place() == fb::Place::ARENA &&
                        t.place() == fb::Place::ARENA && r.ring_rows() == 0 && t.ring_rows() == 0 &&
                        t.offset() >= r.offset() &&
                        t.offset() + StoredBytes(t) <= r.offset() + StoredBytes(r),
                    "tensor %d \"%s\" lies outside the tensor it is a view of", i, name(i));
    }
    return OCTET_OK;
  }

  Status Lifetimes() {
    for (int32_t t : *file_.inputs()) family(t).first = -1;
    const int64_t step_count = file_.steps()->size();
    for (int64_t s = 0; s < step_count; ++s) {
      const fb::Step& step = *file_.steps()->Get(static_cast<uint32_t>(s));
      OCTET_REQUIRE(step.op() >= 0 && static_cast<uint32_t>(step.op()) < file_.operators()->size(),
                    "step %lld runs operator %d, which does not exist", static_cast<long long>(s),
                    step.op());
      const fb::Operator& op = *file_.operators()->Get(static_cast<uint32_t>(step.op()));
      OCTET_REQUIRE(step.row_begin() == 0 && step.row_end() == -1,
                    "step %lld computes rows %d to %d: not supported", static_cast<long long>(s),
                    step.row_begin(), step.row_end());
      for (int32_t t : *op.inputs()) {
        if (!in_arena(t)) continue;
        OCTET_REQUIRE(family(t).first < s, "step %lld reads tensor %d \"%s\" before it is written",
                      static_cast<long long>(s), t, name(t));
        family(t).last = std::max(family(t).last, s);
      }
      for (int32_t t : *op.outputs()) {
        family(t).first = std::min(family(t).first, s);
        family(t).last = std::max(family(t).last, s);
      }
    }
    for (int32_t t : *file_.outputs()) {
      if (!in_arena(t)) continue;
      OCTET_REQUIRE(family(t).first < step_count, "model output \"%s\" is never written", name(t));
      family(t).last = step_count;
    }
    return OCTET_OK;
  }

  // May the step write `b` over `a`, which it reads?
  bool InPlace(int64_t s, int32_t a, int32_t b, TensorView* tensors, const TensorView** pointers) {
    if (s < 0 || s >= static_cast<int64_t>(file_.steps()->size())) return false;
    const int32_t op_index = file_.steps()->Get(static_cast<uint32_t>(s))->op();
    const fb::Operator& op = *file_.operators()->Get(static_cast<uint32_t>(op_index));
    const OpDef& def = *FindOp(op.kind());
    const int32_t out = op.outputs()->Get(0);
    if (def.in_place == nullptr || root(out) != b) return false;
    const FileOpView view(file_, op_index, tensors, pointers);
    const uint32_t mask = def.in_place(view.view());
    bool found = false;
    for (uint32_t i = 0; i < op.inputs()->size(); ++i) {
      const int32_t in = op.inputs()->Get(i);
      if (in < 0 || root(in) != a) continue;
      // Every way the operator reads the family must be the in-place one.
      if (i >= 32 || !(mask >> i & 1u) || tensor(in).offset() != tensor(out).offset() ||
          StoredBytes(tensor(in)) != StoredBytes(tensor(out))) {
        return false;
      }
      found = true;
    }
    for (uint32_t i = 1; i < op.outputs()->size(); ++i) {
      if (root(op.outputs()->Get(i)) == b) return false;
    }
    return found;
  }

  Status CheckOverlaps(TensorView* tensors, const TensorView** pointers) {
    const int32_t count = static_cast<int32_t>(file_.tensors()->size());
    size_t n = 0;
    for (int32_t i = 0; i < count; ++i) {
      if (in_arena(i) && root(i) == i && families_[i].first != kNever) {
        order_[n++] = static_cast<uint32_t>(i);
      }
    }
    std::sort(order_, order_ + n,
              [this](uint32_t a, uint32_t b) { return families_[a].begin < families_[b].begin; });
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = i + 1; j < n; ++j) {
        uint32_t a = order_[i], b = order_[j];
        if (families_[b].begin >= families_[a].end) break;
        if (families_[b].first < families_[a].first) std::swap(a, b);
        const Family& early = families_[a];
        const Family& late = families_[b];
        if (early.last < late.first) continue;
        if (early.last == late.first && InPlace(late.first, static_cast<int32_t>(a),
                                                static_cast<int32_t>(b), tensors, pointers)) {
          continue;
        }
        return Fail(OCTET_INVALID_MODEL,
                    "the memory plan lets tensor %u \"%s\" overwrite tensor %u \"%s\", which is "
                    "still needed",
                    b, name(static_cast<int32_t>(b)), a, name(static_cast<int32_t>(a)));
      }
    }
    return OCTET_OK;
  }

  void LiveTops() {
    const uint32_t op_count = file_.operators()->size();
    for (uint32_t i = 0; i < op_count; ++i) live_top_[i] = 0;
    const int64_t step_count = file_.steps()->size();
    for (uint32_t i = 0; i < file_.tensors()->size(); ++i) {
      const Family& f = families_[i];
      if (f.first == kNever || !in_arena(static_cast<int32_t>(i)) ||
          root(static_cast<int32_t>(i)) != static_cast<int32_t>(i)) {
        continue;
      }
      const int64_t begin = std::max<int64_t>(f.first, 0);
      const int64_t end = std::min(f.last, step_count - 1);
      for (int64_t s = begin; s <= end; ++s) {
        size_t& top = live_top_[file_.steps()->Get(static_cast<uint32_t>(s))->op()];
        top = std::max(top, static_cast<size_t>(f.end));
      }
    }
  }

  const fb::Model& file_;
  Family* families_;
  uint32_t* order_;
  size_t* live_top_;
};

}  // namespace

Status VerifyPlan(const fb::Model& file, const octet_allocator& allocator, TensorView* tensors,
                  const TensorView** pointers, size_t* live_top) {
  Block block;
  const size_t count = file.tensors()->size();
  Carver sizes(nullptr);
  sizes.take<Family>(count);
  sizes.take<uint32_t>(count);
  if (!block.allocate(allocator, sizes.size())) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for verifying (%zu bytes)", sizes.size());
  }
  Carver carver(block.data());
  Family* families = carver.take<Family>(count);
  uint32_t* order = carver.take<uint32_t>(count);
  for (size_t i = 0; i < count; ++i) families[i] = Family();
  return PlanVerifier(file, families, order, live_top).Run(tensors, pointers);
}

}  // namespace octet
