#include "src/quantize/bias_correction.h"

#include "src/quantize/weights.h"

namespace octet {

std::vector<std::vector<float>> BiasCorrections(const Graph& graph, const QuantPlan& plan,
                                                const RewrittenGraph& rewritten) {
  std::vector<std::vector<float>> corrections(graph.ops.size());
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    const int32_t at = rewritten.weights_of[i];
    if (at < 0) continue;
    const GraphTensor& quantised = rewritten.graph.tensors[at];
    const GraphTensor& original = graph.tensors[op.inputs[1]];
    const TensorStatistics& input = plan.statistics[op.inputs[0]];
    // Means of the input's channels, of which the weights' last dimension counts those of a group.
    const size_t in_c = input.channel_sums.size();
    const size_t w_c = static_cast<size_t>(original.shape.back());
    if (in_c == 0 || in_c % w_c != 0) continue;
    const bool depthwise = op.kind == OpKind::DEPTHWISE_CONV_2D;
    const size_t out_c = static_cast<size_t>(original.shape[depthwise ? 3 : 0]);
    if (depthwise ? out_c % in_c != 0 : out_c % (in_c / w_c) != 0) continue;
    const double each = static_cast<double>(in_c) / static_cast<double>(input.histogram.count());
    const std::vector<float> w = FloatsOf(original);
    const int8_t* q = reinterpret_cast<const int8_t*>(quantised.data->data());
    std::vector<double> sums(out_c, 0);
    const size_t inner = w.size() / out_c;
    for (size_t k = 0; k < w.size(); ++k) {
      const size_t out = depthwise ? k % out_c : k / inner;
      size_t in;
      if (depthwise) {
        in = out / (out_c / in_c);
      } else {
        const size_t group = out / (out_c / (in_c / w_c));
        in = group * w_c + k % w_c;
      }
      const double scale = static_cast<double>(quantised.scale[out]);
      sums[out] += (scale * q[k] - static_cast<double>(w[k])) * input.channel_sums[in] * each;
    }
    for (const double s : sums) corrections[i].push_back(static_cast<float>(-s));
  }
  return corrections;
}

}  // namespace octet
