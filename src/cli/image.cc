#include "src/cli/image.h"

#include <stb_image.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "src/cli/format.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

struct FreePixels {
  void operator()(uint8_t* pixels) const { stbi_image_free(pixels); }
};

// floor((i + 0.5) * in / out) in integers.
int64_t SourceIndex(int64_t i, int64_t in, int64_t out) {
  return std::min((2 * i + 1) * in / (2 * out), in - 1);
}

double Pick(const std::vector<double>& values, size_t channel, double otherwise) {
  if (values.empty()) return otherwise;
  return values.size() == 1 ? values[0] : values[channel];
}

// The stored value of a byte of channel c.
template <class T>
T Quantize(const TensorInfo& info, double real) {
  const double scaled = std::round(real / static_cast<double>(info.scale)) + info.zero_point;
  return static_cast<T>(std::clamp(scaled, static_cast<double>(std::numeric_limits<T>::min()),
                                   static_cast<double>(std::numeric_limits<T>::max())));
}

// What each of the 256 bytes of a channel becomes, as the tensor's elements.
std::vector<uint8_t> ByteTable(const TensorInfo& info, const ImageOptions& options, size_t channel,
                               const std::string& path) {
  const bool custom = !options.mean.empty() || !options.std.empty();
  const double mean = Pick(options.mean, channel, 0), std = Pick(options.std, channel, 1);
  std::vector<uint8_t> table(256 * TypeSize(info.type));
  for (int byte = 0; byte < 256; ++byte) {
    const double real = (byte - mean) / std;
    const size_t at = static_cast<size_t>(byte);
    switch (info.type) {
      case OCTET_UINT8:
        table[at] =
            custom && info.quantized() ? Quantize<uint8_t>(info, real) : static_cast<uint8_t>(byte);
        break;
      case OCTET_INT8: {
        const int8_t value = custom && info.quantized() ? Quantize<int8_t>(info, real)
                                                        : static_cast<int8_t>(byte - 128);
        std::memcpy(&table[at], &value, 1);
        break;
      }
      case OCTET_FLOAT32: {
        const float value = custom ? static_cast<float>(real) : static_cast<float>(byte) / 255.0f;
        std::memcpy(&table[at * 4], &value, 4);
        break;
      }
      default:
        Die(kExitUsage, "%s: a picture cannot become %s values; give raw bytes or an .npy file",
            path.c_str(), TypeName(info.type));
    }
  }
  return table;
}

}  // namespace

bool IsImageExtension(const std::string& extension) {
  for (const char* known : {".bmp", ".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm"}) {
    if (extension == known) return true;
  }
  return false;
}

std::vector<uint8_t> ReadImage(const std::string& path, const TensorInfo& info,
                               const ImageOptions& options) {
  const bool fits =
      info.rank == 4 && info.shape[0] == 1 && (info.shape[3] == 1 || info.shape[3] == 3);
  if (!fits) {
    Die(kExitUsage,
        "%s: a picture needs an input of shape [1, height, width, 1 or 3], but \"%s\" is %s",
        path.c_str(), info.name, ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str());
  }
  const int channels = info.shape[3];
  for (const std::vector<double>* values : {&options.mean, &options.std}) {
    if (values->size() > 1 && values->size() != static_cast<size_t>(channels)) {
      Die(kExitUsage, "--mean and --std take one value or one a channel, here %d", channels);
    }
  }
  if (std::count(options.std.begin(), options.std.end(), 0.0)) {
    Die(kExitUsage, "--std must not be 0");
  }
  const std::vector<uint8_t> file = ReadFile(path);
  if (file.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    Die(kExitUsage, "%s: too large for a picture", path.c_str());
  }
  int width = 0, height = 0, channels_in_file = 0;
  std::unique_ptr<uint8_t, FreePixels> pixels(stbi_load_from_memory(
      file.data(), static_cast<int>(file.size()), &width, &height, &channels_in_file, channels));
  if (!pixels) {
    Die(kExitUsage, "%s: cannot decode the picture: %s", path.c_str(), stbi_failure_reason());
  }
  const size_t element = TypeSize(info.type);
  std::vector<std::vector<uint8_t>> tables;
  for (int c = 0; c < channels; ++c) {
    tables.push_back(ByteTable(info, options, static_cast<size_t>(c), path));
  }
  std::vector<uint8_t> tensor(info.bytes);
  uint8_t* out = tensor.data();
  for (int32_t y = 0; y < info.shape[1]; ++y) {
    const uint8_t* row = pixels.get() + SourceIndex(y, height, info.shape[1]) * width * channels;
    for (int32_t x = 0; x < info.shape[2]; ++x) {
      const uint8_t* pixel = row + SourceIndex(x, width, info.shape[2]) * channels;
      for (int c = 0; c < channels; ++c, out += element) {
        std::memcpy(out, &tables[static_cast<size_t>(c)][pixel[c] * element], element);
      }
    }
  }
  return tensor;
}

}  // namespace octet::cli
