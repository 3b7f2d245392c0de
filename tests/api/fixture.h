// Handles that free themselves, and an allocator that counts and can fail.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "octet/octet.h"
#include "tests/support/sample_model.h"

namespace octet::test {

inline octet_tensor_info EmptyInfo() {
  octet_tensor_info info = {};
  info.struct_size = sizeof info;
  return info;
}

// A model in memory of the test.
class LoadedModel {
 public:
  explicit LoadedModel(const Bytes& file, const octet_model_options* options = nullptr)
      : bytes_(file) {
    status_ = octet_model_load_buffer(bytes_.data(), bytes_.size(), options, &model_);
  }
  ~LoadedModel() { octet_model_destroy(model_); }
  octet_model* get() const { return model_; }
  octet_status status() const { return status_; }

 private:
  AlignedBytes bytes_;
  octet_model* model_ = nullptr;
  octet_status status_;
};

class ModelOptions {
 public:
  ModelOptions() { EXPECT_EQ(octet_model_options_create(&options_), OCTET_OK); }
  ~ModelOptions() { octet_model_options_destroy(options_); }
  octet_model_options* get() const { return options_; }

 private:
  octet_model_options* options_ = nullptr;
};

class SessionOptions {
 public:
  SessionOptions() { EXPECT_EQ(octet_session_options_create(&options_), OCTET_OK); }
  ~SessionOptions() { octet_session_options_destroy(options_); }
  octet_session_options* get() const { return options_; }

 private:
  octet_session_options* options_ = nullptr;
};

class Session {
 public:
  explicit Session(const octet_model* model, const octet_session_options* options = nullptr) {
    status_ = octet_session_create(model, options, &session_);
  }
  ~Session() { octet_session_destroy(session_); }
  Session(const Session&) = delete;
  octet_session* get() const { return session_; }
  octet_status status() const { return status_; }

 private:
  octet_session* session_ = nullptr;
  octet_status status_;
};

inline octet_memory MemoryOf(const octet_model* model,
                             const octet_session_options* options = nullptr) {
  octet_memory memory = {};
  memory.struct_size = sizeof memory;
  EXPECT_EQ(octet_session_memory(model, options, &memory), OCTET_OK) << octet_last_error();
  return memory;
}

// Sets inputs, runs once, returns the outputs.
inline std::vector<Bytes> RunSession(const octet_model* model, octet_session* session,
                                     uint32_t seed) {
  const std::vector<Bytes> inputs = SampleInputs(model, seed);
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(octet_session_set_input(session, i, inputs[i].data(), inputs[i].size()), OCTET_OK);
  }
  EXPECT_EQ(octet_session_run(session), OCTET_OK) << octet_last_error();
  std::vector<Bytes> outputs;
  for (size_t i = 0; i < octet_model_output_count(model); ++i) {
    octet_tensor_info info = EmptyInfo();
    EXPECT_EQ(octet_model_output_info(model, i, &info), OCTET_OK);
    Bytes bytes(info.bytes);
    EXPECT_EQ(octet_session_get_output(session, i, bytes.data(), bytes.size()), OCTET_OK);
    outputs.push_back(std::move(bytes));
  }
  return outputs;
}

// Counts what is taken and given back; fails from the call `fail_at` on, or at that call alone.
class CountingAllocator {
 public:
  octet_allocator get() { return {this, Allocate, Release}; }

  size_t held = 0;  // bytes
  size_t peak = 0;
  size_t calls = 0;
  size_t fail_at = SIZE_MAX;
  bool fail_once = false;
  size_t blocks() const { return sizes_.size(); }

 private:
  static void* Allocate(void* context, size_t size, size_t alignment) {
    CountingAllocator& self = *static_cast<CountingAllocator*>(context);
    const size_t call = self.calls++;
    EXPECT_GT(size, 0u);
    EXPECT_EQ(alignment & (alignment - 1), 0u) << alignment;
    if (self.fail_once ? call == self.fail_at : call >= self.fail_at) return nullptr;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, size) != 0) return nullptr;
    // What comes out of an allocator is not zero.
    for (size_t i = 0; i < size; ++i) static_cast<uint8_t*>(memory)[i] = 0xA5;
    self.sizes_[memory] = size;
    self.held += size;
    if (self.held > self.peak) self.peak = self.held;
    return memory;
  }
  static void Release(void* context, void* memory, size_t size) {
    CountingAllocator& self = *static_cast<CountingAllocator*>(context);
    const auto found = self.sizes_.find(memory);
    ASSERT_NE(found, self.sizes_.end()) << "released what was not allocated";
    EXPECT_EQ(found->second, size) << "released with another size";
    self.held -= size;
    self.sizes_.erase(found);
    std::free(memory);
  }

  std::map<void*, size_t> sizes_;
};

}  // namespace octet::test
