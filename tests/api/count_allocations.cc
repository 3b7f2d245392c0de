#include "tests/api/count_allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {
std::atomic<uint64_t> calls{0};
}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // gcc's names
#define OCTET_TEST_SANITIZER_HOOKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OCTET_TEST_SANITIZER_HOOKS 1
#endif
#endif

extern "C" {
#if OCTET_TEST_SANITIZER_HOOKS
// The sanitizers own malloc and call these.
void __sanitizer_malloc_hook(const volatile void*, size_t) { ++calls; }
void __sanitizer_free_hook(const volatile void*) { ++calls; }
#elif defined(__GLIBC__)
// The executable's own definitions come before libc's.
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

#define OCTET_TEST_EXPORT __attribute__((visibility("default")))
OCTET_TEST_EXPORT void* malloc(size_t size) {
  ++calls;
  return __libc_malloc(size);
}
OCTET_TEST_EXPORT void* calloc(size_t n, size_t size) {
  ++calls;
  return __libc_calloc(n, size);
}
OCTET_TEST_EXPORT void* realloc(void* memory, size_t size) {
  ++calls;
  return __libc_realloc(memory, size);
}
OCTET_TEST_EXPORT void* memalign(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}
OCTET_TEST_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  ++calls;
  return __libc_memalign(alignment, size);
}
OCTET_TEST_EXPORT int posix_memalign(void** memory, size_t alignment, size_t size) {
  ++calls;
  *memory = __libc_memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
OCTET_TEST_EXPORT void free(void* memory) {
  ++calls;
  __libc_free(memory);
}
#endif
}  // extern "C"

namespace octet::test {

uint64_t AllocationCalls() { return calls; }

bool ThreadsAllocate() {
#if OCTET_TEST_SANITIZER_HOOKS
  return true;
#else
  return false;
#endif
}

bool CountsAllocations() {
  const uint64_t before = calls;
  // Through volatile pointers, since a compiler may drop a pair of calls that nobody looks at.
  int* volatile probe = new int(1);
  delete probe;
  return calls != before;
}

}  // namespace octet::test
