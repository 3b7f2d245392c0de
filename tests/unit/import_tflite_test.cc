// The TensorFlow Lite importer: real files, broken files, and models made up here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/import/tflite/importer.h"
#include "tflite_generated.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

Bytes ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

// Every X/model.tflite below a folder of the test data, sorted.
std::vector<fs::path> ModelsIn(const char* folder) {
  std::vector<fs::path> models;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(OCTET_TEST_DATA) / folder, error)) {
    const fs::path model = entry.path() / "model.tflite";
    if (fs::exists(model)) models.push_back(model);
  }
  std::sort(models.begin(), models.end());
  return models;
}

Status Import(const Bytes& file, Graph* graph) {
  return ImportTflite(file.data(), file.size(), graph);
}

void ImportAll(const char* folder) {
  const std::vector<fs::path> models = ModelsIn(folder);
  if (models.empty()) GTEST_SKIP() << "no test data";
  for (const fs::path& path : models) {
    Graph graph;
    const Status status = Import(ReadFile(path), &graph);
    EXPECT_EQ(status, OCTET_OK) << path << ": " << octet_last_error();
    if (status != OCTET_OK) continue;
    EXPECT_FALSE(graph.inputs.empty()) << path;
    EXPECT_FALSE(graph.outputs.empty()) << path;
    EXPECT_EQ(graph.metadata["source_format"], "tflite");
  }
}

TEST(ImportTflite, ImportsTheWholeZoo) { ImportAll("zoo"); }

TEST(ImportTflite, ImportsAllModels) { ImportAll("models"); }

// Whatever comes out, it must come out: sanitizers see the rest.
void ImportAnything(const Bytes& file) {
  // Exactly as many bytes as the file has, so that reads beyond it are seen.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[file.size() + 1]);
  std::copy(file.begin(), file.end(), copy.get());
  Graph graph;
  if (ImportTflite(copy.get(), file.size(), &graph) == OCTET_OK) {
    EXPECT_EQ(CheckGraph(graph), OCTET_OK);
  } else {
    EXPECT_NE(std::string(octet_last_error()), "");
  }
}

const char* const kVictims[] = {
    "zoo/chain_int8_000",    "zoo/chain_int8_013",
    "zoo/conv_2d_uint8_000", "zoo/slice_strided_slice_int8_000",
    "zoo/svdf_int8_000",     "zoo/unidirectional_sequence_lstm_int8_000"};

TEST(ImportTflite, SurvivesTruncation) {
  for (const char* victim : kVictims) {
    const Bytes file = ReadFile(fs::path(OCTET_TEST_DATA) / victim / "model.tflite");
    if (file.empty()) GTEST_SKIP() << "no test data";
    for (size_t size = 0; size < file.size(); size += size < 512 ? 1 : 37) {
      ImportAnything(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size)));
    }
  }
}

TEST(ImportTflite, SurvivesDamage) {
  uint32_t random = 1;
  const auto next = [&random] { return (random = random * 1664525u + 1013904223u) >> 8; };
  for (const char* victim : kVictims) {
    const Bytes file = ReadFile(fs::path(OCTET_TEST_DATA) / victim / "model.tflite");
    if (file.empty()) GTEST_SKIP() << "no test data";
    for (int i = 0; i < 1500; ++i) {
      Bytes damaged = file;
      for (uint32_t flips = next() % 4 + 1; flips > 0; --flips) {
        const size_t at = next() % damaged.size();
        // Bits, and bytes at the ends of their range.
        damaged[at] = next() % 2 ? static_cast<uint8_t>(damaged[at] ^ (1u << next() % 8))
                                 : static_cast<uint8_t>(next() % 2 ? 0xff : 0x7f);
      }
      ImportAnything(damaged);
    }
  }
}

// ---- Models made up here ---------------------------------------------------------------------

class ModelBuilder {
 public:
  ModelBuilder() {
    model_.version = 3;
    model_.subgraphs.push_back(std::make_unique<tflite::SubGraphT>());
    model_.buffers.push_back(std::make_unique<tflite::BufferT>());
  }

  int32_t Tensor(tflite::TensorType type, std::vector<int32_t> shape, float scale = 0,
                 int64_t zero_point = 0) {
    auto t = std::make_unique<tflite::TensorT>();
    t->type = type;
    t->shape = std::move(shape);
    t->name = "t" + std::to_string(graph().tensors.size());
    if (scale > 0) {
      t->quantization = std::make_unique<tflite::QuantizationParametersT>();
      t->quantization->scale = {scale};
      t->quantization->zero_point = {zero_point};
    }
    graph().tensors.push_back(std::move(t));
    return static_cast<int32_t>(graph().tensors.size()) - 1;
  }

