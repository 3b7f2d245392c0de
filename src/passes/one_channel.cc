// A depthwise convolution of one input channel is a dense one: every output channel reads that
// channel. The dense kernels sum its window a row at a time, the depthwise ones a tap at a time.
#include <cstring>
#include <map>

#include "src/passes/passes.h"

namespace octet {
namespace {

// Dense kernels fill up neighbours in a row of the window to a step of 4 to 16 bytes, and channels
// to a block of 8 or 16. Where neighbours times channels are fewer, depthwise kernels are as fast.
constexpr int64_t kFewest = 4;

// Weights [1][height][width][channels] as [channels][height][width][1].
GraphTensor ByChannel(const GraphTensor& w) {
  GraphTensor t = w;
  t.shape = {w.shape[3], w.shape[1], w.shape[2], 1};
  t.axis = 0;
  const size_t channels = static_cast<size_t>(w.shape[3]);
  if (channels == 1) return t;
  const size_t size = TypeBytes(w.type), taps = w.data->size() / size / channels;
  auto bytes = std::make_shared<std::vector<uint8_t>>(w.data->size());
  for (size_t tap = 0; tap < taps; ++tap) {
    for (size_t n = 0; n < channels; ++n) {
      std::memcpy(bytes->data() + (n * taps + tap) * size,
                  w.data->data() + (tap * channels + n) * size, size);
    }
  }
  t.data = std::move(bytes);
  return t;
}

bool Pays(const GraphOp& op, const GraphTensor& weights) {
  const auto* options = op.options.AsConv2DOptions();
  const int32_t neighbours = options->dilation_w == 1 ? weights.shape[2] : 1;
  return int64_t{neighbours} * weights.shape[3] >= kFewest;
}

}  // namespace

int OneChannelPass(Graph* graph, std::vector<std::string>* log) {
  std::map<int32_t, int32_t> dense;  // weights as they become
  int count = 0;
  for (GraphOp& op : graph->ops) {
    if (op.kind != OpKind::DEPTHWISE_CONV_2D || !Accepted(*graph, op) ||
        graph->tensors[op.inputs[0]].shape[3] != 1) {
      continue;
    }
    const int32_t weights = op.inputs[1];
    if (!Pays(op, graph->tensors[weights])) continue;
    if (dense.count(weights) == 0) {
      dense[weights] = graph->AddTensor(ByChannel(graph->tensors[weights]));
    }
    GraphOp conv = op;
    conv.kind = OpKind::CONV_2D;
    conv.inputs[1] = dense[weights];
    if (!Accepted(*graph, conv)) continue;
    op = std::move(conv);
    ++count;
  }
  // Weights that nobody reads as they were, or as they would have become.
  if (!dense.empty()) graph->Remove(std::vector<bool>(graph->ops.size(), false));
  if (count > 0) {
    log->push_back("made dense " + Count(count, "depthwise convolution", "depthwise convolutions") +
                   " of one channel");
  }
  return count;
}

}  // namespace octet
