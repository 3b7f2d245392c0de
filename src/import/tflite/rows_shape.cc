// Rows of the importer: operators that move values about.
#include <cstring>

#include "src/import/tflite/op_import.h"

namespace octet {
namespace {

// A constant of one pair of values for each dimension of the input.
Status Pairs(const OpImport& op, size_t input, const char* role, size_t dimensions,
             std::vector<int32_t>* first, std::vector<int32_t>* second) {
  std::vector<int32_t> values;
  OCTET_RETURN_IF_ERROR(op.Ints(input, role, 2 * dimensions, &values));
  if (values.size() != 2 * dimensions) {
    return Fail(OCTET_INVALID_MODEL, "%s has %zu values for %zu dimensions", role, values.size(),
                dimensions);
  }
  for (size_t i = 0; i < dimensions; ++i) {
    if (values[2 * i] < 0 || values[2 * i + 1] < 0) {
      return Fail(OCTET_INVALID_MODEL, "%s has negative values", role);
    }
    first->push_back(values[2 * i]);
    second->push_back(values[2 * i + 1]);
  }
  return OCTET_OK;
}

Status AxisOf(int32_t rank, int32_t axis, fb::AxisOptionsT* options) {
  OCTET_RETURN_IF_ERROR(NormaliseAxis(rank, &axis));
  options->axis = axis;
  return OCTET_OK;
}

Status EmitBlock(OpImport& op, OpKind kind, int32_t size) {
  fb::BlockOptionsT options;
  options.block = {size};
  op.Emit(kind, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

}  // namespace

// RESHAPE, SQUEEZE, EXPAND_DIMS: the output's shape says all.
Status ImportReshape(OpImport& op) {
  if (op.has(1)) {
    std::vector<int32_t> shape;
    OCTET_RETURN_IF_ERROR(op.Ints(1, "the new shape or axis", 64, &shape));
  }
  op.Emit(OpKind::RESHAPE, {op.input(0)});
  return OCTET_OK;
}

Status ImportTranspose(OpImport& op) {
  fb::TransposeOptionsT options;
  OCTET_RETURN_IF_ERROR(op.Ints(1, "the permutation", op.in(0).shape.size(), &options.perm));
  if (options.perm.size() != op.in(0).shape.size()) {
    return Fail(OCTET_INVALID_MODEL, "has a permutation of %zu axes for %zu dimensions",
                options.perm.size(), op.in(0).shape.size());
  }
  std::vector<bool> seen(options.perm.size(), false);
  for (int32_t& axis : options.perm) {
    OCTET_RETURN_IF_ERROR(NormaliseAxis(Rank(op.in(0)), &axis));
    if (seen[static_cast<size_t>(axis)]) {
      return Fail(OCTET_INVALID_MODEL, "has axis %d twice in its permutation", axis);
    }
    seen[static_cast<size_t>(axis)] = true;
  }
  op.Emit(OpKind::TRANSPOSE, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportPad(OpImport& op) {
  fb::PadOptionsT options;
  const GraphTensor& in = op.in(0);
  OCTET_RETURN_IF_ERROR(
      Pairs(op, 1, "the padding", in.shape.size(), &options.before, &options.after));
  options.value = IsQuantised(in) && in.type != DType::INT32 ? in.zero_point : 0;
  if (op.has(2)) {
    const GraphTensor& value = op.in(2);
    if (!value.is_constant()) {
      return Fail(OCTET_UNSUPPORTED, "the padding's value is computed, not a constant");
    }
    if (value.type != in.type || value.elements() != 1) {
      return Fail(OCTET_INVALID_MODEL, "the padding's value is %s, not one %s",
                  TypeName(value.type), TypeName(in.type));
    }
    const uint8_t* bytes = value.data->data();
    switch (TypeBytes(in.type)) {
      case 1:
        options.value = in.type == DType::INT8 ? static_cast<int8_t>(bytes[0]) : bytes[0];
        break;
      case 2: {
        int16_t v;
        std::memcpy(&v, bytes, sizeof v);
        options.value = v;
        break;
      }
      case 4:
        std::memcpy(&options.value, bytes, sizeof options.value);
        break;
      default:
        return Fail(OCTET_UNSUPPORTED, "pads %s with a value", TypeName(in.type));
    }
  }
  op.Emit(OpKind::PAD, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportMirrorPad(OpImport& op) {
  const auto* source = op.options<tflite::MirrorPadOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  fb::PadOptionsT options;
  OCTET_RETURN_IF_ERROR(
      Pairs(op, 1, "the padding", op.in(0).shape.size(), &options.before, &options.after));
  options.reflect = source->mode() == tflite::MirrorPadMode_REFLECT;
  op.Emit(OpKind::MIRROR_PAD, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportConcatenation(OpImport& op) {
  const auto* source = op.options<tflite::ConcatenationOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  if (source->fused_activation_function() != tflite::ActivationFunctionType_NONE) {
    return Fail(OCTET_UNSUPPORTED, "has a fused activation");
  }
  fb::AxisOptionsT options;
  OCTET_RETURN_IF_ERROR(AxisOf(Rank(op.out()), source->axis(), &options));
  // Inputs of another scale than the output's are fine in uint8 models: the operator requantises.
  for (int32_t input : op.inputs()) {
    if (input < 0) return Fail(OCTET_INVALID_MODEL, "an input is absent");
  }
  op.Emit(OpKind::CONCATENATION, op.inputs(), std::move(options));
  return OCTET_OK;
}

// SPLIT (axis, data) and SPLIT_V (data, sizes, axis): the sizes are those of the outputs.
Status ImportSplit(OpImport& op) {
  const bool sizes_given = op.code() == tflite::BuiltinOperator_SPLIT_V;
  const size_t data = sizes_given ? 0 : 1;
  int32_t axis;
  OCTET_RETURN_IF_ERROR(op.Int(sizes_given ? 2 : 0, "the axis", &axis));
  if (sizes_given) {
    std::vector<int32_t> sizes;
    OCTET_RETURN_IF_ERROR(op.Ints(1, "the list of sizes", op.outputs().size(), &sizes));
  }
  fb::AxisOptionsT options;
  OCTET_RETURN_IF_ERROR(AxisOf(Rank(op.in(data)), axis, &options));
  op.Emit(OpKind::SPLIT, {op.input(data)}, std::move(options));
  return OCTET_OK;
}

Status ImportPack(OpImport& op) {
  const auto* source = op.options<tflite::PackOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  for (int32_t input : op.inputs()) {
    if (input < 0) return Fail(OCTET_INVALID_MODEL, "an input is absent");
  }
  fb::AxisOptionsT options;
  OCTET_RETURN_IF_ERROR(AxisOf(Rank(op.out()), source->axis(), &options));
  op.Emit(OpKind::PACK, op.inputs(), std::move(options));
  return OCTET_OK;
}

Status ImportUnpack(OpImport& op) {
  const auto* source = op.options<tflite::UnpackOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  fb::AxisOptionsT options;
  OCTET_RETURN_IF_ERROR(AxisOf(Rank(op.in(0)), source->axis(), &options));
  op.Emit(OpKind::UNPACK, {op.input(0)}, std::move(options));
  return OCTET_OK;
}

Status ImportTile(OpImport& op) {
  std::vector<int32_t> repeats;
  OCTET_RETURN_IF_ERROR(
      op.Ints(1, "the number of repeats", static_cast<size_t>(kMaxRank), &repeats));
  op.Emit(OpKind::TILE, {op.input(0)});
  return OCTET_OK;
}

Status ImportDepthToSpace(OpImport& op) {
  const auto* source = op.options<tflite::DepthToSpaceOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  return EmitBlock(op, OpKind::DEPTH_TO_SPACE, source->block_size());
}

Status ImportSpaceToDepth(OpImport& op) {
  const auto* source = op.options<tflite::SpaceToDepthOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  return EmitBlock(op, OpKind::SPACE_TO_DEPTH, source->block_size());
}

// BATCH_TO_SPACE_ND (crops) and SPACE_TO_BATCH_ND (pads).
Status ImportBatchSpaceND(OpImport& op) {
  fb::BlockOptionsT options;
  OCTET_RETURN_IF_ERROR(
      op.Ints(1, "the block's shape", static_cast<size_t>(kMaxRank), &options.block));
  std::vector<int32_t> after;
  OCTET_RETURN_IF_ERROR(
      Pairs(op, 2, "the padding or crop", options.block.size(), &options.before, &after));
  const bool to_space = op.code() == tflite::BuiltinOperator_BATCH_TO_SPACE_ND;
  op.Emit(to_space ? OpKind::BATCH_TO_SPACE_ND : OpKind::SPACE_TO_BATCH_ND, {op.input(0)},
          std::move(options));
  return OCTET_OK;
}

Status ImportResize(OpImport& op) {
  fb::ResizeOptionsT options;
  std::vector<int32_t> size;
  OCTET_RETURN_IF_ERROR(op.Ints(1, "the new size", 2, &size));
  const std::vector<int32_t>& out = op.out().shape;
  if (size.size() != 2 || out.size() != 4 || out[1] != size[0] || out[2] != size[1]) {
    return Fail(OCTET_INVALID_MODEL, "has an output of another size than it asks for");
  }
  if (const auto* bilinear = op.options<tflite::ResizeBilinearOptions>()) {
    options.align_corners = bilinear->align_corners();
    options.half_pixel_centers = bilinear->half_pixel_centers();
  } else if (const auto* nearest = op.options<tflite::ResizeNearestNeighborOptions>()) {
    options.align_corners = nearest->align_corners();
    options.half_pixel_centers = nearest->half_pixel_centers();
  }
  const bool bilinear = op.code() == tflite::BuiltinOperator_RESIZE_BILINEAR;
  options.legacy_u8 = bilinear && op.legacy_u8(op.input(0));
  op.Emit(bilinear ? OpKind::RESIZE_BILINEAR : OpKind::RESIZE_NEAREST_NEIGHBOR, {op.input(0)},
          std::move(options));
  return OCTET_OK;
}

}  // namespace octet