  int32_t Ints(const std::vector<int32_t>& values) {
    const int32_t t = Tensor(tflite::TensorType_INT32, {static_cast<int32_t>(values.size())});
    SetData(t, Bytes(reinterpret_cast<const uint8_t*>(values.data()),
                     reinterpret_cast<const uint8_t*>(values.data() + values.size())));
    return t;
  }

  void SetData(int32_t tensor, Bytes data) {
    graph().tensors[static_cast<size_t>(tensor)]->buffer =
        static_cast<uint32_t>(model_.buffers.size());
    model_.buffers.push_back(std::make_unique<tflite::BufferT>());
    model_.buffers.back()->data = std::move(data);
  }

  tflite::OperatorT& Op(int32_t builtin, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
                        const char* custom = "") {
    auto code = std::make_unique<tflite::OperatorCodeT>();
    code->builtin_code = static_cast<tflite::BuiltinOperator>(builtin);
    code->deprecated_builtin_code = static_cast<int8_t>(std::min(builtin, 127));
    code->custom_code = custom;
    auto op = std::make_unique<tflite::OperatorT>();
    op->opcode_index = static_cast<uint32_t>(model_.operator_codes.size());
    op->inputs = std::move(inputs);
    op->outputs = std::move(outputs);
    model_.operator_codes.push_back(std::move(code));
    graph().operators.push_back(std::move(op));
    return *graph().operators.back();
  }

  tflite::SubGraphT& graph() { return *model_.subgraphs[0]; }
  tflite::ModelT& model() { return model_; }

  Status Import(std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    graph().inputs = std::move(inputs);
    graph().outputs = std::move(outputs);
    flatbuffers::FlatBufferBuilder builder;
    tflite::FinishModelBuffer(builder, tflite::Model::Pack(builder, &model_));
    imported = Graph();
    return ImportTflite(builder.GetBufferPointer(), builder.GetSize(), &imported);
  }

  Graph imported;

 private:
  tflite::ModelT model_;
};

constexpr auto kInt8 = tflite::TensorType_INT8;
constexpr auto kUInt8 = tflite::TensorType_UINT8;
constexpr auto kFloat = tflite::TensorType_FLOAT32;

bool Says(const char* text) {
  return std::string(octet_last_error()).find(text) != std::string::npos;
}

TEST(ImportTflite, NamesAllUnsupportedOperatorsAtOnce) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kInt8, {1, 4}, 0.5f);
  const int32_t out = b.Tensor(kInt8, {1, 4}, 0.5f);
  for (int i = 0; i < 3; ++i) b.Op(tflite::BuiltinOperator_FLOOR_MOD, {in, in}, {out});
  b.Op(tflite::BuiltinOperator_CUSTOM, {in}, {out}, "Detection_PostProcess");
  b.Op(4321, {in}, {out});
  b.Op(tflite::BuiltinOperator_STABLEHLO_ADD, {in, in}, {out});
  const int32_t real = b.Tensor(kFloat, {1, 4});
  b.Op(tflite::BuiltinOperator_QUANTIZE, {real}, {real});
  EXPECT_EQ(b.Import({in}, {out}), OCTET_UNSUPPORTED);
  for (const char* text :
       {"7 operators", "FLOOR_MOD (3 times)", "CUSTOM \"Detection_PostProcess\"",
        "builtin operator 4321", "STABLEHLO_ADD", "QUANTIZE", "float32", "int8[1,4] \"t0\""}) {
    EXPECT_TRUE(Says(text)) << text << " is not in: " << octet_last_error();
  }
}

TEST(ImportTflite, ListsUnsupportedOperatorsAsFarAsTheyFit) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kInt8, {1, 4}, 0.5f);
  const int32_t out = b.Tensor(kInt8, {1, 4}, 0.5f);
  for (int i = 162; i < 210; ++i) b.Op(i, {in}, {out});
  for (int i = 0; i < 52; ++i) {
    b.Op(tflite::BuiltinOperator_CUSTOM, {in}, {out}, ("Custom" + std::to_string(i)).c_str());
  }
  EXPECT_EQ(b.Import({in}, {out}), OCTET_UNSUPPORTED);
  EXPECT_TRUE(Says("100 operators")) << octet_last_error();
  EXPECT_TRUE(Says("STABLEHLO_LOGISTIC")) << octet_last_error();
  EXPECT_TRUE(Says(" more")) << octet_last_error();
}

