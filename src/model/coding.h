// Constants that a file stores smaller than they are (fb::Coding; docs/format.md).
#pragma once

#include "octet_generated.h"
#include "src/base/status.h"

namespace octet {

// The data of a Buffer or a PackedData, as stored.
struct Coded {
  fb::Coding coding = fb::Coding::PLAIN;
  uint8_t fill = 0;
  const uint8_t* data = nullptr;
  size_t stored = 0;  // bytes in the file
  uint64_t size = 0;  // bytes of the constant

  bool coded() const { return coding != fb::Coding::PLAIN; }
};

template <class Table>
Coded CodedOf(const Table& table) {
  Coded c;
  c.coding = table.coding();
  c.fill = table.fill();
  if (table.data() != nullptr) c.data = table.data()->data(), c.stored = table.data()->size();
  c.size = c.coded() ? table.size() : c.stored;
  return c;
}

// Checks everything that decoding relies on, of every buffer and pack. No constant is then larger
// than eight times the file, nor are all of them together.
Status VerifyCoding(const fb::Model& file, size_t file_bytes);

// Writes `size` bytes of a constant that is coded, VerifyCoding having passed.
void Decode(const Coded& coded, uint8_t* out);

}  // namespace octet
