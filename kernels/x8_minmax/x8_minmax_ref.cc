#include "kernels/x8_minmax/x8_minmax.h"

namespace octet {

void S8MaxRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
              const void*) {
  const int8_t* x = static_cast<const int8_t*>(a);
  const int8_t* y = static_cast<const int8_t*>(b);
  for (size_t i = 0; i < n; ++i) {
    const int8_t u = x[i * a_step], v = y[i * b_step];
    static_cast<int8_t*>(out)[i] = u > v ? u : v;
  }
}

void S8MinRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
              const void*) {
  const int8_t* x = static_cast<const int8_t*>(a);
  const int8_t* y = static_cast<const int8_t*>(b);
  for (size_t i = 0; i < n; ++i) {
    const int8_t u = x[i * a_step], v = y[i * b_step];
    static_cast<int8_t*>(out)[i] = u < v ? u : v;
  }
}

}  // namespace octet
