// Memory aligned to 64 bytes, for what the runtime and packs want aligned.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

namespace octet {

// Zeroed bytes at a 64-byte boundary, inside a vector that is 63 bytes longer.
class AlignedBlock {
 public:
  explicit AlignedBlock(size_t size) : storage_(size + 63), size_(size) {
    const uintptr_t at = reinterpret_cast<uintptr_t>(storage_.data());
    data_ = storage_.data() + (64 - at % 64) % 64;
  }
  AlignedBlock(const AlignedBlock&) = delete;
  AlignedBlock& operator=(const AlignedBlock&) = delete;
  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::vector<uint8_t> storage_;
  uint8_t* data_;
  size_t size_;
};

class AlignedCopy : public AlignedBlock {
 public:
  AlignedCopy(const void* bytes, size_t size) : AlignedBlock(size) {
    if (size > 0) std::memcpy(data(), bytes, size);
  }
};

}  // namespace octet
