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

template <class E>
inline __attribute__((always_inline)) void Turn(const uint8_t* from, ptrdiff_t from_stride,
                                                uint8_t* to, ptrdiff_t to_stride, size_t rows,
                                                size_t columns, XxTransposeFn reference) {
  constexpr size_t kSide = 16 / E::kElement;
  const size_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  const auto in = [&](size_t r, size_t c) {
    return from + static_cast<ptrdiff_t>(r) * from_stride + c * E::kElement;
  };
  const auto out = [&](size_t r, size_t c) {
    return to + static_cast<ptrdiff_t>(c) * to_stride + r * E::kElement;
  };
  // Blocks of cache lines on both sides: a line is whole before it is left.
  constexpr size_t kLine = 4 * kSide;
  for (size_t r0 = 0; r0 < whole_rows; r0 += kLine) {
    const size_t r1 = whole_rows - r0 < kLine ? whole_rows : r0 + kLine;
    for (size_t c0 = 0; c0 < whole_columns; c0 += kLine) {
      const size_t c1 = whole_columns - c0 < kLine ? whole_columns : c0 + kLine;
      for (size_t c = c0; c < c1; c += kSide) {
        for (size_t r = r0; r < r1; r += kSide) {
          Tile<E>(in(r, c), from_stride, out(r, c), to_stride);
        }
      }
    }
  }
  if (whole_columns < columns) {
    reference(in(0, whole_columns), from_stride, out(0, whole_columns), to_stride, rows,
              columns - whole_columns);
  }
  if (whole_rows < rows) {
    reference(in(whole_rows, 0), from_stride, out(whole_rows, 0), to_stride, rows - whole_rows,
              whole_columns);
  }
}

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
