#include "src/base/threads.h"

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
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

#if OCTET_WITH_PTHREADPOOL && OCTET_TSAN
// ThreadSanitizer does not see into the pool's library: it has to be told that tasks begin after
// the call that hands them over and end before it returns.
struct Watched {
  void (*task)(void* context, size_t i);
  void* context;
  char begin, end;
};

void RunWatched(void* context, size_t i) {
  Watched& w = *static_cast<Watched*>(context);
  __tsan_acquire(&w.begin);
  w.task(w.context, i);
  __tsan_release(&w.end);
}
#endif

}  // namespace

void Threads::parallel(size_t n, void (*task)(void*, size_t), void* context) const {
#if OCTET_WITH_PTHREADPOOL
  if (pool != nullptr && n > 1) {
#if OCTET_TSAN
    Watched watched{task, context, 0, 0};
    __tsan_release(&watched.begin);
    pthreadpool_parallelize_1d(pool, RunWatched, &watched, n, PTHREADPOOL_FLAG_YIELD_WORKERS);
    __tsan_acquire(&watched.end);
    return;
#endif
    // Workers sleep between parallel regions: no spinning by default.
    pthreadpool_parallelize_1d(pool, task, context, n, PTHREADPOOL_FLAG_YIELD_WORKERS);
    return;
  }
#endif
  for (size_t i = 0; i < n; ++i) task(context, i);
}

}  // namespace octet
