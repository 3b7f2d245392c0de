// The rows' functions, by file, and what they share.
#pragma once

#include <functional>

#include "src/import/onnx/node.h"

namespace octet::onnx {

// ---- conv.cc ----
Status ImportConv(Node& n);
Status ImportConvTranspose(Node& n);

// Weights (and a bias) as an operator takes them.
struct Weights {
  Array array;                 // FLOAT32 or INT8
  std::optional<Quant> quant;  // of INT8; `axis` is that of `array`
  std::optional<Array> bias;   // FLOAT32 or INT32
};
// Integer weights, an input value with a quantisation, as INT8: scales along `axis` or one, a zero
// point only where it cannot be folded.
Status IntegerWeights(const Builder& b, int32_t id, int32_t axis, Weights* weights);
// The bias as INT32 in units of input scale times weight scale: from a view of INT32, FLOAT32, or
// INT32 as it is (`raw`).
Status IntegerBias(Builder* b, int32_t id, bool raw, const Quant& input, Weights* weights);
// The node's convolution of `x` (float32 or an integer value) into `out`.
Status EmitConv(Node& n, int32_t x, Weights weights, int32_t out);
Status ConvOutDims(Node& n, const Dims& x, const Dims& w, Dims* out);

// Windows along the spatial axes, also for pooling.
struct Window {
  std::vector<int32_t> kernel, stride, dilation, before, after;  // one an axis
};
// `kernel`: of the weights, or empty (pooling has an attribute).
Status ReadWindow(Node& n, const Dims& x, std::vector<int32_t> kernel, Window* window);
// NHWC tensors of values with one or two spatial axes.
int32_t ImageTensor(Builder* b, int32_t id);
void EmitImage(Builder* b, int32_t out, const std::function<void(int32_t)>& emit);

// ---- gemm.cc ----
Status ImportGemm(Node& n);
Status ImportMatMul(Node& n);
// x times weights [N, K] into `out`.
Status EmitFullyConnected(Node& n, int32_t x, Weights weights, int32_t out);
Status EmitMatMul(Node& n, int32_t a, int32_t b, int32_t out);
Status MatMulDims(const Dims& a, const Dims& b, Dims* out);

// ---- pool.cc ----
Status ImportPool(Node& n);
Status ImportGlobalPool(Node& n);
Status EmitGlobalPool(Node& n, OpKind kind, int32_t x, int32_t out);
Status EmitAveragePool(Node& n, int32_t x, int32_t out);  // sets its shape

// ---- elementwise.cc ----
Status ImportBinary(Node& n);
Status ImportPow(Node& n);
Status ImportMinMax(Node& n);
Status ImportComparison(Node& n);
Status ImportPRelu(Node& n);
Status ImportBatchNormalization(Node& n);
// out = a op b, broadcast.
Status EmitBinary(Builder* b, OpKind kind, int32_t x, int32_t y, int32_t out,
                  float low = -3.4028234e38f, float high = 3.4028234e38f);

// ---- unary.cc ----
Status ImportClamp(Node& n);
Status ImportUnary(Node& n);
Status ImportIdentity(Node& n);
Status ImportCast(Node& n);
// The type that Cast or CastLike asks for.
Status CastType(Node& n, DType* type);
// The function of an operator with its attributes.
using RealFunction = std::function<float(float)>;
Status UnaryFunction(Node& n, RealFunction* f);
// A function of a view of 8 bits: a LUT, or a view with a table. False: x is no such view.
bool MapView(Node& n, int32_t x, const RealFunction& f);
bool MapTable(Node& n, int32_t source, const FloatTable& table, int32_t depth);

// ---- select.cc ----
Status ImportWhere(Node& n);
Status ImportIsNaN(Node& n);
// A float32 constant without infinities: sums and products with 0 are to be numbers.
Status MakeFinite(Builder* b, int32_t* x);
// Equal of input x and a constant minus infinity, as which MakeFinite's number counts.
Status ImportEqualsInfinity(Node& n, int32_t x, bool* done);

// ---- sequence.cc ----
Status ImportSplitToSequence(Node& n);
Status ImportSequenceConstruct(Node& n);
Status ImportSequenceAt(Node& n);
Status ImportSequenceLength(Node& n);
Status ImportConcatFromSequence(Node& n);

// ---- recurrent.cc ----
Status ImportRecurrent(Node& n);

// ---- normalize.cc ----
Status ImportLayerNormalization(Node& n);
Status ImportInstanceNormalization(Node& n);
Status ImportGroupNormalization(Node& n);

// ---- quantize.cc, qlinear.cc, integer.cc ----
Status ImportQuantizeLinear(Node& n);
Status ImportDequantizeLinear(Node& n);
Status ImportDynamicQuantizeLinear(Node& n);
Status ImportQLinearConv(Node& n);
Status ImportQLinearMatMul(Node& n);
Status ImportQGemm(Node& n);
Status ImportQLinearBinary(Node& n);
Status ImportQLinearConcat(Node& n);
Status ImportQLinearPool(Node& n);
Status ImportQLinearUnary(Node& n);
Status ImportQLinearSoftmax(Node& n);
Status ImportConvInteger(Node& n);
Status ImportMatMulInteger(Node& n);

// ---- shape.cc, move.cc, resize.cc ----
Status ImportReshape(Node& n);
Status ImportTranspose(Node& n);
Status ImportExpand(Node& n);
Status ImportPad(Node& n);
Status ImportConcat(Node& n);
Status ImportSplit(Node& n);
Status ImportSlice(Node& n);
Status ImportGather(Node& n);
Status ImportDepthSpace(Node& n);
Status ImportResize(Node& n);
Status ImportShape(Node& n);
Status ImportComputed(Node& n);
// Shapes that shape.cc and fold.cc both need.
Status ReshapedDims(Node& n, const Dims& from, Dims* to);
struct SliceRange {
  std::vector<int32_t> begin, step, size;  // one an axis
};
Status ReadSlice(Node& n, const Dims& dims, SliceRange* slice);
// An operator that moves values of input 0 about: x is it, or the integers behind a view; `out` has
// x's type and quantisation and is bound to the node's output.
Status QuantiseBytes(Node& n);
void MovedValue(Node& n, int32_t* x, Dims dims, int32_t* out, int output = 0);
Status EmitConcat(Node& n, const std::vector<int32_t>& parts, int32_t axis, int32_t out);

// ---- fold_index.cc ----
// Reductions, CumSum, ScatterND and Trilu of constants (`in`: null where absent); false: it is
// none.
Status FoldIndexed(Node& n, const std::vector<const Array*>& in, bool* folded);

// ---- reduce.cc ----
Status ImportReduce(Node& n);
// The axes and the shape that is left.
struct Reduction {
  std::vector<int32_t> axes;
  Dims out;
  bool keep = true;
};
Status ReadReduction(Node& n, const Dims& dims, Reduction* r);
// A float32 value reduced over some axes, which stay with size 1.
Status EmitReduced(Node& n, OpKind kind, int32_t x, const std::vector<int32_t>& axes, int32_t* out);
Status ImportArg(Node& n);
Status ImportSoftmax(Node& n);
Status EmitSoftmax(Node& n, int32_t x, int32_t out);

}  // namespace octet::onnx
