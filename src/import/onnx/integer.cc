// Rows of the importer: ConvInteger and MatMulInteger, whose results are the 32-bit sums.
//
// Octet's integer operators end in eight bits. These run in float32, which is exact as long as no
// sum can pass 2^24: the products are cut into as many parts as that takes, and the parts added as
// integers.
#include <algorithm>
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

constexpr int64_t kExact = 1 << 24;

// Codes of 8 bits less their zero point, in float32.
Status Centered(Node& n, int i, int zero, int32_t* result) {
  const int32_t x = n.in(i);
  if (!Is8Bit(n.b[x].type)) {
    return Fail(OCTET_INVALID_MODEL, "input %d is %s", i, TypeName(n.b[x].type));
  }
  const Layout layout = n.b.Preferred(x);
  const int32_t from = n.b.Raw(x, layout);
  const int32_t codes = n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims);
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(codes, layout));
  *result = codes;
  if (!n.has(zero)) return OCTET_OK;
  if (Elements(n.dims(zero)) != 1) {
    return Fail(OCTET_UNSUPPORTED, "has %lld zero points for its input %d",
                static_cast<long long>(Elements(n.dims(zero))), i);
  }
  int32_t point;
  if (const Array* array = n.b.Constant(n.in(zero))) {
    if (array->Int(0) == 0) return OCTET_OK;
    point = n.b.NewConstant("zero point", FloatArray({}, {array->Float(0)}));
  } else {
    point = n.b.New(n.out_name(), DType::FLOAT32, n.dims(zero));
    const int32_t at = n.b.Raw(n.in(zero), kPlain);
    n.b.Emit(OpKind::CAST, {at}, n.b.Output(point, kPlain));
  }
  const int32_t out = n.b.New(n.out_name(), DType::FLOAT32, n.b[x].dims);
  *result = out;
  return EmitBinary(&n.b, OpKind::SUB, codes, point, out);
}

// Constant weights less their zero points, one or one for each slice along `axis`.
Status CenteredWeights(Node& n, int i, int zero, size_t axis, Array* weights) {
  const Array* codes = nullptr;
  const Array* zeros = nullptr;
  OCTET_RETURN_IF_ERROR(n.Constant(i, "the weights", &codes));
  if (!Is8Bit(codes->type)) {
    return Fail(OCTET_INVALID_MODEL, "the weights are %s", TypeName(codes->type));
  }
  if (n.has(zero)) OCTET_RETURN_IF_ERROR(n.Constant(zero, "the weights' zero point", &zeros));
  size_t inner = 1;
  for (size_t k = axis + 1; k < codes->dims.size(); ++k)
    inner *= static_cast<size_t>(codes->dims[k]);
  const size_t slices = zeros ? zeros->size() : 1;
  if (slices != 1 && slices != static_cast<size_t>(codes->dims[axis])) {
    return Fail(OCTET_UNSUPPORTED, "has %zu zero points for weights %s", slices,
                Text(codes->dims).c_str());
  }
  std::vector<float> values(codes->size());
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(4 * values.size()));
  for (size_t k = 0; k < values.size(); ++k) {
    const int64_t point = zeros ? zeros->Int(slices == 1 ? 0 : k / inner % slices) : 0;
    values[k] = static_cast<float>(codes->Int(k) - point);
  }
  *weights = FloatArray(codes->dims, values);
  return OCTET_OK;
}

// Where to cut `depth` slices along axis 1 of weights [rows, depth, inner] so that no part's sums
// can pass 2^24. Inputs are less than 256 from their zero point.
std::vector<int32_t> Cuts(const Array& weights, int32_t rows, int32_t depth, int32_t inner) {
  std::vector<int32_t> cuts = {0};
  std::vector<int64_t> sums(static_cast<size_t>(rows), 0);
  for (int32_t d = 0; d < depth; ++d) {
    std::vector<int64_t> more(static_cast<size_t>(rows), 0);
    bool fits = true;
    for (int32_t r = 0; r < rows; ++r) {
      const size_t at =
          (static_cast<size_t>(r) * static_cast<size_t>(depth) + static_cast<size_t>(d)) *
          static_cast<size_t>(inner);
      for (int32_t k = 0; k < inner; ++k) {
        more[static_cast<size_t>(r)] +=
            255 * static_cast<int64_t>(std::abs(weights.Float(at + static_cast<size_t>(k))));
      }
      fits = fits && sums[static_cast<size_t>(r)] + more[static_cast<size_t>(r)] < kExact;
    }
    if (!fits && d > cuts.back()) {
      cuts.push_back(d);
      sums = more;
    } else {
      for (size_t r = 0; r < sums.size(); ++r) sums[r] += more[r];
    }
  }
  cuts.push_back(depth);
  return cuts;
}

// Slices [begin, end) along an axis of a constant of three axes.
Array Part(const Array& weights, int32_t rows, int32_t depth, int32_t inner, int32_t begin,
           int32_t end) {
  std::vector<float> values;
  for (int32_t r = 0; r < rows; ++r) {
    for (int32_t d = begin; d < end; ++d) {
      for (int32_t k = 0; k < inner; ++k) {
        values.push_back(weights.Float(
            (static_cast<size_t>(r) * static_cast<size_t>(depth) + static_cast<size_t>(d)) *
                static_cast<size_t>(inner) +
            static_cast<size_t>(k)));
      }
    }
  }
  return FloatArray({rows, end - begin, inner}, values);
}

