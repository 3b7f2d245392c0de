// Several sessions in one arena.
#include <algorithm>

#include "tests/api/fixture.h"

namespace octet::test {
namespace {

TEST(SharedArena, ServesSessionsOneAfterAnother) {
  const LoadedModel small(WriteGraph(SampleGraph(8))), large(WriteGraph(SampleGraph(16)));
  ASSERT_EQ(small.status(), OCTET_OK);
  ASSERT_EQ(large.status(), OCTET_OK);
  const size_t bytes =
      std::max(MemoryOf(small.get()).arena_bytes, MemoryOf(large.get()).arena_bytes);
  CountingAllocator counter;
  const octet_allocator allocator = counter.get();
  octet_arena* arena = nullptr;
  ASSERT_EQ(octet_arena_create(bytes, &allocator, &arena), OCTET_OK);
  {
    SessionOptions options;
    ASSERT_EQ(octet_session_options_set_shared_arena(options.get(), arena), OCTET_OK);
    Session a(small.get(), options.get()), b(large.get(), options.get());
    ASSERT_EQ(a.status(), OCTET_OK) << octet_last_error();
    ASSERT_EQ(b.status(), OCTET_OK) << octet_last_error();
    Session own_a(small.get()), own_b(large.get());
    for (uint32_t seed = 0; seed < 3; ++seed) {
      EXPECT_EQ(RunSession(small.get(), a.get(), seed), RunSession(small.get(), own_a.get(), seed));
      EXPECT_EQ(RunSession(large.get(), b.get(), seed), RunSession(large.get(), own_b.get(), seed));
    }
    // Inputs that another session has overwritten are no inputs.
    const std::vector<Bytes> inputs = SampleInputs(small.get(), 7);
    ASSERT_EQ(octet_session_set_input(a.get(), 0, inputs[0].data(), inputs[0].size()), OCTET_OK);
    RunSession(large.get(), b.get(), 1);
    EXPECT_EQ(octet_session_run(a.get()), OCTET_RUN_ERROR);
  }
  octet_arena_destroy(arena);
  EXPECT_EQ(counter.blocks(), 0u);
}

TEST(SharedArena, MustBeLargeEnough) {
  const LoadedModel model(WriteGraph(SampleGraph(8)));
  const size_t bytes = MemoryOf(model.get()).arena_bytes;
  octet_arena* arena = nullptr;
  EXPECT_EQ(octet_arena_create(0, nullptr, &arena), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(octet_arena_create(bytes, nullptr, nullptr), OCTET_INVALID_ARGUMENT);
  ASSERT_EQ(octet_arena_create(bytes - 1, nullptr, &arena), OCTET_OK);
  SessionOptions options;
  ASSERT_EQ(octet_session_options_set_shared_arena(options.get(), arena), OCTET_OK);
  Session session(model.get(), options.get());
  EXPECT_EQ(session.status(), OCTET_OUT_OF_MEMORY);
  octet_arena_destroy(arena);
  octet_arena_destroy(nullptr);
}

}  // namespace
}  // namespace octet::test
