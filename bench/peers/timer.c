/* Times a function of one argument, the same way for every runtime: without an interpreter's
 * overhead, with fresh inputs before each call, which are not timed. */
#include <stdint.h>
#include <string.h>
#include <time.h>

struct copy {
  void* to;
  const void* from;
  uint64_t bytes;
};

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Calls f until `limit_ns` have passed or max_calls are done. Returns the number
 * of calls, their times in `ns`; minus the result of a call that failed. */
int64_t time_calls(int (*f)(void*), void* argument, const struct copy* inputs, uint64_t input_count,
                   uint64_t limit_ns, uint64_t max_calls, uint64_t* ns) {
  const uint64_t start = now();
  uint64_t n = 0;
  while (n < max_calls && (n == 0 || now() - start < limit_ns)) {
    for (uint64_t i = 0; i < input_count; ++i) {
      memcpy(inputs[i].to, inputs[i].from, inputs[i].bytes);
    }
    const uint64_t begin = now();
    const int status = f(argument);
    ns[n++] = now() - begin;
    if (status != 0) return -status;
  }
  return (int64_t)n;
}
