// Splitting work over a thread pool, or running it here where there is none.
#pragma once

#include <cstddef>

struct pthreadpool;

namespace octet {

// A view of a pool for the length of one run. Cheap to copy.
struct Threads {
  pthreadpool* pool = nullptr;
  size_t count = 1;  // how many threads may run, the caller's included; 1 without a pool

  // Calls task(context, i) for i in [0, n), in any order and in parallel. Allocates nothing.
  void parallel(size_t n, void (*task)(void* context, size_t i), void* context) const;

  // Splits [0, items) into at most `count` contiguous slices of at least `grain` items and calls
  // f(slice index, begin, end) for each; slice index < count picks the scratch.
  template <class F>
  void slices(size_t items, size_t grain, const F& f) const {
    size_t n = grain > 0 ? items / grain : items;
    if (n > count) n = count;
    if (n <= 1) {
      if (items > 0) f(size_t{0}, size_t{0}, items);
      return;
    }
    struct Call {
      const F* f;
      size_t items, n;
    } call{&f, items, n};
    parallel(
        n,
        [](void* context, size_t i) {
          const Call& c = *static_cast<Call*>(context);
          (*c.f)(i, c.items * i / c.n, c.items * (i + 1) / c.n);
        },
        &call);
  }
};

}  // namespace octet
