#include <cstring>

#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {
namespace {

// Tiles of 16 x 16 keep both sides' lines in the first-level cache.
template <size_t kElement>
void Turn(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride, size_t rows,
          size_t columns) {
  constexpr size_t kTile = 16;
  for (size_t r0 = 0; r0 < rows; r0 += kTile) {
    const size_t r1 = rows - r0 < kTile ? rows : r0 + kTile;
    for (size_t c0 = 0; c0 < columns; c0 += kTile) {
      const size_t c1 = columns - c0 < kTile ? columns : c0 + kTile;
      for (size_t c = c0; c < c1; ++c) {
        uint8_t* out = to + static_cast<ptrdiff_t>(c) * to_stride;
        const uint8_t* in = from + c * kElement;
        for (size_t r = r0; r < r1; ++r) {
          std::memcpy(out + r * kElement, in + static_cast<ptrdiff_t>(r) * from_stride, kElement);
        }
      }
    }
  }
}

}  // namespace

void X8TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                    size_t rows, size_t columns) {
  Turn<1>(from, from_stride, to, to_stride, rows, columns);
}

void X16TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns) {
  Turn<2>(from, from_stride, to, to_stride, rows, columns);
}

void X32TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns) {
  Turn<4>(from, from_stride, to, to_stride, rows, columns);
}

void X64TransposeRef(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns) {
  Turn<8>(from, from_stride, to, to_stride, rows, columns);
}

}  // namespace octet
