// Small models made in the test itself, so that tests of the runtime need no files.
#pragma once

#include <cstdint>
#include <vector>

#include "octet/compiler.h"
#include "src/graph/graph.h"
#include "tests/support/run_model.h"

namespace octet::test {

// Adds operators one by one; constants are pseudo-random, the same each time.
class GraphMaker {
 public:
  int32_t Input(std::vector<int32_t> shape, DType type = DType::INT8);
  int32_t Activation(std::vector<int32_t> shape, DType type = DType::INT8);
  int32_t State(std::vector<int32_t> shape, DType type);
  int32_t Weights(std::vector<int32_t> shape, int32_t scaled_axis = -1);
  int32_t Constant(std::vector<int32_t> shape, DType type, int32_t low, int32_t high);
  // Adds an operator; a null `options` for kinds without.
  template <class OptionsT>
  void Add(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
           OptionsT options) {
    Append(kind, std::move(inputs), std::move(outputs));
    graph.ops.back().options.Set(std::move(options));
  }
  void Append(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs);

  Graph graph;

 private:
  uint32_t Random();
  uint32_t seed_ = 1;
};

// An image classifier in small: CONV_2D, DEPTHWISE_CONV_2D, ADD, LUT, AVERAGE_POOL_2D, RESHAPE,
// FULLY_CONNECTED and SOFTMAX over an image of `side` x `side` x 4; outputs "scores" [1, 10] and
// "features". Large sides are split over threads.
Graph SampleGraph(int32_t side);
// CONCATENATION, SPLIT, PAD, MAX_POOL_2D, TRANSPOSE, MEAN, MUL and STRIDED_SLICE.
Graph ShuffleGraph();
// One SVDF with an int16 state.
Graph StatefulGraph();
// GATHER of rows by an int32 input, which may be out of range.
Graph GatherGraph();

// Plans and writes; fails the current test and returns nothing if that is impossible.
Bytes WriteGraph(Graph graph, bool optimize = true,
                 compiler::Compress compress = compiler::Compress::kOff);

// Three of four bytes of the int8 constants become 0.
Graph Pruned(Graph graph);

// A file of these parts, with a right checksum.
Bytes PackModel(const fb::ModelT& model);

// The file with every constant and pack coded, however little that saves.
Bytes CodeConstants(const Bytes& file);

// Sets the checksum of a file that was changed.
void FixChecksum(Bytes* file);

// Bytes at an address with the alignment that octet_model_load_buffer wants.
class AlignedBytes {
 public:
  explicit AlignedBytes(const Bytes& bytes) { Assign(bytes.data(), bytes.size()); }
  AlignedBytes(const uint8_t* data, size_t size) { Assign(data, size); }
  ~AlignedBytes();
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void Assign(const uint8_t* data, size_t size);
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Some bytes for each input.
std::vector<Bytes> SampleInputs(const octet_model* model, uint32_t seed);

}  // namespace octet::test
