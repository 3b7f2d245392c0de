// Counts every allocation and release of the process, whichever code makes it.
#pragma once

#include <cstdint>

namespace octet::test {

// Calls of malloc, calloc, realloc, memalign, aligned_alloc, posix_memalign and free so far, in any
// thread; always 0 where `CountsAllocations` is false (a sanitizer other than ours is in the way).
uint64_t AllocationCalls();
bool CountsAllocations();
// A sanitizer allocates in each thread as it starts, at a time of its own.
bool ThreadsAllocate();

}  // namespace octet::test
