// SHA-256 (FIPS 180-4), for the metadata's fingerprint of the source file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace octet {

// 64 lower-case hexadecimal digits.
std::string Sha256Hex(const uint8_t* data, size_t size);

}  // namespace octet
