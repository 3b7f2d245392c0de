// Any bytes as a model: loading refuses them with a sentence, or sessions run over them safely.
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "octet/octet.h"
#include "src/model/checksum.h"
#include "tests/fuzz/mutate.h"

namespace {

constexpr size_t kRamLimit = size_t{16} << 20;
constexpr uint64_t kMaxMacs = 20000000;

void Require(bool condition) {
  if (!condition) std::abort();
}

void Run(const octet_model* model, uint8_t fill) {
  octet_session_options* options = nullptr;
  Require(octet_session_options_create(&options) == OCTET_OK);
  octet_session_options_set_ram_limit(options, kRamLimit);
  octet_session* session = nullptr;
  const octet_status created = octet_session_create(model, options, &session);
  octet_session_options_destroy(options);
  if (created != OCTET_OK) {
    Require(octet_last_error()[0] != '\0');
    return;
  }
  for (size_t i = 0; i < octet_model_input_count(model); ++i) {
    void* data = nullptr;
    size_t size = 0;
    Require(octet_session_input_data(session, i, &data, &size) == OCTET_OK);
    for (size_t j = 0; j < size; ++j) {
      static_cast<uint8_t*>(data)[j] = static_cast<uint8_t>(fill * (j + i));
    }
  }
  for (int run = 0; run < 2; ++run) {
    const octet_status status = octet_session_run(session);
    Require(status == OCTET_OK || status == OCTET_RUN_ERROR);
  }
  uint8_t sum = 0;
  for (size_t i = 0; i < octet_model_output_count(model); ++i) {
    const void* data = nullptr;
    size_t size = 0;
    Require(octet_session_output_data(session, i, &data, &size) == OCTET_OK);
    for (size_t j = 0; j < size; ++j) sum = sum + static_cast<const uint8_t*>(data)[j];
  }
  volatile uint8_t sink = sum;
  (void)sink;
  octet_session_destroy(session);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return octet::fuzz::MutateFields(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < octet::kTrailerBytes) return 0;
  // A heap block of the exact size, so that a read behind the end is seen; with a right checksum,
  // so that what comes behind that check is reached.
  void* memory = nullptr;
  Require(posix_memalign(&memory, 64, size) == 0);
  uint8_t* file = static_cast<uint8_t*>(memory);
  std::memcpy(file, data, size);
  const size_t content = size - octet::kTrailerBytes;
  const uint64_t checksum = octet::Checksum(file, content);
  std::memcpy(file + content, octet::kTrailerMagic, sizeof octet::kTrailerMagic);
  for (size_t i = 0; i < 8; ++i) {
    file[content + 8 + i] = static_cast<uint8_t>(checksum >> (8 * i));
  }
  for (const char* isa : {static_cast<const char*>("scalar"), static_cast<const char*>(nullptr)}) {
    octet_model_options* options = nullptr;
    Require(octet_model_options_create(&options) == OCTET_OK);
    octet_model_options_set_ram_limit(options, kRamLimit);
    octet_model_options_set_isa(options, isa);
    octet_model* model = nullptr;
    const octet_status status = octet_model_load_buffer(file, size, options, &model);
    octet_model_options_destroy(options);
    if (status != OCTET_OK) {
      Require(octet_last_error()[0] != '\0');
      break;
    }
    uint64_t macs = 0;
    for (size_t i = 0; i < octet_model_step_count(model); ++i) {
      octet_step_info step = {};
      step.struct_size = sizeof step;
      Require(octet_model_step_info(model, i, &step) == OCTET_OK);
      macs = macs + step.macs < macs ? kMaxMacs : macs + step.macs;
    }
    if (macs < kMaxMacs) Run(model, isa != nullptr ? 1 : 37);
    octet_model_destroy(model);
  }
  std::free(memory);
  return 0;
}
