// Element-wise operators with one input: one function over runs of elements.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/ops/op.h"

namespace octet {

// out[i] = f(in[i]) for i in [0, n). The output may lie exactly over the input.
using UnaryFn = void (*)(size_t n, const void* in, void* out, const void* params);

// Parameters of every operator here; the function's own follow in `own`.
struct UnaryParams {
  UnaryFn fn;
  size_t row_elements, in_row_bytes, out_row_bytes;
  alignas(8) uint8_t own[56];
};

// One input, one output of its shape.
Status CheckUnary(const OpView& op);
void BindUnary(const char* kernel, Binding* binding);
void InitUnary(const OpView& op, UnaryFn fn, UnaryParams* params);
Status RunUnary(const RunContext& c);
// The input, where its elements have the output's size.
uint32_t UnaryInPlace(const OpView& op);

template <class P>
P* OwnParams(UnaryParams* params) {
  static_assert(sizeof(P) <= sizeof params->own && alignof(P) <= 8, "grow UnaryParams::own");
  return reinterpret_cast<P*>(params->own);
}

// F::Apply(T, const P&) for each element.
template <class T, class U, class P, class F>
void UnaryLoop(size_t n, const void* in, void* out, const void* params) {
  const T* x = static_cast<const T*>(in);
  U* y = static_cast<U*>(out);
  const P& p = *static_cast<const P*>(params);
  for (size_t i = 0; i < n; ++i) y[i] = F::Apply(x[i], p);
}

}  // namespace octet
