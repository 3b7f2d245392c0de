// BATCH_TO_SPACE_ND and SPACE_TO_BATCH_ND: every block_h-th row and block_w-th column becomes an
// image of its own, and back. Tensors are N, H, W, C, or N, H, C seen as N, H, 1, C.
//
// Image b * images + n of the many (b in [0, block_h * block_w)) holds of image n of the few the
// pixels (h * block_h + b / block_w - before_h, w * block_w + b % block_w - before_w).
#include "src/ops/shape_util.h"

namespace octet {
namespace {

struct Params {
  XxCopyRunsFn copy;
  bool to_space;
  int32_t images;  // of the few
  int32_t many_images;
  int32_t block[2], before[2];
  int32_t many[2], few[2];  // height and width on each side
  size_t pixel;             // bytes
  uint8_t padding;          // SPACE_TO_BATCH_ND: every byte of the pixels around the image
};

Status Check(const OpView& op) {
  OCTET_RETURN_IF_ERROR(CheckMove(op, 1, 1, 1, 1, 1));
  const bool to_space = op.kind == OpKind::BATCH_TO_SPACE_ND;
  const TensorView& many = to_space ? op.in(0) : op.out();
  const TensorView& few = to_space ? op.out() : op.in(0);
  OCTET_RETURN_IF_ERROR(CheckRank(op.in(0), "input", 3, 4));
  OCTET_CHECK_OP(many.rank == few.rank, "ranks %d and %d", int{many.rank}, int{few.rank});
  const auto* options = op.options<fb::BlockOptions>();
  const int32_t spatial = few.rank - 2;
  int32_t block[2], before[2];
  OCTET_RETURN_IF_ERROR(CheckInts(options->block(), "block", spatial, block));
  OCTET_RETURN_IF_ERROR(CheckInts(options->before(), "before", spatial, before));
  OCTET_CHECK_OP(many.dims[many.rank - 1] == few.dims[few.rank - 1], "channels %d and %d",
                 int{many.dims[many.rank - 1]}, int{few.dims[few.rank - 1]});
  int64_t images = few.dims[0];
  for (int32_t i = 0; i < spatial; ++i) {
    OCTET_CHECK_OP(block[i] >= 1 && block[i] < 32768 && before[i] >= 0, "block %d, before %d",
                   int{block[i]}, int{before[i]});
    const int64_t padded = int64_t{many.dims[i + 1]} * block[i];
    OCTET_CHECK_OP(padded < INT32_MAX && padded >= int64_t{few.dims[i + 1]} + before[i],
                   "dimension %d: blocks cover %lld of %d + %d elements", int{i + 1},
                   static_cast<long long>(padded), int{before[i]}, int{few.dims[i + 1]});
    images *= block[i];
  }
  OCTET_CHECK_OP(images == many.dims[0], "%lld images, not %d", static_cast<long long>(images),
                 int{many.dims[0]});
  return OCTET_OK;
}

// The range of `many` coordinates that lie inside of `few`, for the shift of one image.
RowRange Inside(const Params& p, int32_t axis, int32_t shift) {
  const int64_t block = p.block[axis];
  const int64_t lead = p.before[axis] - shift;  // i * block >= lead
  RowRange r;
  r.begin = lead > 0 ? static_cast<int32_t>((lead + block - 1) / block) : 0;
  const int64_t last = p.few[axis] - 1 + lead;  // i * block <= last
  r.end = last < 0 ? 0 : static_cast<int32_t>(last / block + 1);
  if (r.end > p.many[axis]) r.end = p.many[axis];
  if (r.begin > r.end) r.begin = r.end;
  return r;
}

void Image(const Params& p, const uint8_t* in, uint8_t* out, int32_t index) {
  const int32_t n = index % p.images, b = index / p.images;
  const int32_t shift_h = b / p.block[1], shift_w = b % p.block[1];
  const RowRange ys = Inside(p, 0, shift_h), xs = Inside(p, 1, shift_w);
  const size_t many_row = static_cast<size_t>(p.many[1]) * p.pixel;
  const size_t few_row = static_cast<size_t>(p.few[1]) * p.pixel;
  const size_t many_image = static_cast<size_t>(index) * static_cast<size_t>(p.many[0]) * many_row;
  const size_t few_image = static_cast<size_t>(n) * static_cast<size_t>(p.few[0]) * few_row;
  const size_t width = static_cast<size_t>(xs.end - xs.begin);
  const size_t left = static_cast<size_t>(xs.begin) * p.pixel;
  const ptrdiff_t near = static_cast<ptrdiff_t>(p.pixel), far = near * p.block[1];
  for (int32_t y = 0; y < p.many[0]; ++y) {
    const size_t many_at = many_image + static_cast<size_t>(y) * many_row;
    const bool inside = y >= ys.begin && y < ys.end && width > 0;
    size_t few_at = 0;
    if (inside) {
      const int32_t few_y = y * p.block[0] + shift_h - p.before[0];
      const int32_t few_x = xs.begin * p.block[1] + shift_w - p.before[1];
      few_at =
          few_image + static_cast<size_t>(few_y) * few_row + static_cast<size_t>(few_x) * p.pixel;
    }
    if (p.to_space) {
      if (inside) p.copy(in + many_at + left, near, out + few_at, far, p.pixel, width);
      continue;
    }
    uint8_t* row = out + many_at;
    if (!inside) {
      FillElements(row, &p.padding, 1, many_row);
      continue;
    }
    const size_t right = left + width * p.pixel;
    FillElements(row, &p.padding, 1, left);
    p.copy(in + few_at, far, row + left, near, p.pixel, width);
    FillElements(row + right, &p.padding, 1, many_row - right);
  }
}

Status Run(const RunContext& c) {
  const Params& p = *static_cast<const Params*>(c.params);
  const size_t image_bytes =
      static_cast<size_t>(p.many[0]) * static_cast<size_t>(p.many[1]) * p.pixel;
  c.threads.slices(static_cast<size_t>(p.many_images), CopyGrain(image_bytes),
                   [&](size_t, size_t begin, size_t end) {
                     for (size_t i = begin; i < end; ++i) {
                       Image(p, c.in<uint8_t>(0), c.out<uint8_t>(), static_cast<int32_t>(i));
                     }
                   });
  return OCTET_OK;
}

void Bind(const OpView&, IsaSet isa, Binding* binding) {
  const XxCopyKernel& row = FirstRow(XxCopyTable(), isa);
  binding->kernel = row.name;
  binding->row = &row;
  binding->run = Run;
  binding->params_bytes = sizeof(Params);
}

void Init(const OpView& op, const Binding& binding, void* params) {
  Params& p = *static_cast<Params*>(params);
  p.copy = static_cast<const XxCopyKernel*>(binding.row)->runs;
  p.to_space = op.kind == OpKind::BATCH_TO_SPACE_ND;
  const TensorView& many = p.to_space ? op.in(0) : op.out();
  const TensorView& few = p.to_space ? op.out() : op.in(0);
  const auto* options = op.options<fb::BlockOptions>();
  p.images = few.dims[0];
  p.many_images = many.dims[0];
  for (int32_t i = 0; i < 2; ++i) {
    const bool present = i < few.rank - 2;
    p.block[i] = present ? options->block()->Get(static_cast<flatbuffers::uoffset_t>(i)) : 1;
    p.before[i] = present ? options->before()->Get(static_cast<flatbuffers::uoffset_t>(i)) : 0;
    p.many[i] = present ? many.dims[i + 1] : 1;
    p.few[i] = present ? few.dims[i + 1] : 1;
  }
  p.pixel = static_cast<size_t>(few.dims[few.rank - 1]) * TypeBytes(few.type);
  // One-byte types are padded with their zero; the zero of all others that exist is 0.
  if (TypeBytes(few.type) == 1) p.padding = static_cast<uint8_t>(op.out().zero_point);
}

}  // namespace

extern const OpDef kBATCH_TO_SPACE_NDOp = {Check, Bind, Init, nullptr, nullptr, nullptr};
extern const OpDef kSPACE_TO_BATCH_NDOp = {Check, Bind, Init, nullptr, nullptr, nullptr};

}  // namespace octet
