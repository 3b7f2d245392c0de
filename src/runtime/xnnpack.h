// float32 operators by XNNPACK, where the build has it (OCTET_XNNPACK). An operator of XNNPACK
// takes a kernel's place when a model is loaded: it holds packed weights in memory from the model's
// allocator and serves all of the model's sessions, one at a time.
//
// XNNPACK is started by the first model with an operator for it; others never touch it.
#pragma once

#include "octet/octet.h"
#include "src/ops/op.h"

namespace octet {

struct XnnOp;

// XNNPACK reads up to this much behind its inputs (and ignores it): arenas get as much more.
constexpr size_t kXnnSlackBytes = 16;

// Whether it is worth a try. OpenXnn wants the constants' data, this does not.
bool XnnHas(const OpView& op);
// Null where XNNPACK has nothing for the operator, or not the memory; always in a build without it.
// `bytes` grows by what was taken from the allocator.
XnnOp* OpenXnn(const OpView& op, const octet_allocator& allocator, size_t* bytes);
// Binding::packed_inputs of such an operator.
uint32_t XnnPackedInputs(OpKind kind);
void CloseXnn(XnnOp* op);
const char* XnnKernelName(const XnnOp& op);
// Params are a pointer to the XnnOp; whole tensors, on the caller's thread: XNNPACK splits work
// over pools only.
Status RunXnn(const RunContext& context);

}  // namespace octet
