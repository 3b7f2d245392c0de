// Runs what compiler_c99_test.c holds.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int octet_compiler_c99_test(const void* tflite, size_t size, const char* input,
                                       const char* output, char* text, size_t text_size);

namespace octet::test {

TEST(CompilerC99, WholeConversion) {
  std::ifstream stream(OCTET_DIGITS_TFLITE, std::ios::binary);
  const std::vector<char> tflite{std::istreambuf_iterator<char>(stream), {}};
  ASSERT_GT(tflite.size(), 0u);
  const std::string output = ::testing::TempDir() + "c99-" + std::to_string(getpid()) + ".octet";
  char text[256] = "";
  EXPECT_EQ(octet_compiler_c99_test(tflite.data(), tflite.size(), OCTET_DIGITS_TFLITE,
                                    output.c_str(), text, sizeof text),
            0)
      << "line of compiler_c99_test.c; " << text;
  std::remove(output.c_str());
}

}  // namespace octet::test
