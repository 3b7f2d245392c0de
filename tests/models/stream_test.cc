// Streamed plans: the same bytes as layer by layer in far less RAM, and limits that are met exactly
// or refused with the number that is needed.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "octet/compiler.h"
#include "tests/support/run_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

struct StreamCase {
  const char* model;
  uint64_t most;  // bytes of arena, kernel scratch of this machine included
};

fs::path Folder(const char* model) { return fs::path(OCTET_TEST_DATA) / "models" / model; }

octet_memory MemoryOf(octet_model* model) {
  octet_memory memory = {};
  memory.struct_size = sizeof memory;
  EXPECT_EQ(octet_session_memory(model, nullptr, &memory), OCTET_OK);
  return memory;
}

class StreamTest : public testing::TestWithParam<StreamCase> {};

TEST_P(StreamTest, NeedsLittleRamForTheSameBytes) {
  const fs::path folder = Folder(GetParam().model);
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(folder / "model.tflite");
  compiler::ConvertOptions options;
  options.goal = compiler::Goal::kRam;
  Bytes file;
  compiler::ConvertReport report;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, &report), OCTET_OK)
      << octet_last_error();
  EXPECT_LT(report.arena_bytes, report.bound_bytes);
  for (const char* isa : IsaNames()) {
    const Model model(file, isa);
    ASSERT_NE(model.get(), nullptr);
    if (IsBest(isa) && std::string(isa) != "amx") {  // AMX takes larger panels
      EXPECT_LE(MemoryOf(model.get()).arena_bytes, GetParam().most);
    }
    const bool slow = std::string(isa) == "scalar" || std::string(isa) == "amx";
    if (slow && source.size() > 500000) continue;
    size_t cases = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory() || ++cases > 2) continue;
      const std::vector<Bytes> inputs = ReadNumbered(entry.path(), "in");
      const std::vector<Bytes> wanted = ReadNumbered(entry.path(), "out");
      for (size_t threads : {1, 2}) {
        const std::vector<Bytes> got = RunOnce(model.get(), inputs, threads);
        ASSERT_EQ(got.size(), wanted.size());
        for (size_t i = 0; i < got.size(); ++i) {
          ExpectSameBytes(got[i], wanted[i],
                          entry.path().filename().string() + ", " + isa + ", " +
                              std::to_string(threads) + " threads");
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, StreamTest,
                         testing::Values(StreamCase{"tf2_mobilenet_v2_1.0_224_ptq", 225000},
                                         StreamCase{"mobilenet_v2_1.0_224_quant", 225000},
                                         StreamCase{"mobilenet_v1_0.25_128_quant", 55000},
                                         StreamCase{"mobilenet_v1_0.75_192_quant", 170000},
                                         StreamCase{"vww_96_int8", 31000},
                                         StreamCase{"person_detect", 18500},
                                         StreamCase{"kws_ref_model", 8000},
                                         StreamCase{"pretrainedResnet_quant", 22000},
                                         StreamCase{"movenet_single_pose_lightning_ptq", 290000},
                                         StreamCase{"deeplabv3_mnv2_dm05_pascal_quant", 2300000}),
                         [](const auto& test) {
                           std::string name = test.param.model;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

// A limit is met by streaming just as much as is needed, or refused.
TEST(RamLimit, IsMetOrRefused) {
  const fs::path folder = Folder("person_detect");
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(folder / "model.tflite");
  const std::vector<Bytes> inputs = ReadNumbered(folder / "random1", "in");
  const std::vector<Bytes> wanted = ReadNumbered(folder / "random1", "out");
  double last_traffic = 0;
  for (uint64_t limit : {100000u, 60000u, 50000u, 40000u, 36000u, 33000u}) {
    compiler::ConvertOptions options;
    options.target = "native";
    options.ram_limit = limit;
    Bytes file;
    compiler::ConvertReport report;
    ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, &report), OCTET_OK)
        << limit << ": " << octet_last_error();
    EXPECT_GE(report.weight_traffic, last_traffic) << limit;
    last_traffic = report.weight_traffic;
    const Model model(file);
    EXPECT_LE(MemoryOf(model.get()).total_bytes, limit);
    EXPECT_EQ(MemoryOf(model.get()).total_bytes, report.total_bytes);
    const std::vector<Bytes> got = RunOnce(model.get(), inputs, 1);
    ExpectSameBytes(got[0], wanted[0], "limit " + std::to_string(limit));
  }
  // The least of all is what a refusal names; --optimize ram may take a little more.
  compiler::ConvertOptions options;
  options.target = "native";
  Bytes file;
  compiler::ConvertReport report;
  options.ram_limit = 1;
  EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr),
            OCTET_RAM_LIMIT);
  uint64_t least = 0;
  ASSERT_EQ(std::sscanf(octet_last_error(), "a session needs %" SCNu64 " bytes", &least), 1)
      << octet_last_error();
  for (const auto goal : {compiler::Goal::kSpeed, compiler::Goal::kRam}) {
    options.goal = goal;
    options.ram_limit = 0;
    if (goal == compiler::Goal::kRam) {
      ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, &report), OCTET_OK);
      EXPECT_GE(report.total_bytes, least);
      EXPECT_LE(report.total_bytes, least + least / 4);
    }
    options.ram_limit = least;
    EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, &report), OCTET_OK)
        << octet_last_error();
    EXPECT_EQ(report.total_bytes, least);
    const Model model(file);
    EXPECT_EQ(MemoryOf(model.get()).total_bytes, least);
    options.ram_limit = least - 1;
    EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr),
              OCTET_RAM_LIMIT);
    EXPECT_NE(std::string(octet_last_error()).find(std::to_string(least)), std::string::npos)
        << octet_last_error();
  }
  for (const char* part : {"the peak is at", "row-fed input saves"}) {
    EXPECT_NE(std::string(octet_last_error()).find(part), std::string::npos) << octet_last_error();
  }
}

