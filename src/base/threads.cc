#include "src/base/threads.h"

#if OCTET_WITH_PTHREADPOOL
#include <pthread.h>
#include <pthreadpool.h>
#include <sched.h>

#include <ctime>
#include <new>
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OCTET_TSAN 1
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif
#endif

namespace octet {
namespace {

#if OCTET_WITH_PTHREADPOOL

// Crew::claims_.
constexpr uint64_t Claims(uint64_t task, uint64_t begin, uint64_t end) {
  return task << 32 | begin << 16 | end;
}
uint64_t TaskOf(uint64_t claims) { return claims >> 32; }
uint64_t BeginOf(uint64_t claims) { return claims >> 16 & 0xffff; }
uint64_t EndOf(uint64_t claims) { return claims & 0xffff; }

constexpr uint64_t kSpinNanoseconds = 50000;      // a helper between tasks, and after a run
constexpr uint64_t kGiveUpNanoseconds = 1000000;  // a helper whose leader does not come
constexpr uint64_t kStallNanoseconds = 50000;     // the leader, for a chunk
constexpr long kNapNanoseconds = 20000;
constexpr uint32_t kTrialRuns = 3;                       // of which the first does not count
constexpr uint32_t kFirstPeriod = 8, kLastPeriod = 128;  // runs between trials

uint64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
  __asm__ volatile("yield");
#endif
}

// Where this thread runs now; below 0: unknown.
int Cpu() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// The CPUs that a thread may run on.
struct Cpus {
#if defined(__linux__)
  cpu_set_t all, now;  // by others' will; as we have set them
  bool known;
  Cpus() : known(sched_getaffinity(0, sizeof all, &all) == 0) { now = all; }
#endif
};

// Takes the calling thread to another CPU than this; false if it may run nowhere else.
bool LeaveCpu(Cpus* cpus, int cpu) {
#if defined(__linux__)
  cpu_set_t set;
  if (!cpus->known || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof set, &set) != 0) {
    return false;
  }
  if (!CPU_EQUAL(&set, &cpus->now)) cpus->all = set;  // somebody has changed it
  set = cpus->all;
  CPU_CLR(cpu, &set);
  if (CPU_COUNT(&set) == 0 || sched_setaffinity(0, sizeof set, &set) != 0) return false;
  cpus->now = set;
  return true;
#else
  return false;
#endif
}

void Nap() {
  const timespec t = {0, kNapNanoseconds};
  nanosleep(&t, nullptr);
}

#endif

}  // namespace

#if OCTET_WITH_PTHREADPOOL

bool Crew::RunOne(bool leader, size_t slot) {
  uint64_t seen = claims_.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t begin = BeginOf(seen), end = EndOf(seen);
    if (begin >= end) return false;
    // These belong to `seen` if the exchange succeeds: they change only after every chunk of it is
    // claimed and done.
    const Task task = task_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const uint64_t wanted =
        leader ? Claims(TaskOf(seen), begin + 1, end) : Claims(TaskOf(seen), begin, end - 1);
    if (claims_.compare_exchange_weak(seen, wanted, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      task(context, static_cast<size_t>(leader ? begin : end - 1), slot);
      return true;
    }
  }
}

