#include "src/base/threads.h"

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
#endif

namespace octet {

void Threads::parallel(size_t n, void (*task)(void*, size_t), void* context) const {
#if OCTET_WITH_PTHREADPOOL
  if (pool != nullptr && n > 1) {
    // Workers sleep between parallel regions: no spinning by default.
    pthreadpool_parallelize_1d(pool, task, context, n, PTHREADPOOL_FLAG_YIELD_WORKERS);
    return;
  }
#endif
  for (size_t i = 0; i < n; ++i) task(context, i);
}

}  // namespace octet
