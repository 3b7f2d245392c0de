// The float32 side of CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV and FULLY_CONNECTED.
#pragma once

#include "kernels/f32_conv/f32_conv.h"
#include "src/ops/op.h"

namespace octet {

inline bool IsF32(const OpView& op) { return op.in(0).type == DType::FLOAT32; }

// Types, bias and clamp of (data, weights, optional bias) -> output, all float32.
Status CheckF32Product(const OpView& op, int64_t channels, float act_min, float act_max);
// Fails unless low <= high (so neither is NaN).
Status CheckF32Clamp(float low, float high);

// Of an operator with Conv2DOptions; `weights` as CONV_2D and TRANSPOSE_CONV have them if
// `depthwise` is not set.
F32ConvShape MakeF32ConvShape(const OpView& op, bool depthwise);
// Of FULLY_CONNECTED: a pointwise convolution over one row of "pixels".
F32ConvShape MakeF32FullyConnectedShape(const OpView& op);

void BindF32Conv(const F32ConvShape& shape, Binding* binding);
void BindF32FullyConnected(const F32ConvShape& shape, Binding* binding);
void BindF32DwConv(Binding* binding);
void BindF32Deconv(const F32ConvShape& shape, Binding* binding);
void InitF32Conv(const OpView& op, const F32ConvShape& shape, void* params);
// Of conv and deconv.
void PackF32Conv(const OpView& op, const void* params, void* pack);

}  // namespace octet
