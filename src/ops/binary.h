// Element-wise operators with two inputs: NumPy broadcasting, cut into the longest runs that one
// kernel call can do.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/binary.h"
#include "src/ops/op.h"

namespace octet {

struct BinaryPlan {
  struct Side {
    size_t row = 0;          // elements of one row
    int32_t batch_step = 0;  // input row of output row (n, h): n * batch_step + h * row_step
    int32_t row_step = 0;
    uint8_t element = 0;   // bytes
    uint8_t step = 0;      // of the innermost run: 0 or 1
    bool by_rows = false;  // rank 4: rows may lie in a ring buffer
    enum Pattern : uint8_t {
      kEven,    // the runs of a row lie one behind the other
      kSame,    // every run of a row reads the same elements
      kUneven,  // anything else
    } pattern = kUneven;
  };
  Side a, b;
  size_t out_row = 0;
  int32_t height = 1;  // output rows of one batch
  int32_t loops = 0;   // around a run, outermost first, within one row
  size_t runs = 1;     // their product: runs in one row
  size_t run = 0;      // elements of one call, or of ...
  size_t chunk = 1;    // ... this many short runs, whose inputs are put together first
  uint8_t out_element = 0;
  bool flat = false;  // rows that lie one behind the other make one run
  // Of the loops; last, since most plans have none and their parameters end here.
  int32_t dims[kMaxRank] = {};
  size_t a_steps[kMaxRank] = {}, b_steps[kMaxRank] = {};  // elements
};

// Parameters of every operator here; the kernel's own follow in `kernel`.
struct BinaryParams {
  BinaryFn fn;
  alignas(8) uint8_t kernel[104];
  BinaryPlan plan;  // its loops are there only if it has some
};

// Two inputs, one output whose shape is theirs broadcast together.
Status CheckBinary(const OpView& op);
void InitBinary(const OpView& op, BinaryFn fn, BinaryParams* params);
// Sets `run` and `params_bytes`.
void BindBinary(const OpView& op, const char* kernel, Binding* binding);
Status RunBinary(const RunContext& c);
bool BinaryRows(const OpView& op, size_t input, RowRange out, RowRange* in);
// Inputs of the output's shape and element size.
uint32_t BinaryInPlace(const OpView& op);

template <class P>
P* KernelParams(BinaryParams* params) {
  static_assert(sizeof(P) <= sizeof params->kernel && alignof(P) <= 8, "grow BinaryParams::kernel");
  return reinterpret_cast<P*>(params->kernel);
}
template <class P>
const P* KernelParams(const BinaryParams* params) {
  return reinterpret_cast<const P*>(params->kernel);
}

// A kernel without instruction sets: F::Apply(T, T, const P&) for each element.
template <class T, class U, class P, class F>
void BinaryLoop(size_t n, const void* a, size_t a_step, const void* b, size_t b_step, void* out,
                const void* params) {
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  U* z = static_cast<U*>(out);
  const P& p = *static_cast<const P*>(params);
  for (size_t i = 0; i < n; ++i) z[i] = F::Apply(x[i * a_step], y[i * b_step], p);
}

// The output's clamp: an operator's options within the type's range.
struct IntClamp {
  int64_t low, high;
};
IntClamp OutputClamp(const fb::ElementwiseOptions& options, DType type);
Status CheckClamp(const fb::ElementwiseOptions& options, DType type);

}  // namespace octet
