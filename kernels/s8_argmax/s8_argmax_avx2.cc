// Values become unsigned bytes whose order is reversed for the maximum, so that the best is always
// the smallest. A key is such a byte above its index: the smallest key is the answer.
#include "kernels/s8_argmax/s8_argmax.h"

#include <cstring>

#include "kernels/common/x86_intrinsics.h"

namespace octet {
namespace {

constexpr size_t kBlock = 16;

// 16 bytes; those at `end` and beyond are not read.
inline __attribute__((always_inline)) __m128i Load(const int8_t* p, const int8_t* end) {
  if (static_cast<size_t>(end - p) >= kBlock) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  alignas(16) int8_t block[kBlock] = {};
  std::memcpy(block, p, static_cast<size_t>(end - p));
  return _mm_load_si128(reinterpret_cast<const __m128i*>(block));
}

inline __m128i Iota() {
  return _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

inline __m128i Flip(ArgKind kind) {
  return _mm_set1_epi8(kind == ArgKind::kMax ? 0x7F : static_cast<char>(0x80));
}

inline __attribute__((always_inline)) __m128i SmallestKey(__m128i best, __m128i values,
                                                          __m128i index) {
  best = _mm_min_epu16(best, _mm_unpacklo_epi8(index, values));
  return _mm_min_epu16(best, _mm_unpackhi_epi8(index, values));
}

inline __attribute__((always_inline)) int32_t IndexOf(__m128i keys) {
  return _mm_cvtsi128_si32(_mm_minpos_epu16(keys)) & 0xFF;
}

// Up to 16 elements.
void ShortRows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors, int32_t* index) {
  const int8_t* const end = input + depth * vectors;
  const __m128i flip = Flip(kind), iota = Iota();
  const __m128i beyond = _mm_cmpgt_epi8(iota, _mm_set1_epi8(static_cast<char>(depth - 1)));
  for (size_t v = 0; v < vectors; ++v, input += depth) {
    const __m128i x = _mm_or_si128(_mm_xor_si128(Load(input, end), flip), beyond);
    index[v] = IndexOf(SmallestKey(_mm_set1_epi16(-1), x, iota));
  }
}

// 16 ... 256 elements: the last block overlaps the one before.
void MiddleRows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors, int32_t* index) {
  const int8_t* const end = input + depth * vectors;
  const __m128i flip = Flip(kind), iota = Iota();
  const size_t last = depth - kBlock;
  const __m128i last_iota = _mm_add_epi8(iota, _mm_set1_epi8(static_cast<char>(last)));
  for (size_t v = 0; v < vectors; ++v, input += depth) {
    __m128i best =
        SmallestKey(_mm_set1_epi16(-1), _mm_xor_si128(Load(input + last, end), flip), last_iota);
    __m128i at = iota;
    for (size_t i = 0; i < last; i += kBlock) {
      best = SmallestKey(best, _mm_xor_si128(Load(input + i, end), flip), at);
      at = _mm_add_epi8(at, _mm_set1_epi8(kBlock));
    }
    index[v] = IndexOf(best);
  }
}

// More than 256 elements: the best value, then where it is first.
int32_t LongRow(ArgKind kind, const int8_t* input, size_t depth) {
  const __m256i flip = _mm256_broadcastsi128_si256(Flip(kind));
  const auto load = [&](size_t i) {
    return _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(input + i)), flip);
  };
  const size_t last = depth - 32;
  __m256i smallest = load(last);
  for (size_t i = 0; i < last; i += 32) smallest = _mm256_min_epu8(smallest, load(i));
  __m128i best =
      _mm_min_epu8(_mm256_castsi256_si128(smallest), _mm256_extracti128_si256(smallest, 1));
  best = _mm_min_epu8(best, _mm_srli_epi16(best, 8));
  best = _mm_minpos_epu16(_mm_and_si128(best, _mm_set1_epi16(0xFF)));
  const __m256i all = _mm256_broadcastb_epi8(best);
  for (size_t i = 0; i < last; i += 32) {
    const uint32_t here =
        static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(i), all)));
    if (here != 0) return static_cast<int32_t>(i) + __builtin_ctz(here);
  }
  const uint32_t here =
      static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(last), all)));
  return static_cast<int32_t>(last) + __builtin_ctz(here);
}

}  // namespace

void S8ArgAvx2Rows(ArgKind kind, const int8_t* input, size_t depth, size_t vectors,
                   int32_t* index) {
  if (depth <= kBlock) return ShortRows(kind, input, depth, vectors, index);
  if (depth <= 256) return MiddleRows(kind, input, depth, vectors, index);
  for (size_t v = 0; v < vectors; ++v) index[v] = LongRow(kind, input + v * depth, depth);
}

void S8ArgAvx2Columns(ArgKind kind, const int8_t* input, size_t rows, size_t stride, size_t columns,
                      int32_t* index) {
  const int8_t* const end = input + (rows - 1) * stride + columns;
  // As signed bytes, the best being the largest.
  const __m128i flip = _mm_set1_epi8(kind == ArgKind::kMax ? 0 : -1);
  for (size_t c0 = 0; c0 < columns; c0 += kBlock) {
    const size_t n = columns - c0 < kBlock ? columns - c0 : kBlock;
    alignas(16) uint8_t where[kBlock];
    alignas(16) int8_t value[kBlock];
    int8_t best[kBlock];
    // Bands of rows whose indices fit a byte.
    for (size_t r0 = 0; r0 < rows; r0 += 256) {
      const size_t band = rows - r0 < 256 ? rows - r0 : 256;
      const int8_t* in = input + r0 * stride + c0;
      __m128i top = _mm_xor_si128(Load(in, end), flip);
      __m128i at = _mm_setzero_si128(), row = _mm_setzero_si128();
      for (size_t r = 1; r < band; ++r) {
        in += stride;
        row = _mm_sub_epi8(row, _mm_set1_epi8(-1));
        const __m128i x = _mm_xor_si128(Load(in, end), flip);
        at = _mm_blendv_epi8(at, row, _mm_cmpgt_epi8(x, top));
        top = _mm_max_epi8(top, x);
      }
      _mm_store_si128(reinterpret_cast<__m128i*>(where), at);
      _mm_store_si128(reinterpret_cast<__m128i*>(value), top);
      for (size_t c = 0; c < n; ++c) {
        if (r0 != 0 && value[c] <= best[c]) continue;
        best[c] = value[c];
        index[c0 + c] = static_cast<int32_t>(r0 + where[c]);
      }
    }
  }
}

}  // namespace octet
