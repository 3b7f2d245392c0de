// Which copying operators need not run because their outputs can share their inputs' bytes.
#include <algorithm>

#include "src/memory/layout.h"

namespace octet {
namespace {

class Finder {
 public:
  Finder(const Graph& graph, uint32_t mode) : graph_(graph), mode_(mode) {
    const size_t n = graph.tensors.size();
    views_.root.resize(n);
    views_.offset.assign(n, 0);
    views_.elided.assign(graph.ops.size(), false);
    members_.resize(n);
    is_input_.assign(n, false);
    is_output_.assign(n, false);
    for (size_t i = 0; i < n; ++i) {
      views_.root[i] = static_cast<int32_t>(i);
      members_[i] = {static_cast<int32_t>(i)};
    }
    for (const int32_t t : graph.inputs) is_input_[t] = true;
    for (const int32_t t : graph.outputs) is_output_[t] = true;
  }

  Views Run() {
    for (size_t i = 0; i < graph_.ops.size(); ++i) {
      const GraphOp& op = graph_.ops[i];
      switch (op.kind) {
        case OpKind::RESHAPE:
          if (mode_ & kReshapeViews) views_.elided[i] = Cut(op, {0});
          break;
        case OpKind::SPLIT:
        case OpKind::UNPACK: {
          const auto* o = op.options.AsAxisOptions();
          if ((mode_ & kCutViews) && o && Outermost(op.inputs[0], o->axis)) {
            std::vector<uint64_t> offsets;
            uint64_t at = 0;
            for (const int32_t t : op.outputs) {
              offsets.push_back(at);
              at += graph_.tensors[t].bytes();
            }
            views_.elided[i] = Cut(op, offsets);
          }
          break;
        }
        case OpKind::SLICE: {
          uint64_t at = 0;
          if ((mode_ & kCutViews) && SliceOffset(op, &at)) views_.elided[i] = Cut(op, {at});
          break;
        }
        case OpKind::CONCATENATION:
        case OpKind::PACK: {
          const auto* o = op.options.AsAxisOptions();
          if ((mode_ & kJoinViews) && o && Outermost(op.outputs[0], o->axis)) {
            views_.elided[i] = Join(op);
          }
          break;
        }
        default:
          break;
      }
    }
    return std::move(views_);
  }

 private:
  const GraphTensor& tensor(int32_t i) const { return graph_.tensors[i]; }

  bool Movable(int32_t t) const {
    return t >= 0 && !tensor(t).is_constant() && !tensor(t).is_state;
  }

  // Are all dimensions before `axis` of size 1?
  bool Outermost(int32_t t, int32_t axis) const {
    const auto& shape = tensor(t).shape;
    const int32_t rank = static_cast<int32_t>(shape.size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return false;
    return std::all_of(shape.begin(), shape.begin() + axis, [](int32_t d) { return d == 1; });
  }

  // A slice is contiguous if it takes the whole of every dimension after the first that it cuts.
  bool SliceOffset(const GraphOp& op, uint64_t* offset) const {
    const auto* o = op.options.AsSliceOptions();
    if (!o) return false;
    const GraphTensor& in = tensor(op.inputs[0]);
    const GraphTensor& out = tensor(op.outputs[0]);
    const size_t rank = in.shape.size();
    if (o->begin.size() != rank || out.shape.size() != rank || in.type != out.type) return false;
    for (const int32_t s : o->strides) {
      if (s != 1) return false;
    }
    size_t axis = 0;
    while (axis < rank && in.shape[axis] == 1) ++axis;
    uint64_t inner = TypeBytes(in.type);
    for (size_t i = axis + 1; i < rank; ++i) {
      if (o->begin[i] != 0 || in.shape[i] != out.shape[i]) return false;
      inner *= static_cast<uint64_t>(in.shape[i]);
    }
    *offset = axis < rank ? inner * static_cast<uint64_t>(o->begin[axis]) : 0;
    return axis >= rank || o->begin[axis] >= 0;
  }

  // Whether a tensor is the whole of its storage, so that the storage can be put into another.
  bool Whole(int32_t t) const {
    const int32_t root = views_.root[t];
    return views_.offset[t] == 0 && tensor(root).bytes() == tensor(t).bytes();
  }

  void PutInside(int32_t inner, int32_t outer, uint64_t offset) {
    const int32_t from = views_.root[inner], to = views_.root[outer];
    const uint64_t base = views_.offset[outer] + offset;
    for (const int32_t m : members_[from]) {
      views_.root[m] = to;
      views_.offset[m] += base;
      members_[to].push_back(m);
    }
    members_[from].clear();
  }

  bool Cut(const GraphOp& op, const std::vector<uint64_t>& offsets) {
    const int32_t in = op.inputs[0];
    if (!Movable(in)) return false;
    for (size_t k = 0; k < op.outputs.size(); ++k) {
      const int32_t out = op.outputs[k];
      if (tensor(out).type != tensor(in).type || views_.root[out] != out ||
          offsets[k] + tensor(out).bytes() > tensor(in).bytes()) {
        return false;
      }
    }
    for (size_t k = 0; k < op.outputs.size(); ++k) PutInside(op.outputs[k], in, offsets[k]);
    return true;
  }

  bool Join(const GraphOp& op) {
    const int32_t out = op.outputs[0];
    const GraphTensor& o = tensor(out);
    std::vector<int32_t> roots;
    uint64_t total = 0;
    for (const int32_t in : op.inputs) {
      if (!Movable(in) || is_output_[in] || !Whole(in)) return false;
      const GraphTensor& t = tensor(in);
      if (t.type != o.type || t.scale != o.scale || t.zero_point != o.zero_point) return false;
      const int32_t root = views_.root[in];
      for (const int32_t m : members_[root]) {
        if (is_input_[m]) return false;
      }
      roots.push_back(root);
      total += t.bytes();
    }
    std::sort(roots.begin(), roots.end());
    if (std::adjacent_find(roots.begin(), roots.end()) != roots.end()) return false;
    if (total != o.bytes() || views_.root[out] != out) return false;
    uint64_t at = 0;
    for (const int32_t in : op.inputs) {
      PutInside(in, out, at);
      at += tensor(in).bytes();
    }
    return true;
  }

  const Graph& graph_;
  const uint32_t mode_;
  Views views_;
  std::vector<std::vector<int32_t>> members_;  // of each root
  std::vector<bool> is_input_, is_output_;
};

}  // namespace

Views FindViews(const Graph& graph, uint32_t mode) { return Finder(graph, mode).Run(); }

}  // namespace octet
