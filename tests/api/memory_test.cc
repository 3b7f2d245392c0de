// The RAM promise: stated in advance to the byte, never exceeded, given back, none taken by a run.
#include <cstring>

#include "tests/api/count_allocations.h"
#include "tests/api/fixture.h"

namespace octet::test {
namespace {

struct Case {
  const char* name;
  Graph (*graph)();
  compiler::Compress compress = compiler::Compress::kOff;
};

// An operator with more operands than a session keeps on the stack.
Graph ManyOperands() {
  Graph g;
  GraphTensor x;
  x.name = "x";
  x.type = DType::INT8;
  x.shape = {1, 3, 2, 2};
  x.scale = {0.5f};
  GraphTensor y = x;
  y.name = "y";
  y.shape.back() *= 40;
  g.inputs = {g.AddTensor(x)};
  g.outputs = {g.AddTensor(y)};
  GraphOp op;
  op.kind = OpKind::CONCATENATION;
  op.inputs.assign(40, g.inputs[0]);
  op.outputs = g.outputs;
  fb::AxisOptionsT options;
  options.axis = 3;
  op.options.Set(options);
  g.ops.push_back(op);
  return g;
}

class Memory : public testing::TestWithParam<Case> {
 protected:
  Bytes file_ = WriteGraph(GetParam().graph(), true, GetParam().compress);
};

INSTANTIATE_TEST_SUITE_P(
    Models, Memory,
    testing::Values(Case{"Sample", [] { return SampleGraph(8); }},
                    Case{"Large", [] { return SampleGraph(64); }}, Case{"Shuffle", ShuffleGraph},
                    Case{"ManyOperands", ManyOperands},
                    Case{"Pruned", [] { return Pruned(SampleGraph(8)); }, compiler::Compress::kOn},
                    Case{"Stateful", StatefulGraph}),
    [](const auto& param) { return param.param.name; });

// What a text says of a number.
bool Mentions(const char* text, size_t number) {
  return std::strstr(text, std::to_string(number).c_str()) != nullptr;
}

TEST_P(Memory, StatedBytesAreTheBytesTaken) {
  for (const char* isa : IsaNames()) {
    for (bool profiling : {false, true}) {
      CountingAllocator for_model, for_session;
      ModelOptions model_options;
      octet_allocator a = for_model.get(), b = for_session.get();
      ASSERT_EQ(octet_model_options_set_allocator(model_options.get(), &a), OCTET_OK);
      ASSERT_EQ(octet_model_options_set_isa(model_options.get(), isa), OCTET_OK);
      {
        const LoadedModel model(file_, model_options.get());
        ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
        SessionOptions options;
        ASSERT_EQ(octet_session_options_set_allocator(options.get(), &b), OCTET_OK);
        ASSERT_EQ(octet_session_options_set_profiling(options.get(), profiling), OCTET_OK);
        const octet_memory memory = MemoryOf(model.get(), options.get());
        EXPECT_EQ(memory.total_bytes,
                  memory.model_bytes + memory.session_bytes + memory.arena_bytes);
        EXPECT_GE(memory.arena_bytes, memory.activation_bytes);
        EXPECT_EQ(for_model.held, memory.model_bytes);
        EXPECT_EQ(for_model.blocks(), 1u);
        EXPECT_EQ(memory.mapped_bytes, file_.size());
        {
          Session session(model.get(), options.get());
          ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
          EXPECT_EQ(for_session.held, memory.session_bytes + memory.arena_bytes);
          const size_t calls = for_session.calls + for_model.calls;
          RunSession(model.get(), session.get(), 1);
          EXPECT_EQ(for_session.calls + for_model.calls, calls) << "a run took memory";
        }
        EXPECT_EQ(for_session.held, 0u);
        EXPECT_EQ(for_session.peak, memory.session_bytes + memory.arena_bytes);
        // The session's allocator is the model's by default.
        Session by_default(model.get());
        const octet_memory plain = MemoryOf(model.get());
        EXPECT_EQ(for_model.held, plain.total_bytes);
      }
      EXPECT_EQ(for_model.held, 0u);
      EXPECT_EQ(for_session.blocks(), 0u);
    }
  }
}

TEST_P(Memory, AllocatorsNeedBothFunctions) {
  CountingAllocator counting;
  ModelOptions model_options;
  SessionOptions session_options;
  octet_allocator half = counting.get();
  half.release = nullptr;
  EXPECT_EQ(octet_model_options_set_allocator(model_options.get(), &half), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(octet_session_options_set_allocator(session_options.get(), &half),
            OCTET_INVALID_ARGUMENT);
  half = counting.get();
  half.allocate = nullptr;
  EXPECT_EQ(octet_model_options_set_allocator(model_options.get(), &half), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(octet_model_options_set_allocator(model_options.get(), nullptr), OCTET_OK);
}

TEST_P(Memory, CallersArenaOfExactlyTheStatedSize) {
  const LoadedModel model(file_);
  ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
  const octet_memory memory = MemoryOf(model.get());
  Session plain(model.get());
  const std::vector<Bytes> wanted = RunSession(model.get(), plain.get(), 4);

  constexpr size_t kGuard = 64;
  const AlignedBytes room(Bytes(memory.arena_bytes + 2 * kGuard, 0x5C));
  uint8_t* arena = room.data() + kGuard;
  SessionOptions options;
  CountingAllocator counting;
  octet_allocator allocator = counting.get();
  ASSERT_EQ(octet_session_options_set_allocator(options.get(), &allocator), OCTET_OK);
  ASSERT_EQ(octet_session_options_set_arena(options.get(), arena, memory.arena_bytes), OCTET_OK);
  {
    Session session(model.get(), options.get());
    ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(counting.held, memory.session_bytes);
    EXPECT_EQ(RunSession(model.get(), session.get(), 4), wanted);
    void* data = nullptr;
    ASSERT_EQ(octet_session_input_data(session.get(), 0, &data, nullptr), OCTET_OK);
    EXPECT_GE(static_cast<uint8_t*>(data), arena);
    EXPECT_LT(static_cast<uint8_t*>(data), arena + memory.arena_bytes);
    // Sessions that never run at the same time may share one arena.
    Session second(model.get(), options.get());
    EXPECT_EQ(RunSession(model.get(), second.get(), 4), wanted);
    EXPECT_EQ(RunSession(model.get(), session.get(), 4).size(), wanted.size());
  }
  for (size_t i = 0; i < kGuard; ++i) {
    ASSERT_EQ(room.data()[i], 0x5C) << "written before the arena";
    ASSERT_EQ(arena[memory.arena_bytes + i], 0x5C) << "written after the arena";
  }
  if (memory.arena_bytes > 0) {
    ASSERT_EQ(octet_session_options_set_arena(options.get(), arena, memory.arena_bytes - 1),
              OCTET_OK);
    Session session(model.get(), options.get());
    EXPECT_EQ(session.status(), OCTET_OUT_OF_MEMORY);
    EXPECT_TRUE(Mentions(octet_last_error(), memory.arena_bytes)) << octet_last_error();
    ASSERT_EQ(octet_session_options_set_arena(options.get(), arena + 1, memory.arena_bytes),
              OCTET_OK);
    Session crooked(model.get(), options.get());
    EXPECT_EQ(crooked.status(), OCTET_INVALID_ARGUMENT);
  }
  EXPECT_EQ(counting.blocks(), 0u);
}

TEST_P(Memory, LimitsAreExact) {
  size_t model_bytes = 0, total_bytes = 0;
  {
    const LoadedModel model(file_);
    ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
    const octet_memory memory = MemoryOf(model.get());
    model_bytes = memory.model_bytes;
    total_bytes = memory.total_bytes;
    SessionOptions options;
    ASSERT_EQ(octet_session_options_set_ram_limit(options.get(), total_bytes), OCTET_OK);
    EXPECT_EQ(Session(model.get(), options.get()).status(), OCTET_OK) << octet_last_error();
    ASSERT_EQ(octet_session_options_set_ram_limit(options.get(), total_bytes - 1), OCTET_OK);
    EXPECT_EQ(Session(model.get(), options.get()).status(), OCTET_RAM_LIMIT);
    EXPECT_TRUE(Mentions(octet_last_error(), total_bytes)) << octet_last_error();
    EXPECT_TRUE(Mentions(octet_last_error(), total_bytes - 1)) << octet_last_error();
  }
  ModelOptions options;
  ASSERT_EQ(octet_model_options_set_ram_limit(options.get(), model_bytes), OCTET_OK);
  EXPECT_EQ(LoadedModel(file_, options.get()).status(), OCTET_OK) << octet_last_error();
  ASSERT_EQ(octet_model_options_set_ram_limit(options.get(), model_bytes - 1), OCTET_OK);
  EXPECT_EQ(LoadedModel(file_, options.get()).status(), OCTET_RAM_LIMIT);
  EXPECT_TRUE(Mentions(octet_last_error(), model_bytes)) << octet_last_error();
}

// Every allocation of loading, creating a session and describing it fails once, alone or with all
// that follow.
TEST_P(Memory, EveryAllocationMayFail) {
  for (bool fail_once : {false, true}) {
    bool finished = false;
    for (size_t n = 0; !finished; ++n) {
      ASSERT_LT(n, 100u);
      CountingAllocator counting;
      counting.fail_at = n;
      counting.fail_once = fail_once;
      ModelOptions model_options;
      octet_allocator allocator = counting.get();
      ASSERT_EQ(octet_model_options_set_allocator(model_options.get(), &allocator), OCTET_OK);
      {
        const LoadedModel model(file_, model_options.get());
        if (model.get() == nullptr) {
          EXPECT_EQ(model.status(), OCTET_OUT_OF_MEMORY) << octet_last_error();
          EXPECT_NE(std::strstr(octet_last_error(), "no memory"), nullptr) << octet_last_error();
          EXPECT_EQ(counting.blocks(), 0u) << "call " << n;
          continue;
        }
        const size_t held = counting.held;
        Session session(model.get());
        if (session.get() == nullptr) {
          EXPECT_EQ(session.status(), OCTET_OUT_OF_MEMORY) << octet_last_error();
          EXPECT_EQ(counting.held, held) << "call " << n;
          continue;
        }
        octet_step_info step = {};
        step.struct_size = sizeof step;
        const octet_status described = octet_model_step_info(model.get(), 0, &step);
        EXPECT_TRUE(described == OCTET_OK || described == OCTET_OUT_OF_MEMORY);
        finished = described == OCTET_OK;
        EXPECT_FALSE(RunSession(model.get(), session.get(), 1).empty());
      }
      EXPECT_EQ(counting.blocks(), 0u) << "call " << n;
    }
  }
}

TEST_P(Memory, RunsAllocateNothing) {
  if (!CountsAllocations()) GTEST_SKIP() << "this build cannot count allocations";
  for (const char* isa : IsaNames()) {
    ModelOptions model_options;
    ASSERT_EQ(octet_model_options_set_isa(model_options.get(), isa), OCTET_OK);
    const LoadedModel model(file_, model_options.get());
    ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
    const std::vector<Bytes> inputs = SampleInputs(model.get(), 1);
    for (size_t threads : {1, 3}) {
      if (threads > 1 && ThreadsAllocate()) continue;
      SessionOptions options;
      ASSERT_EQ(octet_session_options_set_threads(options.get(), threads), OCTET_OK);
      ASSERT_EQ(octet_session_options_set_profiling(options.get(), 1), OCTET_OK);
      Session session(model.get(), options.get());
      ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
      Bytes output(1 << 16);
      octet_tensor_info info = EmptyInfo();
      ASSERT_EQ(octet_model_output_info(model.get(), 0, &info), OCTET_OK);
      const uint64_t before = AllocationCalls();
      octet_status worst = OCTET_OK;
      for (int run = 0; run < 3; ++run) {
        for (size_t i = 0; i < inputs.size(); ++i) {
          const octet_status s =
              octet_session_set_input(session.get(), i, inputs[i].data(), inputs[i].size());
          if (s != OCTET_OK) worst = s;
        }
        if (const octet_status s = octet_session_run(session.get()); s != OCTET_OK) worst = s;
        if (const octet_status s =
                octet_session_get_output(session.get(), 0, output.data(), info.bytes);
            s != OCTET_OK) {
          worst = s;
        }
        octet_session_reset_state(session.get());
      }
      const uint64_t after = AllocationCalls();
      EXPECT_EQ(worst, OCTET_OK) << octet_last_error();
      EXPECT_EQ(after - before, 0u) << isa << ", " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace octet::test