// With row-fed input the image is never in memory as a whole, and the bytes are the same.
TEST(RowFedInput, NeedsAFewRowsOfTheImage) {
  const fs::path folder = Folder("vww_96_int8");
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(folder / "model.tflite");
  compiler::ConvertOptions options;
  options.goal = compiler::Goal::kRam;
  options.row_fed_input = true;
  Bytes file;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr), OCTET_OK)
      << octet_last_error();
  struct Source {
    Bytes image;
    int32_t next = 0;
  } rows{ReadNumbered(folder / "random1", "in")[0], 0};
  const octet_row_source hand_over = [](void* context, size_t input, int32_t row, void* data,
                                        size_t bytes) {
    Source& from = *static_cast<Source*>(context);
    EXPECT_EQ(input, 0u);
    EXPECT_EQ(row, from.next++);  // in order, each once
    std::memcpy(data, from.image.data() + static_cast<size_t>(row) * bytes, bytes);
    return OCTET_OK;
  };
  const std::vector<Bytes> wanted = ReadNumbered(folder / "random1", "out");
  for (const char* isa : IsaNames()) {
    const Model model(file, isa);
    ASSERT_NE(model.get(), nullptr);
    EXPECT_LT(MemoryOf(model.get()).arena_bytes, rows.image.size());
    octet_tensor_info info = {};
    info.struct_size = sizeof info;
    ASSERT_EQ(octet_model_input_info(model.get(), 0, &info), OCTET_OK);
    EXPECT_EQ(info.by_rows, 1);
    octet_session* session = nullptr;
    ASSERT_EQ(octet_session_create(model.get(), nullptr, &session), OCTET_OK);
    EXPECT_EQ(octet_session_run(session), OCTET_INVALID_ARGUMENT);  // nobody hands over rows
    EXPECT_EQ(octet_session_set_input(session, 0, rows.image.data(), rows.image.size()),
              OCTET_INVALID_ARGUMENT);
    ASSERT_EQ(octet_session_set_row_source(session, hand_over, &rows), OCTET_OK);
    for (int run = 0; run < 2; ++run) {
      rows.next = 0;
      ASSERT_EQ(octet_session_run(session), OCTET_OK) << octet_last_error();
      Bytes got(wanted[0].size());
      ASSERT_EQ(octet_session_get_output(session, 0, got.data(), got.size()), OCTET_OK);
      ExpectSameBytes(got, wanted[0], isa);
    }
    octet_session_destroy(session);
  }
}

}  // namespace
}  // namespace octet::test
