#include "src/cli/graph_svg.h"

#include <algorithm>

#include "src/cli/format.h"

namespace octet::cli {
namespace {

constexpr double kLeft = 10, kBox = 268, kBoxHeight = 36, kPitch = 52, kLane = 7;
constexpr int kMaxLanes = 10;  // more would leave no room on a phone; the rest share

// Colours by what an operator does.
const char* ClassOf(fb::OpKind kind) {
  switch (kind) {
    case fb::OpKind::CONV_2D:
    case fb::OpKind::TRANSPOSE_CONV:
    case fb::OpKind::FULLY_CONNECTED:
    case fb::OpKind::BATCH_MATMUL:
    case fb::OpKind::SVDF:
    case fb::OpKind::UNIDIRECTIONAL_SEQUENCE_LSTM:
      return "mm";
    case fb::OpKind::DEPTHWISE_CONV_2D:
      return "dw";
    case fb::OpKind::AVERAGE_POOL_2D:
    case fb::OpKind::MAX_POOL_2D:
    case fb::OpKind::MEAN:
    case fb::OpKind::SUM:
    case fb::OpKind::REDUCE_MAX:
    case fb::OpKind::REDUCE_MIN:
    case fb::OpKind::POOL_SUMS:
    case fb::OpKind::AVERAGE_OF_SUMS:
    case fb::OpKind::MEAN_OF_SUMS:
      return "pool";
    case fb::OpKind::RESHAPE:
    case fb::OpKind::TRANSPOSE:
    case fb::OpKind::PAD:
    case fb::OpKind::MIRROR_PAD:
    case fb::OpKind::CONCATENATION:
    case fb::OpKind::SPLIT:
    case fb::OpKind::PACK:
    case fb::OpKind::UNPACK:
    case fb::OpKind::SLICE:
    case fb::OpKind::STRIDED_SLICE:
    case fb::OpKind::GATHER:
    case fb::OpKind::GATHER_ND:
    case fb::OpKind::TILE:
      return "move";
    default:
      return "elt";
  }
}

struct Edge {
  int from, to;  // rows of the drawing
};

std::string TensorText(const Facts& facts, int32_t tensor) {
  const fb::Tensor& t = *facts.model->tensors()->Get(static_cast<uint32_t>(tensor));
  return std::string(TypeName(static_cast<int>(t.type()))) + " " + ShapeOf(t);
}

// Edges that skip rows run in lanes beside the boxes.
class Lanes {
 public:
  int Take(const Edge& edge) {
    for (size_t i = 0; i < busy_until_.size(); ++i) {
      if (busy_until_[i] > edge.from) continue;
      busy_until_[i] = edge.to;
      return static_cast<int>(i);
    }
    if (busy_until_.size() >= kMaxLanes) {
      busy_until_.back() = std::max(busy_until_.back(), edge.to);
      return kMaxLanes - 1;
    }
    busy_until_.push_back(edge.to);
    return static_cast<int>(busy_until_.size()) - 1;
  }
  size_t count() const { return busy_until_.size(); }