void Crew::Run(size_t n, Task task, void* context) {
  if (alone_) {
    for (size_t i = 0; i < n; ++i) task(context, i, 0);
    return;
  }
  task_.store(task, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const uint64_t last = claims_.load(std::memory_order_relaxed);
  const uint64_t begin = Now();
  claims_.store(Claims(TaskOf(last) + 1, 0, n), std::memory_order_release);
  uint32_t own = 0;
  while (RunOne(true, 0)) ++own;
  // The rest is at work.
  const uint32_t theirs = static_cast<uint32_t>(n) - own;
  if (theirs > 0) waking_ = false;
  if (done_.load(std::memory_order_acquire) == theirs) return;
  const uint64_t waiting = Now();
  for (uint32_t tries = 1; done_.load(std::memory_order_acquire) != theirs; ++tries) {
    tries % 128 != 0 ? Pause() : static_cast<void>(sched_yield());
  }
  const uint64_t waited = Now() - waiting;
  if (waited > kStallNanoseconds && waited > 4 * ((waiting - begin) / (own + 1))) {
    alone_ = stalled_ = true;
  }
}

void Crew::Help(size_t slot, void* cpus) {
  // The system likes to wake a thread where the one that wakes it runs, and may leave both there.
  const int cpu = Cpu();
  if (cpu >= 0 && cpu == leader_cpu_.load(std::memory_order_relaxed) &&
      (cpus == nullptr || !LeaveCpu(static_cast<Cpus*>(cpus), cpu))) {
    return;
  }
  uint64_t idle_since = Now();
  for (uint32_t tries = 1; !over_.load(std::memory_order_acquire); ++tries) {
    if (RunOne(false, slot)) {
      done_.fetch_add(1, std::memory_order_release);
      idle_since = 0;
      tries = 0;
      continue;
    }
    if (tries % 32 != 0) {
      Pause();
      continue;
    }
    const uint64_t now = Now();
    if (idle_since == 0) idle_since = now;
    const uint64_t idle = now - idle_since;
    if (idle > kGiveUpNanoseconds && !led_.load(std::memory_order_acquire)) return;
    // Others may want this CPU.
    if (idle > kSpinNanoseconds) {
      Nap();
      tries = 31;  // look at the clock again next time
    } else {
      sched_yield();
    }
  }
}

void Crew::LookOut() const {
  const uint64_t begin = Now();
  while (over_.load(std::memory_order_acquire) && Now() - begin < kSpinNanoseconds) {
    for (int i = 0; i < 16; ++i) Pause();
    sched_yield();
  }
}

struct Crew::Helper {
  Crew* crew;
  size_t slot;
  pthread_t thread;
};

struct Crew::System {
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  uint64_t runs;  // under the mutex, like quit
  bool quit;
  size_t started;

  Helper* helpers() { return reinterpret_cast<Helper*>(this + 1); }
};

size_t Crew::ThreadBytes(size_t count) { return sizeof(System) + (count - 1) * sizeof(Helper); }

void* Crew::Main(void* argument) {
  const Helper& helper = *static_cast<Helper*>(argument);
  System& system = *helper.crew->system_;
  Cpus cpus;
  uint64_t seen = 0;
  for (;;) {
    pthread_mutex_lock(&system.mutex);
    while (!system.quit && system.runs == seen) pthread_cond_wait(&system.wake, &system.mutex);
    seen = system.runs;
    const bool quit = system.quit;
    pthread_mutex_unlock(&system.mutex);
    if (quit) return nullptr;
    helper.crew->Help(helper.slot, &cpus);
    helper.crew->LookOut();
  }
}

bool Crew::Start(size_t count, void* memory) {
  System* const system = new (memory) System();
  if (pthread_mutex_init(&system->mutex, nullptr) != 0) return false;
  if (pthread_cond_init(&system->wake, nullptr) != 0) {
    pthread_mutex_destroy(&system->mutex);
    return false;
  }
  count_ = count;
  system_ = system;
  for (; system->started < count - 1; ++system->started) {
    Helper* const helper =
        new (&system->helpers()[system->started]) Helper{this, system->started + 1, {}};
    if (pthread_create(&helper->thread, nullptr, Main, helper) != 0) {
      Stop();
      return false;
    }
  }
  return true;
}

void Crew::Use(pthreadpool* pool, size_t count) {
  pool_ = pool;
  count_ = count;
}

void Crew::Stop() {
  if (system_ == nullptr) return;
  pthread_mutex_lock(&system_->mutex);
  system_->quit = true;
  pthread_cond_broadcast(&system_->wake);
  pthread_mutex_unlock(&system_->mutex);
  for (size_t i = 0; i < system_->started; ++i) pthread_join(system_->helpers()[i].thread, nullptr);
  pthread_cond_destroy(&system_->wake);
  pthread_mutex_destroy(&system_->mutex);
  system_ = nullptr;
}

// A run over a pool, whose library may give the indices of its range to any thread, also several to
// one: the caller leads when it gets its first, others help, and if the caller gets none it leads
// afterwards, alone.
struct Crew::Region {
  Crew* crew;
  void (*body)(void* context);
  void* context;
  pthread_t leader;
  bool led;
  std::atomic<size_t> helpers;
  // ThreadSanitizer does not see into the pool's library: it has to be told that tasks begin after
  // the call that hands them over and end before it returns.
  char begin, end;
};

void Crew::InPool(void* argument, size_t) {
  Region& r = *static_cast<Region*>(argument);
#if OCTET_TSAN
  __tsan_acquire(&r.begin);
#endif
  if (pthread_equal(pthread_self(), r.leader)) {
    if (!r.led) {
      r.led = true;
      r.crew->led_.store(true, std::memory_order_release);
      r.body(r.context);
      r.crew->over_.store(true, std::memory_order_release);
    }
  } else {
    const size_t slot = r.helpers.fetch_add(1) + 1;
    if (slot < r.crew->count_) r.crew->Help(slot, nullptr);
  }
#if OCTET_TSAN
  __tsan_release(&r.end);
#endif
}

void Crew::Lead(void (*body)(void* context), void* context) {
  alone_ = trying_ != prefer_alone_;
  stalled_ = false;
  waking_ = true;
  const uint64_t begin = Now();
  if (alone_) {
    body(context);
    return Learn(Now() - begin);
  }
  leader_cpu_.store(Cpu(), std::memory_order_relaxed);
  led_.store(pool_ == nullptr, std::memory_order_release);
  over_.store(false, std::memory_order_release);
  if (pool_ == nullptr) {
    pthread_mutex_lock(&system_->mutex);
    ++system_->runs;
    pthread_cond_broadcast(&system_->wake);
    pthread_mutex_unlock(&system_->mutex);
    body(context);
    over_.store(true, std::memory_order_release);
  } else {
    Region region = {this, body, context, pthread_self(), false, {}, 0, 0};
#if OCTET_TSAN
    __tsan_release(&region.begin);
#endif
    pthreadpool_parallelize_1d(pool_, InPool, &region, count_, PTHREADPOOL_FLAG_YIELD_WORKERS);
#if OCTET_TSAN
    __tsan_acquire(&region.end);
#endif
    if (!region.led) body(context);
  }
  Learn(Now() - begin);
}

void Crew::Learn(uint64_t time) {
  // Helpers must be better on the average than the leader alone at its best: on a busy machine
  // times scatter.
  const bool alone = trying_ != prefer_alone_;
  uint64_t& mine = time_[alone ? 1 : 0];
  if (trying_ && left_ == kTrialRuns) {
    // Helpers wake up, or caches have been theirs.
  } else if (mine == 0 || (trying_ && left_ == kTrialRuns - 1)) {
    mine = time;
  } else if (alone) {
    mine += mine / 64;
    mine = time < mine ? time : mine;
  } else {
    mine = mine - mine / 4 + time / 4;
  }
  if (stalled_ && !trying_) left_ = 1;
  if (--left_ > 0) return;
  if (!trying_) {
    trying_ = true;
    left_ = kTrialRuns;
    return;
  }
  trying_ = false;
  const uint64_t kept = time_[prefer_alone_ ? 1 : 0];
  if (mine < kept - kept / 32) {
    prefer_alone_ = !prefer_alone_;
    period_ = kFirstPeriod;
  } else if (period_ < kLastPeriod) {
    period_ *= 2;
  }
  left_ = period_;
}

#else

void Crew::Run(size_t n, Task task, void* context) {
  for (size_t i = 0; i < n; ++i) task(context, i, 0);
}
size_t Crew::ThreadBytes(size_t) { return 0; }
bool Crew::Start(size_t, void*) { return false; }
void Crew::Use(pthreadpool*, size_t) {}
void Crew::Stop() {}
void Crew::Lead(void (*body)(void* context), void* context) { body(context); }

#endif

}  // namespace octet
