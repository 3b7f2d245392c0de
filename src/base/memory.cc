#include "src/base/memory.h"

#include <cstdlib>

namespace octet {

octet_allocator DefaultAllocator() {
  octet_allocator allocator = {};
  allocator.allocate = [](void*, size_t size, size_t alignment) -> void* {
    void* memory = nullptr;
    if (alignment < sizeof(void*)) alignment = sizeof(void*);
    return posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
  };
  allocator.release = [](void*, void* memory, size_t) { std::free(memory); };
  return allocator;
}

bool Block::allocate(const octet_allocator& allocator, size_t size) {
  reset();
  if (size == 0) return true;
  void* memory = allocator.allocate(allocator.context, size, kBlockAlignment);
  if (memory == nullptr) return false;
  allocator_ = allocator;
  data_ = static_cast<uint8_t*>(memory);
  size_ = size;
  return true;
}

void Block::reset() {
  if (data_ != nullptr) allocator_.release(allocator_.context, data_, size_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace octet
