// Memory through the caller's allocator.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octet/octet.h"

namespace octet {

constexpr size_t kBlockAlignment = 64;

constexpr size_t AlignUp(size_t n, size_t alignment) {
  return (n + alignment - 1) / alignment * alignment;
}

octet_allocator DefaultAllocator();

// An owned block. Movable by swap only; released on destruction.
class Block {
 public:
  Block() = default;
  ~Block() { reset(); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // False if the allocator has none. Zero bytes succeed without a block.
  bool allocate(const octet_allocator& allocator, size_t size);
  void reset();
  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  octet_allocator allocator_ = {};
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Lays out pieces of one block: call take() for each piece with a null base to learn the size, then
// again with the real base. Overflow is the caller's concern: sizes come from checked models.
class Carver {
 public:
  explicit Carver(uint8_t* base) : base_(base) {}
  template <class T>
  T* take(size_t count, size_t alignment = alignof(T)) {
    offset_ = AlignUp(offset_, alignment);
    T* result = base_ != nullptr ? reinterpret_cast<T*>(base_ + offset_) : nullptr;
    offset_ += count * sizeof(T);
    return result;
  }
  size_t size() const { return offset_; }

 private:
  uint8_t* base_;
  size_t offset_ = 0;
};

}  // namespace octet
