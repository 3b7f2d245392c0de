// Square tiles of 16 bytes a side: interleaving row i with row i + half, log2(rows) times, turns
// them. Edges go to the reference.
#include "kernels/common/x86_intrinsics.h"
#include "kernels/xx_transpose/xx_transpose.h"

namespace octet {
namespace {

struct Bytes1 {
  static constexpr size_t kElement = 1, kRounds = 4;
  static __m128i Low(__m128i a, __m128i b) { return _mm_unpacklo_epi8(a, b); }
  static __m128i High(__m128i a, __m128i b) { return _mm_unpackhi_epi8(a, b); }
};
struct Bytes2 {
  static constexpr size_t kElement = 2, kRounds = 3;
  static __m128i Low(__m128i a, __m128i b) { return _mm_unpacklo_epi16(a, b); }
  static __m128i High(__m128i a, __m128i b) { return _mm_unpackhi_epi16(a, b); }
};
struct Bytes4 {
  static constexpr size_t kElement = 4, kRounds = 2;
  static __m128i Low(__m128i a, __m128i b) { return _mm_unpacklo_epi32(a, b); }
  static __m128i High(__m128i a, __m128i b) { return _mm_unpackhi_epi32(a, b); }
};

template <class E>
inline __attribute__((always_inline)) void Tile(const uint8_t* from, ptrdiff_t from_stride,
                                                uint8_t* to, ptrdiff_t to_stride) {
  constexpr int kSide = 16 / E::kElement;
  __m128i x[kSide], y[kSide];
  for (int r = 0; r < kSide; ++r) {
    x[r] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + r * from_stride));
  }
  for (size_t round = 0; round < E::kRounds; ++round) {
    for (int i = 0; i < kSide / 2; ++i) {
      y[2 * i] = E::Low(x[i], x[i + kSide / 2]);
      y[2 * i + 1] = E::High(x[i], x[i + kSide / 2]);
    }
    for (int i = 0; i < kSide; ++i) x[i] = y[i];
  }
  for (int c = 0; c < kSide; ++c) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + c * to_stride), x[c]);
  }
}

#include "kernels/xx_transpose/xx_transpose_tiles.inc"

}  // namespace

void X8TransposeAvx2(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                     size_t rows, size_t columns) {
  Turn<Bytes1>(from, from_stride, to, to_stride, rows, columns, X8TransposeRef);
}

void X16TransposeAvx2(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                      size_t rows, size_t columns) {
  Turn<Bytes2>(from, from_stride, to, to_stride, rows, columns, X16TransposeRef);
}

void X32TransposeAvx2(const uint8_t* from, ptrdiff_t from_stride, uint8_t* to, ptrdiff_t to_stride,
                      size_t rows, size_t columns) {
  Turn<Bytes4>(from, from_stride, to, to_stride, rows, columns, X32TransposeRef);
}

}  // namespace octet
