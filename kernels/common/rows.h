// Row pointers: how kernels see a tensor, be it whole, a band or a ring buffer.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

template <class T>
struct Rows {
  T* base = nullptr;
  size_t stride = 0;  // elements between stored rows
  int32_t ring = 0;   // 0: row y is at y * stride; else at (y mod ring) * stride

  T* row(int32_t y) const { return base + static_cast<size_t>(ring > 0 ? y % ring : y) * stride; }
  // How many rows from y on lie one behind the other (at least 1).
  int32_t contiguous(int32_t y, int32_t wanted) const {
    if (ring <= 0) return wanted;
    int32_t left = ring - y % ring;
    return left < wanted ? left : wanted;
  }
};

}  // namespace octet
