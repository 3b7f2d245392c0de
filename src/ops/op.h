// What an operator is to the rest of Octet. One operator, one file in this folder, one row in
// ops.inc; docs/adding-an-operator.md walks through one.
//
// Life of an operator: the compiler and the loader describe it as an OpView; `check` decides
// whether it makes sense; `bind` picks a kernel for a set of instruction sets and states its
// memory; `init` and `pack` fill that memory once for each model; `run` is called by sessions.
// Everything after `check` trusts what check accepted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "octet_generated.h"
#include "src/base/span.h"
#include "src/base/status.h"
#include "src/base/threads.h"
#include "src/cpu/cpu.h"

namespace octet {

using fb::DType;
using fb::OpKind;

constexpr int kMaxRank = OCTET_MAX_RANK;

// Bytes of one element; 0 for a value that is no type.
size_t TypeBytes(DType type);
const char* TypeName(DType type);  // "int8"

// A tensor's description, made on the fly from a file or a graph. The loader has checked that the
// type is known, dims are >= 0 with a byte size below 2^40 (and non-empty unless rank is 0), scales
// are finite and positive, and that a constant's data has exactly the tensor's size.
struct TensorView {
  const char* name = "";
  DType type = DType::NONE;
  int32_t rank = 0;
  int32_t dims[kMaxRank] = {};
  Span<const float> scales;  // none: not quantised; one: per tensor; else per slice along `axis`
  int32_t zero_point = 0;
  int32_t axis = 0;
  const void* data = nullptr;  // a constant's bytes, at least 4-byte aligned
  bool coded = false;     // a constant that the file stores smaller: `data` is null before init
  bool is_state = false;  // kept between runs

