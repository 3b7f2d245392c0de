#include "src/runtime/xnnpack.h"

#if OCTET_WITH_XNNPACK

#include <limits>

#include <cstring>
#include <new>

#include <pthread.h>
#include <xnnpack.h>

#include "src/base/memory.h"

namespace octet {
namespace {

// ---- Memory ------------------------------------------------------------------------------------

// XNNPACK has one allocator for the process. It hands out memory of the model that is being opened
// in this thread, and remembers in front of each block where it came from.
struct Opening {
  const octet_allocator* allocator = nullptr;
  size_t bytes = 0;
};
thread_local Opening opening;

struct alignas(kBlockAlignment) Header {
  octet_allocator allocator;
  size_t size;  // of the block, without this
};

void* Allocate(void*, size_t size) {
  if (size > std::numeric_limits<size_t>::max() - sizeof(Header)) return nullptr;
  // Outside of Octet's calls: another user of XNNPACK in this process.
  const octet_allocator allocator =
      opening.allocator != nullptr ? *opening.allocator : DefaultAllocator();
  void* memory = allocator.allocate(allocator.context, sizeof(Header) + size, kBlockAlignment);
  if (memory == nullptr) return nullptr;
  Header* header = new (memory) Header{allocator, size};
  opening.bytes += sizeof(Header) + size;
  return header + 1;
}

void Release(void*, void* pointer) {
  if (pointer == nullptr) return;
  Header* header = static_cast<Header*>(pointer) - 1;
  const octet_allocator allocator = header->allocator;
  const size_t bytes = sizeof(Header) + header->size;
  if (opening.allocator != nullptr) opening.bytes -= bytes;
  allocator.release(allocator.context, header, bytes);
}

void* Reallocate(void* context, void* pointer, size_t size) {
  void* grown = Allocate(context, size);
  if (grown == nullptr || pointer == nullptr) return grown;
  const size_t old = (static_cast<Header*>(pointer) - 1)->size;
  std::memcpy(grown, pointer, old < size ? old : size);
  Release(context, pointer);
  return grown;
}

void* AllocateAligned(void* context, size_t alignment, size_t size) {
  return alignment <= kBlockAlignment ? Allocate(context, size) : nullptr;
}

const xnn_allocator kAllocator = {nullptr, Allocate, Reallocate, Release, AllocateAligned, Release};

}  // namespace

// ---- Operators ---------------------------------------------------------------------------------

struct XnnOp {
  xnn_operator_t op;
  const char* name;
  xnn_status (*setup)(const XnnOp& op, const float* a, const float* b, float* out);
  pthread_mutex_t mutex;  // an operator is set up for one session at a time
  size_t batch, height, width;
  uint32_t adjust_h, adjust_w;
  bool binary;
  size_t rank_a, rank_b;
  size_t dims_a[kMaxRank], dims_b[kMaxRank];
};

namespace {

size_t Size(int64_t n) { return static_cast<size_t>(n); }
uint32_t U32(int64_t n) { return static_cast<uint32_t>(n); }

// XNNPACK has faster kernels where there is no clamp.
float Low(float limit) {
  return limit <= std::numeric_limits<float>::lowest() ? -std::numeric_limits<float>::infinity()
                                                       : limit;
}
float High(float limit) {
  return limit >= std::numeric_limits<float>::max() ? std::numeric_limits<float>::infinity()
                                                    : limit;
}

bool Float(const OpView& op) {
  for (const TensorView* t : op.inputs) {
    if (t != nullptr && t->type != DType::FLOAT32) return false;
  }
  for (const TensorView* t : op.outputs) {
    if (t->type != DType::FLOAT32) return false;
  }
  return true;
}

const float* BiasOf(const OpView& op) {
  return op.input(2) != nullptr ? op.in(2).as<float>() : nullptr;
}

// What has to follow an axis for windows to cover `out` outputs and no more; false if no padding
// leads there.
bool PadAfter(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t before,
              uint32_t* after) {
  const int64_t missing = (out - 1) * stride + window - in - before;
  const int64_t pad = missing > 0 ? missing : 0;
  *after = U32(pad);
  return (in + before + pad - window) / stride + 1 == out;
}

// XNNPACK keeps a pointer for each element of each window. Few enough?
bool FewWindows(int64_t window_h, int64_t window_w, const TensorView& out) {
  constexpr int64_t kMost = 1 << 24;
  const int64_t pixels = int64_t{out.dims[1]} * out.dims[2];
  return pixels <= kMost && window_h * window_w <= kMost / pixels;
}

void TakeImage(const TensorView& in, XnnOp* x) {
  x->batch = Size(in.dims[0]);
  x->height = Size(in.dims[1]);
  x->width = Size(in.dims[2]);
}

xnn_status MakeConv(const OpView& op, XnnOp* x) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  const bool depthwise = op.kind == OpKind::DEPTHWISE_CONV_2D;
  uint32_t bottom, right;
  if (!FewWindows(w.dims[1], w.dims[2], out) ||
      !PadAfter(in.dims[1], out.dims[1], int64_t{w.dims[1] - 1} * o.dilation_h() + 1, o.stride_h(),
                o.pad_top(), &bottom) ||
      !PadAfter(in.dims[2], out.dims[2], int64_t{w.dims[2] - 1} * o.dilation_w() + 1, o.stride_w(),
                o.pad_left(), &right)) {
    return xnn_status_unsupported_parameter;
  }
  const int32_t groups = depthwise ? in.dims[3] : in.dims[3] / w.dims[3];
  x->name = depthwise ? "f32_dwconv__xnnpack" : "f32_conv__xnnpack";
  TakeImage(in, x);
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_convolution2d_nhwc_f32(s.op, s.batch, s.height, s.width, a, y, nullptr);
  };
  return xnn_create_convolution2d_nhwc_f32(
      U32(o.pad_top()), right, bottom, U32(o.pad_left()), U32(w.dims[1]), U32(w.dims[2]),
      U32(o.stride_h()), U32(o.stride_w()), U32(o.dilation_h()), U32(o.dilation_w()), U32(groups),
      Size(in.dims[3] / groups), Size(out.dims[3] / groups), Size(in.dims[3]), Size(out.dims[3]),
      w.as<float>(), BiasOf(op), Low(o.act_min_f()), High(o.act_max_f()),
      depthwise ? XNN_FLAG_DEPTHWISE_CONVOLUTION : 0, &x->op);
}