TEST(ImportTflite, ExplainsWhatItRefuses) {
  struct Case {
    const char* says;
    Status status;
    void (*spoil)(ModelBuilder&);
  };
  const Case cases[] = {
      {"dynamic", OCTET_UNSUPPORTED, [](ModelBuilder& b) { b.graph().tensors[0]->shape[1] = -1; }},
      {"dynamic", OCTET_UNSUPPORTED,
       [](ModelBuilder& b) {
         b.graph().tensors[0]->shape_signature = {-1, -1};
       }},
      {"FLOAT16", OCTET_UNSUPPORTED,
       [](ModelBuilder& b) { b.graph().tensors[1]->type = tflite::TensorType_FLOAT16; }},
      {"too large", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) {
         b.graph().tensors[0]->shape = {1 << 30, 1 << 30, 1 << 30};
       }},
      {"sparse", OCTET_UNSUPPORTED,
       [](ModelBuilder& b) {
         b.graph().tensors[1]->sparsity = std::make_unique<tflite::SparsityParametersT>();
       }},
      {"3 bytes of data", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) {
         b.SetData(1, {1, 2, 3});
       }},
      {"buffer 77", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) { b.graph().tensors[1]->buffer = 77; }},
      {"zero point", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) { b.graph().tensors[1]->quantization->zero_point = {300}; }},
      {"scale", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) { b.graph().tensors[1]->quantization->scale = {-1.f}; }},
      {"refers to tensor 9", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) { b.graph().operators[0]->inputs[0] = 9; }},
      {"subgraphs", OCTET_UNSUPPORTED,
       [](ModelBuilder& b) {
         b.model().subgraphs.push_back(std::make_unique<tflite::SubGraphT>());
       }},
      {"version", OCTET_UNSUPPORTED, [](ModelBuilder& b) { b.model().version = 2; }},
      {"before it is written", OCTET_INVALID_MODEL,
       [](ModelBuilder& b) { std::swap(b.graph().operators[0], b.graph().operators[1]); }},
      {"TANH", OCTET_UNSUPPORTED,
       [](ModelBuilder& b) {
         tflite::AddOptionsT options;
         options.fused_activation_function = tflite::ActivationFunctionType_TANH;
         b.graph().operators[0]->builtin_options.Set(std::move(options));
       }},
  };
  for (const Case& c : cases) {
    ModelBuilder b;
    b.Tensor(kInt8, {1, 4}, 0.5f);
    b.Tensor(kInt8, {1, 4}, 0.5f);
    b.Tensor(kInt8, {1, 4}, 0.5f);
    b.Op(tflite::BuiltinOperator_ADD, {0, 0}, {1});
    b.Op(tflite::BuiltinOperator_ADD, {0, 1}, {2});
    ASSERT_EQ(b.Import({0}, {2}), OCTET_OK) << octet_last_error();
    c.spoil(b);
    EXPECT_EQ(b.Import({0}, {2}), c.status) << c.says;
    EXPECT_TRUE(Says(c.says)) << c.says << " is not in: " << octet_last_error();
  }
}

TEST(ImportTflite, RefusesHybridOperators) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kFloat, {1, 4});
  const int32_t weights = b.Tensor(kInt8, {1, 4}, 0.5f);
  b.SetData(weights, {1, 2, 3, 4});
  const int32_t out = b.Tensor(kFloat, {1, 1});
  b.Op(tflite::BuiltinOperator_FULLY_CONNECTED, {in, weights, -1}, {out})
      .builtin_options.Set(tflite::FullyConnectedOptionsT{});
  EXPECT_EQ(b.Import({in}, {out}), OCTET_UNSUPPORTED);
  EXPECT_TRUE(Says("hybrid")) << octet_last_error();
}

