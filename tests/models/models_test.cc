// Every real model, byte for byte on all its inputs, on every instruction set of this CPU or under
// emulation (the best with two threads as well); and their arenas against TensorFlow Lite Micro's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "octet/compiler.h"
#include "tests/support/run_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

void ExpectCloseFloats(const Bytes& got, const Bytes& wanted, float tolerance,
                       const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  for (size_t i = 0; i + 4 <= got.size(); i += 4) {
    float a, b;
    std::memcpy(&a, &got[i], 4);
    std::memcpy(&b, &wanted[i], 4);
    ASSERT_NEAR(a, b, tolerance) << what << ", element " << i / 4;
  }
}

class ModelTest : public testing::Test {
 public:
  explicit ModelTest(fs::path folder) : folder_(std::move(folder)) {}
  void TestBody() override {
    if (folder_.empty()) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
    const Bytes source = ReadFile(folder_ / "model.tflite");
    compiler::ConvertOptions options;
    Bytes file;
    ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr), OCTET_OK)
        << octet_last_error();
    const std::vector<const char*> isas = IsaNames();
    for (const char* isa : isas) {
      const Model model(file, isa);
      ASSERT_NE(model.get(), nullptr) << isa;
      size_t cases = 0;
      for (const auto& entry : fs::directory_iterator(folder_)) {
        if (!entry.is_directory()) continue;
        // The scalar reference is slow: one case of each model is enough for it.
        if (std::string(isa) == "scalar" && cases > 0) continue;
        ++cases;
        const std::vector<Bytes> inputs = ReadNumbered(entry.path(), "in");
        const std::vector<Bytes> wanted = ReadNumbered(entry.path(), "out");
        for (size_t threads = 1; threads <= (IsBest(isa) ? 2 : 1); ++threads) {
          const std::vector<Bytes> got = RunOnce(model.get(), inputs, threads);
          ASSERT_EQ(got.size(), wanted.size());
          for (size_t i = 0; i < got.size(); ++i) {
            const std::string what = entry.path().filename().string() + ", output " +
                                     std::to_string(i) + ", " + isa + ", " +
                                     std::to_string(threads) + " threads";
            octet_tensor_info info;
            info.struct_size = sizeof info;
            ASSERT_EQ(octet_model_output_info(model.get(), i, &info), OCTET_OK);
            if (info.type == OCTET_FLOAT32) {
              ExpectCloseFloats(got[i], wanted[i], 1e-5f, what);
            } else {
              ExpectSameBytes(got[i], wanted[i], what);
            }
          }
        }
      }
      EXPECT_GT(cases, 0u);
    }
  }

 private:
  fs::path folder_;
};

[[maybe_unused]] const bool kRegistered = [] {
  const fs::path models = fs::path(OCTET_TEST_DATA) / "models";
  std::error_code error;
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(models, error)) {
    if (!fs::exists(entry.path() / "model.tflite")) continue;
    ++count;
    std::string name = entry.path().filename().string();
    for (char& c : name) c = c == '.' ? '_' : c;
    testing::RegisterTest("Models", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [path = entry.path()]() -> ModelTest* { return new ModelTest(path); });
  }
  if (count == 0) {
    testing::RegisterTest("Models", "absent", nullptr, nullptr, __FILE__, __LINE__,
                          []() -> ModelTest* { return new ModelTest({}); });
  }
  return true;
}();

// On MobileNetV2 the cost rule takes AMX for some steps and AVX-512 for others, and a pack made for
// AMX, on any machine, is used as it is.
TEST(Amx, RunsWhereItPaysFromItsPack) {
  const fs::path path =
      fs::path(OCTET_TEST_DATA) / "models/tf2_mobilenet_v2_1.0_224_ptq/model.tflite";
  if (!fs::exists(path)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  if (std::string(IsaNames().back()) != "amx") GTEST_SKIP() << "neither AMX nor its emulation";
  const Bytes source = ReadFile(path);
  compiler::ConvertOptions options;
  options.target = "x86-amx";
  Bytes file;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr), OCTET_OK)
      << octet_last_error();
  const Model model(file, "amx");
  ASSERT_NE(model.get(), nullptr);
  int by_amx = 0, by_avx512 = 0;
  for (size_t i = 0; i < octet_model_step_count(model.get()); ++i) {
    octet_step_info info;
    info.struct_size = sizeof info;
    ASSERT_EQ(octet_model_step_info(model.get(), i, &info), OCTET_OK);
    const std::string kernel = info.kernel;
    by_amx += kernel == "qs8_conv_32x32__amx" ? 1 : 0;
    by_avx512 += kernel == "qs8_conv_6x64__avx512vnni" ? 1 : 0;
    EXPECT_TRUE(info.pack_bytes == 0 || info.pack_mapped == 1) << kernel;
  }
  EXPECT_GT(by_amx, 10);
  EXPECT_GT(by_avx512, 2);
}

