// Constants in fewer bytes (fb::Coding; docs/format.md).
#pragma once

#include <cstdint>
#include <vector>

namespace octet {

// As Coding::SPARSE has it.
struct Sparse {
  uint8_t fill = 0;
  std::vector<uint8_t> data;
};

// Constants are coded where that saves this share of their bytes.
constexpr double kMinSaving = 0.2;
// Compress::kAuto codes nothing for less than a page of the file.
constexpr uint64_t kMinSavedBytes = 4096;

// False, quickly, where it would not save that share.
bool EncodeSparse(const std::vector<uint8_t>& bytes, Sparse* sparse,
                  double min_saving = kMinSaving);

}  // namespace octet
