// What the importer's rows work with: one source operator, and the graph it goes to.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "src/graph/graph.h"
#include "src/import/tflite/tensors.h"
#include "tflite_generated.h"

namespace octet {

class OpImport;
using ImportFn = Status (*)(OpImport&);

// One row an operator of TensorFlow Lite (rows.inc).
struct ImportRow {
  tflite::BuiltinOperator code;
  ImportFn import;
  // Inputs [0, required) must be present; those up to max_inputs may be absent.
  size_t required, max_inputs, min_outputs, max_outputs;
};

// Null: Octet has no such operator.
const ImportRow* FindImportRow(tflite::BuiltinOperator code);

// The state of an import that outlives one operator.
struct ImportContext {
  Graph* graph = nullptr;
  std::vector<SourceTensor> sources;  // of the graph's first tensors
  std::vector<int32_t> raw_u8;        // of each source tensor: the uint8 form, or -1
  int32_t flip_table = -1;            // the constant table that flips the top bit

  bool legacy_u8(int32_t tensor) const {
    return static_cast<size_t>(tensor) < sources.size() &&
           sources[static_cast<size_t>(tensor)].legacy_u8;
  }
  // A tensor with the description of a shifted uint8 tensor as it is in the source.
  int32_t AddRaw(int32_t shifted);
  // LUT operators that turn a shifted tensor into uint8 and back.
  void EmitFlip(int32_t from, int32_t to);
  void EmitLut(int32_t from, int32_t to, const std::string& origin, const uint8_t table[256]);
};

class OpImport {
 public:
  OpImport(ImportContext* context, const tflite::Operator& source, tflite::BuiltinOperator code);

  tflite::BuiltinOperator code() const { return code_; }
  const std::vector<int32_t>& inputs() const { return inputs_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  Graph& graph() { return *context_->graph; }
  ImportContext& context() { return *context_; }

  // Tensor indices; -1 for inputs that are absent.
  int32_t input(size_t i) const { return i < inputs_.size() ? inputs_[i] : -1; }
  int32_t output(size_t i = 0) const { return outputs_[i]; }
  bool has(size_t i) const { return input(i) >= 0; }
  const GraphTensor& in(size_t i) const { return tensor(input(i)); }
  const GraphTensor& out(size_t i = 0) const { return tensor(output(i)); }
  const GraphTensor& tensor(int32_t i) const {
    return context_->graph->tensors[static_cast<size_t>(i)];
  }
  bool legacy_u8(int32_t tensor) const { return context_->legacy_u8(tensor); }

  // The operator's options; null where they are absent or of another type.
  template <class T>
  const T* options() const {
    return source_.builtin_options_type() == tflite::BuiltinOptionsTraits<T>::enum_value
               ? static_cast<const T*>(source_.builtin_options())
               : nullptr;
  }

  // A constant input of int32 or int64 (at most `most` of them) as int32.
  Status Ints(size_t i, const char* role, size_t most, std::vector<int32_t>* values) const;
  Status Int(size_t i, const char* role, int32_t* value) const;

  // Adds an operator that writes the source operator's outputs.
  GraphOp& Emit(OpKind kind, std::vector<int32_t> inputs);
  template <class Options>
  void Emit(OpKind kind, std::vector<int32_t> inputs, Options options) {
    Emit(kind, std::move(inputs)).options.Set(std::move(options));
  }
  void EmitLut(const std::string& origin, const uint8_t table[256]) {
    context_->EmitLut(input(0), output(), origin, table);
  }

 private:
  ImportContext* context_;
  const tflite::Operator& source_;
  tflite::BuiltinOperator code_;
  std::vector<int32_t> inputs_, outputs_;
};

// The clamps that a fused activation stands for, in the output's units.
struct Clamps {
  int32_t min = INT32_MIN, max = INT32_MAX;
  float min_f = -3.4028234e38f, max_f = 3.4028234e38f;
};
Status FusedActivation(tflite::ActivationFunctionType activation, const GraphTensor& out,
                       Clamps* clamps);
// The same for the range [low, high], high < 0 meaning none.
Status ActivationClamps(float low, float high, const GraphTensor& out, Clamps* clamps);

// Padding before the input along one dimension, as TensorFlow Lite places it; fails unless `out`
// is the size that the padding scheme leads to.
Status PaddingBefore(tflite::Padding padding, const char* dimension, int32_t in, int32_t filter,
                     int32_t stride, int32_t dilation, int32_t out, int32_t* before);

// Turns an axis counted from the end into one counted from the beginning.
Status NormaliseAxis(int32_t rank, int32_t* axis);

inline int32_t Rank(const GraphTensor& t) { return static_cast<int32_t>(t.shape.size()); }
inline bool IsQuantised(const GraphTensor& t) { return !t.scale.empty(); }
inline bool Is8Bit(const GraphTensor& t) {
  return t.type == DType::INT8 || t.type == DType::UINT8 || t.type == DType::BOOL;
}

// The rows' functions, by file.
Status ImportConv2D(OpImport& op);  // rows_conv.cc
Status ImportDepthwiseConv2D(OpImport& op);
Status ImportTransposeConv(OpImport& op);
Status ImportFullyConnected(OpImport& op);
Status ImportBatchMatMul(OpImport& op);
Status ImportPool2D(OpImport& op);

Status ImportAdd(OpImport& op);  // rows_elementwise.cc
Status ImportSub(OpImport& op);
Status ImportMul(OpImport& op);
Status ImportDiv(OpImport& op);
Status ImportBinary(OpImport& op);
Status ImportComparison(OpImport& op);
Status ImportPow(OpImport& op);
Status ImportUnary(OpImport& op);
Status ImportSquare(OpImport& op);
Status ImportPrelu(OpImport& op);
Status ImportQuantize(OpImport& op);
Status ImportDequantize(OpImport& op);
Status ImportCast(OpImport& op);

Status ImportReshape(OpImport& op);  // rows_shape.cc
Status ImportTranspose(OpImport& op);
Status ImportPad(OpImport& op);
Status ImportMirrorPad(OpImport& op);
Status ImportConcatenation(OpImport& op);
Status ImportSplit(OpImport& op);
Status ImportPack(OpImport& op);
Status ImportUnpack(OpImport& op);
Status ImportTile(OpImport& op);
Status ImportDepthToSpace(OpImport& op);
Status ImportSpaceToDepth(OpImport& op);
Status ImportBatchSpaceND(OpImport& op);
Status ImportResize(OpImport& op);

Status ImportSlice(OpImport& op);  // rows_index.cc
Status ImportStridedSlice(OpImport& op);
Status ImportGather(OpImport& op);
Status ImportGatherNd(OpImport& op);

Status ImportReduce(OpImport& op);  // rows_reduce.cc
Status ImportArg(OpImport& op);
Status ImportSoftmax(OpImport& op);
Status ImportLogSoftmax(OpImport& op);
Status ImportL2Normalization(OpImport& op);

Status ImportSvdf(OpImport& op);  // rows_recurrent.cc
Status ImportLstm(OpImport& op);

}  // namespace octet