xnn_status MakeFullyConnected(const OpView& op, XnnOp* x) {
  const fb::FullyConnectedOptions& o = *op.options<fb::FullyConnectedOptions>();
  const TensorView& w = op.in(1);
  x->name = "f32_fully_connected__xnnpack";
  x->batch = Size(op.in(0).elements() / w.dims[1]);
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_fully_connected_nc_f32(s.op, s.batch, a, y, nullptr);
  };
  return xnn_create_fully_connected_nc_f32(Size(w.dims[1]), Size(w.dims[0]), Size(w.dims[1]),
                                           Size(w.dims[0]), w.as<float>(), BiasOf(op),
                                           Low(o.act_min_f()), High(o.act_max_f()), 0, &x->op);
}

// The padding behind the last row or column of a transposed convolution, or what is added there.
bool DeconvEnd(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t before,
               uint32_t* after, uint32_t* adjustment) {
  const int64_t pad = stride * (in - 1) + kernel - out - before;
  *after = U32(pad > 0 ? pad : 0);
  *adjustment = U32(pad < 0 ? -pad : 0);
  return -pad < stride;
}

xnn_status MakeDeconv(const OpView& op, XnnOp* x) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  uint32_t bottom, right;
  if (!FewWindows(w.dims[1], w.dims[2], out) ||
      !DeconvEnd(in.dims[1], out.dims[1], w.dims[1], o.stride_h(), o.pad_top(), &bottom,
                 &x->adjust_h) ||
      !DeconvEnd(in.dims[2], out.dims[2], w.dims[2], o.stride_w(), o.pad_left(), &right,
                 &x->adjust_w)) {
    return xnn_status_unsupported_parameter;
  }
  x->name = "f32_deconv__xnnpack";
  TakeImage(in, x);
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_deconvolution2d_nhwc_f32(s.op, s.batch, s.height, s.width, s.adjust_h,
                                              s.adjust_w, a, y, nullptr);
  };
  return xnn_create_deconvolution2d_nhwc_f32(
      U32(o.pad_top()), right, bottom, U32(o.pad_left()), U32(w.dims[1]), U32(w.dims[2]),
      U32(o.stride_h()), U32(o.stride_w()), 1, 1, 1, Size(in.dims[3]), Size(out.dims[3]),
      Size(in.dims[3]), Size(out.dims[3]), w.as<float>(), BiasOf(op), Low(o.act_min_f()),
      High(o.act_max_f()), 0, &x->op);
}

