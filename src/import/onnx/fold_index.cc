// What a model computes from constants alone, where elements meet or have a place: reductions,
// running sums, triangles, and values put into places. Masks and positions are made of them.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

Status FoldReduce(Node& n, const Array& x) {
  const std::string& type = n.type();
  Reduction r;
  OCTET_RETURN_IF_ERROR(ReadReduction(n, x.dims, &r));
  const int64_t left = Elements(r.out);
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(static_cast<uint64_t>(left) * TypeBytes(x.type)));
  // The place in the result of each element.
  std::vector<int64_t> step(x.dims.size(), 0);
  int64_t stride = 1, count = 1;
  for (size_t i = x.dims.size(); i-- > 0;) {
    const bool reduced =
        std::find(r.axes.begin(), r.axes.end(), static_cast<int32_t>(i)) != r.axes.end();
    if (reduced) {
      count *= x.dims[i];
    } else {
      step[i] = stride;
      stride *= x.dims[i];
    }
  }
  if (count == 0) return Fail(OCTET_UNSUPPORTED, "reduces nothing");
  const bool most = type == "ReduceMax", least = type == "ReduceMin",
             product = type == "ReduceProd";
  std::vector<double> values(static_cast<size_t>(left), product ? 1 : 0);
  std::vector<bool> seen(values.size(), false);
  std::vector<int32_t> at(x.dims.size(), 0);
  int64_t place = 0;
  for (size_t k = 0; k < x.size(); ++k) {
    const double v = x.Number(k);
    double& to = values[static_cast<size_t>(place)];
    if (product) {
      to *= v;
    } else if (most || least) {
      const bool first = !seen[static_cast<size_t>(place)];
      if (first || (most ? v > to : v < to)) to = v;
      seen[static_cast<size_t>(place)] = true;
    } else {
      to += v;
    }
    for (size_t i = x.dims.size(); i-- > 0;) {
      place += step[i];
      if (++at[i] < x.dims[i]) break;
      place -= step[i] * x.dims[i];
      at[i] = 0;
    }
  }
  if (type == "ReduceMean") {
    for (double& v : values) v /= static_cast<double>(count);
  }
  n.ConstantResult(NumberArray(x.type, r.out, values));
  return OCTET_OK;
}

Status FoldCumSum(Node& n, const Array& x, const Array& axis_of) {
  int32_t axis;
  int64_t exclusive = 0, reverse = 0;
  if (axis_of.size() != 1) return Fail(OCTET_INVALID_MODEL, "has %zu axes", axis_of.size());
  OCTET_RETURN_IF_ERROR(NormaliseAxis(static_cast<int32_t>(x.dims.size()), axis_of.Int(0), &axis));
  OCTET_RETURN_IF_ERROR(n.Int("exclusive", &exclusive));
  OCTET_RETURN_IF_ERROR(n.Int("reverse", &reverse));
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(x.size() * TypeBytes(x.type)));
  const size_t length = static_cast<size_t>(x.dims[static_cast<size_t>(axis)]);
  size_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < x.dims.size(); ++i) {
    inner *= static_cast<size_t>(x.dims[i]);
  }
  std::vector<double> values(x.size(), 0);
  for (size_t start = 0; start < x.size(); ++start) {
    if (start / inner % length != 0) continue;  // not the first along the axis
    double sum = 0;
    for (size_t k = 0; k < length; ++k) {
      const size_t i = start + (reverse ? length - 1 - k : k) * inner;
      if (exclusive) values[i] = sum;
      sum += x.Number(i);
      if (!exclusive) values[i] = sum;
    }
  }
  n.ConstantResult(NumberArray(x.type, x.dims, values));
  return OCTET_OK;
}

