// One node of an ONNX model, as the importer's rows see it.
#pragma once

#include <string>
#include <vector>

#include "src/import/onnx/builder.h"

namespace octet::onnx {

class Node;
using ImportFn = Status (*)(Node&);

// One row an operator of ONNX (rows.inc).
struct ImportRow {
  const char* op_type;
  ImportFn import;
  // Inputs [0, required) must be present; those up to max_inputs may be absent.
  int required, max_inputs, max_outputs;
};

// Null: no such operator. `domain`: "" for ONNX's own.
const ImportRow* FindImportRow(const std::string& domain, const std::string& op_type);

class Node {
 public:
  Node(Builder* builder, int32_t index, bool as_float)
      : b(*builder),
        proto_(*builder->nodes[static_cast<size_t>(index)]),
        index_(index),
        as_float_(as_float) {}

  Builder& b;
  int32_t index() const { return index_; }
  int32_t opset() const { return b.opset; }
  // Compute in float32 whatever the inputs are.
  bool as_float() const { return as_float_; }
  const onnx_pb::NodeProto& proto() const { return proto_; }
  const std::string& type() const { return proto_.op_type(); }

  int inputs() const { return proto_.input_size(); }
  int outputs() const { return proto_.output_size(); }
  bool has(int i) const { return i < proto_.input_size() && !proto_.input(i).empty(); }
  bool has_output(int i) const { return i < proto_.output_size() && !proto_.output(i).empty(); }
  int32_t in(int i) const { return has(i) ? b.Find(proto_.input(i)) : -1; }
  const Value& value(int i) const { return b[in(i)]; }
  const Dims& dims(int i) const { return value(i).dims; }
  int32_t rank(int i) const { return static_cast<int32_t>(dims(i).size()); }
  const std::string& out_name(int i = 0) const { return proto_.output(i); }
  // Is nothing interested in this output?
  bool Unused(int i) const;

  // ---- Attributes; what is absent leaves the default. ----
  bool HasAttribute(const char* name) const { return Attribute(name) != nullptr; }
  Status Int(const char* name, int64_t* value) const;
  Status Int32(const char* name, int32_t* value) const;
  Status Float(const char* name, float* value) const;
  Status String(const char* name, std::string* value) const;
  Status Ints(const char* name, std::vector<int64_t>* values) const;
  const onnx_pb::AttributeProto* Attribute(const char* name) const;
  // An axis, counted from the front.
  Status Axis(const char* name, int32_t rank, int32_t* axis) const;

  // ---- Inputs that must be constant ----
  Status Constant(int i, const char* role, const Array** array) const;
  Status InputInts(int i, const char* role, std::vector<int64_t>* values) const;
  // Integers of input i, or of an attribute in older opsets; `given` says whether either is there.
  Status IntsOf(int i, const char* name, std::vector<int64_t>* values, bool* given) const;
  // A scalar of input i, or an attribute in older opsets.
  Status FloatOf(int i, const char* name, float* value, bool* given) const;

  // ---- Results ----
  int32_t Result(DType type, Dims dims, int out = 0);
  // An integer value, and a view of it as the output.
  int32_t ViewResult(const Quant& quant, Dims dims, int out = 0);
  void Alias(int32_t id, int out = 0) { b.Bind(out_name(out), id); }
  void ConstantResult(Array array, int out = 0);

  // The quantisation to compute in, if all these inputs are views (absent ones do not count) and
  // the output is quantised next.
  std::optional<Quant> QuantMode(std::initializer_list<int> views, int out = 0) const;

 private:
  const onnx_pb::NodeProto& proto_;
  int32_t index_;
  bool as_float_;
};

Status NormaliseAxis(int32_t rank, int64_t axis, int32_t* result);
// The shape that two shapes broadcast to.
Status BroadcastDims(const Dims& a, const Dims& b, Dims* out);
// Is the first input of nodes of this type a sequence (sequence.cc)?
bool TakesSequence(const std::string& type);
// Computes a node whose inputs are all constants, if this is one that Octet can (fold.cc);
// `folded` says whether.
Status FoldNode(Node& n, bool* folded);

}  // namespace octet::onnx
