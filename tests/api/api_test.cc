// The C API call by call: arguments, descriptions, errors.
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tests/api/fixture.h"

namespace octet::test {
namespace {

class Api : public testing::Test {
 protected:
  Bytes file_ = WriteGraph(SampleGraph(8));
  LoadedModel model_{file_};
};

#define EXPECT_INVALID(call)                 \
  do {                                       \
    EXPECT_EQ(call, OCTET_INVALID_ARGUMENT); \
    EXPECT_STRNE(octet_last_error(), "");    \
  } while (0)

TEST(ApiTexts, VersionAndStatusNames) {
  char version[32];
  std::snprintf(version, sizeof version, "%d.%d.%d", OCTET_VERSION_MAJOR, OCTET_VERSION_MINOR,
                OCTET_VERSION_PATCH);
  EXPECT_STREQ(octet_version(), version);
  EXPECT_STREQ(octet_status_name(OCTET_OK), "OCTET_OK");
  EXPECT_STREQ(octet_status_name(OCTET_RAM_LIMIT), "OCTET_RAM_LIMIT");
  EXPECT_STREQ(octet_status_name(OCTET_RUN_ERROR), "OCTET_RUN_ERROR");
  EXPECT_STREQ(octet_status_name(99), "unknown status");
}

TEST_F(Api, NullArgumentsAreRefused) {
  octet_model* model = model_.get();
  octet_model* no_model = nullptr;
  octet_session* no_session = nullptr;
  Session made(model);
  octet_session* session = made.get();
  ASSERT_NE(session, nullptr) << octet_last_error();
  ModelOptions model_options;
  SessionOptions session_options;
  octet_tensor_info info = EmptyInfo();
  octet_step_info step = {};
  step.struct_size = sizeof step;
  octet_memory memory = {};
  memory.struct_size = sizeof memory;
  uint8_t byte = 0;
  void* data = nullptr;
  const void* const_data = nullptr;
  size_t size = 0;
  uint64_t time = 0;

  EXPECT_INVALID(octet_model_options_create(nullptr));
  EXPECT_INVALID(octet_model_options_set_allocator(nullptr, nullptr));
  EXPECT_INVALID(octet_model_options_set_ram_limit(nullptr, 1));
  EXPECT_INVALID(octet_model_options_set_isa(nullptr, "scalar"));
  EXPECT_INVALID(octet_session_options_create(nullptr));
  EXPECT_INVALID(octet_session_options_set_allocator(nullptr, nullptr));
  EXPECT_INVALID(octet_session_options_set_arena(nullptr, &byte, 1));
  EXPECT_INVALID(octet_session_options_set_ram_limit(nullptr, 1));
  EXPECT_INVALID(octet_session_options_set_threads(nullptr, 1));
  EXPECT_INVALID(octet_session_options_set_thread_pool(nullptr, nullptr));
  EXPECT_INVALID(octet_session_options_set_profiling(nullptr, 1));

  EXPECT_INVALID(octet_model_load_file(nullptr, nullptr, &no_model));
  EXPECT_INVALID(octet_model_load_file("x", nullptr, nullptr));
  EXPECT_INVALID(octet_model_load_buffer(nullptr, 0, nullptr, &no_model));
  EXPECT_INVALID(octet_model_load_buffer(file_.data(), file_.size(), nullptr, nullptr));
  EXPECT_INVALID(octet_model_input_info(nullptr, 0, &info));
  EXPECT_INVALID(octet_model_input_info(model, 0, nullptr));
  EXPECT_INVALID(octet_model_output_info(nullptr, 0, &info));
  EXPECT_INVALID(octet_model_output_info(model, 0, nullptr));
  EXPECT_INVALID(octet_model_step_info(nullptr, 0, &step));
  EXPECT_INVALID(octet_model_step_info(model, 0, nullptr));
  EXPECT_EQ(octet_model_input_count(nullptr), 0u);
  EXPECT_EQ(octet_model_output_count(nullptr), 0u);
  EXPECT_EQ(octet_model_step_count(nullptr), 0u);
  EXPECT_EQ(octet_model_metadata(nullptr, "labels"), nullptr);
  EXPECT_EQ(octet_model_metadata(model, nullptr), nullptr);

  EXPECT_INVALID(octet_session_memory(nullptr, nullptr, &memory));
  EXPECT_INVALID(octet_session_memory(model, nullptr, nullptr));
  EXPECT_INVALID(octet_session_create(nullptr, nullptr, &no_session));
  EXPECT_INVALID(octet_session_create(model, nullptr, nullptr));
  EXPECT_INVALID(octet_session_set_input(nullptr, 0, &byte, 1));
  EXPECT_INVALID(octet_session_set_input(session, 0, nullptr, 1));
  EXPECT_INVALID(octet_session_input_data(nullptr, 0, &data, &size));
  EXPECT_INVALID(octet_session_input_data(session, 0, nullptr, &size));
  EXPECT_INVALID(octet_session_run(nullptr));
  EXPECT_INVALID(octet_session_get_output(nullptr, 0, &byte, 1));
  EXPECT_INVALID(octet_session_get_output(session, 0, nullptr, 1));
  EXPECT_INVALID(octet_session_output_data(nullptr, 0, &const_data, &size));
  EXPECT_INVALID(octet_session_output_data(session, 0, nullptr, &size));
  EXPECT_INVALID(octet_session_reset_state(nullptr));
  EXPECT_INVALID(octet_session_step_time(nullptr, 0, &time));
  EXPECT_INVALID(octet_session_step_time(session, 0, nullptr));
  EXPECT_INVALID(octet_session_set_tensor_callback(nullptr, nullptr, nullptr));
  octet_model_options_destroy(nullptr);
  octet_session_options_destroy(nullptr);
  octet_model_destroy(nullptr);
  octet_session_destroy(nullptr);
  EXPECT_EQ(no_model, nullptr);
  EXPECT_EQ(no_session, nullptr);
}

TEST_F(Api, DescribesItsTensors) {
  ASSERT_EQ(octet_model_input_count(model_.get()), 1u);
  ASSERT_EQ(octet_model_output_count(model_.get()), 2u);
  octet_tensor_info info = EmptyInfo();
  ASSERT_EQ(octet_model_input_info(model_.get(), 0, &info), OCTET_OK);
  EXPECT_STREQ(info.name, "image");
  EXPECT_EQ(info.type, OCTET_INT8);
  EXPECT_EQ(info.rank, 4);
  EXPECT_EQ(info.shape[1], 8);
  EXPECT_EQ(info.shape[3], 4);
  EXPECT_EQ(info.bytes, 256u);
  EXPECT_FLOAT_EQ(info.scale, 0.05f);
  EXPECT_EQ(info.zero_point, 3);
  ASSERT_EQ(octet_model_output_info(model_.get(), 0, &info), OCTET_OK);
  EXPECT_STREQ(info.name, "scores");
  EXPECT_EQ(info.bytes, 10u);
  EXPECT_STREQ(octet_model_metadata(model_.get(), "labels"), "zero\none\ntwo");
  EXPECT_EQ(octet_model_metadata(model_.get(), "no such key"), nullptr);
}

TEST_F(Api, IndicesAndStructSizesAreChecked) {
  octet_tensor_info info = EmptyInfo();
  EXPECT_INVALID(octet_model_input_info(model_.get(), 1, &info));
  EXPECT_INVALID(octet_model_input_info(model_.get(), SIZE_MAX, &info));
  EXPECT_INVALID(octet_model_output_info(model_.get(), 2, &info));
  info.struct_size = 0;
  EXPECT_INVALID(octet_model_input_info(model_.get(), 0, &info));
  octet_memory memory = {};
  EXPECT_INVALID(octet_session_memory(model_.get(), nullptr, &memory));
  octet_step_info step = {};
  EXPECT_INVALID(octet_model_step_info(model_.get(), 0, &step));
  step.struct_size = sizeof step;
  EXPECT_INVALID(octet_model_step_info(model_.get(), octet_model_step_count(model_.get()), &step));
  Session session(model_.get());
  ASSERT_EQ(session.status(), OCTET_OK);
  uint8_t bytes[300] = {};
  EXPECT_INVALID(octet_session_set_input(session.get(), 0, bytes, 255));
  EXPECT_NE(std::strstr(octet_last_error(), "256"), nullptr) << octet_last_error();
  EXPECT_INVALID(octet_session_set_input(session.get(), 0, bytes, 257));
  EXPECT_INVALID(octet_session_set_input(session.get(), 1, bytes, 256));
  EXPECT_INVALID(octet_session_get_output(session.get(), 0, bytes, 9));
  EXPECT_INVALID(octet_session_get_output(session.get(), 7, bytes, 10));
  uint64_t time = 0;
  EXPECT_INVALID(octet_session_step_time(session.get(), 0, &time));
}

TEST_F(Api, DescribesItsSteps) {
  const size_t steps = octet_model_step_count(model_.get());
  ASSERT_GE(steps, 7u);  // RESHAPE needs none
  uint64_t macs = 0;
  for (size_t i = 0; i < steps; ++i) {
    octet_step_info step = {};
    step.struct_size = sizeof step;
    ASSERT_EQ(octet_model_step_info(model_.get(), i, &step), OCTET_OK);
    EXPECT_STRNE(step.op, "");
    EXPECT_STRNE(step.kernel, "");
    EXPECT_EQ(step.row_begin, 0);
    EXPECT_EQ(step.row_end, -1);
    if (i == 0) {
      EXPECT_STREQ(step.op, "CONV_2D");
      EXPECT_EQ(step.macs, 4u * 4 * 16 * 3 * 3 * 4);
    }
    macs += step.macs;
  }
  EXPECT_GT(macs, 10000u);
}

TEST_F(Api, IsaIsCapped) {
  ModelOptions options;
  EXPECT_INVALID(octet_model_options_set_isa(options.get(), "mmx"));
  ASSERT_EQ(octet_model_options_set_isa(options.get(), "scalar"), OCTET_OK);
  const LoadedModel model(file_, options.get());
  ASSERT_EQ(model.status(), OCTET_OK);
  for (size_t i = 0; i < octet_model_step_count(model.get()); ++i) {
    octet_step_info step = {};
    step.struct_size = sizeof step;
    ASSERT_EQ(octet_model_step_info(model.get(), i, &step), OCTET_OK);
    for (const char* suffix : {"avx", "amx", "neon"}) {
      EXPECT_EQ(std::strstr(step.kernel, suffix), nullptr) << step.kernel;
    }
  }
}

TEST_F(Api, OutputsStayUntouchedByFailures) {
  octet_model* model = reinterpret_cast<octet_model*>(this);
  const Bytes junk(200, 7);
  const AlignedBytes aligned(junk);
  EXPECT_EQ(octet_model_load_buffer(aligned.data(), aligned.size(), nullptr, &model),
            OCTET_INVALID_MODEL);
  EXPECT_EQ(model, reinterpret_cast<octet_model*>(this));
}

TEST_F(Api, BuffersMustBeAligned) {
  const AlignedBytes room(Bytes(file_.size() + 64));
  octet_model* model = nullptr;
  for (size_t shift : {1, 2, 4, 8}) {
    std::memcpy(room.data() + shift, file_.data(), file_.size());
    EXPECT_INVALID(octet_model_load_buffer(room.data() + shift, file_.size(), nullptr, &model));
  }
  // 16 bytes are enough, and give the same results.
  std::memcpy(room.data() + 16, file_.data(), file_.size());
  ASSERT_EQ(octet_model_load_buffer(room.data() + 16, file_.size(), nullptr, &model), OCTET_OK)
      << octet_last_error();
  {
    Session here(model), there(model_.get());
    EXPECT_EQ(RunSession(model, here.get(), 1), RunSession(model_.get(), there.get(), 1));
  }
  octet_model_destroy(model);
}

TEST_F(Api, FilesAreMapped) {
  const std::string path = testing::TempDir() + "octet_api_test.octet";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file_.data()),
             static_cast<std::streamsize>(file_.size()));
  octet_model* model = nullptr;
  ASSERT_EQ(octet_model_load_file(path.c_str(), nullptr, &model), OCTET_OK) << octet_last_error();
  {
    Session mapped(model), copied(model_.get());
    EXPECT_EQ(RunSession(model, mapped.get(), 1), RunSession(model_.get(), copied.get(), 1));
  }
  octet_model_destroy(model);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << "OCT1";
  EXPECT_EQ(octet_model_load_file(path.c_str(), nullptr, &model), OCTET_INVALID_MODEL);
  EXPECT_NE(std::strstr(octet_last_error(), path.c_str()), nullptr);
  std::ofstream(path, std::ios::binary | std::ios::trunc).close();
  EXPECT_EQ(octet_model_load_file(path.c_str(), nullptr, &model), OCTET_INVALID_MODEL);
  std::remove(path.c_str());
  EXPECT_EQ(octet_model_load_file(path.c_str(), nullptr, &model), OCTET_IO_ERROR);
  EXPECT_NE(std::strstr(octet_last_error(), path.c_str()), nullptr);
  EXPECT_EQ(octet_model_load_file("/", nullptr, &model), OCTET_IO_ERROR);
}

