// Rows of the importer: operators that pick some of their input's values.
#include <algorithm>

#include "src/import/tflite/op_import.h"

namespace octet {
namespace {

// One axis of STRIDED_SLICE, as its operands give it.
struct AxisSlice {
  int32_t begin = 0, end = 0, stride = 1;
  bool begin_open = true, end_open = true;  // from one end, to the other
  bool shrink = false;                      // one element, and the axis goes
};

// Source: StartForAxis and StopForAxis in TFLite's strided_slice_logic.h.
Status ResolveAxis(const AxisSlice& s, int32_t size, bool offset, int32_t* first, int32_t* count) {
  if (s.stride == 0) return Fail(OCTET_INVALID_MODEL, "has stride 0");
  // Forwards positions are in [0, size], backwards in [-1, size - 1].
  const int64_t low = s.stride > 0 ? 0 : -1, high = low + size;
  const auto position = [&](int64_t at) {
    if (at < 0) at += size;
    return std::min(std::max(at, low), high);
  };
  const int64_t start = s.begin_open ? (s.stride > 0 ? low : high) : position(s.begin);
  int64_t stop;
  if (s.shrink) {
    stop = start + 1;
  } else if (s.end_open) {
    stop = s.stride > 0 ? high : low;
  } else {
    stop = position(offset ? start + s.end : s.end);
  }
  const int64_t stride = s.shrink ? 1 : s.stride;
  const int64_t distance = stride > 0 ? stop - start : start - stop;
  const int64_t step = stride > 0 ? stride : -stride;
  const int64_t n = distance <= 0 ? 0 : (distance + step - 1) / step;
  if (n == 0 || start < 0 || start >= size) {
    return Fail(OCTET_INVALID_MODEL, "takes no elements of a dimension of %d", size);
  }
  *first = static_cast<int32_t>(start);
  *count = static_cast<int32_t>(n);
  return OCTET_OK;
}

bool Bit(int32_t mask, size_t i) { return i < 31 && (static_cast<uint32_t>(mask) >> i & 1) != 0; }

}  // namespace

Status ImportSlice(OpImport& op) {
  const std::vector<int32_t>& in = op.in(0).shape;
  fb::SliceOptionsT options;
  OCTET_RETURN_IF_ERROR(op.Ints(1, "the first index", in.size(), &options.begin));
  OCTET_RETURN_IF_ERROR(op.Ints(2, "the size", in.size(), &options.size));
  if (options.begin.size() != in.size() || options.size.size() != in.size()) {
    return Fail(OCTET_INVALID_MODEL, "has %zu first indices and %zu sizes for %zu dimensions",
                options.begin.size(), options.size.size(), in.size());
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (options.begin[i] < 0 || options.begin[i] > in[i]) {
      return Fail(OCTET_INVALID_MODEL, "begins at %d of a dimension of %d", options.begin[i],
                  in[i]);
    }
    if (options.size[i] == -1) options.size[i] = in[i] - options.begin[i];
  }
  options.strides.assign(in.size(), 1);
  op.Emit(OpKind::SLICE, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

// The masks are resolved here. The options keep one entry for each axis of the input; axes that are
// shrunk away, or added, have one element and only change the output's shape.
Status ImportStridedSlice(OpImport& op) {
  const auto* source = op.options<tflite::StridedSliceOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  const std::vector<int32_t>& in = op.in(0).shape;
  constexpr size_t kMostEntries = 2 * static_cast<size_t>(kMaxRank);  // new axes have entries too
  std::vector<int32_t> begin, end, strides;
  OCTET_RETURN_IF_ERROR(op.Ints(1, "the first index", kMostEntries, &begin));
  OCTET_RETURN_IF_ERROR(op.Ints(2, "the last index", kMostEntries, &end));
  OCTET_RETURN_IF_ERROR(op.Ints(3, "the stride", kMostEntries, &strides));
  if (begin.size() != end.size() || begin.size() != strides.size()) {
    return Fail(OCTET_INVALID_MODEL, "has %zu first indices, %zu last ones and %zu strides",
                begin.size(), end.size(), strides.size());
  }
  // Entries that stand for an axis of the input; an ellipsis stands for those left over.
  size_t axes_named = 0;
  bool ellipsis_seen = false;
  for (size_t i = 0; i < begin.size(); ++i) {
    if (Bit(source->ellipsis_mask(), i)) {
      if (ellipsis_seen) return Fail(OCTET_INVALID_MODEL, "has two ellipses");
      ellipsis_seen = true;
    } else if (!Bit(source->new_axis_mask(), i)) {
      ++axes_named;
    }
  }
  if (axes_named > in.size()) {
    return Fail(OCTET_INVALID_MODEL, "slices %zu of %zu dimensions", axes_named, in.size());
  }
  std::vector<AxisSlice> axes;
  for (size_t i = 0; i < begin.size(); ++i) {
    if (Bit(source->ellipsis_mask(), i)) {
      axes.resize(axes.size() + in.size() - axes_named);
    } else if (!Bit(source->new_axis_mask(), i)) {
      axes.push_back({begin[i], end[i], strides[i], Bit(source->begin_mask(), i),
                      Bit(source->end_mask(), i), Bit(source->shrink_axis_mask(), i)});
    }
  }
  axes.resize(in.size());
  fb::SliceOptionsT options;
  for (size_t i = 0; i < in.size(); ++i) {
    int32_t first, count;
    OCTET_RETURN_IF_ERROR(ResolveAxis(axes[i], in[i], source->offset(), &first, &count));
    options.begin.push_back(first);
    options.size.push_back(count);
    options.strides.push_back(count == 1 ? 1 : axes[i].stride);
  }
  op.Emit(OpKind::STRIDED_SLICE, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportGather(OpImport& op) {
  const auto* source = op.options<tflite::GatherOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  fb::GatherOptionsT options;
  options.axis = source->axis();
  options.batch_dims = source->batch_dims();
  OCTET_RETURN_IF_ERROR(NormaliseAxis(Rank(op.in(0)), &options.axis));
  if (options.batch_dims < 0) {
    // Counted from the end of the indices.
    const int64_t from_start = int64_t{options.batch_dims} + Rank(op.in(1));
    if (from_start < 0) {
      return Fail(OCTET_INVALID_MODEL, "has %d batch dimensions", options.batch_dims);
    }
    options.batch_dims = static_cast<int32_t>(from_start);
  }
  op.Emit(OpKind::GATHER, op.inputs(), std::move(options));
  return OCTET_OK;
}

Status ImportGatherNd(OpImport& op) {
  op.Emit(OpKind::GATHER_ND, op.inputs());
  return OCTET_OK;
}

}  // namespace octet
