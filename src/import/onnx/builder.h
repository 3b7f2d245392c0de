// What the importer's rows build with: values of the ONNX model on one side, tensors and operators
// of the graph on the other.
//
// A value keeps ONNX's shape. Its tensor may be stored in that order (kPlain) or with the channels
// last (kLast: [N,C,H,W] is stored as [N,H,W,C]); either form is made from the other when an
// operator asks for it, once. So transposes appear only between operators that need different
// forms.
//
// Quantised models in QDQ form compute in float32 between pairs of DequantizeLinear and
// QuantizeLinear. Here the result of DequantizeLinear is a view: a float32 value with `source`, the
// integer value. An operator whose inputs are views and whose output is quantised next (OutQuant)
// becomes an integer operator, and its result a view again; a float32 tensor exists only where
// something else reads the view. An element-wise function of one 8-bit value whose result is not
// quantised yet is a view with a table.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/import/onnx/array.h"

namespace octet::onnx {

enum Layout { kPlain = 0, kLast = 1 };

// real = scale * (stored - zero_point), in ONNX's terms: UINT8 has not been shifted.
struct Quant {
  DType type = DType::NONE;
  std::vector<float> scale;         // one, or one for each slice along `axis`
  std::vector<int32_t> zero_point;  // one, or as many as scales
  int32_t axis = 0;

  bool per_tensor() const { return scale.size() == 1; }
  float scale_at(size_t slice) const { return scale[per_tensor() ? 0 : slice]; }
  int32_t zero_at(size_t slice) const { return zero_point[zero_point.size() == 1 ? 0 : slice]; }
  bool operator==(const Quant& o) const {
    return type == o.type && scale == o.scale && zero_point == o.zero_point &&
           (per_tensor() || axis == o.axis);
  }
};

// The value of each 8-bit code, indexed by its byte as it is in ONNX.
using FloatTable = std::array<float, 256>;

struct Value {
  std::string name;
  DType type = DType::NONE;  // as ONNX has it
  Dims dims;
  std::optional<Array> constant;
  std::optional<Quant> quant;     // of integers
  int32_t at[2] = {-1, -1};       // graph tensors by layout; quantised UINT8 is INT8, less 128
  int32_t raw[2] = {-1, -1};      // quantised UINT8 as it is
  std::vector<int32_t> sequence;  // of these values, and no tensor itself
  int32_t flat_of = -1;           // not made yet: a reshape of that value
  int32_t producer = -1;          // graph operator
  // Float32 views of an integer value.
  int32_t source = -1;
  std::shared_ptr<const FloatTable> table;
  int32_t table_node = -1;  // computes the table's values in float32 where that is needed
  int32_t depth = 0;        // of nodes behind the table
};

// The graph tensor's description of a quantisation.
void SetQuant(const Quant& quant, GraphTensor* tensor);
Dims StoredDims(const Dims& dims, Layout layout);
// Where ONNX's axis is in a layout.
int32_t StoredAxis(int32_t axis, size_t rank, Layout layout);
bool Is8Bit(DType type);

class Builder {
 public:
  explicit Builder(Graph* graph) : graph_(*graph) {}

  Graph& graph() { return graph_; }
  Value& operator[](int32_t id) { return values_[static_cast<size_t>(id)]; }
  const Value& operator[](int32_t id) const { return values_[static_cast<size_t>(id)]; }
  Budget& budget() { return budget_; }

  // ---- Values ----
  int32_t New(std::string name, DType type, Dims dims);
  int32_t NewConstant(std::string name, Array array);
  void Bind(const std::string& name, int32_t id) { names_[name] = id; }
  void Unbind(const std::string& name) { names_.erase(name); }
  int32_t Find(const std::string& name) const;
  // A value's constant, dequantised if it is a view of one; null: none.
  const Array* Constant(int32_t id);

  // ---- Tensors ----
  // The form that exists, or that costs least.
  Layout Preferred(int32_t id) const;
  int32_t Tensor(int32_t id, Layout layout);
  int32_t Raw(int32_t id, Layout layout);  // UINT8 as it is; other types: Tensor
  // An empty tensor for a value that an operator is about to write.
  int32_t Output(int32_t id, Layout layout);
  GraphOp& Emit(OpKind kind, std::vector<int32_t> inputs, int32_t output);
  template <class Options>
  GraphOp& Emit(OpKind kind, std::vector<int32_t> inputs, int32_t output, Options options) {
    GraphOp& op = Emit(kind, std::move(inputs), output);
    op.options.Set(std::move(options));
    return op;
  }
  // The tensor with another shape.
  int32_t ReshapeTensor(int32_t tensor, Dims shape);
  void EmitReshape(int32_t from, int32_t to) { Emit(OpKind::RESHAPE, {from}, to); }
  int32_t AddTensor(const std::string& name, DType type, Dims shape);
  int32_t ConstantTensor(const std::string& name, const Array& array);
  // Calls emit(in, out) for tensors of x and `out`, which have the same shape, in x's layout.
  void MapElements(int32_t x, int32_t out, const std::function<void(int32_t, int32_t)>& emit);
  // `out` becomes x with its shape.
  void Reshape(int32_t x, int32_t out);

  // ---- Quantisation ----
  // A view without a table, of what integer operators take.
  bool IsView(int32_t id) const;
  bool HasTable(int32_t id) const { return (*this)[id].table != nullptr; }
  int32_t NewView(const std::string& name, int32_t source);
  // x with this quantisation, whatever it had (ONNX's operator form states it at each use).
  Status WithQuant(int32_t id, const Quant& quant, int32_t* result);
  // The same real values in another quantisation.
  int32_t Requantised(int32_t id, const Quant& quant);
  // Real values of the codes of a view of 8 bits (by itself, or through its table).
  FloatTable TableOf(int32_t view) const;
  // out = QuantizeLinear(table[x]), x and out integer values of 8 bits.
  void EmitTable(int32_t x, const FloatTable& table, int32_t out, const std::string& origin);
  // The quantisation that what reads this name asks for, looking through operators that change no
  // value or clamp; none if any reader takes float32.
  std::optional<Quant> OutQuant(const std::string& name, int depth = 0);
  // The same, for an operator on this integer value: int8 and int16 do not mix.
  std::optional<Quant> OutQuant(const std::string& name, const Value& like);

  // ---- The model's nodes ----
  std::vector<const onnx_pb::NodeProto*> nodes;
  std::unordered_map<std::string, std::vector<int32_t>> consumers;  // of names: indices of nodes
  std::unordered_map<std::string, int32_t> producers;               // of names: the node
  std::set<std::string> outputs;                                    // names
  std::map<int32_t, int>
      absorbed;  // nodes whose work another has taken over: they pass an input on
  // The only reader of a name, of this type; -1: none.
  int32_t OnlyConsumer(const std::string& name, const char* op_type) const;
  // Reads scale and zero point, inputs `scale` and `scale` + 1 of a node, which must be constant.
  Status ReadQuant(const onnx_pb::NodeProto& node, int scale, const Dims* dims, Quant* quant);
  // Computes a value with a table in float32. Set by the importer.
  std::function<Status(int32_t node)> import_as_float;
  int32_t opset = 0;

  // What went wrong where no status could be returned.
  Status failure = OCTET_OK;
  std::string failure_text;
  void Broken(Status status);

 private:
  int32_t DequantisedTensor(int32_t id, Layout layout);
  void EmitLut(int32_t from, int32_t to, const std::string& origin, const uint8_t table[256]);

  Graph& graph_;
  std::deque<Value> values_;
  std::unordered_map<std::string, int32_t> names_;
  Budget budget_;
};

}  // namespace octet::onnx
