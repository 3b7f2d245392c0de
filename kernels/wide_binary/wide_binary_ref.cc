#include "kernels/wide_binary/wide_binary.h"

namespace octet {
namespace {

// out[i] = f(a[i], b[i]), either side being one value where its step is 0.
template <class T, class F>
void Loop(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
          const F& f) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  T* z = static_cast<T*>(out);
  for (size_t i = 0; i < n; ++i) z[i] = static_cast<T>(f(x[i * a_step], y[i * b_step]));
}

}  // namespace

void Qs16AddRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params) {
  const AddParams& p = *static_cast<const AddParams*>(params);
  const int32_t unit = 1 << p.left;
  Loop<int16_t>(n, a, a_step, b, b_step, out, [&](int32_t x, int32_t y) {
    const int32_t u = Requantize((x - p.a_zero) * unit, p.a);
    const int32_t v = Requantize((y - p.b_zero) * unit, p.b);
    return Clamp(Requantize(p.subtract ? u - v : u + v, p.out) + p.out_zero, p.low, p.high);
  });
}

void Qs16PotAddRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                   const void* params) {
  const PotAddParams& p = *static_cast<const PotAddParams*>(params);
  Loop<int16_t>(n, a, a_step, b, b_step, out, [&](int32_t x, int32_t y) {
    const int32_t u = RoundingDivideByPOT(x, p.a_shift);
    const int32_t v = RoundingDivideByPOT(y, p.b_shift);
    return Clamp(p.subtract ? u - v : u + v, p.low, p.high);
  });
}

void Qs16MulRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params) {
  const MulParams& p = *static_cast<const MulParams*>(params);
  Loop<int16_t>(n, a, a_step, b, b_step, out, [&](int32_t x, int32_t y) {
    const int32_t product = (x - p.a_zero) * (y - p.b_zero);
    return Clamp(Requantize(product, p.q), p.low, p.high) + p.out_zero;
  });
}

void S16MaxRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void*) {
  Loop<int16_t>(n, a, a_step, b, b_step, out, [](int32_t x, int32_t y) { return x > y ? x : y; });
}

void S16MinRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void*) {
  Loop<int16_t>(n, a, a_step, b, b_step, out, [](int32_t x, int32_t y) { return x < y ? x : y; });
}

void F32DivRef(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
               const void* params) {
  const F32DivParams& p = *static_cast<const F32DivParams*>(params);
  Loop<float>(n, a, a_step, b, b_step, out,
              [&](float x, float y) { return Clamp(x / y, p.low, p.high); });
}

}  // namespace octet
