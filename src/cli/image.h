// Pictures as input tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/command.h"

namespace octet::cli {

struct ImageOptions {
  // Real value of a byte: (byte - mean) / std, one value or one a channel. Both empty: uint8 inputs
  // get the byte, int8 inputs byte - 128, float32 inputs byte / 255.
  std::vector<double> mean, std;
};

// Whether a file's ending (".png", lower case) is that of a picture we read.
bool IsImageExtension(const std::string& extension);

// A PGM, PPM, PNG, JPEG or BMP file as an NHWC tensor with a batch of 1 and 1 (luminance) or 3
// (RGB) channels: resized by nearest neighbour, source pixel floor((i + 0.5) * size_in / size_out).
std::vector<uint8_t> ReadImage(const std::string& path, const TensorInfo& info,
                               const ImageOptions& options);

}  // namespace octet::cli
