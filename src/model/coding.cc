#include "src/model/coding.h"

#include <cstring>
#include <limits>

#include "src/base/little_endian.h"
#include "src/model/require.h"

namespace octet {
namespace {

Status Check(const Coded& c, uint64_t* file_bytes) {
  if (!c.coded()) return OCTET_OK;
  OCTET_REQUIRE(c.coding == fb::Coding::SPARSE, "unknown coding %d", static_cast<int>(c.coding));
  // A file's parts do not overlap, so that its size bounds the time spent on them.
  OCTET_REQUIRE(c.stored <= *file_bytes, "more coded bytes than the file has");
  *file_bytes -= c.stored;
  OCTET_REQUIRE(
      c.size > 0 && c.size <= std::numeric_limits<size_t>::max() / 2 && (c.size - 1) / 8 < c.stored,
      "%llu bytes have no place in a bitmap of %zu", static_cast<unsigned long long>(c.size),
      c.stored);
  const size_t bitmap = static_cast<size_t>((c.size + 7) / 8);
  size_t set = 0, i = 0;
  for (; i + 8 <= bitmap; i += 8)
    set += static_cast<size_t>(__builtin_popcountll(LoadLittleEndian64(c.data + i)));
  for (; i < bitmap; ++i) set += static_cast<size_t>(__builtin_popcount(c.data[i]));
  OCTET_REQUIRE(c.size % 8 == 0 || c.data[bitmap - 1] >> c.size % 8 == 0,
                "its bitmap has bits behind the last byte");
  OCTET_REQUIRE(set == c.stored - bitmap, "its bitmap asks for %zu bytes, %zu follow", set,
                c.stored - bitmap);
  return OCTET_OK;
}

}  // namespace

Status VerifyCoding(const fb::Model& file, size_t file_bytes) {
  uint64_t left = file_bytes;
  for (uint32_t i = 0; file.buffers() != nullptr && i < file.buffers()->size(); ++i) {
    if (Status s = Check(CodedOf(*file.buffers()->Get(i)), &left); s != OCTET_OK) {
      PrefixError("buffer %u: ", i);
      return s;
    }
  }
  for (uint32_t i = 0; file.packs() != nullptr && i < file.packs()->size(); ++i) {
    if (Status s = Check(CodedOf(*file.packs()->Get(i)), &left); s != OCTET_OK) {
      PrefixError("pack %u: ", i);
      return s;
    }
  }
  return OCTET_OK;
}

void Decode(const Coded& c, uint8_t* out) {
  const size_t size = static_cast<size_t>(c.size);
  const uint8_t* next = c.data + (size + 7) / 8;
  std::memset(out, c.fill, size);
  size_t i = 0;
  for (; i + 64 <= size; i += 64) {
    for (uint64_t bits = LoadLittleEndian64(c.data + i / 8); bits != 0; bits &= bits - 1) {
      out[i + static_cast<size_t>(__builtin_ctzll(bits))] = *next++;
    }
  }
  for (; i < size; ++i) {
    if ((c.data[i / 8] >> i % 8 & 1) != 0) out[i] = *next++;
  }
}

}  // namespace octet
