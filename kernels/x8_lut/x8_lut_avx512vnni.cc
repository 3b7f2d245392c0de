#include "kernels/common/vector_avx512.h"
#include "kernels/x8_lut/x8_lut.h"

namespace octet {
namespace {

struct Table {
  __m512i quarter[4];
};

OCTET_INLINE __m512i LookUp(const Table& t, __m512i x) {
  const __m512i low = _mm512_permutex2var_epi8(t.quarter[0], x, t.quarter[1]);
  const __m512i high = _mm512_permutex2var_epi8(t.quarter[2], x, t.quarter[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

}  // namespace

void X8LutAvx512Vnni(const uint8_t* input, size_t n, const uint8_t* table, uint8_t* output) {
  const Table t = {
      {LoadBytes(table), LoadBytes(table + 64), LoadBytes(table + 128), LoadBytes(table + 192)}};
  for (; n >= 2 * kBytes; n -= 2 * kBytes, input += 2 * kBytes, output += 2 * kBytes) {
    const __m512i x0 = LoadBytes(input), x1 = LoadBytes(input + kBytes);
    StoreBytes(output, LookUp(t, x0));
    StoreBytes(output + kBytes, LookUp(t, x1));
  }
  if (n >= kBytes) {
    StoreBytes(output, LookUp(t, LoadBytes(input)));
    n -= kBytes, input += kBytes, output += kBytes;
  }
  if (n > 0) StorePart(output, LookUp(t, LoadPart(input, n)), n);
}

}  // namespace octet
