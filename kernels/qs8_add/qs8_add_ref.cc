#include "kernels/qs8_add/qs8_add.h"

namespace octet {
namespace {

template <class T>
void Run(size_t n, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
         const AddParams& p) {
  const int32_t unit = 1 << p.left;
  for (size_t i = 0; i < n; ++i) {
    const int32_t x = Requantize((a[i * a_step] - p.a_zero) * unit, p.a);
    const int32_t y = Requantize((b[i * b_step] - p.b_zero) * unit, p.b);
    const int32_t sum = Requantize(p.subtract ? x - y : x + y, p.out);
    out[i] = static_cast<T>(Clamp(sum + p.out_zero, p.low, p.high));
  }
}

}  // namespace

void Qs8AddRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void* params) {
  Run(n, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step,
      static_cast<int8_t*>(out), *static_cast<const AddParams*>(params));
}

void Qs16AddRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params) {
  Run(n, static_cast<const int16_t*>(a), a_step, static_cast<const int16_t*>(b), b_step,
      static_cast<int16_t*>(out), *static_cast<const AddParams*>(params));
}

}  // namespace octet