TEST_F(Api, InputsInPlaceAreTheSame) {
  Session by_copy(model_.get()), in_place(model_.get());
  const std::vector<Bytes> wanted = RunSession(model_.get(), by_copy.get(), 5);
  const Bytes input = SampleInputs(model_.get(), 5)[0];
  void* data = nullptr;
  size_t size = 0;
  ASSERT_EQ(octet_session_input_data(in_place.get(), 0, &data, &size), OCTET_OK);
  ASSERT_EQ(size, input.size());
  std::memcpy(data, input.data(), size);
  ASSERT_EQ(octet_session_run(in_place.get()), OCTET_OK);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const void* output = nullptr;
    ASSERT_EQ(octet_session_output_data(in_place.get(), i, &output, &size), OCTET_OK);
    ASSERT_EQ(size, wanted[i].size());
    EXPECT_EQ(std::memcmp(output, wanted[i].data(), size), 0);
  }
}

TEST_F(Api, RepeatedRunsAreEqual) {
  Session session(model_.get());
  const std::vector<Bytes> first = RunSession(model_.get(), session.get(), 9);
  EXPECT_NE(RunSession(model_.get(), session.get(), 10), first);
  EXPECT_EQ(RunSession(model_.get(), session.get(), 9), first);
}

TEST_F(Api, Profiles) {
  SessionOptions options;
  ASSERT_EQ(octet_session_options_set_profiling(options.get(), 1), OCTET_OK);
  Session session(model_.get(), options.get());
  ASSERT_EQ(session.status(), OCTET_OK);
  RunSession(model_.get(), session.get(), 1);
  uint64_t sum = 0;
  const size_t steps = octet_model_step_count(model_.get());
  for (size_t i = 0; i < steps; ++i) {
    uint64_t time = 0;
    ASSERT_EQ(octet_session_step_time(session.get(), i, &time), OCTET_OK);
    sum += time;
  }
  EXPECT_GT(sum, 0u);
  uint64_t time = 0;
  EXPECT_INVALID(octet_session_step_time(session.get(), steps, &time));
}

