// Which tensors share a scale, and which scale that is.
#include <algorithm>
#include <cstring>

#include "src/quantize/rewrite.h"
#include "src/quantize/weights.h"

namespace octet {
namespace {

class Groups {
 public:
  explicit Groups(size_t n) : parent_(n) {
    for (size_t i = 0; i < n; ++i) parent_[i] = static_cast<int32_t>(i);
  }
  int32_t Find(int32_t t) {
    while (parent_[t] != t) t = parent_[t] = parent_[parent_[t]];
    return t;
  }
  // The lower index becomes the root.
  void Join(int32_t a, int32_t b) {
    a = Find(a), b = Find(b);
    if (a != b) parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<int32_t> parent_;
};

struct Fixed {
  bool is = false;
  OpKind kind = OpKind::NONE;
};

}  // namespace

std::vector<QuantisedTensor> AssignScales(const Graph& graph, const QuantPlan& plan) {
  const size_t n = graph.tensors.size();
  Groups groups(n);
  std::vector<Fixed> fixed(n);          // of a group's root
  std::vector<bool> derived(n, false);  // its values are those of another tensor of the group
  std::vector<float> pad_value(n, 0);

  const auto join = [&](int32_t a, int32_t b) {
    const Fixed f = fixed[groups.Find(a)].is ? fixed[groups.Find(a)] : fixed[groups.Find(b)];
    groups.Join(a, b);
    fixed[groups.Find(a)] = f;
  };
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    if (plan.precision[i] == Precision::kFloat) continue;
    const QuantRule rule = RuleOf(graph, op);
    if (rule == QuantRule::kFixed) fixed[op.outputs[0]] = {true, op.kind};
    if (rule != QuantRule::kSame) continue;
    const int32_t first = op.outputs[0];
    if (const auto* pad = op.options.AsPadOptions()) {
      std::memcpy(&pad_value[first], &pad->value, sizeof(float));
    }
    // A fixed scale among several inputs would bind the others, unless they have the same: that
    // input is requantised instead.
    size_t data = 0;
    bool bound = false, alike = true;
    Fixed common;
    for (const int32_t t : op.inputs) {
      if (!IsFloat(graph, t)) continue;
      const Fixed& f = fixed[groups.Find(t)];
      if (data++ == 0) common = f;
      bound = bound || f.is;
      alike = alike && f.is == common.is && f.kind == common.kind;
    }
    bool joined = false;
    for (const int32_t t : op.inputs) {
      if (!IsFloat(graph, t)) continue;
      if (bound && !alike && fixed[groups.Find(t)].is) continue;
      join(first, t);
      joined = true;
    }
    for (const int32_t t : op.outputs) {
      if (!IsFloat(graph, t)) continue;
      join(first, t);
      derived[t] = joined;
    }
  }

  // A group's values are those of the tensors that others are derived from.
  std::vector<TensorStatistics> merged(n);
  std::vector<Range> constants(n);
  for (size_t t = 0; t < n; ++t) {
    const GraphTensor& tensor = graph.tensors[t];
    if (tensor.type != DType::FLOAT32) continue;
    const int32_t root = groups.Find(static_cast<int32_t>(t));
    Range& extra = constants[root];
    if (tensor.is_constant()) {
      const Range range = ConstantRange(tensor);
      extra = {std::min(extra.low, range.low), std::max(extra.high, range.high)};
      continue;
    }
    extra.low = std::min(extra.low, static_cast<double>(std::max(pad_value[t], -3e38f)));
    extra.high = std::max(extra.high, static_cast<double>(std::min(pad_value[t], 3e38f)));
    if (derived[t] || t >= plan.statistics.size()) continue;
    const TensorStatistics& s = plan.statistics[t];
    if (s.samples == 0) continue;
    TensorStatistics& m = merged[root];
    m.average_min = m.samples ? std::min(m.average_min, s.average_min) : s.average_min;
    m.average_max = m.samples ? std::max(m.average_max, s.average_max) : s.average_max;
    m.samples = std::max(m.samples, s.samples);
    m.masked = m.masked || s.masked;
    m.histogram.Add(s.histogram);
  }
  std::vector<QuantisedTensor> result(n);
  for (size_t t = 0; t < n; ++t) {
    if (graph.tensors[t].type != DType::FLOAT32) continue;
    QuantisedTensor& q = result[t];
    q.group = groups.Find(static_cast<int32_t>(t));
    if (static_cast<size_t>(q.group) != t) {
      const int32_t group = q.group;
      q = result[group];
      continue;
    }
    const Range& extra = constants[t];
    Range full;
    if (merged[t].samples > 0) {
      q.range = FindRange(merged[t], plan.method, plan.percentile);
      full = MinMaxRange(merged[t]);
      // What is masked saturates so far below the rest that a softmax makes nothing of it: less
      // than half a step of its 1/256.
      constexpr double kBelow = 8;
      if (merged[t].masked) q.range.low -= kBelow, full.low -= kBelow;
    }
    q.range = {std::min(q.range.low, extra.low), std::max(q.range.high, extra.high)};
    full = {std::min(full.low, extra.low), std::max(full.high, extra.high)};
    q.int8 = Int8Affine(q.range);
    q.int16 = Int16Affine(full);  // nothing is gained by clipping sixteen bits
    if (fixed[t].is) {
      q.int8 = FixedInt8(fixed[t].kind);
      q.int16 = FixedInt16(fixed[t].kind);
      const double scale = static_cast<double>(q.int8.scale);
      q.range = {(-128 - q.int8.zero_point) * scale, (127 - q.int8.zero_point) * scale};
    }
  }
  return result;
}

}  // namespace octet
