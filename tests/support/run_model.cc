#include "tests/support/run_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "src/model/model.h"
#include "tests/support/amx_emulator.h"

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
#endif

namespace octet::test {

namespace {

// One pool for all runs: thousands of short ones would spend their time making threads.
void UseThreads(octet_session_options* options, size_t threads) {
#if OCTET_WITH_PTHREADPOOL
  if (threads == 2) {
    static pthreadpool_t pool = pthreadpool_create(2);
    EXPECT_EQ(octet_session_options_set_thread_pool(options, pool), OCTET_OK);
    return;
  }
#endif
  EXPECT_EQ(octet_session_options_set_threads(options, threads), OCTET_OK);
}

}  // namespace

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return Bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<Bytes> ReadNumbered(const std::filesystem::path& folder, const std::string& prefix) {
  std::vector<Bytes> all;
  for (;;) {
    const auto path = folder / (prefix + std::to_string(all.size()) + ".bin");
    if (!std::filesystem::exists(path)) return all;
    all.push_back(ReadFile(path));
  }
}

Model::Model(const Bytes& file, const char* isa) {
  const size_t size = (file.size() + 63) / 64 * 64;
  aligned_ = static_cast<uint8_t*>(std::aligned_alloc(64, size));
  std::memcpy(aligned_, file.data(), file.size());
  if (isa != nullptr && std::strcmp(isa, "amx") == 0) {
    // Past the API, which would look at the CPU.
    EXPECT_EQ(LoadModel(aligned_, file.size(), false, DefaultAllocator(), TestIsa(), 0, &model_),
              OCTET_OK)
        << octet_last_error();
    return;
  }
  octet_model_options* options = nullptr;
  octet_model_options_create(&options);
  octet_model_options_set_isa(options, isa);
  const octet_status status = octet_model_load_buffer(aligned_, file.size(), options, &model_);
  octet_model_options_destroy(options);
  EXPECT_EQ(status, OCTET_OK) << octet_last_error();
}

Model::~Model() {
  octet_model_destroy(model_);
  std::free(aligned_);
}

std::vector<Bytes> RunOnce(octet_model* model, const std::vector<Bytes>& inputs, size_t threads) {
  std::vector<Bytes> outputs;
  octet_session_options* options = nullptr;
  octet_session_options_create(&options);
  UseThreads(options, threads);
  octet_session* session = nullptr;
  EXPECT_EQ(octet_session_create(model, options, &session), OCTET_OK) << octet_last_error();
  octet_session_options_destroy(options);
  if (session == nullptr) return outputs;
  EXPECT_EQ(octet_model_input_count(model), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(octet_session_set_input(session, i, inputs[i].data(), inputs[i].size()), OCTET_OK)
        << octet_last_error();
  }
  EXPECT_EQ(octet_session_run(session), OCTET_OK) << octet_last_error();
  for (size_t i = 0; i < octet_model_output_count(model); ++i) {
    const void* data = nullptr;
    size_t size = 0;
    EXPECT_EQ(octet_session_output_data(session, i, &data, &size), OCTET_OK);
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    outputs.emplace_back(bytes, bytes + size);
  }
  octet_session_destroy(session);
  return outputs;
}

std::vector<const char*> IsaNames() {
  std::vector<const char*> names = {"scalar"};
  const IsaSet here = TestIsa();
  for (uint32_t bit = 1; bit != 0 && bit <= here.bits; bit <<= 1) {
    if (here.bits & bit) names.push_back(IsaName(static_cast<Isa>(bit)));
  }
  return names;
}

bool IsBest(const std::string& isa) {
  const std::vector<const char*> names = IsaNames();
  const bool emulated = TestIsa().bits != DetectIsa().bits;
  return isa == names.back() || (emulated && isa == names[names.size() - 2]);
}

void ExpectSameBytes(const Bytes& got, const Bytes& wanted, const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size()) << what;
  size_t different = 0, first = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] != wanted[i] && different++ == 0) first = i;
  }
  EXPECT_EQ(different, 0u) << what << ": " << different << " of " << got.size()
                           << " bytes differ, the first at " << first << ": "
                           << static_cast<int>(got[first]) << " instead of "
                           << static_cast<int>(wanted[first]);
}

}  // namespace octet::test