xnn_status MakePool(const OpView& op, XnnOp* x) {
  const fb::PoolOptions& o = *op.options<fb::PoolOptions>();
  const TensorView &in = op.in(0), &out = op.out();
  const bool average = op.kind == OpKind::AVERAGE_POOL_2D;
  const size_t c = Size(in.dims[3]);
  TakeImage(in, x);
  if (average && o.filter_h() == in.dims[1] && o.filter_w() == in.dims[2] && o.pad_top() == 0 &&
      o.pad_left() == 0) {
    x->name = "f32_global_avgpool__xnnpack";
    x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
      return xnn_setup_global_average_pooling_nwc_f32(s.op, s.batch, s.height * s.width, a, y,
                                                      nullptr);
    };
    return xnn_create_global_average_pooling_nwc_f32(c, c, c, Low(o.act_min_f()),
                                                     High(o.act_max_f()), 0, &x->op);
  }
  uint32_t bottom, right;
  if (!FewWindows(o.filter_h(), o.filter_w(), out) ||
      !PadAfter(in.dims[1], out.dims[1], o.filter_h(), o.stride_h(), o.pad_top(), &bottom) ||
      !PadAfter(in.dims[2], out.dims[2], o.filter_w(), o.stride_w(), o.pad_left(), &right)) {
    return xnn_status_unsupported_parameter;
  }
  const uint32_t top = U32(o.pad_top()), left = U32(o.pad_left());
  const uint32_t h = U32(o.filter_h()), w = U32(o.filter_w());
  const uint32_t stride_h = U32(o.stride_h()), stride_w = U32(o.stride_w());
  if (average) {
    x->name = "f32_avgpool__xnnpack";
    x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
      return xnn_setup_average_pooling2d_nhwc_f32(s.op, s.batch, s.height, s.width, a, y, nullptr);
    };
    return xnn_create_average_pooling2d_nhwc_f32(top, right, bottom, left, h, w, stride_h, stride_w,
                                                 c, c, c, Low(o.act_min_f()), High(o.act_max_f()),
                                                 0, &x->op);
  }
  x->name = "f32_maxpool__xnnpack";
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_max_pooling2d_nhwc_f32(s.op, s.batch, s.height, s.width, a, y, nullptr);
  };
  return xnn_create_max_pooling2d_nhwc_f32(top, right, bottom, left, h, w, stride_h, stride_w, 1, 1,
                                           c, c, c, Low(o.act_min_f()), High(o.act_max_f()), 0,
                                           &x->op);
}

