// A session's threads: every chunk once, slots never shared, whoever comes late or never.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
#endif

#include <gtest/gtest.h>

#include "src/base/threads.h"

#if OCTET_WITH_PTHREADPOOL

namespace octet {
namespace {

// Plain numbers on purpose: ThreadSanitizer sees whether the crew orders accesses to them.
struct Work {
  std::vector<int> done;                 // a count for each chunk
  std::vector<int> of_slot;              // a count for each slot
  std::vector<std::atomic<int>> inside;  // of each slot, now
  std::atomic<int> clashes{0};
  explicit Work(size_t slots) : of_slot(slots), inside(slots) {}
};

void Chunk(void* context, size_t chunk, size_t slot) {
  Work& w = *static_cast<Work*>(context);
  if (w.inside[slot].fetch_add(1) != 0) ++w.clashes;
  ++w.done[chunk];
  ++w.of_slot[slot];
  volatile int busy = 0;
  for (int i = 0; i < 50; ++i) busy = busy + i;
  w.inside[slot].fetch_sub(1);
}

struct Call {
  Crew* crew;
  Work* work;
  int tasks;
};

// A run of several tasks of changing size.
void Body(void* context) {
  const Call& call = *static_cast<Call*>(context);
  for (int t = 0; t < call.tasks; ++t) {
    const size_t n = 1 + static_cast<size_t>(t * 7 % 23);
    call.work->done.assign(n, 0);
    call.crew->Run(n, Chunk, call.work);
    EXPECT_EQ(call.work->done, std::vector<int>(n, 1)) << "task " << t;
  }
}

int Sum(const std::vector<int>& v) {
  int sum = 0;
  for (int x : v) sum += x;
  return sum;
}

void RunsAndTasks(Crew* crew, size_t count) {
  Work work(count);
  int chunks = 0;
  for (int run = 0; run < 60; ++run) {
    Call call{crew, &work, run % 10 == 9 ? 300 : run % 7};
    for (int t = 0; t < call.tasks; ++t) chunks += 1 + t * 7 % 23;
    crew->Lead(Body, &call);
  }
  EXPECT_EQ(work.clashes.load(), 0);
  EXPECT_EQ(Sum(work.of_slot), chunks);
}

TEST(Crew, ThreadsOfItsOwn) {
  for (size_t count : {2, 3, 8}) {
    std::unique_ptr<void, void (*)(void*)> memory(
        std::aligned_alloc(64, (Crew::ThreadBytes(count) + 63) / 64 * 64), std::free);
    Crew crew;
    ASSERT_TRUE(crew.Start(count, memory.get()));
    RunsAndTasks(&crew, count);
    crew.Stop();
  }
}

TEST(Crew, ThreadsOfAPool) {
  for (size_t count : {2, 3, 8}) {
    pthreadpool_t pool = pthreadpool_create(count);
    ASSERT_NE(pool, nullptr);
    Crew crew;
    crew.Use(pool, count);
    RunsAndTasks(&crew, count);
    crew.Stop();
    pthreadpool_destroy(pool);
  }
}

// A pool of one thread less than stated: the leader does it all.
TEST(Crew, NobodyComes) {
  pthreadpool_t pool = pthreadpool_create(1);
  ASSERT_NE(pool, nullptr);
  Crew crew;
  crew.Use(pool, 2);
  RunsAndTasks(&crew, 2);
  pthreadpool_destroy(pool);
}

TEST(Crew, StopsWithoutARun) {
  std::unique_ptr<void, void (*)(void*)> memory(
      std::aligned_alloc(64, (Crew::ThreadBytes(4) + 63) / 64 * 64), std::free);
  Crew crew, never;
  ASSERT_TRUE(crew.Start(4, memory.get()));
  crew.Stop();
  never.Stop();
}

}  // namespace
}  // namespace octet

#endif