TEST_F(Api, CallsBackForEachTensor) {
  struct Seen {
    std::vector<size_t> steps;
    Bytes last;
    std::string last_name;
  } seen;
  Session session(model_.get());
  ASSERT_EQ(octet_session_set_tensor_callback(
                session.get(),
                [](void* context, size_t step, size_t output, const octet_tensor_info* info,
                   const void* data) {
                  Seen& s = *static_cast<Seen*>(context);
                  EXPECT_EQ(output, 0u);
                  s.steps.push_back(step);
                  s.last_name = info->name;
                  const uint8_t* bytes = static_cast<const uint8_t*>(data);
                  s.last.assign(bytes, bytes + info->bytes);
                },
                &seen),
            OCTET_OK);
  const std::vector<Bytes> outputs = RunSession(model_.get(), session.get(), 1);
  ASSERT_EQ(seen.steps.size(), octet_model_step_count(model_.get()));
  for (size_t i = 0; i < seen.steps.size(); ++i) EXPECT_EQ(seen.steps[i], i);
  EXPECT_EQ(seen.last_name, "scores");
  EXPECT_EQ(seen.last, outputs[0]);
  ASSERT_EQ(octet_session_set_tensor_callback(session.get(), nullptr, nullptr), OCTET_OK);
  seen.steps.clear();
  RunSession(model_.get(), session.get(), 1);
  EXPECT_TRUE(seen.steps.empty());
}

