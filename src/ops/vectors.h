// Operators that turn each vector along the last axis into another one: by rows, over rings and
// threads.
#pragma once

#include "kernels/common/rows.h"
#include "src/ops/op.h"

namespace octet {

struct VectorShape {
  size_t depth_in = 1, depth_out = 1;  // elements of a vector
  size_t per_row = 1;                  // vectors in a row
  size_t grain = 1;                    // vectors that are worth a thread
};

// The input's last axis is the vector; outputs have as many vectors of depth_out.
inline VectorShape MakeVectorShape(const OpView& op, size_t depth_out) {
  VectorShape s;
  s.depth_in = static_cast<size_t>(op.in(0).dim_from_end(0));
  s.depth_out = depth_out;
  s.per_row = RowElements(op.out()) / depth_out;
  s.grain = 8192 / s.depth_in + 1;
  return s;
}

// Calls f(input, vectors, output) for runs of vectors that lie one behind the other.
template <class In, class Out, class F>
void ForEachVector(const RunContext& c, const VectorShape& s, const F& f) {
  const Rows<const In> in{c.in<In>(0), s.per_row * s.depth_in, c.inputs[0].ring_rows};
  const Rows<Out> out{c.out<Out>(), s.per_row * s.depth_out, c.outputs[0].ring_rows};
  for (int32_t y = c.rows.begin; y < c.rows.end;) {
    const int32_t n = in.contiguous(y, out.contiguous(y, c.rows.end - y));
    const In* from = in.row(y);
    Out* to = out.row(y);
    c.threads.slices(static_cast<size_t>(n) * s.per_row, s.grain,
                     [&](size_t, size_t begin, size_t end) {
                       f(from + begin * s.depth_in, end - begin, to + begin * s.depth_out);
                     });
    y += n;
  }
}

}  // namespace octet
