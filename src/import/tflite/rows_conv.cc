// Rows of the importer: convolutions, matrix products, pooling.
#include "src/import/tflite/op_import.h"

namespace octet {
namespace {

Status RequireRank4(const OpImport& op, size_t data, size_t weights) {
  for (const GraphTensor* t : {&op.in(data), &op.in(weights), &op.out()}) {
    if (Rank(*t) != 4) {
      return Fail(OCTET_INVALID_MODEL, "\"%s\" has %d dimensions, not 4", t->name.c_str(),
                  Rank(*t));
    }
  }
  return OCTET_OK;
}

Status RefuseHybrid(const GraphTensor& data, const GraphTensor& weights) {
  if (data.type == DType::FLOAT32 && weights.type != DType::FLOAT32) {
    return Fail(OCTET_UNSUPPORTED,
                "is hybrid (float32 activations, %s weights): quantise the activations as well",
                TypeName(weights.type));
  }
  return OCTET_OK;
}

// CONV_2D and DEPTHWISE_CONV_2D, whose options have the same fields.
template <class Options>
Status ImportConv(OpImport& op, OpKind kind) {
  const Options* source = op.options<Options>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  OCTET_RETURN_IF_ERROR(RequireRank4(op, 0, 1));
  OCTET_RETURN_IF_ERROR(RefuseHybrid(op.in(0), op.in(1)));
  const std::vector<int32_t>& in = op.in(0).shape;
  const std::vector<int32_t>& filter = op.in(1).shape;
  const std::vector<int32_t>& out = op.out().shape;
  fb::Conv2DOptionsT options;
  options.stride_h = source->stride_h();
  options.stride_w = source->stride_w();
  options.dilation_h = source->dilation_h_factor();
  options.dilation_w = source->dilation_w_factor();
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "height", in[1], filter[1],
                                      options.stride_h, options.dilation_h, out[1],
                                      &options.pad_top));
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "width", in[2], filter[2],
                                      options.stride_w, options.dilation_w, out[2],
                                      &options.pad_left));
  Clamps clamps;
  OCTET_RETURN_IF_ERROR(FusedActivation(source->fused_activation_function(), op.out(), &clamps));
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  options.legacy_u8 = op.legacy_u8(op.input(0));
  op.Emit(kind, {op.input(0), op.input(1), op.input(2)}, std::move(options));
  return OCTET_OK;
}

}  // namespace

Status ImportConv2D(OpImport& op) { return ImportConv<tflite::Conv2DOptions>(op, OpKind::CONV_2D); }

Status ImportDepthwiseConv2D(OpImport& op) {
  return ImportConv<tflite::DepthwiseConv2DOptions>(op, OpKind::DEPTHWISE_CONV_2D);
}

Status ImportTransposeConv(OpImport& op) {
  const auto* source = op.options<tflite::TransposeConvOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  OCTET_RETURN_IF_ERROR(RequireRank4(op, 2, 1));
  OCTET_RETURN_IF_ERROR(RefuseHybrid(op.in(2), op.in(1)));
  std::vector<int32_t> shape;
  OCTET_RETURN_IF_ERROR(op.Ints(0, "the output's shape", 4, &shape));
  if (shape != op.out().shape) {
    return Fail(OCTET_INVALID_MODEL,
                "has an output of another shape than its first input asks for");
  }
  const std::vector<int32_t>& in = op.in(2).shape;
  const std::vector<int32_t>& filter = op.in(1).shape;
  fb::Conv2DOptionsT options;
  options.stride_h = source->stride_h();
  options.stride_w = source->stride_w();
  // As the convolution whose gradient this is: it leads from the output to the input.
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "height (seen backwards)", shape[1],
                                      filter[1], options.stride_h, 1, in[1], &options.pad_top));
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "width (seen backwards)", shape[2],
                                      filter[2], options.stride_w, 1, in[2], &options.pad_left));
  Clamps clamps;
  OCTET_RETURN_IF_ERROR(FusedActivation(source->fused_activation_function(), op.out(), &clamps));
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  options.legacy_u8 = op.legacy_u8(op.input(2));
  op.Emit(OpKind::TRANSPOSE_CONV, {op.input(2), op.input(1), op.input(3)}, std::move(options));
  return OCTET_OK;
}

Status ImportFullyConnected(OpImport& op) {
  const auto* source = op.options<tflite::FullyConnectedOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  if (source->weights_format() != tflite::FullyConnectedOptionsWeightsFormat_DEFAULT) {
    return Fail(OCTET_UNSUPPORTED, "has shuffled weights");
  }
  OCTET_RETURN_IF_ERROR(RefuseHybrid(op.in(0), op.in(1)));
  Clamps clamps;
  OCTET_RETURN_IF_ERROR(FusedActivation(source->fused_activation_function(), op.out(), &clamps));
  fb::FullyConnectedOptionsT options;
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  op.Emit(OpKind::FULLY_CONNECTED, {op.input(0), op.input(1), op.input(2)}, std::move(options));
  return OCTET_OK;
}

Status ImportBatchMatMul(OpImport& op) {
  fb::BatchMatMulOptionsT options;
  if (const auto* source = op.options<tflite::BatchMatMulOptions>()) {
    options.adj_x = source->adj_x();
    options.adj_y = source->adj_y();
  }
  OCTET_RETURN_IF_ERROR(RefuseHybrid(op.in(0), op.in(1)));
  op.Emit(OpKind::BATCH_MATMUL, op.inputs(), std::move(options));
  return OCTET_OK;
}

Status ImportPool2D(OpImport& op) {
  const auto* source = op.options<tflite::Pool2DOptions>();
  if (!source) return Fail(OCTET_INVALID_MODEL, "has no options");
  OCTET_RETURN_IF_ERROR(RequireRank4(op, 0, 0));
  const std::vector<int32_t>& in = op.in(0).shape;
  const std::vector<int32_t>& out = op.out().shape;
  fb::PoolOptionsT options;
  options.filter_h = source->filter_height();
  options.filter_w = source->filter_width();
  options.stride_h = source->stride_h();
  options.stride_w = source->stride_w();
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "height", in[1], options.filter_h,
                                      options.stride_h, 1, out[1], &options.pad_top));
  OCTET_RETURN_IF_ERROR(PaddingBefore(source->padding(), "width", in[2], options.filter_w,
                                      options.stride_w, 1, out[2], &options.pad_left));
  Clamps clamps;
  OCTET_RETURN_IF_ERROR(FusedActivation(source->fused_activation_function(), op.out(), &clamps));
  options.act_min = clamps.min;
  options.act_max = clamps.max;
  options.act_min_f = clamps.min_f;
  options.act_max_f = clamps.max_f;
  const bool average = op.code() == tflite::BuiltinOperator_AVERAGE_POOL_2D;
  options.legacy_u8 = average && op.legacy_u8(op.input(0));
  op.Emit(average ? OpKind::AVERAGE_POOL_2D : OpKind::MAX_POOL_2D, {op.input(0)},
          std::move(options));
  return OCTET_OK;
}

}  // namespace octet