 private:
  std::vector<int> busy_until_;
};

double Top(int row) { return 8 + kPitch * row; }

std::string Box(int row, const char* kind, const std::string& first, const std::string& second,
                const std::string& hover, const std::string& link, bool streamed) {
  const double y = Top(row);
  std::string out = link.empty() ? "<g>" : "<a href=\"" + link + "\">";
  out +=
      Format("<rect class=\"%s\" x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" rx=\"5\"/>",
             kind, kLeft, y, kBox, kBoxHeight);
  if (streamed) {
    out += Format("<rect class=\"st\" x=\"%.0f\" y=\"%.0f\" width=\"4\" height=\"%.0f\"/>",
                  kLeft - 8, y - 8, kPitch);
  }
  out += Format("<text x=\"%.0f\" y=\"%.0f\" font-weight=\"600\">", kLeft + 9, y + 15) +
         XmlText(Shorten(first, 42)) + "</text>";
  out += Format("<text class=\"sub\" x=\"%.0f\" y=\"%.0f\">", kLeft + 9, y + 29) +
         XmlText(Shorten(second, 48)) + "</text>";
  out += "<title>" + XmlText(hover) + "</title>";
  return out + (link.empty() ? "</g>\n" : "</a>\n");
}

}  // namespace

std::string WindowText(const Facts& facts, const fb::Operator& op) {
  int h = 0, w = 0, stride_h = 1, stride_w = 1, dilation = 1;
  if (const fb::Conv2DOptions* conv = op.options_as_Conv2DOptions()) {
    if (Count(op.inputs()) < 2 || op.inputs()->Get(1) < 0) return {};
    const auto* shape =
        facts.model->tensors()->Get(static_cast<uint32_t>(op.inputs()->Get(1)))->shape();
    if (Count(shape) != 4) return {};
    h = shape->Get(1), w = shape->Get(2);
    stride_h = conv->stride_h(), stride_w = conv->stride_w();
    dilation = std::max(conv->dilation_h(), conv->dilation_w());
  } else if (const fb::PoolOptions* pool = op.options_as_PoolOptions()) {
    h = pool->filter_h(), w = pool->filter_w();
    stride_h = pool->stride_h(), stride_w = pool->stride_w();
  } else {
    return {};
  }
  std::string text = Format("%d\xC3\x97%d", h, w);
  if (stride_h != stride_w) {
    text += Format(" stride %d,%d", stride_h, stride_w);
  } else if (stride_h != 1) {
    text += Format(" stride %d", stride_h);
  }
  if (dilation != 1) text += Format(" dilation %d", dilation);
  return text;
}

std::string GraphSvg(const Facts& facts) {
  const fb::Model& model = *facts.model;
  const int inputs = static_cast<int>(Count(model.inputs()));
  const int ops = static_cast<int>(facts.operators.size());
  const int outputs = static_cast<int>(Count(model.outputs()));
  std::string boxes;
  std::vector<Edge> edges;
  std::vector<int> row_of(Count(model.tensors()), -1);  // who makes a tensor
  std::vector<bool> streamed(facts.operators.size());
  for (const StreamedSteps& s : facts.plan.streamed) {
    for (int32_t op : s.operators) streamed[static_cast<size_t>(op)] = true;
  }
  for (int i = 0; i < inputs; ++i) {
    const int32_t t = model.inputs()->Get(static_cast<uint32_t>(i));
    row_of[static_cast<size_t>(t)] = i;
    const std::string name = Text(model.tensors()->Get(static_cast<uint32_t>(t))->name());
    boxes += Box(i, "io", Format("input %d", i), TensorText(facts, t), name, "", false);
  }
  for (int i = 0; i < ops; ++i) {
    const fb::Operator& op = *model.operators()->Get(static_cast<uint32_t>(i));
    const OperatorFacts& known = facts.operators[static_cast<size_t>(i)];
    const int row = inputs + i;
    for (uint32_t k = 0; k < Count(op.inputs()); ++k) {
      const int32_t t = op.inputs()->Get(k);
      if (t >= 0 && row_of[static_cast<size_t>(t)] >= 0) {
        edges.push_back({row_of[static_cast<size_t>(t)], row});
      }
    }
    for (uint32_t k = 0; k < Count(op.outputs()); ++k) {
      row_of[static_cast<size_t>(op.outputs()->Get(k))] = row;
    }
    const std::string window = WindowText(facts, op);
    std::string second = OutputShape(facts, op);
    if (known.steps.empty()) {
      second += ", no copy needed";
    } else if (known.macs > 0) {
      second += ", " + CountText(known.macs) + " MAC";
    }
    boxes +=
        Box(row, known.steps.empty() ? "view" : ClassOf(op.kind()),
            Format("%d ", i) + fb::EnumNameOpKind(op.kind()) + (window.empty() ? "" : " " + window),
            second, Text(op.name()), Format("#op%d", i), streamed[static_cast<size_t>(i)]);
  }
  for (int i = 0; i < outputs; ++i) {
    const int32_t t = model.outputs()->Get(static_cast<uint32_t>(i));
    const int row = inputs + ops + i;
    if (row_of[static_cast<size_t>(t)] >= 0) edges.push_back({row_of[static_cast<size_t>(t)], row});
    const std::string name = Text(model.tensors()->Get(static_cast<uint32_t>(t))->name());
    boxes += Box(row, "io", Format("output %d", i), TensorText(facts, t), name, "", false);
  }

  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) {
    return a.from != b.from ? a.from < b.from : a.to < b.to;
  });
  edges.erase(
      std::unique(edges.begin(), edges.end(),
                  [](const Edge& a, const Edge& b) { return a.from == b.from && a.to == b.to; }),
      edges.end());
  Lanes lanes;
  std::string lines;
  const double right = kLeft + kBox;
  for (const Edge& e : edges) {
    if (e.to == e.from + 1) {
      const double x = kLeft + kBox / 2, y0 = Top(e.from) + kBoxHeight, y1 = Top(e.to);
      lines += Format("<path d=\"M%.0f %.0fV%.0fm-3.5 -5l3.5 5l3.5 -5\"/>", x, y0, y1 - 1);
      continue;
    }
    const double x = right + 10 + kLane * lanes.Take(e);
    const double y0 = Top(e.from) + kBoxHeight - 9, y1 = Top(e.to) + 9;
    lines += Format("<path d=\"M%.0f %.0fH%.0fq5 0 5 5V%.0fq0 5 -5 5H%.0fm5 -3.5l-5 3.5l5 3.5\"/>",
                    right, y0, x - 5, y1 - 5, right + 1);
  }
  const double width = right + 16 + kLane * static_cast<double>(lanes.count());
  const double height = Top(inputs + ops + outputs) - (kPitch - kBoxHeight) + 8;
  return Format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" viewBox=\"0 0 %.0f %.0f\" "
             "width=\"%.0f\" height=\"%.0f\">\n",
             width, height, width, height) +
         "<g class=\"edges\">" + lines + "</g>\n" + boxes + "</svg>\n";
}

}  // namespace octet::cli
