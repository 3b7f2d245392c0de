// Splitting the work of a run over threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

struct pthreadpool;

namespace octet {

// The threads of one session: a leader, which calls Lead and does everything that is not split, and
// helpers. The leader publishes a task, which is cut into chunks, and all of them claim chunks: the
// leader from the front, helpers from the back, so that from step to step each stays with about the
// same rows. The leader waits for no helper but one that is at work on a chunk: helpers that sleep,
// come late or never make a run slower, not stuck. A helper that wakes on the leader's CPU moves to
// another (a pool's leaves it to the leader). Whether helpers are worth waking is measured: on a
// busy machine, or where steps are too small, runs go without them. Between tasks of a run helpers
// spin for a short while, then look in now and then; after a run they look out for another just as
// long, then sleep.
class Crew {
 public:
  // Slot 0 is the leader, others are helpers; each slot is one thread at a time.
  using Task = void (*)(void* context, size_t chunk, size_t slot);

  // Bytes to give to Start, 64-byte aligned.
  static size_t ThreadBytes(size_t count);
  // Makes count - 1 helpers; false if the system refuses, with none left behind.
  bool Start(size_t count, void* memory);
  // Or takes them from a pool, for the length of each run.
  void Use(pthreadpool* pool, size_t count);
  void Stop();

  // Calls body(context) in this thread, where Run may then be called.
  void Lead(void (*body)(void* context), void* context);

  // Whether this run goes without helpers.
  bool alone() const { return alone_; }
  // No helper has done anything in this run yet: they may still be waking up.
  bool waking() const { return waking_; }
  // Runs all chunks of a task. n < 65536.
  void Run(size_t n, Task task, void* context);

 private:
  // `cpus`: those that the thread may move to; null: it stays where it is.
  void Help(size_t slot, void* cpus);
  // A helper waits for another run, for a while.
  void LookOut() const;
  // Takes note of a run's time and decides about the next.
  void Learn(uint64_t time);
  // Claims one chunk and runs it; false if there is none.
  bool RunOne(bool leader, size_t slot);

  struct Helper;
  struct System;  // of helpers that are our own
  struct Region;  // of those from a pool
  static void* Main(void* helper);
  static void InPool(void* region, size_t index);

  // What helpers poll, in one cache line. The task's number, the first unclaimed chunk, the end of
  // the unclaimed chunks:
  alignas(64) std::atomic<uint64_t> claims_{0};
  std::atomic<Task> task_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<bool> led_{false};  // the leader is in its run
  std::atomic<bool> over_{true};
  std::atomic<int> leader_cpu_{-1};

  alignas(64) std::atomic<uint32_t> done_{0};  // chunks that helpers have finished

  // The leader's alone. Times of runs with and without helpers; now and then some runs try the
  // other way, less and less often while it is no better.
  alignas(64) bool alone_ = false;
  bool waking_ = false;
  bool stalled_ = false;  // a helper lost its CPU over a chunk
  bool prefer_alone_ = false, trying_ = false;
  uint32_t left_ = 2, period_ = 8;  // runs until the other way is tried; until it was tried
  uint64_t time_[2] = {};           // with helpers, alone
  size_t count_ = 1;
  pthreadpool* pool_ = nullptr;
  System* system_ = nullptr;
};

// A view of a crew for the length of one run. Cheap to copy.
struct Threads {
  Crew* crew = nullptr;
  size_t count = 1;  // how many threads may run, the caller's included; 1 without a crew

  // Cuts [0, items) into contiguous chunks of at least `grain` items (fewer while helpers wake up),
  // more chunks than threads where there is enough, and calls f(slot, begin, end) for each;
  // slot < count picks the scratch.
  template <class F>
  void slices(size_t items, size_t grain, const F& f) const {
    size_t n = grain > 0 ? items / grain : items;
    // Small chunks leave work for helpers that come late.
    if (n > kChunks * count || (n > 1 && crew != nullptr && crew->waking())) n = kChunks * count;
    if (n > items) n = items;
    if (n <= 1 || count <= 1 || crew == nullptr || crew->alone()) {
      if (items > 0) f(size_t{0}, size_t{0}, items);
      return;
    }
    // All in one piece: a helper fetches it from the leader's cache.
    struct Call {
      F f;
      size_t items, n;
    } call{f, items, n};
    crew->Run(
        n,
        [](void* context, size_t i, size_t slot) {
          const Call& c = *static_cast<Call*>(context);
          c.f(slot, c.items * i / c.n, c.items * (i + 1) / c.n);
        },
        &call);
  }

  static constexpr size_t kChunks = 4;  // for each thread: the last ones even out
};

}  // namespace octet