// No silent slow path: with any vector instruction set, no step of a real model that does
// multiply-accumulates or makes many elements runs a scalar reference kernel.
struct Work {
  std::vector<size_t> elements;  // of each step's outputs
};

void CountElements(void* context, size_t step, size_t, const octet_tensor_info* info, const void*) {
  size_t n = 1;
  for (int32_t i = 0; i < info->rank; ++i) n *= static_cast<size_t>(info->shape[i]);
  static_cast<Work*>(context)->elements[step] += n;
}

TEST(ScalarKernels, HaveLittleToDoInModels) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "promised of x86 only";
#endif
  constexpr size_t kMany = 4096;
  std::error_code error;
  size_t models = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(OCTET_TEST_DATA) / "models", error)) {
    if (!fs::exists(entry.path() / "model.tflite")) continue;
    ++models;
    SCOPED_TRACE(entry.path().filename().string());
    const Bytes source = ReadFile(entry.path() / "model.tflite");
    Bytes file;
    ASSERT_EQ(compiler::Convert(source.data(), source.size(), {}, &file, nullptr), OCTET_OK)
        << octet_last_error();
    for (const char* isa : IsaNames()) {
      if (std::string(isa) == "scalar") continue;
      const Model model(file, isa);
      ASSERT_NE(model.get(), nullptr);
      octet_session* session = nullptr;
      ASSERT_EQ(octet_session_create(model.get(), nullptr, &session), OCTET_OK);
      Work work{std::vector<size_t>(octet_model_step_count(model.get()), 0)};
      ASSERT_EQ(octet_session_set_tensor_callback(session, CountElements, &work), OCTET_OK);
      for (size_t i = 0; i < octet_model_input_count(model.get()); ++i) {
        void* data = nullptr;
        size_t bytes = 0;
        ASSERT_EQ(octet_session_input_data(session, i, &data, &bytes), OCTET_OK);
        std::memset(data, 1, bytes);
      }
      EXPECT_EQ(octet_session_run(session), OCTET_OK) << octet_last_error();
      for (size_t i = 0; i < work.elements.size(); ++i) {
        octet_step_info step = {};
        step.struct_size = sizeof step;
        ASSERT_EQ(octet_model_step_info(model.get(), i, &step), OCTET_OK);
        EXPECT_GT(work.elements[i], 0u);
        const std::string kernel = step.kernel;
        const bool scalar = kernel.size() > 5 && kernel.compare(kernel.size() - 5, 5, "__ref") == 0;
        EXPECT_FALSE(scalar && (step.macs > 0 || work.elements[i] >= kMany))
            << isa << ", step " << i << " (" << step.op << " \"" << step.name << "\"): " << kernel
            << " makes " << work.elements[i] << " elements";
      }
      octet_session_destroy(session);
    }
  }
  if (models == 0) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
}

// Non-persistent arenas of TensorFlow Lite Micro (x86-64), measured by the owners of the test data;
// vww_96_int8 must reach the bound of its largest pair of live tensors.
struct ArenaCase {
  const char* model;
  uint64_t most;
};

class ArenaTest : public testing::TestWithParam<ArenaCase> {};

TEST_P(ArenaTest, IsNoLargerThanTensorFlowLiteMicros) {
  const fs::path path = fs::path(OCTET_TEST_DATA) / "models" / GetParam().model / "model.tflite";
  if (!fs::exists(path)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(path);
  Bytes file;
  compiler::ConvertReport report;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), {}, &file, &report), OCTET_OK)
      << octet_last_error();
  EXPECT_LE(report.arena_bytes, GetParam().most);
  const Model model(file, "scalar");
  octet_memory memory;
  memory.struct_size = sizeof memory;
  ASSERT_EQ(octet_session_memory(model.get(), nullptr, &memory), OCTET_OK);
  EXPECT_EQ(memory.activation_bytes, report.arena_bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ArenaTest,
    testing::Values(ArenaCase{"kws_ref_model", 16000}, ArenaCase{"vww_96_int8", 55296},
                    ArenaCase{"pretrainedResnet_quant", 49152}, ArenaCase{"str_ww_ref_model", 6656},
                    ArenaCase{"micro_speech_quantized", 5968}, ArenaCase{"person_detect", 55296},
                    ArenaCase{"ad01_int8", 768}, ArenaCase{"mobilenet_v1_0.25_128_quant", 98304},
                    ArenaCase{"mobilenet_v1_0.75_192_quant", 663552},
                    ArenaCase{"mobilenet_v2_1.0_224_quant", 1505280},
                    ArenaCase{"tf2_mobilenet_v2_1.0_224_ptq", 1505280},
                    ArenaCase{"deeplabv3_mnv2_dm05_pascal_quant", 7631901},
                    ArenaCase{"movenet_single_pose_lightning_ptq", 1105920}),
    [](const auto& param) {
      std::string name = param.param.model;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

}  // namespace
}  // namespace octet::test
