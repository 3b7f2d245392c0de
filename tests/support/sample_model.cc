#include "tests/support/sample_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>

#include "src/compiler/encode.h"
#include "src/compiler/writer.h"
#include "src/memory/plan.h"
#include "src/model/checksum.h"

namespace octet::test {

uint32_t GraphMaker::Random() {
  seed_ = seed_ * 1664525u + 1013904223u;
  return seed_ >> 8;
}

int32_t GraphMaker::Activation(std::vector<int32_t> shape, DType type) {
  GraphTensor t;
  t.name = "t" + std::to_string(graph.tensors.size());
  t.type = type;
  t.shape = std::move(shape);
  if (type == DType::INT8) {
    t.scale = {0.05f};
    t.zero_point = 3;
  }
  if (type == DType::INT16) t.scale = {0.001f};
  return graph.AddTensor(std::move(t));
}

int32_t GraphMaker::Input(std::vector<int32_t> shape, DType type) {
  const int32_t t = Activation(std::move(shape), type);
  graph.inputs.push_back(t);
  return t;
}

int32_t GraphMaker::State(std::vector<int32_t> shape, DType type) {
  const int32_t t = Activation(std::move(shape), type);
  graph.tensors[static_cast<size_t>(t)].is_state = true;
  return t;
}

int32_t GraphMaker::Constant(std::vector<int32_t> shape, DType type, int32_t low, int32_t high) {
  size_t n = 1;
  for (int32_t d : shape) n *= static_cast<size_t>(d);
  std::vector<uint8_t> data;
  for (size_t i = 0; i < n; ++i) {
    const int32_t v = low + static_cast<int32_t>(Random() % static_cast<uint32_t>(high - low + 1));
    for (size_t b = 0; b < TypeBytes(type); ++b) {
      data.push_back(static_cast<uint8_t>(static_cast<int64_t>(v) >> (8 * b)));
    }
  }
  return graph.AddConstant("c" + std::to_string(graph.tensors.size()), type, std::move(shape),
                           data.data());
}

int32_t GraphMaker::Weights(std::vector<int32_t> shape, int32_t scaled_axis) {
  const int32_t c = Constant(std::move(shape), DType::INT8, -127, 127);
  GraphTensor& t = graph.tensors[static_cast<size_t>(c)];
  size_t scales = 1;
  if (scaled_axis >= 0) {
    t.axis = scaled_axis;
    scales = static_cast<size_t>(t.shape[static_cast<size_t>(scaled_axis)]);
  }
  for (size_t i = 0; i < scales; ++i) t.scale.push_back(0.004f + 0.0001f * static_cast<float>(i));
  return c;
}

void GraphMaker::Append(OpKind kind, std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
  GraphOp op;
  op.kind = kind;
  op.name = "op" + std::to_string(graph.ops.size());
  op.inputs = std::move(inputs);
  op.outputs = std::move(outputs);
  graph.ops.push_back(std::move(op));
}

Graph SampleGraph(int32_t side) {
  GraphMaker g;
  const int32_t half = side / 2;
  const int32_t image = g.Input({1, side, side, 4});
  const int32_t a = g.Activation({1, half, half, 16});
  fb::Conv2DOptionsT conv;
  conv.stride_h = conv.stride_w = 2;
  conv.pad_top = conv.pad_left = 1;
  conv.act_min = 3;
  g.Add(OpKind::CONV_2D,
        {image, g.Weights({16, 3, 3, 4}, 0), g.Constant({16}, DType::INT32, -999, 999)}, {a}, conv);
  const int32_t b = g.Activation({1, half, half, 16});
  fb::Conv2DOptionsT depthwise;
  depthwise.pad_top = depthwise.pad_left = 1;
  g.Add(OpKind::DEPTHWISE_CONV_2D,
        {a, g.Weights({1, 3, 3, 16}, 3), g.Constant({16}, DType::INT32, -999, 999)}, {b},
        depthwise);
  const int32_t sum = g.Activation({1, half, half, 16});
  g.Add(OpKind::ADD, {a, b}, {sum}, fb::ElementwiseOptionsT());
  const int32_t shaped = g.Activation({1, half, half, 16});
  g.Add(OpKind::LUT, {sum, g.Constant({256}, DType::INT8, -128, 127)}, {shaped}, fb::LutOptionsT());
  const int32_t features = g.Activation({1, half, half, 32});
  g.Add(OpKind::CONV_2D, {shaped, g.Weights({32, 1, 1, 16}, 0), -1}, {features},
        fb::Conv2DOptionsT());
  const int32_t pooled = g.Activation({1, 1, 1, 32});
  fb::PoolOptionsT pool;
  pool.filter_h = pool.filter_w = half;
  g.Add(OpKind::AVERAGE_POOL_2D, {features}, {pooled}, pool);
  const int32_t flat = g.Activation({1, 32});
  g.Append(OpKind::RESHAPE, {pooled}, {flat});
  const int32_t logits = g.Activation({1, 10});
  g.Add(OpKind::FULLY_CONNECTED,
        {flat, g.Weights({10, 32}), g.Constant({10}, DType::INT32, -999, 999)}, {logits},
        fb::FullyConnectedOptionsT());
  const int32_t scores = g.Activation({1, 10});
  GraphTensor& out = g.graph.tensors[static_cast<size_t>(scores)];
  out.scale = {1.0f / 256};
  out.zero_point = -128;
  out.name = "scores";
  g.graph.tensors[static_cast<size_t>(features)].name = "features";
  g.graph.tensors[static_cast<size_t>(image)].name = "image";
  g.Add(OpKind::SOFTMAX, {logits}, {scores}, fb::SoftmaxOptionsT());
  g.graph.outputs = {scores, features};
  g.graph.metadata["labels"] = "zero\none\ntwo";
  return g.graph;
}

Graph ShuffleGraph() {
  GraphMaker g;
  const int32_t x = g.Input({1, 4, 4, 6});
  const int32_t y = g.Input({1, 4, 4, 2});
  const int32_t joined = g.Activation({1, 4, 4, 8});
  fb::AxisOptionsT axis;
  axis.axis = 3;
  g.Add(OpKind::CONCATENATION, {x, y}, {joined}, axis);
  const int32_t left = g.Activation({1, 4, 4, 4}), right = g.Activation({1, 4, 4, 4});
  g.Add(OpKind::SPLIT, {joined}, {left, right}, axis);
  const int32_t padded = g.Activation({1, 6, 6, 4});
  fb::PadOptionsT pad;
  pad.before = pad.after = {0, 1, 1, 0};
  pad.value = 3;
  g.Add(OpKind::PAD, {left}, {padded}, pad);
  const int32_t pooled = g.Activation({1, 4, 4, 4});
  fb::PoolOptionsT pool;
  pool.filter_h = pool.filter_w = 3;
  g.Add(OpKind::MAX_POOL_2D, {padded}, {pooled}, pool);
  const int32_t turned = g.Activation({1, 4, 4, 4});
  fb::TransposeOptionsT perm;
  perm.perm = {0, 2, 1, 3};
  g.Add(OpKind::TRANSPOSE, {right}, {turned}, perm);
  const int32_t product = g.Activation({1, 4, 4, 4});
  g.Add(OpKind::MUL, {pooled, turned}, {product}, fb::ElementwiseOptionsT());
  const int32_t mean = g.Activation({1, 4});
  fb::ReduceOptionsT reduce;
  reduce.axes = {1, 2};
  g.Add(OpKind::MEAN, {product}, {mean}, reduce);
  const int32_t slice = g.Activation({1, 2, 2, 4});
  fb::SliceOptionsT cut;
  cut.begin = {0, 0, 1, 0};
  cut.strides = {1, 2, 2, 1};
  cut.size = {1, 2, 2, 4};
  g.Add(OpKind::STRIDED_SLICE, {product}, {slice}, cut);
  g.graph.outputs = {mean, slice};
  return g.graph;
}

Graph StatefulGraph() {
  GraphMaker g;
  constexpr int32_t kUnits = 4, kRank = 2, kInputs = 6, kMemory = 5;
  const int32_t x = g.Input({1, kInputs});
  const int32_t time = g.Constant({kUnits * kRank, kMemory}, DType::INT16, -9999, 9999);
  g.graph.tensors[static_cast<size_t>(time)].scale = {0.0005f};
  const int32_t state = g.State({1, kUnits * kRank * kMemory}, DType::INT16);
  const int32_t y = g.Activation({1, kUnits});
  fb::SvdfOptionsT options;
  options.rank = kRank;
  g.Add(OpKind::SVDF,
        {x, g.Weights({kUnits * kRank, kInputs}), time,
         g.Constant({kUnits}, DType::INT32, -999, 999), state},
        {y}, options);
  g.graph.outputs = {y};
  return g.graph;
}

Graph GatherGraph() {
  GraphMaker g;
  const int32_t rows = g.Input({5, 3});
  const int32_t index = g.Input({2}, DType::INT32);
  const int32_t picked = g.Activation({2, 3});
  g.Add(OpKind::GATHER, {rows, index}, {picked}, fb::GatherOptionsT());
  g.graph.outputs = {picked};
  return g.graph;
}

Bytes WriteGraph(Graph graph, bool optimize, compiler::Compress compress) {
  Bytes file;
  Plan plan;
  EXPECT_EQ(CheckGraph(graph), OCTET_OK) << octet_last_error();
  EXPECT_EQ(PlanMemory(&graph, {optimize}, &plan), OCTET_OK) << octet_last_error();
  EXPECT_EQ(WriteModel(graph, plan, {}, &file, compress), OCTET_OK) << octet_last_error();
  return file;
}

Graph Pruned(Graph graph) {
  for (GraphTensor& t : graph.tensors) {
    if (!t.is_constant() || t.type != DType::INT8) continue;
    auto data = std::make_shared<std::vector<uint8_t>>(*t.data);
    for (size_t i = 0; i < data->size(); ++i) {
      if (i % 4 != 1) (*data)[i] = 0;
    }
    t.data = data;
  }
  return graph;
}

Bytes CodeConstants(const Bytes& file) {
  const std::unique_ptr<fb::ModelT> model(fb::GetModel(file.data())->UnPack());
  if (model->steps.empty()) return file;  // nothing runs, and packing drops empty lists
  std::set<uint32_t> of_outputs;
  for (const int32_t output : model->outputs) {
    const fb::TensorT& t = *model->tensors[static_cast<size_t>(output)];
    if (t.place == fb::Place::CONSTANT) of_outputs.insert(t.buffer);
  }
  const auto code = [](auto& stored) {
    Sparse sparse;
    if (stored.coding != fb::Coding::PLAIN) return;
    if (!EncodeSparse(stored.data, &sparse, -1)) return;
    stored.size = stored.data.size();
    stored.coding = fb::Coding::SPARSE;
    stored.fill = sparse.fill;
    stored.data = sparse.data;
  };
  for (uint32_t i = 0; i < model->buffers.size(); ++i) {
    if (of_outputs.count(i) == 0) code(*model->buffers[i]);
  }
  for (auto& pack : model->packs) code(*pack);
  model->min_reader = 2;
  return PackModel(*model);
}

Bytes PackModel(const fb::ModelT& model) {
  flatbuffers::FlatBufferBuilder b;
  fb::FinishModelBuffer(b, fb::Model::Pack(b, &model));
  Bytes bytes(b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
  bytes.resize((bytes.size() + 63) / 64 * 64 + kTrailerBytes);
  FixChecksum(&bytes);
  return bytes;
}

void FixChecksum(Bytes* file) {
  if (file->size() < kTrailerBytes) return;
  const size_t content = file->size() - kTrailerBytes;
  const uint64_t sum = Checksum(file->data(), content);
  std::memcpy(file->data() + content, kTrailerMagic, sizeof kTrailerMagic);
  for (size_t i = 0; i < 8; ++i) {
    (*file)[content + 8 + i] = static_cast<uint8_t>(sum >> (8 * i));
  }
}

void AlignedBytes::Assign(const uint8_t* data, size_t size) {
  // Of the exact size, so that AddressSanitizer sees a read past the end.
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, size > 0 ? size : 1) != 0) std::abort();
  data_ = static_cast<uint8_t*>(memory);
  size_ = size;
  if (size > 0) std::memcpy(data_, data, size);
}

AlignedBytes::~AlignedBytes() { std::free(data_); }

std::vector<Bytes> SampleInputs(const octet_model* model, uint32_t seed) {
  std::vector<Bytes> inputs;
  for (size_t i = 0; i < octet_model_input_count(model); ++i) {
    octet_tensor_info info;
    info.struct_size = sizeof info;
    EXPECT_EQ(octet_model_input_info(model, i, &info), OCTET_OK);
    Bytes bytes(info.bytes);
    for (uint8_t& b : bytes) {
      seed = seed * 1664525u + 1013904223u;
      b = info.type == OCTET_INT32 ? 0 : static_cast<uint8_t>(seed >> 16);
    }
    inputs.push_back(std::move(bytes));
  }
  return inputs;
}

}  // namespace octet::test
