// Text for people: numbers, shapes, tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace octet::cli {

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
std::string
Format(const char* format, ...);

// "4096", "256K", "1M", "2GiB"; dies with kExitUsage on anything else. `option` is named then.
uint64_t ParseBytes(const std::string& text, const char* option);

// "1505280 bytes (1.44 MiB)".
std::string BytesText(uint64_t bytes);
// "300.8 M", three or four significant digits.
std::string CountText(uint64_t count);
// "int8", ...
const char* TypeName(int type);
size_t TypeSize(int type);
// "[1, 224, 224, 3]".
std::string ShapeText(const int32_t* shape, size_t rank);

// Nearest-rank percentile of sorted values; 0 where there are none.
double Percentile(const std::vector<double>& sorted, double percent);

// At most `width` bytes, "..." where something was cut off; never cuts a UTF-8 character in two.
std::string Shorten(const std::string& text, size_t width);

// Columns padded to their widest cell. The first row is the header; a column whose header begins
// with '>' (not printed) is aligned to the right.
std::string Table(std::vector<std::vector<std::string>> rows);

}  // namespace octet::cli
