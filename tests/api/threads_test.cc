// One model, many sessions, many threads; pools of the session's own and of the caller.
#include <thread>

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
#endif

#include "tests/api/fixture.h"

namespace octet::test {
namespace {

TEST(ApiThreads, SessionsOverOneModelRunAtTheSameTime) {
  const LoadedModel model(WriteGraph(SampleGraph(48)));
  ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
  constexpr uint32_t kSeeds = 4;
  std::vector<std::vector<Bytes>> wanted;
  {
    Session session(model.get());
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      wanted.push_back(RunSession(model.get(), session.get(), seed));
    }
  }
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      SessionOptions options;
      // Two of them with a pool of their own.
      octet_session_options_set_threads(options.get(), 1 + t % 2);
      Session session(model.get(), options.get());
      for (uint32_t run = 0; run < 2 * kSeeds; ++run) {
        const uint32_t seed = (run + static_cast<uint32_t>(t)) % kSeeds;
        equal[t] += RunSession(model.get(), session.get(), seed) == wanted[seed] ? 1 : 0;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (int n : equal) EXPECT_EQ(n, static_cast<int>(2 * kSeeds));
}

TEST(ApiThreads, ModelsLoadInAnyThread) {
  const Bytes file = WriteGraph(SampleGraph(8));
  std::vector<std::thread> threads;
  std::vector<std::vector<Bytes>> results(4);
  for (size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&, t] {
      const LoadedModel model(file);
      Session session(model.get());
      results[t] = RunSession(model.get(), session.get(), 7);
    });
  }
  for (std::thread& t : threads) t.join();
  for (const auto& result : results) EXPECT_EQ(result, results[0]);
}

TEST(ApiThreads, ErrorsBelongToTheirThread) {
  ASSERT_EQ(octet_session_run(nullptr), OCTET_INVALID_ARGUMENT);
  const std::string here = octet_last_error();
  std::string before = "?", after;
  std::thread([&] {
    before = octet_last_error();
    octet_model_load_file("/no/such/file", nullptr, nullptr);
    after = octet_last_error();
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_NE(after, "");
  EXPECT_EQ(octet_last_error(), here);
}

TEST(ApiThreads, AnyNumberOfThreadsGivesTheSameBytes) {
  for (int32_t side : {8, 48}) {
    const Bytes file = WriteGraph(SampleGraph(side));
    for (const char* isa : IsaNames()) {
      ModelOptions model_options;
      ASSERT_EQ(octet_model_options_set_isa(model_options.get(), isa), OCTET_OK);
      const LoadedModel model(file, model_options.get());
      ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
      std::vector<Bytes> wanted;
      for (size_t threads : {1, 2, 3, 7}) {
        SessionOptions options;
        ASSERT_EQ(octet_session_options_set_threads(options.get(), threads), OCTET_OK);
        Session session(model.get(), options.get());
        ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
        const std::vector<Bytes> got = RunSession(model.get(), session.get(), 2);
        if (wanted.empty()) wanted = got;
        EXPECT_EQ(got, wanted) << isa << ", " << threads << " threads";
      }
    }
  }
}

TEST(ApiThreads, CountsAreChecked) {
  SessionOptions options;
  EXPECT_EQ(octet_session_options_set_threads(options.get(), 0), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(octet_session_options_set_threads(options.get(), 1025), OCTET_INVALID_ARGUMENT);
  EXPECT_EQ(octet_session_options_set_threads(options.get(), 1024), OCTET_OK);
}

TEST(ApiThreads, CallersPool) {
  const LoadedModel model(WriteGraph(SampleGraph(48)));
  ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
  SessionOptions options;
#if OCTET_WITH_PTHREADPOOL
  Session alone(model.get());
  const std::vector<Bytes> wanted = RunSession(model.get(), alone.get(), 6);
  pthreadpool_t pool = pthreadpool_create(2);
  ASSERT_NE(pool, nullptr);
  ASSERT_EQ(octet_session_options_set_thread_pool(options.get(), pool), OCTET_OK);
  {
    // The arena has scratch for each of the pool's threads.
    SessionOptions two;
    ASSERT_EQ(octet_session_options_set_threads(two.get(), 2), OCTET_OK);
    EXPECT_EQ(MemoryOf(model.get(), options.get()).total_bytes,
              MemoryOf(model.get(), two.get()).total_bytes);
    // Two sessions may share a pool, one after the other or at the same time.
    Session first(model.get(), options.get()), second(model.get(), options.get());
    ASSERT_EQ(first.status(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(RunSession(model.get(), first.get(), 6), wanted);
    std::thread other([&] { EXPECT_EQ(RunSession(model.get(), second.get(), 6), wanted); });
    EXPECT_EQ(RunSession(model.get(), first.get(), 6), wanted);
    other.join();
  }
  pthreadpool_destroy(pool);
#else
  EXPECT_EQ(octet_session_options_set_thread_pool(options.get(), nullptr), OCTET_UNSUPPORTED);
#endif
}

}  // namespace
}  // namespace octet::test