// MEAN over height and width.
xnn_status MakeMean(const OpView& op, XnnOp* x) {
  const TensorView& in = op.in(0);
  const auto* axes = op.options<fb::ReduceOptions>()->axes();
  if (in.rank != 4 || axes == nullptr || axes->size() != 2 || axes->Get(0) != 1 ||
      axes->Get(1) != 2) {
    return xnn_status_unsupported_parameter;
  }
  const size_t c = Size(in.dims[3]);
  TakeImage(in, x);
  x->name = "f32_global_avgpool__xnnpack";
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_global_average_pooling_nwc_f32(s.op, s.batch, s.height * s.width, a, y,
                                                    nullptr);
  };
  const float infinity = std::numeric_limits<float>::infinity();
  return xnn_create_global_average_pooling_nwc_f32(c, c, c, -infinity, infinity, 0, &x->op);
}

xnn_status MakeVectors(const OpView& op, XnnOp* x) {
  const TensorView& in = op.in(0);
  const size_t c = Size(in.dim_from_end(0));
  x->batch = Size(in.elements()) / c;
  if (op.kind == OpKind::LOGISTIC) {
    x->name = "f32_logistic__xnnpack";
    x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
      return xnn_setup_sigmoid_nc_f32(s.op, s.batch, a, y, nullptr);
    };
    return xnn_create_sigmoid_nc_f32(c, c, c, 0, &x->op);
  }
  if (op.kind == OpKind::HARD_SWISH) {
    x->name = "f32_hard_swish__xnnpack";
    x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
      return xnn_setup_hardswish_nc_f32(s.op, s.batch, a, y, nullptr);
    };
    return xnn_create_hardswish_nc_f32(c, c, c, 0, &x->op);
  }
  if (op.options<fb::SoftmaxOptions>()->beta() != 1.f) return xnn_status_unsupported_parameter;
  x->name = "f32_softmax__xnnpack";
  x->setup = [](const XnnOp& s, const float* a, const float*, float* y) {
    return xnn_setup_softmax_nc_f32(s.op, s.batch, a, y, nullptr);
  };
  return xnn_create_softmax_nc_f32(c, c, c, 0, &x->op);
}

using BinarySetup = xnn_status (*)(xnn_operator_t, size_t, const size_t*, size_t, const size_t*,
                                   const float*, const float*, float*, pthreadpool_t);

template <BinarySetup kSetup>
xnn_status SetupBinary(const XnnOp& s, const float* a, const float* b, float* y) {
  return kSetup(s.op, s.rank_a, s.dims_a, s.rank_b, s.dims_b, a, b, y, nullptr);
}

xnn_status MakeBinary(const OpView& op, XnnOp* x) {
  const fb::ElementwiseOptions& o = *op.options<fb::ElementwiseOptions>();
  x->binary = true;
  x->rank_a = Size(op.in(0).rank);
  x->rank_b = Size(op.in(1).rank);
  for (int32_t i = 0; i < op.in(0).rank; ++i) x->dims_a[i] = Size(op.in(0).dims[i]);
  for (int32_t i = 0; i < op.in(1).rank; ++i) x->dims_b[i] = Size(op.in(1).dims[i]);
  const float low = Low(o.act_min_f()), high = High(o.act_max_f());
  if (op.kind == OpKind::ADD) {
    x->name = "f32_add__xnnpack";
    x->setup = SetupBinary<xnn_setup_add_nd_f32>;
    return xnn_create_add_nd_f32(low, high, 0, &x->op);
  }
  if (op.kind == OpKind::SUB) {
    x->name = "f32_sub__xnnpack";
    x->setup = SetupBinary<xnn_setup_subtract_nd_f32>;
    return xnn_create_subtract_nd_f32(low, high, 0, &x->op);
  }
  x->name = "f32_mul__xnnpack";
  x->setup = SetupBinary<xnn_setup_multiply_nd_f32>;
  return xnn_create_multiply_nd_f32(low, high, 0, &x->op);
}

using MakeFn = xnn_status (*)(const OpView& op, XnnOp* x);

