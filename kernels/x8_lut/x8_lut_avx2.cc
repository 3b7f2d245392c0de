// pshufb looks up 16 entries, and gives 0 where the index has its highest bit set. With t[k] the
// k-th 16 entries and x going down by 16 a step,
//   x < 128:  t[0][x] ^ d[1][x - 16] ^ ... ^ d[7][x - 112] = t[x / 16][x],   d[k] = t[k] ^ t[k-1],
// since the indices of the steps beyond x / 16 are negative. For x >= 128 it is the first steps
// that have negative indices: they add up to t[m] ^ t[7] with m = x / 16 - 8, which d[8] ... d[15]
// make good for; their steps saturate, so that a negative index stays one.
#include "kernels/common/vector_avx2.h"
#include "kernels/x8_lut/x8_lut.h"

namespace octet {
namespace {

// Short inputs are looked up one by one: the 16 tables take longer.
constexpr size_t kFewBytes = 48;

struct Tables {
  __m256i d[16];
};

OCTET_INLINE __m256i Entries(const uint8_t* table, int k) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table) + k));
}

OCTET_INLINE Tables Differences(const uint8_t* table) {
  Tables t;
  __m256i e[16];
  for (int k = 0; k < 16; ++k) e[k] = Entries(table, k);
  t.d[0] = e[0];
  for (int k = 1; k < 16; ++k) {
    t.d[k] = _mm256_xor_si256(e[k], e[k - 1]);
    if (k > 8) t.d[k] = _mm256_xor_si256(t.d[k], _mm256_xor_si256(e[k - 8], e[k - 9]));
  }
  t.d[8] = _mm256_xor_si256(_mm256_xor_si256(e[8], e[0]), e[7]);
  return t;
}

OCTET_INLINE __m256i LookUp(const Tables& t, __m256i x) {
  const __m256i step = _mm256_set1_epi8(16);
  __m256i y = _mm256_shuffle_epi8(t.d[0], x);
  for (int k = 1; k < 16; ++k) {
    x = k <= 8 ? _mm256_sub_epi8(x, step) : _mm256_subs_epi8(x, step);
    y = _mm256_xor_si256(y, _mm256_shuffle_epi8(t.d[k], x));
  }
  return y;
}

// Is the table x ^ flip for some flip (uint8 to int8, most often)?
bool IsFlip(const uint8_t* table) {
  __m256i index = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
                                   19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
  index = _mm256_xor_si256(index, SetI8(table[0]));
  __m256i different = ZeroI();
  for (int i = 0; i < 256; i += 32) {
    const __m256i want = _mm256_xor_si256(index, SetI8(i));
    different = _mm256_or_si256(different, _mm256_xor_si256(want, LoadBytes(table + i)));
  }
  return _mm256_testz_si256(different, different) != 0;
}

}  // namespace

void X8LutAvx2(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output) {
  if (n < kFewBytes) {
    for (size_t i = 0; i < n; ++i) output[i] = table[input[i]];
    return;
  }
  if (IsFlip(table)) {
    const __m256i flip = SetI8(table[0]);
    for (; n >= kBytes; n -= kBytes, input += kBytes, output += kBytes) {
      StoreBytes(output, _mm256_xor_si256(LoadBytes(input), flip));
    }
    if (n > 0) StorePart(output, _mm256_xor_si256(LoadPart(input, n), flip), n);
    return;
  }
  const Tables t = Differences(table);
  for (; n >= 2 * kBytes; n -= 2 * kBytes, input += 2 * kBytes, output += 2 * kBytes) {
    const __m256i x0 = LoadBytes(input), x1 = LoadBytes(input + kBytes);
    StoreBytes(output, LookUp(t, x0));
    StoreBytes(output + kBytes, LookUp(t, x1));
  }
  while (n > 0) {
    const size_t part = n < kBytes ? n : kBytes;
    const __m256i x = part < kBytes ? LoadPart(input, part) : LoadBytes(input);
    if (part < kBytes) {
      StorePart(output, LookUp(t, x), part);
    } else {
      StoreBytes(output, LookUp(t, x));
    }
    n -= part, input += part, output += part;
  }
}

}  // namespace octet
