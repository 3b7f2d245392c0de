#include "src/passes/passes.h"

namespace octet {
namespace {

// The value that a PAD fills with, of an int8 or int16 tensor.
int32_t FillOf(const fb::PadOptionsT& pad, DType type) {
  return type == DType::INT8 ? static_cast<int8_t>(pad.value & 0xFF)
                             : static_cast<int16_t>(pad.value & 0xFFFF);
}

}  // namespace

int PadPass(Graph* graph, std::vector<std::string>* log) {
  const Uses uses(*graph);
  int count = 0;
  for (GraphOp& conv : graph->ops) {
    if (conv.kind != OpKind::CONV_2D && conv.kind != OpKind::DEPTHWISE_CONV_2D) continue;
    const int32_t padded = conv.inputs[0];
    if (padded < 0 || uses.producer[padded] < 0) continue;
    const GraphOp& pad = graph->ops[uses.producer[padded]];
    const auto* p = pad.options.AsPadOptions();
    if (pad.kind != OpKind::PAD || !p || p->before.size() != 4 || p->after.size() != 4) continue;
    const GraphTensor& in = graph->tensors[pad.inputs[0]];
    const GraphTensor& out = graph->tensors[padded];
    if ((in.type != DType::INT8 && in.type != DType::INT16) || in.is_constant() ||
        !SameQuantisation(in, out) || FillOf(*p, in.type) != in.zero_point) {
      continue;
    }
    if (p->before[0] != 0 || p->after[0] != 0 || p->before[3] != 0 || p->after[3] != 0) continue;
    GraphOp fused = conv;
    fused.inputs[0] = pad.inputs[0];
    auto* options = fused.options.AsConv2DOptions();
    if (!options) continue;
    options->pad_top += p->before[1];
    options->pad_left += p->before[2];
    if (!Accepted(*graph, fused)) continue;
    conv = std::move(fused);
    ++count;
  }
  // The PAD itself goes as dead code, unless someone else reads it.
  if (count > 0) log->push_back("fused " + Count(count, "padding", "paddings"));
  return count;
}

}  // namespace octet
