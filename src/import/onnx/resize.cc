// Rows of the importer: Resize and Upsample.
#include <cmath>

#include "src/import/onnx/rows.h"

namespace octet::onnx {
namespace {

// Sizes of the result, and the scales that lead to them (0: from the sizes).
Status ReadTarget(Node& n, const Dims& from, Dims* to, std::vector<float>* scales) {
  const Array* array = nullptr;
  const bool upsample = n.type() == "Upsample";
  const bool old = n.opset() < 11;  // Resize had no roi
  const int scales_at = upsample || old ? 1 : 2, sizes_at = upsample || old ? -1 : 3;
  const size_t rank = from.size();
  std::vector<int64_t> axes;
  OCTET_RETURN_IF_ERROR(n.Ints("axes", &axes));
  std::vector<size_t> places;
  if (axes.empty()) {
    for (size_t i = 0; i < rank; ++i) places.push_back(i);
  }
  for (const int64_t axis : axes) {
    int32_t at;
    OCTET_RETURN_IF_ERROR(NormaliseAxis(static_cast<int32_t>(rank), axis, &at));
    places.push_back(static_cast<size_t>(at));
  }
  *to = from;
  scales->assign(rank, 0);
  std::vector<float> given;
  if (upsample && !n.has(1)) {
    const auto* a = n.Attribute("scales");
    if (a) given.assign(a->floats().begin(), a->floats().end());
  } else if (n.has(scales_at)) {
    OCTET_RETURN_IF_ERROR(n.Constant(scales_at, "the scales", &array));
    for (size_t i = 0; i < array->size() && i < 64; ++i) given.push_back(array->Float(i));
  }
  if (!given.empty()) {
    if (given.size() != places.size()) {
      return Fail(OCTET_INVALID_MODEL, "has %zu scales for %zu dimensions", given.size(),
                  places.size());
    }
    for (size_t i = 0; i < given.size(); ++i) {
      const double size =
          std::floor(static_cast<double>(from[places[i]]) * static_cast<double>(given[i]));
      if (!(size >= 1 && size <= INT32_MAX)) {
        return Fail(OCTET_INVALID_MODEL, "has the scale %g", static_cast<double>(given[i]));
      }
      (*to)[places[i]] = static_cast<int32_t>(size);
      (*scales)[places[i]] = given[i];
    }
    return OCTET_OK;
  }
  if (sizes_at < 0 || !n.has(sizes_at)) {
    return Fail(OCTET_INVALID_MODEL, "has neither scales nor sizes");
  }
  std::vector<int64_t> sizes;
  std::string policy = "stretch";
  OCTET_RETURN_IF_ERROR(n.String("keep_aspect_ratio_policy", &policy));
  if (policy != "stretch") return Fail(OCTET_UNSUPPORTED, "keeps the aspect ratio");
  OCTET_RETURN_IF_ERROR(n.InputInts(sizes_at, "the sizes", &sizes));
  if (sizes.size() != places.size()) {
    return Fail(OCTET_INVALID_MODEL, "has %zu sizes for %zu dimensions", sizes.size(),
                places.size());
  }
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1 || sizes[i] > INT32_MAX) {
      return Fail(OCTET_INVALID_MODEL, "has the size %lld", static_cast<long long>(sizes[i]));
    }
    (*to)[places[i]] = static_cast<int32_t>(sizes[i]);
  }
  return OCTET_OK;
}

// Do two sizes and the scale of ONNX lead to the same positions as out / in?
bool ScaleIsRatio(float scale, int32_t from, int32_t to) {
  return scale == 0 || std::abs(static_cast<double>(scale) * from - to) < 1e-3;
}

}  // namespace

