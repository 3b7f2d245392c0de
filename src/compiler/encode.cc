#include "src/compiler/encode.h"

#include <algorithm>

namespace octet {

bool EncodeSparse(const std::vector<uint8_t>& bytes, Sparse* sparse, double min_saving) {
  size_t counts[256] = {};
  for (const uint8_t byte : bytes) ++counts[byte];
  const size_t* most = std::max_element(counts, counts + 256);
  const size_t bitmap = (bytes.size() + 7) / 8;
  const size_t stored = bitmap + bytes.size() - *most;
  if (static_cast<double>(stored) > (1 - min_saving) * static_cast<double>(bytes.size()) ||
      bytes.empty()) {
    return false;
  }
  sparse->fill = static_cast<uint8_t>(most - counts);
  sparse->data.assign(bitmap, 0);
  sparse->data.reserve(stored);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == sparse->fill) continue;
    sparse->data[i / 8] = static_cast<uint8_t>(sparse->data[i / 8] | 1u << i % 8);
    sparse->data.push_back(bytes[i]);
  }
  return true;
}

}  // namespace octet
