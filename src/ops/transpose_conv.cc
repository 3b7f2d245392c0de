// TRANSPOSE_CONV: inputs are data, weights [out_c][kh][kw][in_c] and an optional bias.
// Source: the TensorFlow Lite 8-bit quantization specification and 16x8 specification.
#include "kernels/qs8_deconv/qs8_deconv.h"
#include "src/ops/conv_common.h"
#include "src/ops/f32_conv.h"

namespace octet {
namespace {

struct Params {
  DeconvShape shape;
  const S8DotKernel* dot;  // null: the reference
};

DeconvShape MakeShape(const OpView& op) {
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  DeconvShape s;
  s.batch = in.dims[0];
  s.in_h = in.dims[1], s.in_w = in.dims[2], s.in_c = in.dims[3];
  s.out_h = out.dims[1], s.out_w = out.dims[2], s.out_c = out.dims[3];
  s.kernel_h = w.dims[1], s.kernel_w = w.dims[2];
  s.stride_h = o.stride_h(), s.stride_w = o.stride_w();
  s.pad_top = o.pad_top(), s.pad_left = o.pad_left();
  s.input_zero_point = in.zero_point;
  s.weight_zero_point = w.zero_point;
  s.output_zero_point = out.zero_point;
  const ActRange range = OutputRange(out, o.act_min(), o.act_max());
  s.act_min = range.min, s.act_max = range.max;
  s.acc64 = in.type == DType::INT16 && (op.input(2) == nullptr || op.in(2).type == DType::INT64);
  return s;
}

bool LegacyU8(const OpView& op) { return op.options<fb::Conv2DOptions>()->legacy_u8(); }

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckCounts(op, 2, 3, 1, 1));
  const TensorView &in = op.in(0), &w = op.in(1), &out = op.out();
  const fb::Conv2DOptions& o = *op.options<fb::Conv2DOptions>();
  OCTET_RETURN_IF_ERROR(CheckRank(w, "weights", 4, 4));
  OCTET_RETURN_IF_ERROR(CheckWindow(in, out, o, w.dims[1], w.dims[2]));
  OCTET_CHECK_OP(o.dilation_h() == 1 && o.dilation_w() == 1, "it is dilated");
  OCTET_CHECK_OP(w.dims[0] == out.dims[3] && w.dims[3] == in.dims[3],
                 "weights for %d to %d channels, the tensors have %d and %d", w.dims[3], w.dims[0],
                 in.dims[3], out.dims[3]);
  if (IsF32(op)) return CheckF32Product(op, w.dims[0], o.act_min_f(), o.act_max_f());
  OCTET_RETURN_IF_ERROR(CheckQuantisedProduct(op, w.dims[0], 0));
  return CheckMultipliers(op, ProductScales(op, LegacyU8(op)), w.dims[0]);
}

template <class T, class Reference, class Dot>
Status RunRows(const RunContext& c, Reference reference, Dot dot) {
  const Params& p = *static_cast<const Params*>(c.params);
  const DeconvShape& s = p.shape;
  const DeconvChannel* channels = static_cast<const DeconvChannel*>(c.pack);
  c.threads.slices(
      static_cast<size_t>(s.batch) * s.out_h, 1, [&](size_t, size_t begin, size_t end) {
        const int32_t first = static_cast<int32_t>(begin), last = static_cast<int32_t>(end);
        if (p.dot != nullptr) {
          dot(*p.dot, s, c.in<T>(0), c.in<int8_t>(1), channels, first, last, c.out<T>());
        } else {
          reference(s, c.in<T>(0), c.in<int8_t>(1), channels, first, last, c.out<T>());
        }
      });
  return OCTET_OK;
}

Status Run(const RunContext& c) { return RunRows<int8_t>(c, QS8DeconvRef, QS8DeconvDot); }
Status Run16(const RunContext& c) { return RunRows<int16_t>(c, QS16DeconvRef, QS16DeconvDot); }

void Bind(const OpView& op, IsaSet isa, Binding* b) {
  const TensorView& w = op.in(1);
  b->macs =
      static_cast<uint64_t>(op.in(0).elements()) * static_cast<uint64_t>(w.elements() / w.dims[3]);
  if (IsF32(op)) return BindF32Deconv(MakeF32ConvShape(op, false), b);
  const bool int16 = op.in(0).type == DType::INT16;
  b->kernel = int16 ? "qs16_deconv__ref" : "qs8_deconv__ref";
  b->run = int16 ? Run16 : Run;
  const S8DotKernel& dot = FirstRow(S8DotTable(), isa);
  if (dot.isa != Isa::kScalar && (!int16 || (op.in(0).zero_point == 0 && w.zero_point == 0))) {
    b->kernel = dot.name;
    b->row = &dot;
  }
  b->params_bytes = sizeof(Params);
  b->pack_layout = "deconv/ref/1";
  b->pack_bytes = static_cast<size_t>(w.dims[0]) * sizeof(DeconvChannel);
  b->packed_inputs = kPackedBias;  // weights are read where they lie
}

void Init(const OpView& op, const Binding& binding, void* params) {
  if (IsF32(op)) return InitF32Conv(op, MakeF32ConvShape(op, false), params);
  static_cast<Params*>(params)->shape = MakeShape(op);
  static_cast<Params*>(params)->dot = static_cast<const S8DotKernel*>(binding.row);
}

void Pack(const OpView& op, const Binding&, const void* params, void* pack) {
  if (IsF32(op)) return PackF32Conv(op, params, pack);
  const DeconvShape& s = static_cast<const Params*>(params)->shape;
  DeconvChannel* channels = static_cast<DeconvChannel*>(pack);
  const RequantScales scales = ProductScales(op, LegacyU8(op));
  const TensorView* bias = op.input(2);
  for (int32_t n = 0; n < s.out_c; ++n) {
    if (bias != nullptr) {
      channels[n].bias =
          bias->type == DType::INT64 ? bias->as<int64_t>()[n] : bias->as<int32_t>()[n];
    }
    channels[n].multiplier = scales.multiplier(n);
  }
}

}  // namespace

extern const OpDef kTRANSPOSE_CONVOp = {Check, Bind, Init, Pack, nullptr, nullptr};

}  // namespace octet