  int64_t elements() const {
    int64_t n = 1;
    for (int32_t i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
  size_t bytes() const { return static_cast<size_t>(elements()) * TypeBytes(type); }
  bool quantised() const { return !scales.empty(); }
  float scale() const { return scales.empty() ? 0.f : scales[0]; }
  // Size of dimension i counted from the last: dim_from_end(0) is the innermost; 1 where absent.
  int32_t dim_from_end(int32_t i) const { return i < rank ? dims[rank - 1 - i] : 1; }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

bool SameShape(const TensorView& a, const TensorView& b);

// The rows that RunContext::rows and input_rows count: (batch, height) of a rank-4 NHWC tensor,
// else one row that is the whole tensor. RowElements is the size of one of them.
int32_t RowCount(const TensorView& t);
size_t RowElements(const TensorView& t);

// An operator's description. Null inputs are absent optional ones.
struct OpView {
  OpKind kind = OpKind::NONE;
  const char* name = "";
  Span<const TensorView* const> inputs;
  Span<const TensorView* const> outputs;
  fb::Options options_type = fb::Options::NONE;
  const void* options_table = nullptr;

  const TensorView* input(size_t i) const { return i < inputs.size ? inputs[i] : nullptr; }
  const TensorView& in(size_t i) const { return *inputs[i]; }  // known to be there
  const TensorView& out(size_t i = 0) const { return *outputs[i]; }
  // The loader has checked that an operator carries the options type of its row in ops.inc, so
  // this is never null in an operator's functions.
  template <class T>
  const T* options() const {
    return static_cast<const T*>(options_table);
  }
};

struct RowRange {
  int32_t begin = 0;
  int32_t end = 0;
};

// A tensor's place at run time. Rows y of a ring live at data + (y mod ring_rows) * row bytes.
struct Buffer {
  uint8_t* data = nullptr;
  int32_t ring_rows = 0;  // 0: the whole tensor is stored
};

// What a run gets. `scratch` is this session's, one block of binding.scratch_bytes for each thread,
// scratch_stride bytes apart; both are multiples of 64.
struct RunContext {
  const void* params = nullptr;
  const void* pack = nullptr;
  const Buffer* inputs = nullptr;  // constants too; data null for absent optional inputs
  const Buffer* outputs = nullptr;
  RowRange rows;  // output rows to compute; operators without input_rows get all
  uint8_t* scratch = nullptr;
  size_t scratch_stride = 0;
  Threads threads;

  template <class T>
  const T* in(size_t i) const {
    return reinterpret_cast<const T*>(inputs[i].data);
  }
  template <class T>
  T* out(size_t i = 0) const {
    return reinterpret_cast<T*>(outputs[i].data);
  }
};

using RunFn = Status (*)(const RunContext&);

// The outcome of `bind`.
struct Binding {
  // The caller's wish: no step computes more output rows than this, so scratch may be for as many;
  // 0: any number. Nothing else may depend on it.
  int32_t step_rows = 0;
  const char* kernel = "";  // static storage, e.g. "qs8_conv_6x64__avx512vnni", "add__ref"
  RunFn run = nullptr;
  const void* row = nullptr;  // the kernel's table row, for init and pack
  size_t params_bytes = 0;    // trusted parameters: built at every load, never read from a file
  size_t pack_bytes = 0;      // derived constants: data only (no sizes, offsets or pointers), so
                              // that a file may carry them; any content must be safe to compute on
  const char* pack_layout = nullptr;  // names the pack's layout, e.g. "qs8_conv/avx512vnni/2"
  // Bit i: input i, a constant, is read by `pack` alone, not by `init` or `run`.
  uint32_t packed_inputs = 0;
  size_t scratch_bytes = 0;  // for each thread
  uint64_t macs = 0;
};

struct OpDef {
  // Is the operator meaningful: input and output counts, types, shapes, options, quantisation?
  // Everything that init, pack and run rely on. Fails with OCTET_INVALID_MODEL or
  // OCTET_UNSUPPORTED.
  Status (*check)(const OpView& op);

  // Chooses the best kernel among `isa` and states what it needs. Cannot fail after check.
  void (*bind)(const OpView& op, IsaSet isa, Binding* binding);

  // Fills params (zeroed, 16-byte aligned). May keep pointers to constants' data, not to views;
  // that of packed_inputs may be null.
  void (*init)(const OpView& op, const Binding& binding, void* params);

  // Fills a pack (zeroed, 64-byte aligned). Null where no binding has a pack.
  void (*pack)(const OpView& op, const Binding& binding, const void* params, void* pack);

  // Which rows of an input the output rows [out.begin, out.end) need; rows are indices of
  // (batch, height) of NHWC tensors, one batch only. Null: the operator needs whole tensors.
  // Returns false where this operator (by its shapes or options) cannot run by rows.
  bool (*input_rows)(const OpView& op, size_t input, RowRange out, RowRange* in);

  // Bit i: output 0 may lie exactly over input i (same byte size), being read before it is written.
  uint32_t (*in_place)(const OpView& op);
};

// The row of a kind; null for a kind that this build does not know.
const OpDef* FindOp(OpKind kind);
const char* OpName(OpKind kind);
// The options type that an operator of this kind must carry (fb::Options::NONE: none).
fb::Options OpOptionsType(OpKind kind);

// ---- Helpers for `check` ---------------------------------------------------------------------

// Fails with OCTET_INVALID_MODEL and a sentence unless the counts fit; absent optional inputs
// count.
Status CheckCounts(const OpView& op, size_t min_in, size_t max_in, size_t min_out, size_t max_out);
// Inputs [0, required) are present.
Status CheckPresent(const OpView& op, size_t required);
Status CheckType(const TensorView& t, const char* role, std::initializer_list<DType> types);
Status CheckRank(const TensorView& t, const char* role, int32_t min_rank, int32_t max_rank);
Status CheckQuantised(const TensorView& t, const char* role);  // one scale; zero point in range
Status CheckSameShape(const TensorView& a, const TensorView& b, const char* roles);
Status CheckConstant(const TensorView& t, const char* role);
// "unsupported types: inputs (int8, float32), outputs (int8)", as OCTET_UNSUPPORTED.
Status UnsupportedTypes(const OpView& op);

#define OCTET_CHECK_OP(condition, ...)                                        \
  do {                                                                        \
    if (!(condition)) return ::octet::Fail(OCTET_INVALID_MODEL, __VA_ARGS__); \
  } while (0)

// Identity row map and "input 0" in-place mask for element-wise operators.
bool SameRows(const OpView& op, size_t input, RowRange out, RowRange* in);

}  // namespace octet
