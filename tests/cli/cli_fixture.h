// Runs the octet command as a user would.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace octet::test {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void Write(const fs::path& path, const std::string& data) {
  std::ofstream(path, std::ios::binary) << data;
}

struct Outcome {
  int code;
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / ("octet_cli_" + name + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // `before` and `after` are the shell's.
  Outcome Octet(const std::vector<std::string>& arguments, const std::string& before = "",
                const std::string& after = "") const {
    std::string command = before + "'" + OCTET_CLI + "'";
    for (const std::string& argument : arguments) command += " '" + argument + "'";
    command += " >'" + Path("stdout") + "' 2>'" + Path("stderr") + "'" + after;
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read(Path("stdout")),
            Read(Path("stderr"))};
  }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  // A file of the test data; skips the test where there is none.
  static std::string Data(const std::string& name) {
    return (fs::path(OCTET_TEST_DATA) / name).string();
  }
  static bool HasData() { return fs::exists(Data("models")) && fs::exists(Data("zoo")); }

  fs::path folder_;
};

#define SKIP_WITHOUT_DATA() \
  if (!HasData()) GTEST_SKIP() << "no test data"

// Every error: the code, and a message that says who speaks.
inline void ExpectError(const Outcome& outcome, int code, const std::string& text) {
  EXPECT_EQ(outcome.code, code) << outcome.out << outcome.err;
  EXPECT_EQ(outcome.err.rfind("octet: ", 0), 0u) << outcome.err;
  EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

}  // namespace octet::test