TEST(ApiState, IsKeptAndReset) {
  const LoadedModel model(WriteGraph(StatefulGraph()));
  ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
  Session session(model.get()), other(model.get());
  const std::vector<Bytes> first = RunSession(model.get(), session.get(), 3);
  const std::vector<Bytes> second = RunSession(model.get(), session.get(), 3);
  EXPECT_NE(first, second);
  EXPECT_EQ(RunSession(model.get(), other.get(), 3), first) << "sessions share no state";
  ASSERT_EQ(octet_session_reset_state(session.get()), OCTET_OK);
  EXPECT_EQ(RunSession(model.get(), session.get(), 3), first);
  EXPECT_EQ(RunSession(model.get(), session.get(), 3), second);
}

TEST(ApiRun, BadIndicesAreARunError) {
  const LoadedModel model(WriteGraph(GatherGraph()));
  ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
  Session session(model.get());
  const Bytes rows(15, 1);
  for (int32_t bad : {5, -1, INT32_MAX, INT32_MIN}) {
    const int32_t index[2] = {0, bad};
    ASSERT_EQ(octet_session_set_input(session.get(), 0, rows.data(), rows.size()), OCTET_OK);
    ASSERT_EQ(octet_session_set_input(session.get(), 1, index, sizeof index), OCTET_OK);
    EXPECT_EQ(octet_session_run(session.get()), OCTET_RUN_ERROR) << bad;
    EXPECT_NE(std::strstr(octet_last_error(), "GATHER"), nullptr) << octet_last_error();
  }
  const int32_t index[2] = {4, 0};
  ASSERT_EQ(octet_session_set_input(session.get(), 0, rows.data(), rows.size()), OCTET_OK);
  ASSERT_EQ(octet_session_set_input(session.get(), 1, index, sizeof index), OCTET_OK);
  EXPECT_EQ(octet_session_run(session.get()), OCTET_OK);
}

TEST(ApiModels, ManyOperatorsRun) {
  for (bool optimize : {true, false}) {
    const LoadedModel model(WriteGraph(ShuffleGraph(), optimize));
    ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
    Session session(model.get());
    ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(RunSession(model.get(), session.get(), 3).size(), 2u);
  }
  // Optimised or not, the bytes are the same.
  const LoadedModel a(WriteGraph(ShuffleGraph(), true)), b(WriteGraph(ShuffleGraph(), false));
  Session x(a.get()), y(b.get());
  EXPECT_EQ(RunSession(a.get(), x.get(), 3), RunSession(b.get(), y.get(), 3));
}

}  // namespace
}  // namespace octet::test
