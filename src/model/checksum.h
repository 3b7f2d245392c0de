// The content checksum of a .octet file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

// The file's last 16 bytes: kTrailerMagic and the checksum of all bytes before the trailer.
constexpr size_t kTrailerBytes = 16;
constexpr char kTrailerMagic[8] = {'O', 'C', 'T', 'S', 'U', 'M', '1', '\0'};

// Eight lanes of h = (h ^ word) * odd over little-endian 64-bit words, then mixed: no single
// changed word goes unnoticed (each step is a bijection), and eight chains hide the multiplier's
// latency. It finds damage; it is no protection against an attacker, nor does anything rely on it.
uint64_t Checksum(const uint8_t* data, size_t size);

}  // namespace octet
