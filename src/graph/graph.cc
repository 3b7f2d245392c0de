#include "src/graph/graph.h"

#include <algorithm>
#include <utility>

namespace octet {

int64_t GraphTensor::elements() const {
  int64_t n = 1;
  for (int32_t d : shape) n *= d;
  return n;
}

size_t GraphTensor::bytes() const { return static_cast<size_t>(elements()) * TypeBytes(type); }

int32_t Graph::AddTensor(GraphTensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<int32_t>(tensors.size()) - 1;
}

int32_t Graph::AddConstant(std::string name, DType type, std::vector<int32_t> shape,
                           const void* data) {
  GraphTensor t;
  t.name = std::move(name);
  t.type = type;
  t.shape = std::move(shape);
  const uint8_t* bytes = static_cast<const uint8_t*>(data);
  t.data = std::make_shared<const std::vector<uint8_t>>(bytes, bytes + t.bytes());
  return AddTensor(std::move(t));
}

bool Graph::IsOutput(int32_t tensor) const {
  return std::find(outputs.begin(), outputs.end(), tensor) != outputs.end();
}

int32_t Graph::Producer(int32_t tensor) const {
  for (size_t i = 0; i < ops.size(); ++i) {
    const std::vector<int32_t>& out = ops[i].outputs;
    if (std::find(out.begin(), out.end(), tensor) != out.end()) return static_cast<int32_t>(i);
  }
  return -1;
}

std::vector<int32_t> Graph::Consumers(int32_t tensor) const {
  std::vector<int32_t> consumers;
  for (size_t i = 0; i < ops.size(); ++i) {
    const std::vector<int32_t>& in = ops[i].inputs;
    if (std::find(in.begin(), in.end(), tensor) != in.end()) {
      consumers.push_back(static_cast<int32_t>(i));
    }
  }
  return consumers;
}

void Graph::ReplaceUses(int32_t from, int32_t to) {
  for (GraphOp& op : ops) std::replace(op.inputs.begin(), op.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::Remove(const std::vector<bool>& dead_ops) {
  size_t kept = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (i < dead_ops.size() && dead_ops[i]) continue;
    if (kept != i) ops[kept] = std::move(ops[i]);
    ++kept;
  }
  ops.resize(kept);

  // The same lists, once to mark what is used and once to renumber.
  std::vector<std::vector<int32_t>*> lists = {&inputs, &outputs};
  for (GraphOp& op : ops) {
    lists.push_back(&op.inputs);
    lists.push_back(&op.outputs);
  }
  std::vector<int32_t> renumbered(tensors.size(), -1);
  for (const std::vector<int32_t>* list : lists) {
    for (int32_t t : *list) {
      if (t >= 0) renumbered[static_cast<size_t>(t)] = 0;
    }
  }
  int32_t next = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (renumbered[i] < 0) continue;
    renumbered[i] = next;
    if (static_cast<size_t>(next) != i) tensors[static_cast<size_t>(next)] = std::move(tensors[i]);
    ++next;
  }
  tensors.resize(static_cast<size_t>(next));
  for (std::vector<int32_t>* list : lists) {
    for (int32_t& t : *list) {
      if (t >= 0) t = renumbered[static_cast<size_t>(t)];
    }
  }
}

TensorView ViewOf(const GraphTensor& t) {
  TensorView view;
  view.name = t.name.c_str();
  view.type = t.type;
  view.rank = static_cast<int32_t>(std::min<size_t>(t.shape.size(), kMaxRank));
  std::copy_n(t.shape.begin(), view.rank, view.dims);
  view.scales = {t.scale.data(), t.scale.size()};
  view.zero_point = t.zero_point;
  view.axis = t.axis;
  view.data = t.data ? t.data->data() : nullptr;
  view.is_state = t.is_state;
  return view;
}

GraphOpView::GraphOpView(const Graph& graph, const GraphOp& op) {
  // Sized first: pointers into tensors_ must stay good.
  tensors_.resize(op.inputs.size() + op.outputs.size());
  TensorView* next = tensors_.data();
  const auto view = [&](int32_t index) -> const TensorView* {
    if (index < 0) return nullptr;
    *next = ViewOf(graph.tensors[static_cast<size_t>(index)]);
    return next++;
  };
  for (int32_t i : op.inputs) inputs_.push_back(view(i));
  for (int32_t i : op.outputs) outputs_.push_back(view(i));

  view_.kind = op.kind;
  view_.name = op.name.c_str();
  view_.inputs = {inputs_.data(), inputs_.size()};
  view_.outputs = {outputs_.data(), outputs_.size()};
  view_.options_type = op.options.type;
  if (op.options.type != fb::Options::NONE) {
    // The root of the buffer is the options table itself, whichever type it has.
    options_.Finish(flatbuffers::Offset<flatbuffers::Table>(op.options.Pack(options_).o));
    view_.options_table = flatbuffers::GetRoot<flatbuffers::Table>(options_.GetBufferPointer());
  }
}

}  // namespace octet