// As the converter of TensorFlow writes a model whose weights are stored in float16.
TEST(ImportTflite, ReadsFloat16Constants) {
  const auto make = [](ModelBuilder* b, Bytes data) {
    const int32_t in = b->Tensor(kFloat, {1, 4});
    const int32_t half = b->Tensor(tflite::TensorType_FLOAT16, {2, 4});
    b->SetData(half, std::move(data));
    const int32_t weights = b->Tensor(kFloat, {2, 4}), out = b->Tensor(kFloat, {1, 2});
    b->Op(tflite::BuiltinOperator_DEQUANTIZE, {half}, {weights});
    b->Op(tflite::BuiltinOperator_FULLY_CONNECTED, {in, weights, -1}, {out})
        .builtin_options.Set(tflite::FullyConnectedOptionsT{});
    return b->Import({in}, {out});
  };
  const Bytes halves = {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b,   // 1, -2, the least, most
                        0x00, 0x80, 0x55, 0x35, 0x00, 0x04, 0x00, 0x7c};  // -0, 1/3, 2^-14, inf
  ModelBuilder b;
  ASSERT_EQ(make(&b, halves), OCTET_OK) << octet_last_error();
  ASSERT_EQ(b.imported.ops.size(), 1u);
  const Bytes& data = *b.imported.tensors[static_cast<size_t>(b.imported.ops[0].inputs[1])].data;
  std::vector<float> values(8);
  ASSERT_EQ(data.size(), 32u);
  std::memcpy(values.data(), data.data(), data.size());
  EXPECT_EQ(values, (std::vector<float>{1, -2, 0x1p-24f, 65504, -0.f, 0x1.554p-2f, 0x1p-14f,
                                        std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(std::signbit(values[4]));
  ModelBuilder cut;
  EXPECT_EQ(make(&cut, Bytes(15)), OCTET_INVALID_MODEL);
  EXPECT_TRUE(Says("15 bytes of data where its shape asks for 16")) << octet_last_error();
  ModelBuilder none;
  EXPECT_EQ(make(&none, {}), OCTET_UNSUPPORTED);
  EXPECT_TRUE(Says("FLOAT16, which is read for constants only")) << octet_last_error();
}

TEST(ImportTflite, TurnsUint8IntoInt8) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kUInt8, {1, 4}, 0.5f, 100);
  const int32_t constant = b.Tensor(kUInt8, {1, 4}, 0.5f, 0);
  b.SetData(constant, {0, 127, 128, 255});
  const int32_t out = b.Tensor(kUInt8, {1, 4}, 1.f, 128);
  tflite::AddOptionsT options;
  options.fused_activation_function = tflite::ActivationFunctionType_RELU6;
  b.Op(tflite::BuiltinOperator_ADD, {in, constant}, {out}).builtin_options.Set(std::move(options));
  ASSERT_EQ(b.Import({in}, {out}), OCTET_OK) << octet_last_error();
  const Graph& g = b.imported;
  ASSERT_EQ(g.ops.size(), 3u);
  EXPECT_EQ(g.ops[0].kind, OpKind::LUT);
  EXPECT_EQ(g.ops[0].options.AsLutOptions()->origin, "UINT8_TO_INT8");
  EXPECT_EQ(g.ops[1].kind, OpKind::ADD);
  EXPECT_EQ(g.ops[2].options.AsLutOptions()->origin, "INT8_TO_UINT8");
  const auto tensor = [&g](int32_t i) -> const GraphTensor& {
    return g.tensors[static_cast<size_t>(i)];
  };
  EXPECT_EQ(tensor(g.inputs[0]).type, DType::UINT8);
  EXPECT_EQ(tensor(g.inputs[0]).zero_point, 100);
  EXPECT_EQ(tensor(g.outputs[0]).type, DType::UINT8);
  EXPECT_EQ(tensor(g.ops[1].inputs[0]).type, DType::INT8);
  EXPECT_EQ(tensor(g.ops[1].inputs[0]).zero_point, -28);
  EXPECT_EQ(*tensor(g.ops[1].inputs[1]).data, (Bytes{0x80, 0xff, 0x00, 0x7f}));
  EXPECT_EQ(tensor(g.ops[1].outputs[0]).zero_point, 0);
  EXPECT_EQ(g.ops[1].options.AsElementwiseOptions()->act_min, 0);
  EXPECT_EQ(g.ops[1].options.AsElementwiseOptions()->act_max, 6);
}

TEST(ImportTflite, CastReadsUint8AsItIs) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kUInt8, {1, 4}, 0.5f, 100);
  const int32_t out = b.Tensor(kFloat, {1, 4});
  b.Op(tflite::BuiltinOperator_CAST, {in}, {out});
  ASSERT_EQ(b.Import({in}, {out}), OCTET_OK) << octet_last_error();
  ASSERT_EQ(b.imported.ops.size(), 1u);
  EXPECT_EQ(b.imported.ops[0].inputs, b.imported.inputs);
}

