// What quantising an operator means, by kind.
#pragma once

#include "src/graph/graph.h"
#include "src/quantize/ranges.h"

namespace octet {

enum class QuantRule {
  kKeep,     // stays as it is, float tensors included
  kProduct,  // constant weights of int8 in input 1, bias in input 2
  kOwn,      // inputs and output each have a scale of their own
  kSame,     // inputs and output share one scale
  kFixed,    // the output's scale is fixed by TensorFlow Lite's specification
  kTable,    // one input, element by element: a LUT
  kIndex     // reads quantised values, writes indices or truth values
};

// Looks at the operator as well: a product of two activations is none with weights.
QuantRule RuleOf(const Graph& graph, const GraphOp& op);

// Which axis of a product's weights counts output channels, and where the data input is.
int WeightAxis(OpKind kind);

// Output quantisation of kFixed operators.
Affine FixedInt8(OpKind kind);
Affine FixedInt16(OpKind kind);

// Whether the runtime computes this kind on int16 activations.
bool HasInt16(const Graph& graph, const GraphOp& op);

// The clamp of a float operator; nulls where the kind has none.
struct FloatClamp {
  float* low = nullptr;
  float* high = nullptr;
  int32_t* q_low = nullptr;  // the same operator's clamp on integers
  int32_t* q_high = nullptr;
};
FloatClamp ClampOf(GraphOp* op);

bool IsFloat(const Graph& graph, int32_t tensor);

}  // namespace octet
