// Float models against TensorFlow Lite's reference outputs, and the promise that the plain float
// kernels keep among themselves: the same bytes on one thread, on two, and streamed by rows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "octet/compiler.h"
#include "tests/support/run_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

std::vector<float> Floats(const Bytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

// Within 1e-4 of the largest value, as the test data asks.
void ExpectClose(const Bytes& got_bytes, const Bytes& wanted_bytes, const std::string& what) {
  ASSERT_EQ(got_bytes.size(), wanted_bytes.size()) << what;
  const std::vector<float> got = Floats(got_bytes), wanted = Floats(wanted_bytes);
  float largest = 0;
  for (float x : wanted) largest = std::max(largest, std::fabs(x));
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted[i], 1e-4f * largest) << what << ", element " << i;
  }
}

class FloatModels : public testing::TestWithParam<const char*> {};

TEST_P(FloatModels, MatchTheReference) {
  const fs::path folder = fs::path(OCTET_TEST_DATA) / "models_float" / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  const Bytes source = ReadFile(folder / "model.tflite");
  Bytes file, unoptimised, streamed;
  compiler::ConvertOptions options;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr), OCTET_OK)
      << octet_last_error();
  options.optimize = false;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &unoptimised, nullptr),
            OCTET_OK)
      << octet_last_error();
  options.optimize = true;
  options.goal = compiler::Goal::kRam;
  ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &streamed, nullptr), OCTET_OK)
      << octet_last_error();
  const Model plain(file, "scalar"), best(file), plain_unoptimised(unoptimised, "scalar"),
      plain_streamed(streamed, "scalar");
  for (const char* name : {"random1", "random2"}) {
    const std::vector<Bytes> inputs = ReadNumbered(folder / name, "in");
    const std::vector<Bytes> wanted = ReadNumbered(folder / name, "out");
    const std::vector<Bytes> got = RunOnce(plain.get(), inputs, 1);
    ASSERT_EQ(got.size(), wanted.size());
    const std::vector<Bytes> threads = RunOnce(plain.get(), inputs, 2);
    const std::vector<Bytes> by_op = RunOnce(plain_unoptimised.get(), inputs, 1);
    const std::vector<Bytes> rows = RunOnce(plain_streamed.get(), inputs, 1);
    const std::vector<Bytes> fast = RunOnce(best.get(), inputs, 1);
    const std::vector<Bytes> fast_threads = RunOnce(best.get(), inputs, 2);
    for (size_t i = 0; i < got.size(); ++i) {
      ExpectClose(got[i], wanted[i], name);
      ExpectSameBytes(threads[i], got[i], std::string(name) + ", two threads");
      ExpectSameBytes(by_op[i], got[i], std::string(name) + ", not optimised");
      ExpectSameBytes(rows[i], got[i], std::string(name) + ", streamed");
      ExpectClose(fast[i], wanted[i], std::string(name) + ", best kernels");
      ExpectClose(fast_threads[i], wanted[i], std::string(name) + ", best kernels, two threads");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Float, FloatModels,
                         testing::Values("ad01_fp32", "hello_world_float", "pretrainedResnet",
                                         "vww_96_float"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace octet::test
