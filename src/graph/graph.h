// The mutable graph that importers fill and passes rewrite. Compiler only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "octet_generated.h"
#include "src/ops/op.h"

namespace octet {

struct GraphTensor {
  std::string name;
  DType type = DType::NONE;
  std::vector<int32_t> shape;
  std::vector<float> scale;
  int32_t zero_point = 0;
  int32_t axis = 0;
  // Constants hold exactly the tensor's bytes; shared so that copying a graph is cheap.
  std::shared_ptr<const std::vector<uint8_t>> data;
  bool is_state = false;

  bool is_constant() const { return data != nullptr; }
  int64_t elements() const;
  size_t bytes() const;
};

struct GraphOp {
  OpKind kind = OpKind::NONE;
  std::string name;
  std::vector<int32_t> inputs;  // -1: absent
  std::vector<int32_t> outputs;
  fb::OptionsUnion options;  // of FlatBuffers' object API: options.Set(fb::Conv2DOptionsT{...})
};

struct Graph {
  std::vector<GraphTensor> tensors;
  std::vector<GraphOp> ops;  // in an order of execution
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::map<std::string, std::string> metadata;

  int32_t AddTensor(GraphTensor tensor);  // returns its index
  int32_t AddConstant(std::string name, DType type, std::vector<int32_t> shape, const void* data);
  bool IsOutput(int32_t tensor) const;
  // Index of the operator that writes a tensor, or -1.
  int32_t Producer(int32_t tensor) const;
  // Indices of the operators that read a tensor, in order, each once.
  std::vector<int32_t> Consumers(int32_t tensor) const;
  // Makes every reader of `from`, and the graph's outputs, read `to`.
  void ReplaceUses(int32_t from, int32_t to);
  // Drops the operators marked in `dead` and every tensor that nothing refers to.
  void Remove(const std::vector<bool>& dead_ops);
};

// A view that points into a graph's tensor.
TensorView ViewOf(const GraphTensor& tensor);

// An OpView of a graph's operator that owns what the view points to.
class GraphOpView {
 public:
  GraphOpView(const Graph& graph, const GraphOp& op);
  GraphOpView(const GraphOpView&) = delete;
  GraphOpView& operator=(const GraphOpView&) = delete;
  const OpView& view() const { return view_; }

 private:
  std::vector<TensorView> tensors_;
  std::vector<const TensorView*> inputs_, outputs_;
  flatbuffers::FlatBufferBuilder options_;
  OpView view_;
};

// Every operator's check, and the graph's own (indices, order, one writer a tensor). Names all
// operators that fail at once, one a line.
Status CheckGraph(const Graph& graph);

}  // namespace octet
