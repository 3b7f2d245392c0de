#include "kernels/qs8_mul/qs8_mul.h"

namespace octet {
namespace {

template <class T>
void Run(size_t n, const T* a, size_t a_step, const T* b, size_t b_step, T* out,
         const MulParams& p) {
  for (size_t i = 0; i < n; ++i) {
    const int32_t product = (a[i * a_step] - p.a_zero) * (b[i * b_step] - p.b_zero);
    out[i] = static_cast<T>(Clamp(Requantize(product, p.q), p.low, p.high) + p.out_zero);
  }
}

}  // namespace

void Qs8MulRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void* params) {
  Run(n, static_cast<const int8_t*>(a), a_step, static_cast<const int8_t*>(b), b_step,
      static_cast<int8_t*>(out), *static_cast<const MulParams*>(params));
}

void Qs16MulRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params) {
  Run(n, static_cast<const int16_t*>(a), a_step, static_cast<const int16_t*>(b), b_step,
      static_cast<int16_t*>(out), *static_cast<const MulParams*>(params));
}

}  // namespace octet
