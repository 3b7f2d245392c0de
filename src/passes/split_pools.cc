#include <algorithm>

#include "kernels/s8_pool_sums/s8_pool_sums.h"
#include "src/passes/passes.h"

namespace octet {
namespace {

// Does one window hold the whole image?
bool IsGlobalPool(const GraphOp& op, const GraphTensor& image) {
  if (op.kind != OpKind::AVERAGE_POOL_2D) return false;
  const fb::PoolOptionsT& o = *op.options.AsPoolOptions();
  return o.filter_h - o.pad_top >= image.shape[1] && o.filter_w - o.pad_left >= image.shape[2];
}

bool IsMeanOfImage(const GraphOp& op) {
  if (op.kind != OpKind::MEAN) return false;
  bool reduced[4] = {};
  for (const int32_t axis : op.options.AsReduceOptions()->axes) reduced[axis & 3] = true;
  return !reduced[0] && reduced[1] && reduced[2] && !reduced[3];
}

// Rows to a window: those for which a ring of so many rows and all sums are smallest; 0 if nothing
// is smaller than the image.
int32_t WindowRows(int32_t height, int32_t width) {
  int64_t least = int64_t{height} * width;
  int32_t best = 0;
  for (int32_t rows = 1; rows < height && rows <= kMostPoolSums / width; ++rows) {
    const int64_t sums = (height + rows - 1) / rows;
    const int64_t bytes = int64_t{rows} * width + sums * static_cast<int64_t>(sizeof(int16_t));
    if (bytes < least) least = bytes, best = rows;
  }
  return best;
}

}  // namespace

int SplitPoolsPass(Graph* graph, std::vector<std::string>* log) {
  std::vector<GraphOp> ops;
  int count = 0;
  for (GraphOp& op : graph->ops) {
    ops.push_back(std::move(op));
    GraphOp& pool = ops.back();
    if (pool.kind != OpKind::AVERAGE_POOL_2D && pool.kind != OpKind::MEAN) continue;
    const GraphTensor image = graph->tensors[static_cast<size_t>(pool.inputs[0])];
    if (image.type != DType::INT8 || image.shape.size() != 4 || image.shape[0] != 1 ||
        !(IsGlobalPool(pool, image) || IsMeanOfImage(pool))) {
      continue;
    }
    const int32_t height = image.shape[1], width = image.shape[2];
    const int32_t rows = WindowRows(height, width);
    if (rows == 0) continue;
    GraphTensor sums = image;
    sums.name = pool.name + "/sums";
    sums.type = DType::INT16;
    sums.shape = {1, (height + rows - 1) / rows, 1, image.shape[3]};

    fb::PoolOptionsT windows, average;
    windows.filter_h = windows.stride_h = rows;
    windows.filter_w = width;
    average.filter_h = height;
    average.filter_w = width;
    GraphOp first, second;
    first.kind = OpKind::POOL_SUMS;
    second.kind = OpKind::MEAN_OF_SUMS;
    if (pool.kind == OpKind::AVERAGE_POOL_2D) {
      const fb::PoolOptionsT& o = *pool.options.AsPoolOptions();
      second.kind = OpKind::AVERAGE_OF_SUMS;
      average.act_min = o.act_min;
      average.act_max = o.act_max;
      average.legacy_u8 = o.legacy_u8;
    }
    first.name = sums.name;
    first.inputs = pool.inputs;
    first.options.Set(windows);
    second.name = pool.name;
    second.outputs = pool.outputs;
    second.options.Set(average);
    first.outputs = second.inputs = {graph->AddTensor(std::move(sums))};
    if (!Accepted(*graph, first) || !Accepted(*graph, second)) continue;
    pool = std::move(first);
    ops.push_back(std::move(second));
    ++count;
  }
  graph->ops = std::move(ops);
  graph->Remove(std::vector<bool>(graph->ops.size(), false));  // tensors of pairs not accepted
  if (count > 0) log->push_back("split " + Count(count, "global average", "global averages"));
  return count;
}

}  // namespace octet
