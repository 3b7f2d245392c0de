// The int16 side of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.
#pragma once

#include "kernels/qs16_conv/qs16_conv.h"
#include "src/ops/op.h"

namespace octet {

struct QS16Params {
  const QS16ConvKernel* kernel;
  QS16ConvShape shape;
};

void BindQS16(const QS16ConvShape& shape, IsaSet isa, Binding* binding);
void InitQS16(const QS16ConvShape& shape, const Binding& binding, void* params);
void PackQS16(const OpView& op, const QS16Params& params, bool float_product, void* pack);
Status RunQS16(const RunContext& context);  // params are QS16Params

}  // namespace octet