// The part of a value's axis.
int32_t SlicePart(Builder* b, int32_t x, int32_t axis, int32_t begin, int32_t end, Layout layout) {
  const size_t rank = (*b)[x].dims.size();
  const int32_t from = b->Tensor(x, layout);
  Dims dims = (*b)[x].dims;
  dims[static_cast<size_t>(axis)] = end - begin;
  const int32_t out = b->New((*b)[x].name, (*b)[x].type, dims);
  const int32_t to = b->Output(out, layout);
  fb::SliceOptionsT options;
  options.begin.assign(rank, 0);
  options.begin[static_cast<size_t>(StoredAxis(axis, rank, layout))] = begin;
  options.size = b->graph().tensors[static_cast<size_t>(to)].shape;
  options.strides.assign(rank, 1);
  b->Emit(OpKind::SLICE, {from}, to, std::move(options));
  return out;
}

// The integers of float32 sums, added to those before.
Status AddSums(Node& n, int32_t sums, int32_t* total) {
  const Layout layout = n.b.Preferred(sums);
  const int32_t from = n.b.Tensor(sums, layout);
  const int32_t cast = n.b.New(n.out_name(), DType::INT32, n.b[sums].dims);
  n.b.Emit(OpKind::CAST, {from}, n.b.Output(cast, layout));
  if (*total < 0) {
    *total = cast;
    return OCTET_OK;
  }
  const int32_t out = n.b.New(n.out_name(), DType::INT32, n.b[sums].dims);
  OCTET_RETURN_IF_ERROR(EmitBinary(&n.b, OpKind::ADD, *total, cast, out));
  *total = out;
  return OCTET_OK;
}

}  // namespace

Status ImportConvInteger(Node& n) {
  const Dims w = n.dims(1);
  Dims out;
  OCTET_RETURN_IF_ERROR(ConvOutDims(n, n.dims(0), w, &out));
  Weights weights;
  OCTET_RETURN_IF_ERROR(CenteredWeights(n, 1, 3, 0, &weights.array));
  const int32_t inner = static_cast<int32_t>(Elements(Dims(w.begin() + 2, w.end())));
  const std::vector<int32_t> cuts = Cuts(weights.array, w[0], w[1], inner);
  int64_t group = 1;
  OCTET_RETURN_IF_ERROR(n.Int("group", &group));
  if (group != 1 && cuts.size() > 2) {
    return Fail(OCTET_UNSUPPORTED, "has groups whose sums may pass 2^24");
  }
  int32_t x, total = -1;
  OCTET_RETURN_IF_ERROR(Centered(n, 0, 2, &x));
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    Weights part;
    int32_t from = x;
    part.array = weights.array;
    if (cuts.size() > 2) {
      Dims dims = w;
      dims[1] = cuts[i + 1] - cuts[i];
      part.array = Part(weights.array, w[0], w[1], inner, cuts[i], cuts[i + 1]).Reshaped(dims);
      from = SlicePart(&n.b, x, 1, cuts[i], cuts[i + 1], kLast);
    }
    const int32_t sums = n.b.New(n.out_name(), DType::FLOAT32, out);
    OCTET_RETURN_IF_ERROR(EmitConv(n, from, std::move(part), sums));
    OCTET_RETURN_IF_ERROR(AddSums(n, sums, &total));
  }
  n.Alias(total);
  return OCTET_OK;
}

Status ImportMatMulInteger(Node& n) {
  Dims out;
  OCTET_RETURN_IF_ERROR(MatMulDims(n.dims(0), n.dims(1), &out));
  const Dims w = n.dims(1);
  int32_t x, total = -1;
  OCTET_RETURN_IF_ERROR(Centered(n, 0, 2, &x));
  if (w.size() == 2 && n.b.Constant(n.in(1))) {
    Array weights;
    OCTET_RETURN_IF_ERROR(CenteredWeights(n, 1, 3, 1, &weights));
    weights = weights.Transposed({1, 0});
    const std::vector<int32_t> cuts = Cuts(weights, w[1], w[0], 1);
    const int32_t axis = static_cast<int32_t>(n.dims(0).size()) - 1;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      Weights part;
      part.array = weights;
      int32_t from = x;
      if (cuts.size() > 2) {
        part.array = Part(weights, w[1], w[0], 1, cuts[i], cuts[i + 1])
                         .Reshaped({w[1], cuts[i + 1] - cuts[i]});
        from = SlicePart(&n.b, x, axis, cuts[i], cuts[i + 1], kPlain);
      }
      const int32_t sums = n.b.New(n.out_name(), DType::FLOAT32, out);
      OCTET_RETURN_IF_ERROR(EmitFullyConnected(n, from, std::move(part), sums));
      OCTET_RETURN_IF_ERROR(AddSums(n, sums, &total));
    }
    n.Alias(total);
    return OCTET_OK;
  }
  if (int64_t{w[w.size() - 2]} * 255 * 255 >= kExact) {
    return Fail(OCTET_UNSUPPORTED, "multiplies two computed matrices whose sums may pass 2^24");
  }
  int32_t y;
  OCTET_RETURN_IF_ERROR(Centered(n, 1, 3, &y));
  const int32_t sums = n.b.New(n.out_name(), DType::FLOAT32, out);
  OCTET_RETURN_IF_ERROR(EmitMatMul(n, x, y, sums));
  OCTET_RETURN_IF_ERROR(AddSums(n, sums, &total));
  n.Alias(total);
  return OCTET_OK;
}

}  // namespace octet::onnx
