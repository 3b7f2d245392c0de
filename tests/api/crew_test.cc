// A session's threads: every chunk once, slots never shared, whoever comes late or never.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#if OCTET_WITH_PTHREADPOOL
#include <pthread.h>
#include <pthreadpool.h>
#include <sched.h>
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

#if defined(__linux__)
struct Masks {
  cpu_set_t all;
  int leader;  // its only CPU
  std::atomic<int> others{0}, wrong{0};
};

// Helpers run on the CPUs that they were given, all or all but the leader's.
void CheckMask(void* context, size_t, size_t slot) {
  Masks& m = *static_cast<Masks*>(context);
  if (slot == 0) return;
  cpu_set_t mask, fewer = m.all;
  CPU_CLR(m.leader, &fewer);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return;
  ++m.others;
  const bool right = CPU_EQUAL(&mask, &m.all) || CPU_EQUAL(&mask, &fewer);
  if (!right || CPU_COUNT(&mask) == 0) ++m.wrong;
}

TEST(Crew, HelpersStayOnTheirCpus) {
  Masks m;
  if (sched_getaffinity(0, sizeof m.all, &m.all) != 0) GTEST_SKIP() << "no affinities here";
  const cpu_set_t before = m.all;
  for (const bool pinned : {false, true}) {
    for (m.leader = 0; !CPU_ISSET(m.leader, &before); ++m.leader) {
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(m.leader, &one);
    if (pinned) {  // everything on one CPU: helpers have nowhere to go
      ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
      m.all = one;
    }
    std::unique_ptr<void, void (*)(void*)> memory(
        std::aligned_alloc(64, (Crew::ThreadBytes(3) + 63) / 64 * 64), std::free);
    Crew crew;
    ASSERT_TRUE(crew.Start(3, memory.get()));
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    struct Lead {
      Crew* crew;
      Masks* masks;
    } lead{&crew, &m};
    for (int run = 0; run < 50; ++run) {
      const auto body = [](void* context) {
        const Lead& c = *static_cast<Lead*>(context);
        for (int t = 0; t < 200; ++t) c.crew->Run(8, CheckMask, c.masks);
      };
      crew.Lead(body, &lead);
      if (run % 5 == 0) sched_yield();
    }
    crew.Stop();
    EXPECT_EQ(m.wrong.load(), 0) << "of " << m.others.load();
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  }
}
#endif

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