TEST(ImportTflite, CastBetweenBytesIsATable) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kUInt8, {1, 4}, 0.5f, 100);
  const int32_t out = b.Tensor(kInt8, {1, 4});
  b.Op(tflite::BuiltinOperator_CAST, {in}, {out});
  ASSERT_EQ(b.Import({in}, {out}), OCTET_OK) << octet_last_error();
  const Graph& g = b.imported;
  ASSERT_EQ(g.ops.size(), 2u);
  ASSERT_EQ(g.ops[1].kind, OpKind::LUT);
  const Bytes& table = *g.tensors[static_cast<size_t>(g.ops[1].inputs[1])].data;
  EXPECT_EQ(table[0x80], 0);     // uint8 0, stored less 128
  EXPECT_EQ(table[0x7f], 0xff);  // uint8 255 wraps to -1
}

TEST(ImportTflite, PlacesPaddingAsTensorFlowLite) {
  ModelBuilder b;
  // In all (2 - 1) * 3 + 4 - 5 = 2 rows and (6 - 1) * 1 + 4 - 6 = 3 columns; the odd one is after.
  const int32_t in = b.Tensor(kInt8, {1, 5, 6, 1}, 0.5f);
  const int32_t out = b.Tensor(kInt8, {1, 2, 6, 1}, 0.5f);
  tflite::Pool2DOptionsT options;
  options.padding = tflite::Padding_SAME;
  options.stride_h = 3;
  options.stride_w = 1;
  options.filter_height = 4;
  options.filter_width = 4;
  b.Op(tflite::BuiltinOperator_MAX_POOL_2D, {in}, {out}).builtin_options.Set(std::move(options));
  ASSERT_EQ(b.Import({in}, {out}), OCTET_OK) << octet_last_error();
  const fb::PoolOptionsT& pool = *b.imported.ops[0].options.AsPoolOptions();
  EXPECT_EQ(pool.pad_top, 1);
  EXPECT_EQ(pool.pad_left, 1);
}

TEST(ImportTflite, ResolvesMasksOfStridedSlice) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kInt8, {4, 5, 6, 7}, 0.5f);
  // x[-1, ..., new, 5:0:-2]
  const int32_t begin = b.Ints({-1, 0, 0, 5}), end = b.Ints({0, 0, 0, 0});
  const int32_t strides = b.Ints({1, 1, 1, -2});
  const int32_t out = b.Tensor(kInt8, {5, 6, 1, 3}, 0.5f);
  tflite::StridedSliceOptionsT options;
  options.shrink_axis_mask = 1;
  options.ellipsis_mask = 2;
  options.new_axis_mask = 4;
  b.Op(tflite::BuiltinOperator_STRIDED_SLICE, {in, begin, end, strides}, {out})
      .builtin_options.Set(std::move(options));
  ASSERT_EQ(b.Import({in}, {out}), OCTET_OK) << octet_last_error();
  ASSERT_EQ(b.imported.ops.size(), 1u);
  EXPECT_EQ(b.imported.ops[0].inputs.size(), 1u);
  const fb::SliceOptionsT& slice = *b.imported.ops[0].options.AsSliceOptions();
  EXPECT_EQ(slice.begin, (std::vector<int32_t>{3, 0, 0, 5}));
  EXPECT_EQ(slice.size, (std::vector<int32_t>{1, 5, 6, 3}));
  EXPECT_EQ(slice.strides, (std::vector<int32_t>{1, 1, 1, -2}));
}

TEST(ImportTflite, RefusesComputedShapes) {
  ModelBuilder b;
  const int32_t in = b.Tensor(kInt8, {1, 4}, 0.5f);
  const int32_t shape = b.Tensor(tflite::TensorType_INT32, {2});
  const int32_t out = b.Tensor(kInt8, {4, 1}, 0.5f);
  b.Op(tflite::BuiltinOperator_RESHAPE, {in, shape}, {out});
  EXPECT_EQ(b.Import({in, shape}, {out}), OCTET_UNSUPPORTED);
  EXPECT_TRUE(Says("not a constant")) << octet_last_error();
}

TEST(ImportTflite, RefusesWhatIsNoModel) {
  Graph graph;
  EXPECT_EQ(ImportTflite(nullptr, 0, &graph), OCTET_INVALID_MODEL);
  EXPECT_EQ(Import(Bytes(100, 0), &graph), OCTET_INVALID_MODEL);
  Bytes bytes(100, 0xff);
  std::copy_n("TFL3", 4, bytes.begin() + 4);
  EXPECT_EQ(Import(bytes, &graph), OCTET_INVALID_MODEL);
}

}  // namespace
}  // namespace octet
