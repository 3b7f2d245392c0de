// Reads the pictures of the digits demo.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet::demo {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // 0 ... 255, row by row
};

// A binary PGM file ("P5") of one byte a pixel. False, with the reason, for anything else.
bool ReadPgm(const std::string& path, Picture* picture, std::string* error);

}  // namespace octet::demo
