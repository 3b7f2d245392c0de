#include "src/demo/pgm.h"

#include <cctype>
#include <fstream>
#include <iterator>

namespace octet::demo {

bool ReadPgm(const std::string& path, Picture* picture, std::string* error) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open()) {
    *error = path + ": cannot be read";
    return false;
  }
  size_t at = 2;
  // The next number of the header; comments begin with '#' and end with the line. -1: none.
  const auto number = [&]() -> int {
    while (at < bytes.size() &&
           (std::isspace(static_cast<unsigned char>(bytes[at])) || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
    int value = -1;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
      value = (value < 0 ? 0 : value * 10) + (bytes[at] - '0');
      if (value > 65535) return -1;
    }
    return value;
  };
  const int width = number(), height = number(), most = number();
  ++at;  // one space
  const bool fits = bytes.compare(0, 2, "P5") == 0 && width > 0 && height > 0 && most == 255 &&
                    at <= bytes.size() &&
                    bytes.size() - at >= static_cast<size_t>(width) * static_cast<size_t>(height);
  if (!fits) {
    *error = path + ": not a binary PGM picture of one byte a pixel";
    return false;
  }
  picture->width = width;
  picture->height = height;
  const size_t count = static_cast<size_t>(width) * static_cast<size_t>(height);
  picture->pixels.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
  return true;
}

}  // namespace octet::demo
