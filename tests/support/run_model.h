// Helpers of the tests that run whole models.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "octet/octet.h"

namespace octet::test {

using Bytes = std::vector<uint8_t>;

// Reads a file; fails the current test and returns nothing if that is impossible.
Bytes ReadFile(const std::filesystem::path& path);

// PREFIX0.bin, PREFIX1.bin, ... of a folder.
std::vector<Bytes> ReadNumbered(const std::filesystem::path& folder, const std::string& prefix);

// A model or session that frees itself; null after a failure, which fails the current test.
class Model {
 public:
  // `isa`: as octet_model_options_set_isa; null for the best.
  Model(const Bytes& octet_file, const char* isa = nullptr);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  octet_model* get() const { return model_; }

 private:
  uint8_t* aligned_ = nullptr;
  octet_model* model_ = nullptr;
};

// Runs once; returns the outputs' bytes.
std::vector<Bytes> RunOnce(octet_model* model, const std::vector<Bytes>& inputs, size_t threads);

// The OCTET_ISA names that this CPU and build can run or tests can emulate, worst first: "scalar",
// "avx2", ...
std::vector<const char*> IsaNames();

// The last of them, or the last that is not emulated.
bool IsBest(const std::string& isa);

// Fails the current test with a readable report where bytes differ.
void ExpectSameBytes(const Bytes& got, const Bytes& wanted, const std::string& what);

}  // namespace octet::test
