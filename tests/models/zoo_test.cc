// Every case of the operator zoo, byte for byte: optimised on every instruction set of this CPU
// (the best with two threads as well), and not optimised on the scalar one. One test for each
// operator and type.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>

#include "octet/compiler.h"
#include "tests/support/run_model.h"
#include "tests/support/sample_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

void RunCase(const fs::path& folder) {
  SCOPED_TRACE(folder.filename().string());
  const Bytes source = ReadFile(folder / "model.tflite");
  const std::vector<Bytes> inputs = ReadNumbered(folder, "in");
  const std::vector<Bytes> wanted = ReadNumbered(folder, "out");
  const std::vector<const char*> isas = IsaNames();
  for (bool optimize : {true, false}) {
    compiler::ConvertOptions options;
    options.optimize = optimize;
    Bytes file;
    ASSERT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr), OCTET_OK)
        << octet_last_error();
    for (const char* isa : isas) {
      // What the passes do does not depend on the kernels, and threads matter most to the best.
      if (!optimize && isa != isas.front()) continue;
      const Model model(file, isa);
      ASSERT_NE(model.get(), nullptr) << isa;
      for (size_t threads = 1; threads <= (optimize && IsBest(isa) ? 2 : 1); ++threads) {
        const std::vector<Bytes> got = RunOnce(model.get(), inputs, threads);
        ASSERT_EQ(got.size(), wanted.size());
        for (size_t i = 0; i < got.size(); ++i) {
          ExpectSameBytes(got[i], wanted[i],
                          "output " + std::to_string(i) + ", " + isa + ", " +
                              std::to_string(threads) + " threads" +
                              (optimize ? "" : ", not optimised"));
        }
      }
      // Constants that were decoded lie elsewhere and are as good.
      if (!optimize || (isa != isas.front() && !IsBest(isa))) continue;
      const Model coded(CodeConstants(file), isa);
      ASSERT_NE(coded.get(), nullptr) << isa;
      const std::vector<Bytes> got = RunOnce(coded.get(), inputs, 1);
      ASSERT_EQ(got.size(), wanted.size());
      for (size_t i = 0; i < got.size(); ++i) {
        ExpectSameBytes(got[i], wanted[i], "output " + std::to_string(i) + ", " + isa + ", coded");
      }
    }
  }
}

class ZooTest : public testing::Test {
 public:
  explicit ZooTest(std::vector<fs::path> folders) : folders_(std::move(folders)) {}
  void TestBody() override {
    if (folders_.empty()) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
    for (const fs::path& folder : folders_) RunCase(folder);
  }

 private:
  std::vector<fs::path> folders_;
};

// conv_2d_int8_003 belongs to conv_2d_int8.
std::string GroupOf(std::string name) {
  while (!name.empty() && (std::isdigit(static_cast<unsigned char>(name.back())) != 0)) {
    name.pop_back();
  }
  if (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

[[maybe_unused]] const bool kRegistered = [] {
  std::map<std::string, std::vector<fs::path>> groups;
  const fs::path zoo = fs::path(OCTET_TEST_DATA) / "zoo";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(zoo, error)) {
    if (fs::exists(entry.path() / "model.tflite")) {
      groups[GroupOf(entry.path().filename().string())].push_back(entry.path());
    }
  }
  if (groups.empty()) groups["absent"] = {};
  for (auto& [name, folders] : groups) {
    std::sort(folders.begin(), folders.end());
    testing::RegisterTest("Zoo", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [f = folders]() -> ZooTest* { return new ZooTest(f); });
  }
  return true;
}();

}  // namespace
}  // namespace octet::test