Status FoldScatter(Node& n, const Array& data, const Array& indices, const Array& updates) {
  std::string reduction = "none";
  OCTET_RETURN_IF_ERROR(n.String("reduction", &reduction));
  if (reduction != "none")
    return Fail(OCTET_UNSUPPORTED, "has reduction \"%s\"", reduction.c_str());
  const size_t depth = indices.dims.empty() ? 0 : static_cast<size_t>(indices.dims.back());
  if (depth < 1 || depth > data.dims.size() || updates.type != data.type) {
    return Fail(OCTET_INVALID_MODEL, "puts %s into %s at %s", Text(updates.dims).c_str(),
                Text(data.dims).c_str(), Text(indices.dims).c_str());
  }
  const size_t slice = static_cast<size_t>(
      Elements(Dims(data.dims.begin() + static_cast<ptrdiff_t>(depth), data.dims.end())));
  const size_t places = indices.size() / depth;
  if (updates.size() != places * slice) {
    return Fail(OCTET_INVALID_MODEL, "puts %s into %s at %s", Text(updates.dims).c_str(),
                Text(data.dims).c_str(), Text(indices.dims).c_str());
  }
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(data.bytes->size()));
  auto bytes = std::make_shared<std::vector<uint8_t>>(*data.bytes);
  const size_t run = slice * TypeBytes(data.type);
  for (size_t k = 0; k < places; ++k) {
    int64_t place = 0;
    for (size_t i = 0; i < depth; ++i) {
      int64_t index = indices.Int(k * depth + i);
      if (index < 0) index += data.dims[i];
      if (index < 0 || index >= data.dims[i]) {
        return Fail(OCTET_INVALID_MODEL, "puts something at %lld of %d",
                    static_cast<long long>(indices.Int(k * depth + i)), data.dims[i]);
      }
      place = place * data.dims[i] + index;
    }
    if (run > 0) {
      std::memcpy(bytes->data() + static_cast<size_t>(place) * run, updates.bytes->data() + k * run,
                  run);
    }
  }
  n.ConstantResult({data.type, data.dims, std::move(bytes)});
  return OCTET_OK;
}

// What is above the diagonal, or below it.
Status FoldTrilu(Node& n, const Array& x, const Array* diagonal) {
  int64_t upper = 1;
  OCTET_RETURN_IF_ERROR(n.Int("upper", &upper));
  const size_t rank = x.dims.size();
  if (rank < 2 || (diagonal && diagonal->size() != 1)) {
    return Fail(OCTET_INVALID_MODEL, "has an input %s", Text(x.dims).c_str());
  }
  const int64_t k = diagonal ? std::clamp<int64_t>(diagonal->Int(0), -INT32_MAX, INT32_MAX) : 0;
  OCTET_RETURN_IF_ERROR(n.b.budget().Take(x.bytes->size()));
  auto bytes = std::make_shared<std::vector<uint8_t>>(*x.bytes);
  const size_t rows = static_cast<size_t>(x.dims[rank - 2]);
  const size_t columns = static_cast<size_t>(x.dims[rank - 1]), size = TypeBytes(x.type);
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t over =
        static_cast<int64_t>(i % columns) - static_cast<int64_t>(i / columns % rows) - k;
    if (upper ? over < 0 : over > 0) std::memset(bytes->data() + i * size, 0, size);
  }
  n.ConstantResult({x.type, x.dims, std::move(bytes)});
  return OCTET_OK;
}

}  // namespace

Status FoldIndexed(Node& n, const std::vector<const Array*>& in, bool* folded) {
  static const char* const kReductions[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin",
                                            "ReduceProd"};
  const std::string& type = n.type();
  *folded = true;
  if (std::any_of(std::begin(kReductions), std::end(kReductions),
                  [&](const char* name) { return type == name; })) {
    return FoldReduce(n, *in[0]);
  }
  if (type == "CumSum" && in.size() == 2 && in[1] && !in[0]->dims.empty()) {
    return FoldCumSum(n, *in[0], *in[1]);
  }
  if (type == "Trilu" && (in.size() == 1 || in[1])) {
    return FoldTrilu(n, *in[0], in.size() > 1 ? in[1] : nullptr);
  }
  if (type == "ScatterND" && in.size() == 3 && in[1] && in[2]) {
    return FoldScatter(n, *in[0], *in[1], *in[2]);
  }
  *folded = false;
  return OCTET_OK;
}

}  // namespace octet::onnx
