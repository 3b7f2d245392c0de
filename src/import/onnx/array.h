// Constants of an ONNX model, in the compiler's memory: weights, shapes, and what is computed from
// them before the model ever runs.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "onnx.pb.h"
#include "src/graph/graph.h"

namespace octet::onnx {

using Dims = std::vector<int32_t>;

// Elements of a shape; -1 if there is a negative size or the product is 2^40 or more.
int64_t Elements(const Dims& dims);
// "[1,3,224,224]"
std::string Text(const Dims& dims);

// Elements in the order of ONNX. Floats of 16 and 64 bits have become FLOAT32, unsigned integers of
// 16 bits INT32, of 32 and 64 bits INT64. A size may be 0.
struct Array {
  DType type = DType::NONE;
  Dims dims;
  std::shared_ptr<const std::vector<uint8_t>> bytes;

  size_t size() const { return static_cast<size_t>(Elements(dims)); }
  float Float(size_t i) const;  // of any type
  int64_t Int(size_t i) const;  // of any type; floats are cut off and saturate
  double Number(size_t i) const;
  // Dimension i of the result is dimension perm[i] of this.
  Array Transposed(const std::vector<int32_t>& perm) const;
  Array Reshaped(Dims to) const { return {type, std::move(to), bytes}; }
};

Array FloatArray(Dims dims, const std::vector<float>& values);
Array IntArray(Dims dims, const std::vector<int64_t>& values, DType type = DType::INT64);
// Of any type. Integers are what a double holds of them, which is all that counts elements.
Array NumberArray(DType type, Dims dims, const std::vector<double>& values);

// Limits how much constants may take in all, so that a small file cannot ask for any amount.
struct Budget {
  uint64_t left = 0;
  Status Take(uint64_t bytes);
};

// ONNX's number of a type as Octet stores it (see Array); NONE if that is not possible.
DType StoredType(int32_t onnx_type);
// "float16"
std::string OnnxTypeName(int32_t onnx_type);

// `directory`: where files with external data are, "" if there is none. Such a file must lie in it
// or below; names that lead elsewhere are refused.
Status ReadTensor(const onnx_pb::TensorProto& source, const std::string& directory, Budget* budget,
                  Array* array);

// A name or text of the file, shortened and without control characters.
std::string ShortText(const std::string& text);

}  // namespace octet::onnx