MakeFn MakeOf(OpKind kind) {
  switch (kind) {
    case OpKind::CONV_2D:
    case OpKind::DEPTHWISE_CONV_2D:
      return MakeConv;
    case OpKind::FULLY_CONNECTED:
      return MakeFullyConnected;
    case OpKind::TRANSPOSE_CONV:
      return MakeDeconv;
    case OpKind::AVERAGE_POOL_2D:
    case OpKind::MAX_POOL_2D:
      return MakePool;
    case OpKind::MEAN:
      return MakeMean;
    case OpKind::LOGISTIC:
    case OpKind::HARD_SWISH:
    case OpKind::SOFTMAX:
      return MakeVectors;
    case OpKind::ADD:
    case OpKind::SUB:
    case OpKind::MUL:
      return MakeBinary;
    default:
      return nullptr;
  }
}

// Sizes of everything that may be allocated follow from the shapes alone, so that a set-up now,
// with any address, leaves nothing to be allocated by a run.
XnnOp* Open(const OpView& op, MakeFn make) {
  void* memory = Allocate(nullptr, sizeof(XnnOp));
  if (memory == nullptr) return nullptr;
  XnnOp* x = new (memory) XnnOp();
  pthread_mutex_init(&x->mutex, nullptr);
  const size_t own = opening.bytes;
  alignas(64) static const float kNowhere[16] = {};
  // No byte taken: someone else has started XNNPACK in this process with an allocator of theirs, so
  // that its memory could not be accounted for.
  if (make(op, x) != xnn_status_success || opening.bytes == own ||
      x->setup(*x, kNowhere, kNowhere, const_cast<float*>(kNowhere)) != xnn_status_success) {
    CloseXnn(x);
    return nullptr;
  }
  return x;
}

}  // namespace

bool XnnHas(const OpView& op) { return MakeOf(op.kind) != nullptr && Float(op); }

XnnOp* OpenXnn(const OpView& op, const octet_allocator& allocator, size_t* bytes) {
  if (!XnnHas(op)) return nullptr;
  if (xnn_initialize(&kAllocator) != xnn_status_success) return nullptr;
  opening.allocator = &allocator;
  opening.bytes = 0;
  XnnOp* x = Open(op, MakeOf(op.kind));
  *bytes += opening.bytes;
  opening.allocator = nullptr;
  return x;
}

uint32_t XnnPackedInputs(OpKind kind) {
  const MakeFn make = MakeOf(kind);
  const bool product = make == MakeConv || make == MakeFullyConnected || make == MakeDeconv;
  return product ? 1u << 1 | 1u << 2 : 0;  // weights and bias
}

void CloseXnn(XnnOp* x) {
  if (x == nullptr) return;
  if (x->op != nullptr) xnn_delete_operator(x->op);
  pthread_mutex_destroy(&x->mutex);
  Release(nullptr, x);
}

const char* XnnKernelName(const XnnOp& x) { return x.name; }

Status RunXnn(const RunContext& c) {
  XnnOp* x = *static_cast<XnnOp* const*>(c.params);
  pthread_mutex_lock(&x->mutex);
  xnn_status status =
      x->setup(*x, c.in<float>(0), x->binary ? c.in<float>(1) : nullptr, c.out<float>());
  if (status == xnn_status_success) status = xnn_run_operator(x->op, nullptr);
  pthread_mutex_unlock(&x->mutex);
  if (status != xnn_status_success) {
    return Fail(OCTET_RUN_ERROR, "%s failed (status %d)", x->name, static_cast<int>(status));
  }
  return OCTET_OK;
}

}  // namespace octet

#else

namespace octet {

bool XnnHas(const OpView&) { return false; }
XnnOp* OpenXnn(const OpView&, const octet_allocator&, size_t*) { return nullptr; }
uint32_t XnnPackedInputs(OpKind) { return 0; }
void CloseXnn(XnnOp*) {}
const char* XnnKernelName(const XnnOp&) { return ""; }
Status RunXnn(const RunContext&) { return OCTET_OK; }

}  // namespace octet

#endif
