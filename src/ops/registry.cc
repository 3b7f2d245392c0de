// The table of operators, from ops.inc.
#include "src/ops/op.h"

namespace octet {

#define OCTET_OP(kind, options) extern const OpDef k##kind##Op;
#include "src/ops/ops.inc"
#undef OCTET_OP

namespace {

struct Row {
  const OpDef* def;
  const char* name;
  fb::Options options;
};

// In the order of fb::OpKind, without NONE.
const Row* FindRow(OpKind kind) {
  static const Row kRows[] = {
#define OCTET_OP(kind, options) {&k##kind##Op, #kind, fb::Options::options},
#include "src/ops/ops.inc"
#undef OCTET_OP
  };
  static_assert(sizeof kRows / sizeof kRows[0] == static_cast<size_t>(OpKind::MAX),
                "ops.inc and the schema's OpKind must list the same operators in the same order");
  const size_t i = static_cast<size_t>(kind);
  return i >= 1 && i <= static_cast<size_t>(OpKind::MAX) ? &kRows[i - 1] : nullptr;
}

}  // namespace

const OpDef* FindOp(OpKind kind) {
  const Row* row = FindRow(kind);
  return row != nullptr ? row->def : nullptr;
}

const char* OpName(OpKind kind) {
  const Row* row = FindRow(kind);
  return row != nullptr ? row->name : "unknown operator";
}

fb::Options OpOptionsType(OpKind kind) {
  const Row* row = FindRow(kind);
  return row != nullptr ? row->options : fb::Options::NONE;
}

}  // namespace octet
