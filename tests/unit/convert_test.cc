// From files of other formats to .octet files: what is accepted, refused and written.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "octet/compiler.h"
#include "octet_generated.h"
#include "src/compiler/sha256.h"
#include "src/compiler/writer.h"
#include "src/memory/plan.h"
#include "src/model/checksum.h"
#include "tests/support/run_model.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using compiler::Convert;
using compiler::ConvertFile;
using compiler::ConvertOptions;
using compiler::ConvertReport;
using test::Bytes;

fs::path ModelPath(const std::string& name) {
  return fs::path(OCTET_TEST_DATA) / "models" / name / "model.tflite";
}

TEST(Sha256, KnownAnswers) {
  // FIPS 180-4's examples.
  EXPECT_EQ(Sha256Hex(nullptr, 0),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const char* text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  EXPECT_EQ(Sha256Hex(reinterpret_cast<const uint8_t*>(text), 56),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Two equal constants and an input: y = (x + c) + d.
Graph SmallGraph() {
  Graph g;
  GraphTensor x;
  x.name = "x";
  x.type = DType::INT8;
  x.shape = {1, 40};
  x.scale = {0.5f};
  g.inputs = {g.AddTensor(x)};
  std::vector<uint8_t> values(40, 3);
  int32_t last = 0;
  for (const char* name : {"c", "d"}) {
    const int32_t c = g.AddConstant(name, DType::INT8, {1, 40}, values.data());
    g.tensors[c].scale = {0.5f};
    const int32_t y = g.AddTensor(x);
    GraphOp op;
    op.kind = OpKind::ADD;
    op.name = "add";
    op.inputs = {last, c};
    op.outputs = {y};
    op.options.Set(fb::ElementwiseOptionsT());
    g.ops.push_back(std::move(op));
    last = y;
  }
  g.outputs = {last};
  g.metadata["labels"] = std::string("a\nb\0c", 5);
  return g;
}

TEST(Writer, LaysOutTheFile) {
  Graph g = SmallGraph();
  Plan plan;
  ASSERT_EQ(PlanMemory(&g, {}, &plan), OCTET_OK);
  PackedOp pack{0, "test/1", std::vector<uint8_t>(100, 7)};
  Bytes file;
  ASSERT_EQ(WriteModel(g, plan, {pack}, &file), OCTET_OK);
  ASSERT_EQ(file.size() % 64, 16u);
  EXPECT_EQ(std::memcmp(file.data() + file.size() - 16, "OCTSUM1", 8), 0);
  uint64_t sum = 0;
  for (int i = 7; i >= 0; --i) sum = sum << 8 | file[file.size() - 8 + i];
  EXPECT_EQ(sum, Checksum(file.data(), file.size() - 16));

  flatbuffers::Verifier verifier(file.data(), file.size() - 16);
  ASSERT_TRUE(fb::VerifyModelBuffer(verifier));
  const fb::Model& m = *fb::GetModel(file.data());
  ASSERT_EQ(m.buffers()->size(), 1u) << "equal constants are stored once";
  const auto offset = [&](const void* p) {
    return static_cast<size_t>(static_cast<const uint8_t*>(p) - file.data());
  };
  EXPECT_EQ(offset(m.buffers()->Get(0)->data()->data()) % 64, 0u);
  EXPECT_EQ(offset(m.packs()->Get(0)->data()->data()) % 64, 0u);
  EXPECT_EQ(m.metadata()->Get(0)->value()->size(), 5u);
  EXPECT_EQ(m.arena_bytes(), 40u);  // both additions in place

  // The same input gives the same file.
  Bytes again;
  ASSERT_EQ(WriteModel(g, plan, {pack}, &again), OCTET_OK);
  EXPECT_EQ(file, again);
}

TEST(Convert, RefusesWhatIsNoModel) {
  Bytes out = {1, 2, 3};
  ConvertReport report;
  EXPECT_EQ(Convert(nullptr, 0, {}, &out, &report), OCTET_INVALID_MODEL);
  EXPECT_EQ(Convert(nullptr, 5, {}, &out, &report), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(Convert("hello, world", 12, {}, nullptr, &report), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(Convert("hello, world", 12, {}, &out, &report), OCTET_INVALID_MODEL);
  EXPECT_EQ(Convert("....TFL3", 8, {}, &out, &report), OCTET_INVALID_MODEL);
  EXPECT_EQ(Convert("....OCT1....", 12, {}, &out, &report), OCTET_INVALID_MODEL);
  EXPECT_EQ(out, (Bytes{1, 2, 3})) << "outputs stay as they were after a failure";
  EXPECT_TRUE(report.log.empty());
}

class ConvertModel : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path path = ModelPath("kws_ref_model");
    if (!fs::exists(path)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
    source_ = test::ReadFile(path);
  }
  Bytes source_;
};

TEST_F(ConvertModel, ReportsAndPassesThrough) {
  Bytes file, again;
  ConvertReport report;
  ConvertOptions options;
  options.metadata = {{"labels", "x\ny"}};
  ASSERT_EQ(Convert(source_.data(), source_.size(), options, &file, &report), OCTET_OK)
      << octet_last_error();
  EXPECT_EQ(report.arena_bytes, 16000u);
  EXPECT_EQ(report.bound_bytes, 16000u);
  EXPECT_EQ(report.file_bytes, file.size());
  EXPECT_GE(report.log.size(), 2u);
  const test::Model model(file);
  ASSERT_NE(model.get(), nullptr);
  EXPECT_STREQ(octet_model_metadata(model.get(), "labels"), "x\ny");
  EXPECT_EQ(octet_model_metadata(model.get(), "source_sha256"),
            Sha256Hex(source_.data(), source_.size()));

  ASSERT_EQ(Convert(file.data(), file.size(), {}, &again, nullptr), OCTET_OK) << octet_last_error();
  EXPECT_EQ(file, again);
  EXPECT_EQ(Convert(file.data(), file.size(), options, &again, nullptr), OCTET_UNSUPPORTED);
}

TEST_F(ConvertModel, KeepsTheRamLimit) {
  Bytes file;
  ConvertOptions options;
  options.goal = compiler::Goal::kRam;
  compiler::ConvertReport least;
  ASSERT_EQ(Convert(source_.data(), source_.size(), options, &file, &least), OCTET_OK);
  options.ram_limit = least.total_bytes;
  EXPECT_EQ(Convert(source_.data(), source_.size(), options, &file, nullptr), OCTET_OK);
  options.ram_limit = least.total_bytes - 1;
  EXPECT_EQ(Convert(source_.data(), source_.size(), options, &file, nullptr), OCTET_RAM_LIMIT);
  const std::string number = std::to_string(least.total_bytes);
  EXPECT_NE(std::strstr(octet_last_error(), number.c_str()), nullptr) << octet_last_error();
  EXPECT_NE(std::strstr(octet_last_error(), "CONV_2D"), nullptr) << octet_last_error();
}

TEST_F(ConvertModel, KnowsTargets) {
  Bytes plain, packed;
  ConvertOptions options;
  ASSERT_EQ(Convert(source_.data(), source_.size(), options, &plain, nullptr), OCTET_OK);
  options.target = "native";
  ASSERT_EQ(Convert(source_.data(), source_.size(), options, &packed, nullptr), OCTET_OK)
      << octet_last_error();
  EXPECT_GE(packed.size(), plain.size());
  options.target = "z80";
  EXPECT_EQ(Convert(source_.data(), source_.size(), options, &packed, nullptr),
            OCTET_INVALID_ARGUMENT);
}

TEST_F(ConvertModel, WritesFilesWholeOrNotAtAll) {
  const fs::path folder = fs::temp_directory_path() / "octet_convert_test";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string output = (folder / "kws.octet").string();
  const std::string input = ModelPath("kws_ref_model").string();
  ASSERT_EQ(ConvertFile(input, output, {}, nullptr), OCTET_OK) << octet_last_error();
  ASSERT_EQ(ConvertFile(input, output, {}, nullptr), OCTET_OK) << octet_last_error();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);

  const Bytes before = test::ReadFile(output);
  std::ofstream(folder / "bad.tflite") << "this is no model";
  EXPECT_EQ(ConvertFile((folder / "bad.tflite").string(), output, {}, nullptr),
            OCTET_INVALID_MODEL);
  EXPECT_EQ(test::ReadFile(output), before);
  EXPECT_EQ(ConvertFile(input, (folder / "no/such/folder").string(), {}, nullptr), OCTET_IO_ERROR);
  EXPECT_EQ(ConvertFile((folder / "absent").string(), output, {}, nullptr), OCTET_IO_ERROR);
  EXPECT_EQ(ConvertFile(folder.string(), output, {}, nullptr), OCTET_IO_ERROR);
  fs::remove_all(folder);
}

TEST_F(ConvertModel, SurvivesDamage) {
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    Bytes damaged = source_;
    if (i % 3 == 0) damaged.resize(random() % damaged.size());
    // Most of a model is weights; what is read as structure lies at its end and start.
    for (int k = 0; k < 4 && !damaged.empty(); ++k) {
      const size_t span = std::min<size_t>(damaged.size(), 4000);
      const size_t at = random() % 2 ? damaged.size() - 1 - random() % span : random() % span;
      damaged[at] = static_cast<uint8_t>(random());
    }
    Bytes file;
    if (Convert(damaged.data(), damaged.size(), {}, &file, nullptr) != OCTET_OK) {
      EXPECT_STRNE(octet_last_error(), "");
    }
  }
}

// Activations in bytes, against TensorFlow Lite Micro's non-persistent arena (0: it cannot run the
// model) and the largest sum of live tensors.
struct ArenaCase {
  const char* name;
  uint64_t tflm, bound;
};

class Arena : public ::testing::TestWithParam<ArenaCase> {};

TEST_P(Arena, ReachesTheBound) {
  const fs::path path = ModelPath(GetParam().name);
  if (!fs::exists(path)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = test::ReadFile(path);
  Bytes file;
  ConvertReport report;
  ASSERT_EQ(Convert(source.data(), source.size(), {}, &file, &report), OCTET_OK)
      << octet_last_error();
  EXPECT_LE(report.arena_bytes, GetParam().bound);
  if (GetParam().tflm != 0) {
    EXPECT_LE(report.arena_bytes, GetParam().tflm);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, Arena,
    ::testing::Values(
        ArenaCase{"ad01_int8", 768, 768}, ArenaCase{"kws_ref_model", 16000, 16000},
        ArenaCase{"vww_96_int8", 73728, 55296}, ArenaCase{"pretrainedResnet_quant", 49152, 49152},
        ArenaCase{"str_ww_ref_model", 6656, 6656}, ArenaCase{"hello_world_int8", 32, 32},
        ArenaCase{"micro_speech_quantized", 5968, 5960}, ArenaCase{"person_detect", 55296, 55296},
        ArenaCase{"keyword_scrambled_8bit", 672, 288}, ArenaCase{"trained_lstm_int8", 1536, 1344},
        ArenaCase{"mobilenet_v1_0.25_128_quant", 0, 98304},
        ArenaCase{"mobilenet_v1_0.75_192_quant", 0, 663552},
        ArenaCase{"mobilenet_v2_1.0_224_quant", 0, 1505280},
        ArenaCase{"tf2_mobilenet_v2_1.0_224_ptq", 1505280, 1505280},
        ArenaCase{"deeplabv3_mnv2_dm05_pascal_quant", 0, 7631901},
        ArenaCase{"movenet_single_pose_lightning_ptq", 1105920, 1105920}),
    [](const auto& which) {
      std::string name = which.param.name;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

// As an exporter begins a file: IR version 8, then the producer's name. What follows is missing.
TEST(Convert, SaysWhatIsWrongWithOnnx) {
  const uint8_t start[] = {0x08, 0x08, 0x12, 0x07, 'p', 'y', 't', 'o', 'r', 'c', 'h'};
  Bytes file;
  EXPECT_NE(Convert(start, sizeof start, {}, &file, nullptr), OCTET_OK);
  const std::string error = octet_last_error();
#if OCTET_ONNX
  EXPECT_NE(error.find("it has no graph"), std::string::npos) << error;
#else
  EXPECT_NE(error.find("built without ONNX"), std::string::npos) << error;
#endif
}

}  // namespace
}  // namespace octet
