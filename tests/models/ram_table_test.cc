// How much RAM real models take, beside TensorFlow Lite Micro: the table of docs/memory.md, whose
// figures must not grow, and runs of models whose input comes row by row.
//   octet_models_tests --gtest_filter='*RamTable*' prints it.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "octet/compiler.h"
#include "octet_generated.h"
#include "tests/support/run_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kNone = 0;

// Bytes. TensorFlow Lite Micro's as measured on a 64-bit machine.
struct RamCase {
  const char* model;
  uint64_t micro_arena, micro_persistent;  // kNone: it has no such model
  uint64_t most_streamed, most_fed;        // arena with kernel scratch, AVX-512; kNone: not asked
};

const RamCase kCases[] = {
    {"ad01_int8", 768, 2864, kNone, kNone},
    {"kws_ref_model", 16000, 8208, 8000, kNone},
    {"vww_96_int8", 73728, 29872, 31000, 17000},
    {"pretrainedResnet_quant", 49152, 6768, 22000, kNone},
    {"str_ww_ref_model", 6656, 9904, kNone, kNone},
    {"hello_world_int8", 32, 1360, kNone, kNone},
    {"micro_speech_quantized", 5968, 1552, kNone, kNone},
    {"person_detect", 55296, 29936, 18500, 17000},
    {"keyword_scrambled_8bit", 672, 9136, kNone, kNone},
    {"trained_lstm_int8", 1536, 2608, kNone, kNone},
    {"mobilenet_v1_0.25_128_quant", kNone, kNone, 55000, 26000},
    {"mobilenet_v1_0.75_192_quant", kNone, kNone, 170000, 130000},
    {"mobilenet_v2_1.0_224_quant", kNone, kNone, 225000, 150000},
    {"tf2_mobilenet_v2_1.0_224_ptq", 1505280, 160464, 225000, 150000},
    {"movenet_single_pose_lightning_ptq", 1105920, 174112, 290000, kNone},
    {"deeplabv3_mnv2_dm05_pascal_quant", kNone, kNone, 2300000, kNone},
};

// The instruction set that the figures are for; else they are printed but not judged.
constexpr char kIsa[] = "avx512vnni";

bool HasIsa() {
  for (const char* isa : IsaNames()) {
    if (std::strcmp(isa, kIsa) == 0) return true;
  }
  return false;
}

Bytes Converted(const Bytes& source, compiler::Goal goal, bool row_fed,
                compiler::ConvertReport* report) {
  compiler::ConvertOptions options;
  options.target = HasIsa() ? std::string("x86-") + kIsa : "native";
  options.goal = goal;
  options.row_fed_input = row_fed;
  Bytes file;
  EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, report), OCTET_OK)
      << octet_last_error();
  return file;
}

octet_memory MemoryOf(const Bytes& file) {
  const Model model(file, HasIsa() ? kIsa : nullptr);
  octet_memory memory = {};
  memory.struct_size = sizeof memory;
  EXPECT_EQ(octet_session_memory(model.get(), nullptr, &memory), OCTET_OK);
  return memory;
}

// Hands over an image; every row once, in order.
struct Source {
  Bytes image;
  int32_t next = 0;

  static octet_status HandOver(void* context, size_t input, int32_t row, void* data, size_t bytes) {
    Source& from = *static_cast<Source*>(context);
    EXPECT_EQ(input, 0u);
    EXPECT_EQ(row, from.next++);
    std::memcpy(data, from.image.data() + static_cast<size_t>(row) * bytes, bytes);
    return OCTET_OK;
  }
};

void ExpectRowFedRuns(const Bytes& file, const fs::path& folder, bool large) {
  fs::path recorded;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) recorded = entry.path();
  }
  const std::vector<Bytes> wanted = ReadNumbered(recorded, "out");
  Source source{ReadNumbered(recorded, "in").at(0)};
  for (const char* isa : IsaNames()) {
    if (large && !IsBest(isa)) continue;
    const Model model(file, isa);
    for (size_t threads : {1, 2}) {
      octet_session_options* options = nullptr;
      octet_session_options_create(&options);
      octet_session_options_set_threads(options, threads);
      octet_session* session = nullptr;
      ASSERT_EQ(octet_session_create(model.get(), options, &session), OCTET_OK);
      octet_session_options_destroy(options);
      ASSERT_EQ(octet_session_set_row_source(session, Source::HandOver, &source), OCTET_OK);
      source.next = 0;
      ASSERT_EQ(octet_session_run(session), OCTET_OK) << octet_last_error();
      for (size_t i = 0; i < wanted.size(); ++i) {
        Bytes got(wanted[i].size());
        ASSERT_EQ(octet_session_get_output(session, i, got.data(), got.size()), OCTET_OK);
        ExpectSameBytes(got, wanted[i], std::string(isa) + ", fed by rows");
      }
      octet_session_destroy(session);
    }
  }
}

std::string Number(uint64_t n) {
  if (n == kNone) return "–";
  std::string text = std::to_string(n);
  for (size_t i = text.size(); i > 3;) text.insert(i -= 3, 1, ',');
  return text;
}

class RamTable : public testing::TestWithParam<RamCase> {};

TEST_P(RamTable, HoldsItsFigures) {
  const RamCase& c = GetParam();
  const fs::path folder = fs::path(OCTET_TEST_DATA) / "models" / c.model;
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(folder / "model.tflite");
  compiler::ConvertReport whole, report;
  const Bytes plain = Converted(source, compiler::Goal::kSpeed, false, &whole);
  const octet_memory memory = MemoryOf(plain);
  // Bookkeeping and parameters; what SVDF and LSTM keep between runs is neither.
  const uint64_t kept =
      memory.session_bytes + memory.model_bytes - fb::GetModel(plain.data())->state_bytes();
  std::string line = "| " + std::string(c.model) + " | " + Number(c.micro_arena) + " | " +
                     Number(whole.bound_bytes) + " | " + Number(whole.arena_bytes);
  std::string fed;
  if (c.most_streamed != kNone) {
    const Bytes file = Converted(source, compiler::Goal::kRam, false, &report);
    const uint64_t bytes = MemoryOf(file).arena_bytes;
    line += " | " + Number(bytes);
    if (HasIsa()) {
      EXPECT_LE(bytes, c.most_streamed);
    }
  } else {
    line += " | ";
  }
  if (c.most_fed != kNone) {
    const Bytes file = Converted(source, compiler::Goal::kRam, true, &report);
    const uint64_t bytes = MemoryOf(file).arena_bytes;
    line += " | " + Number(bytes);
    if (HasIsa()) {
      EXPECT_LE(bytes, c.most_fed);
    }
    ExpectRowFedRuns(file, folder, source.size() > 500000);
  } else {
    line += " | ";
  }
  if (c.micro_persistent != kNone && HasIsa()) {
    EXPECT_LE(2 * kept, c.micro_persistent);
  }
  std::printf("%s | %s | %s |\n", line.c_str(), Number(c.micro_persistent).c_str(),
              Number(kept).c_str());
}

INSTANTIATE_TEST_SUITE_P(Models, RamTable, testing::ValuesIn(kCases), [](const auto& test) {
  std::string name = test.param.model;
  for (char& c : name) c = c == '.' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace octet::test