Status ImportResize(Node& n) {
  const Dims from = n.dims(0);
  Dims to;
  std::vector<float> scales;
  OCTET_RETURN_IF_ERROR(ReadTarget(n, from, &to, &scales));
  if (from == to) {
    n.Alias(n.in(0));
    return OCTET_OK;
  }
  if ((from.size() != 4 && from.size() != 3) || from[0] != to[0] || from[1] != to[1]) {
    return Fail(OCTET_UNSUPPORTED, "makes %s of %s: one or two spatial dimensions are supported",
                Text(to).c_str(), Text(from).c_str());
  }
  std::string mode = "nearest", nearest = "round_prefer_floor";
  // Before opset 11 positions were out / scale.
  const bool old = n.type() == "Upsample" || n.opset() < 11;
  std::string positions = old ? "asymmetric" : "half_pixel";
  int64_t antialias = 0, outside = 0;
  OCTET_RETURN_IF_ERROR(n.String("mode", &mode));
  OCTET_RETURN_IF_ERROR(n.String("coordinate_transformation_mode", &positions));
  if (old) nearest = "floor";
  OCTET_RETURN_IF_ERROR(n.String("nearest_mode", &nearest));
  OCTET_RETURN_IF_ERROR(n.Int("antialias", &antialias));
  OCTET_RETURN_IF_ERROR(n.Int("exclude_outside", &outside));
  if (antialias) return Fail(OCTET_UNSUPPORTED, "is antialiased");
  if (mode == "bilinear") mode = "linear";
  bool grows = true, whole = true, ratio = true, single = false;
  for (size_t i = 2; i < from.size(); ++i) {
    grows = grows && to[i] >= from[i];
    whole = whole && to[i] % from[i] == 0;
    ratio = ratio && ScaleIsRatio(scales[i], from[i], to[i]);
    single = single || to[i] == 1;
  }
  if (!ratio) return Fail(OCTET_UNSUPPORTED, "has a scale that is not the ratio of its sizes");
  fb::ResizeOptionsT options;
  bool known = true;
  if (mode == "linear") {
    // pytorch_half_pixel differs for results of one pixel only.
    options.half_pixel_centers =
        positions == "half_pixel" || (positions == "pytorch_half_pixel" && !single);
    options.align_corners = positions == "align_corners";
    known = options.half_pixel_centers || options.align_corners || positions == "asymmetric";
  } else if (mode == "nearest") {
    // Octet: floor of out * in / size, of (out + 0.5) * in / size, or round half up of the
    // corners'.
    if (positions == "asymmetric" && nearest == "floor") {
    } else if (whole && grows && positions == "asymmetric" && nearest == "round_prefer_floor" &&
               [&] {
                 for (size_t i = 2; i < from.size(); ++i) {
                   if (to[i] > 2 * from[i]) return false;
                 }
                 return true;
               }()) {
      // Twice as large: positions are whole or half, and halves go down.
    } else if (whole && grows && (positions == "half_pixel" || positions == "pytorch_half_pixel") &&
               (nearest == "round_prefer_floor" || nearest == "round_prefer_ceil")) {
      // Whole multiples: the pixel that covers it, whichever way it is put.
    } else if ((positions == "half_pixel" || positions == "pytorch_half_pixel") &&
               nearest == "round_prefer_ceil") {
      options.half_pixel_centers = true;  // round(x + 0.5 - 0.5) up = floor(x + 0.5)
    } else if (positions == "align_corners" && nearest == "round_prefer_ceil") {
      options.align_corners = true;
    } else {
      known = false;
    }
  } else {
    return Fail(OCTET_UNSUPPORTED, "has mode \"%s\"", mode.c_str());
  }
  if (!known) {
    return Fail(OCTET_UNSUPPORTED, "has positions \"%s\" with mode %s%s%s", positions.c_str(),
                mode.c_str(), mode == "nearest" ? ", rounded by " : "",
                mode == "nearest" ? nearest.c_str() : "");
  }
  if (mode == "linear") OCTET_RETURN_IF_ERROR(QuantiseBytes(n));
  int32_t x, out;
  MovedValue(n, &x, to, &out);
  const int32_t image = ImageTensor(&n.b, x);
  EmitImage(&n.b, out, [&](int32_t tensor) {
    n.b.Emit(mode == "linear" ? OpKind::RESIZE_BILINEAR : OpKind::RESIZE_NEAREST_NEIGHBOR, {image},
             tensor, std::move(options));
  });
  return OCTET_OK;
}

}  // namespace octet::onnx
