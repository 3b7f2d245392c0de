// Source of the formulas: TensorFlow Lite's reference ResizeBilinearInteger (int8, int16) and
// ResizeBilinear (uint8, float32).
#include "kernels/resize_bilinear/resize_bilinear.h"

namespace octet {
namespace {

// Sum holds |value| * 2^20: 32 bits for int8, 64 for int16.
template <class T, class Sum>
void Integer(const ResizeBilinearRow& row) {
  const T* above = static_cast<const T*>(row.above);
  const T* below = static_cast<const T*>(row.below);
  T* out = static_cast<T*>(row.output);
  const int32_t y = row.weight.fixed;
  for (size_t i = 0; i < row.width; ++i) {
    const ResizeColumn& column = row.columns[i];
    const int32_t x = column.weight.fixed;
    const Sum w00 = (1024 - y) * (1024 - x), w10 = y * (1024 - x);
    const Sum w01 = (1024 - y) * x, w11 = y * x;
    const T* a0 = above + column.left;
    const T* a1 = above + column.right;
    const T* b0 = below + column.left;
    const T* b1 = below + column.right;
    for (size_t c = 0; c < row.channels; ++c) {
      const Sum sum = a0[c] * w00 + b0[c] * w10 + a1[c] * w01 + b1[c] * w11;
      out[c] = static_cast<T>((sum + (sum > 0 ? (1 << 19) : -(1 << 19))) / (1 << 20));
    }
    out += row.channels;
  }
}

// Products and sums are in the reference's order: float rounding depends on it.
inline float Mix(float a0, float b0, float a1, float b1, float x, float y) {
  return a0 * (1 - y) * (1 - x) + b0 * y * (1 - x) + a1 * (1 - y) * x + b1 * y * x;
}

}  // namespace

void S8ResizeBilinearRef(const ResizeBilinearRow& row) { Integer<int8_t, int32_t>(row); }
void S16ResizeBilinearRef(const ResizeBilinearRow& row) { Integer<int16_t, int64_t>(row); }

void U8ResizeBilinearRef(const ResizeBilinearRow& row) {
  const int8_t* above = static_cast<const int8_t*>(row.above);
  const int8_t* below = static_cast<const int8_t*>(row.below);
  int8_t* out = static_cast<int8_t*>(row.output);
  const auto u8 = [](int8_t v) { return static_cast<float>(v + 128); };
  for (size_t i = 0; i < row.width; ++i) {
    const ResizeColumn& column = row.columns[i];
    for (size_t c = 0; c < row.channels; ++c) {
      const size_t left = column.left + c, right = column.right + c;
      const float mix = Mix(u8(above[left]), u8(below[left]), u8(above[right]), u8(below[right]),
                            column.weight.real, row.weight.real);
      *out++ = static_cast<int8_t>(static_cast<int32_t>(mix + 0.5f) - 128);
    }
  }
}

void F32ResizeBilinearRef(const ResizeBilinearRow& row) {
  const float* above = static_cast<const float*>(row.above);
  const float* below = static_cast<const float*>(row.below);
  float* out = static_cast<float*>(row.output);
  for (size_t i = 0; i < row.width; ++i) {
    const ResizeColumn& column = row.columns[i];
    for (size_t c = 0; c < row.channels; ++c) {
      const size_t left = column.left + c, right = column.right + c;
      *out++ = Mix(above[left], below[left], above[right], below[right], column.weight.real,
                   row.weight.real);
    }
  }
}

}  // namespace octet
