#include "src/import/onnx/builder.h"

#include <algorithm>
#include <cmath>

namespace octet::onnx {
namespace {

std::vector<int32_t> Permutation(size_t rank, Layout to) {
  std::vector<int32_t> perm;
  const int32_t r = static_cast<int32_t>(rank);
  perm.push_back(0);
  if (to == kPlain) perm.push_back(r - 1);
  for (int32_t i = to == kLast ? 2 : 1; i < (to == kLast ? r : r - 1); ++i) perm.push_back(i);
  if (to == kLast) perm.push_back(1);
  return perm;
}

// ONNX's QuantizeLinear of one value: round half to even, saturate.
int32_t QuantizeValue(float value, const Quant& quant) {
  int32_t low = -128, high = 127;
  if (quant.type == DType::UINT8) low = 0, high = 255;
  const float steps = std::nearbyint(value / quant.scale[0]);
  if (steps != steps) return std::clamp(quant.zero_point[0], low, high);
  const float limited = std::clamp(steps, -1e6f, 1e6f);
  return std::clamp(static_cast<int32_t>(limited) + quant.zero_point[0], low, high);
}

}  // namespace

bool Is8Bit(DType type) { return type == DType::INT8 || type == DType::UINT8; }

Dims StoredDims(const Dims& dims, Layout layout) {
  if (layout == kPlain || dims.size() < 3) return dims;
  Dims stored;
  for (const int32_t from : Permutation(dims.size(), kLast)) {
    stored.push_back(dims[static_cast<size_t>(from)]);
  }
  return stored;
}

int32_t StoredAxis(int32_t axis, size_t rank, Layout layout) {
  if (layout == kPlain || rank < 3 || axis == 0) return axis;
  return axis == 1 ? static_cast<int32_t>(rank) - 1 : axis - 1;
}

void SetQuant(const Quant& quant, GraphTensor* tensor) {
  tensor->scale = quant.scale;
  tensor->zero_point = quant.zero_point[0];
  tensor->axis = quant.per_tensor() ? 0 : quant.axis;
  if (quant.type == DType::UINT8 && tensor->type == DType::INT8) tensor->zero_point -= 128;
}

// ---- Values ----------------------------------------------------------------------------------

int32_t Builder::New(std::string name, DType type, Dims dims) {
  Value v;
  v.name = ShortText(name);
  v.type = type;
  v.dims = std::move(dims);
  values_.push_back(std::move(v));
  return static_cast<int32_t>(values_.size()) - 1;
}

int32_t Builder::NewConstant(std::string name, Array array) {
  const int32_t id = New(std::move(name), array.type, array.dims);
  (*this)[id].constant = std::move(array);
  return id;
}

int32_t Builder::Find(const std::string& name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? -1 : it->second;
}

const Array* Builder::Constant(int32_t id) {
  Value& v = (*this)[id];
  if (v.constant) return &*v.constant;
  if (v.source < 0 || v.table) return nullptr;
  const Value& q = (*this)[v.source];
  if (!q.constant || !q.quant) return nullptr;
  const Array& codes = *q.constant;
  const Quant& quant = *q.quant;
  const size_t n = codes.size();
  if (Status s = budget_.Take(4 * n); s != OCTET_OK) {
    Broken(s);
    return nullptr;
  }
  size_t inner = 1, slices = quant.scale.size();
  for (size_t i = static_cast<size_t>(quant.axis) + 1; !quant.per_tensor() && i < v.dims.size();
       ++i) {
    inner *= static_cast<size_t>(v.dims[i]);
  }
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t slice = quant.per_tensor() ? 0 : i / inner % slices;
    const int64_t difference = codes.Int(i) - quant.zero_at(slice);
    values[i] = static_cast<float>(difference) * quant.scale_at(slice);
  }
  v.constant = FloatArray(v.dims, values);
  return &*v.constant;
}

void Builder::Broken(Status status) {
  if (failure != OCTET_OK) return;
  failure = status;
  failure_text = octet_last_error();
}

// ---- Tensors ---------------------------------------------------------------------------------

int32_t Builder::AddTensor(const std::string& name, DType type, Dims shape) {
  GraphTensor t;
  t.name = name;
  t.type = type;
  t.shape = std::move(shape);
  return graph_.AddTensor(std::move(t));
}

int32_t Builder::ConstantTensor(const std::string& name, const Array& array) {
  const int32_t t = AddTensor(name, array.type, array.dims);
  GraphTensor& tensor = graph_.tensors[static_cast<size_t>(t)];
  // Shared where possible.
  tensor.data = array.bytes;
  return t;
}

GraphOp& Builder::Emit(OpKind kind, std::vector<int32_t> inputs, int32_t output) {
  GraphOp op;
  op.kind = kind;
  op.name = graph_.tensors[static_cast<size_t>(output)].name;
  op.inputs = std::move(inputs);
  op.outputs = {output};
  graph_.ops.push_back(std::move(op));
  return graph_.ops.back();
}

void Builder::EmitLut(int32_t from, int32_t to, const std::string& origin,
                      const uint8_t table[256]) {
  fb::LutOptionsT options;
  options.origin = origin;
  const int32_t data = graph_.AddConstant(graph_.tensors[static_cast<size_t>(to)].name + "/table",
                                          DType::UINT8, {256}, table);
  Emit(OpKind::LUT, {from, data}, to, std::move(options));
}

Layout Builder::Preferred(int32_t id) const {
  const Value& v = (*this)[id];
  if (v.dims.size() < 3) return kPlain;
  if (v.at[kLast] >= 0 || v.raw[kLast] >= 0) return kLast;
  if (v.at[kPlain] < 0 && v.raw[kPlain] < 0 && v.source >= 0) return Preferred(v.source);
  return kPlain;
}

int32_t Builder::Output(int32_t id, Layout layout) {
  Value& v = (*this)[id];
  if (v.dims.size() < 3) layout = kPlain;
  const bool shifted = v.type == DType::UINT8 && v.quant;
  const int32_t t = AddTensor(v.name, shifted ? DType::INT8 : v.type, StoredDims(v.dims, layout));
  if (v.quant) SetQuant(*v.quant, &graph_.tensors[static_cast<size_t>(t)]);
  v.at[layout] = t;
  return t;
}

int32_t Builder::ReshapeTensor(int32_t tensor, Dims shape) {
  const GraphTensor& from = graph_.tensors[static_cast<size_t>(tensor)];
  if (from.shape == shape) return tensor;
  GraphTensor to = from;
  to.shape = std::move(shape);
  if (to.is_constant()) return graph_.AddTensor(std::move(to));
  const int32_t t = graph_.AddTensor(std::move(to));
  EmitReshape(tensor, t);
  return t;
}

int32_t Builder::DequantisedTensor(int32_t id, Layout layout) {
  const int32_t source = (*this)[id].source;
  const int32_t from = Tensor(source, layout);  // transposed before it grows to four bytes
  const int32_t to = Output(id, layout);
  Emit(OpKind::DEQUANTIZE, {from}, to);
  return to;
}

int32_t Builder::Tensor(int32_t id, Layout layout) {
  if ((*this)[id].dims.size() < 3) layout = kPlain;
  if ((*this)[id].at[layout] >= 0) return (*this)[id].at[layout];
  if (const Array* constant = Constant(id)) {
    const bool turn = layout == kLast;
    const Value& v = (*this)[id];
    const bool shifted = v.type == DType::UINT8 && v.quant;
    if (turn || shifted) {
      if (Status s = budget_.Take(constant->bytes->size()); s != OCTET_OK) Broken(s);
    }
    Array array = *constant;
    if (failure == OCTET_OK && turn) array = array.Transposed(Permutation(v.dims.size(), kLast));
    if (failure == OCTET_OK && shifted) {
      auto bytes = std::make_shared<std::vector<uint8_t>>(*array.bytes);
      for (uint8_t& b : *bytes) b ^= 0x80;
      array.type = DType::INT8;
      array.bytes = std::move(bytes);
    }
    const int32_t t = ConstantTensor(v.name, array);
    if (v.quant) {
      GraphTensor& tensor = graph_.tensors[static_cast<size_t>(t)];
      SetQuant(*v.quant, &tensor);
      if (!v.quant->per_tensor()) {
        tensor.axis = StoredAxis(v.quant->axis, v.dims.size(), layout);
      }
    }
    return (*this)[id].at[layout] = t;
  }
  Layout other = layout == kPlain ? kLast : kPlain;
  if ((*this)[id].at[other] < 0) {
    const Value& v = (*this)[id];
    if (v.raw[kPlain] >= 0 || v.raw[kLast] >= 0) {
      const Layout have = v.raw[layout] >= 0 ? layout : other;
      const int32_t from = v.raw[have];
      const int32_t to = Output(id, have);
      uint8_t table[256];
      for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i ^ 0x80);
      EmitLut(from, to, "UINT8_TO_INT8", table);
    } else if (v.table) {
      const int32_t node = v.table_node;
      (*this)[id].table = nullptr;
      (*this)[id].source = -1;
      // The node makes a value of its own; this one takes its tensors.
      const std::string name = (*this)[id].name;
      if (Status s = import_as_float(node); s != OCTET_OK) Broken(s);
      const int32_t made = Find(nodes[static_cast<size_t>(node)]->output(0));
      if (failure == OCTET_OK && made >= 0 && made != id) {
        const Layout have = Preferred(made);
        (*this)[id].at[have] = Tensor(made, have);
        (*this)[id].producer = (*this)[made].producer;
      }
    } else if (v.source >= 0) {
      DequantisedTensor(id, layout);
    } else if (v.flat_of >= 0) {
      const int32_t from = Tensor(v.flat_of, kPlain);
      EmitReshape(from, Output(id, kPlain));
    } else {
      Broken(Fail(OCTET_INVALID_MODEL, "\"%s\" is read before it is computed", v.name.c_str()));
      return Output(id, layout);
    }
    if ((*this)[id].at[layout] >= 0) return (*this)[id].at[layout];
    if ((*this)[id].at[other] < 0) return Output(id, layout);  // broken
  }
  const int32_t from = (*this)[id].at[other];
  const int32_t to = Output(id, layout);
  fb::TransposeOptionsT options;
  options.perm = Permutation((*this)[id].dims.size(), layout);
  Emit(OpKind::TRANSPOSE, {from}, to, std::move(options));
  return to;
}

int32_t Builder::Raw(int32_t id, Layout layout) {
  if ((*this)[id].dims.size() < 3) layout = kPlain;
  const Value& v = (*this)[id];
  if (v.type != DType::UINT8 || !v.quant) return Tensor(id, layout);
  if (v.raw[layout] >= 0) return v.raw[layout];
  const int32_t from = Tensor(id, layout);
  GraphTensor t = graph_.tensors[static_cast<size_t>(from)];
  t.type = DType::UINT8;
  t.zero_point += 128;
  t.data = nullptr;
  const int32_t to = graph_.AddTensor(std::move(t));
  uint8_t table[256];
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i ^ 0x80);
  EmitLut(from, to, "INT8_TO_UINT8", table);
  return (*this)[id].raw[layout] = to;
}

void Builder::MapElements(int32_t x, int32_t out,
                          const std::function<void(int32_t, int32_t)>& emit) {
  const Value& v = (*this)[x];
  if (v.flat_of >= 0 && v.at[kPlain] < 0 && v.at[kLast] < 0) {
    const int32_t base = v.flat_of;
    const int32_t mapped = New((*this)[out].name, (*this)[out].type, (*this)[base].dims);
    (*this)[mapped].quant = (*this)[out].quant;
    MapElements(base, mapped, emit);
    (*this)[out].flat_of = mapped;
    return;
  }
  const Layout layout = Preferred(x);
  const int32_t from = Tensor(x, layout);
  emit(from, Output(out, layout));
  (*this)[out].producer = static_cast<int32_t>(graph_.ops.size()) - 1;
}

void Builder::Reshape(int32_t x, int32_t out) {
  const Value& v = (*this)[x];
  const bool lazy = v.flat_of >= 0 && v.at[kPlain] < 0;
  (*this)[out].flat_of = lazy ? v.flat_of : x;
}

// ---- Quantisation ----------------------------------------------------------------------------

// int16 operators have no zero points.
static bool Computable(const Quant& quant) {
  return quant.type != DType::INT16 || quant.zero_point[0] == 0;
}

bool Builder::IsView(int32_t id) const {
  const Value& v = (*this)[id];
  if (v.source < 0 || v.table) return false;
  const Value& source = (*this)[v.source];
  return source.quant && (source.constant || Computable(*source.quant));
}

int32_t Builder::NewView(const std::string& name, int32_t source) {
  const int32_t id = New(name, DType::FLOAT32, (*this)[source].dims);
  (*this)[id].source = source;
  return id;
}

Status Builder::WithQuant(int32_t id, const Quant& quant, int32_t* result) {
  *result = id;
  Value& v = (*this)[id];
  if (v.type != quant.type) {
    return Fail(OCTET_INVALID_MODEL, "\"%s\" is %s, its zero point %s", v.name.c_str(),
                TypeName(v.type), TypeName(quant.type));
  }
  if (v.quant && *v.quant == quant) return OCTET_OK;
  if (!v.quant) {
    if (v.type == DType::UINT8 && v.flat_of >= 0) {  // of bytes, as they are
      Tensor(id, kPlain);
      v.flat_of = -1;
    }
    v.quant = quant;
    for (const Layout layout : {kPlain, kLast}) {
      const int32_t t = v.at[layout];
      if (t < 0) continue;
      GraphTensor& tensor = graph_.tensors[static_cast<size_t>(t)];
      SetQuant(quant, &tensor);
      if (v.type == DType::UINT8) {  // was not shifted so far
        v.raw[layout] = t;
        v.at[layout] = -1;
      }
    }
    return OCTET_OK;
  }
  if (v.constant) {
    *result = NewConstant(v.name, *v.constant);
    (*this)[*result].quant = quant;
    return OCTET_OK;
  }
  // The same bytes, described anew.
  const Layout layout = Preferred(id);
  const int32_t from = Tensor(id, layout);
  *result = New((*this)[id].name, quant.type, (*this)[id].dims);
  (*this)[*result].quant = quant;
  EmitReshape(from, Output(*result, layout));
  return OCTET_OK;
}

int32_t Builder::Requantised(int32_t id, const Quant& quant) {
  if ((*this)[id].quant && *(*this)[id].quant == quant) return id;
  const int32_t out = New((*this)[id].name, quant.type, (*this)[id].dims);
  (*this)[out].quant = quant;
  if (Is8Bit(quant.type) && Is8Bit((*this)[id].type)) {
    const int32_t view = NewView((*this)[id].name, id);
    EmitTable(id, TableOf(view), out, "QUANTIZE");
  } else {
    MapElements(id, out, [&](int32_t from, int32_t to) { Emit(OpKind::QUANTIZE, {from}, to); });
  }
  return out;
}

FloatTable Builder::TableOf(int32_t view) const {
  const Value& v = (*this)[view];
  if (v.table) return *v.table;
  const Quant& quant = *(*this)[v.source].quant;
  FloatTable table;
  for (int i = 0; i < 256; ++i) {
    const int32_t code = quant.type == DType::INT8 && i > 127 ? i - 256 : i;
    table[static_cast<size_t>(i)] = static_cast<float>(code - quant.zero_point[0]) * quant.scale[0];
  }
  return table;
}

void Builder::EmitTable(int32_t x, const FloatTable& values, int32_t out,
                        const std::string& origin) {
  // Stored bytes are ONNX's for INT8, with the top bit flipped for UINT8.
  const int in_flip = (*this)[x].type == DType::UINT8 ? 0x80 : 0;
  const int out_flip = (*this)[out].type == DType::UINT8 ? 0x80 : 0;
  uint8_t table[256];
  for (int i = 0; i < 256; ++i) {
    const int32_t code = QuantizeValue(values[static_cast<size_t>(i)], *(*this)[out].quant);
    table[i ^ in_flip] = static_cast<uint8_t>((code & 255) ^ out_flip);
  }
  MapElements(x, out, [&](int32_t from, int32_t to) { EmitLut(from, to, origin, table); });
}

int32_t Builder::OnlyConsumer(const std::string& name, const char* op_type) const {
  const auto it = consumers.find(name);
  if (it == consumers.end() || it->second.size() != 1 || outputs.count(name)) return -1;
  const int32_t node = it->second[0];
  return nodes[static_cast<size_t>(node)]->op_type() == op_type ? node : -1;
}

std::optional<Quant> Builder::OutQuant(const std::string& name, int depth) {
  static const char* const kThrough[] = {"Relu",    "Clip",    "Identity",  "Dropout",   "Reshape",
                                         "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MaxPool"};
  constexpr int kDeepest = 8;
  const auto it = consumers.find(name);
  if (it == consumers.end() || outputs.count(name) || depth > kDeepest) return std::nullopt;
  std::optional<Quant> common;
  for (const int32_t index : it->second) {
    const onnx_pb::NodeProto& node = *nodes[static_cast<size_t>(index)];
    std::optional<Quant> quant;
    if (node.op_type() == "QuantizeLinear") {
      Quant read;
      if (node.input_size() >= 2 && node.input(0) == name &&
          ReadQuant(node, 1, nullptr, &read) == OCTET_OK && read.per_tensor()) {
        quant = read;
      }
    } else if (it->second.size() == 1 && node.input_size() > 0 && node.input(0) == name &&
               node.output_size() > 0 &&
               std::any_of(std::begin(kThrough), std::end(kThrough),
                           [&](const char* type) { return node.op_type() == type; })) {
      quant = OutQuant(node.output(0), depth + 1);
    }
    if (!quant || (common && !(*common == *quant))) return std::nullopt;
    common = quant;
  }
  return common && Computable(*common) ? common : std::nullopt;
}

std::optional<Quant> Builder::OutQuant(const std::string& name, const Value& like) {
  const std::optional<Quant> quant = OutQuant(name);
  if (quant && (quant->type == DType::INT16) != (like.type == DType::INT16)) return std::nullopt;
  return quant;
}

Status Builder::ReadQuant(const onnx_pb::NodeProto& node, int scale, const Dims* dims,
                          Quant* quant) {
  const auto constant = [&](int i) -> const Array* {
    if (i >= node.input_size() || node.input(i).empty()) return nullptr;
    const int32_t id = Find(node.input(i));
    return id < 0 ? nullptr : Constant(id);
  };
  const Array* scales = constant(scale);
  if (!scales) return Fail(OCTET_UNSUPPORTED, "the scale is computed, not a constant");
  if (scales->type != DType::FLOAT32 || scales->dims.size() > 1) {
    return Fail(OCTET_UNSUPPORTED, "the scale is %s%s", TypeName(scales->type),
                Text(scales->dims).c_str());
  }
  const size_t n = scales->size();
  if (n == 0) return Fail(OCTET_INVALID_MODEL, "the scale is empty");
  quant->scale.clear();
  for (size_t i = 0; i < n; ++i) {
    const float s = scales->Float(i);
    if (!(std::isfinite(s) && s > 0)) {
      return Fail(OCTET_INVALID_MODEL, "the scale is %g, not a positive number",
                  static_cast<double>(s));
    }
    quant->scale.push_back(s);
  }
  const bool has_zero = scale + 1 < node.input_size() && !node.input(scale + 1).empty();
  const Array* zeros = constant(scale + 1);
  if (has_zero && !zeros) {
    return Fail(OCTET_UNSUPPORTED, "the zero point is computed, not a constant");
  }
  quant->zero_point.clear();
  if (zeros) {
    quant->type = zeros->type;
    const size_t count = zeros->size();
    if (count != n && count != 1) {
      return Fail(OCTET_INVALID_MODEL, "has %zu zero points for %zu scales", count, n);
    }
    bool same = true;
    for (size_t i = 0; i < count; ++i) {
      quant->zero_point.push_back(static_cast<int32_t>(zeros->Int(i)));
      same = same && quant->zero_point[i] == quant->zero_point[0];
    }
    if (same) quant->zero_point.resize(1);
  } else {
    // The type is the input's (DequantizeLinear), or output_dtype, or uint8.
    const int32_t x = node.input_size() > 0 ? Find(node.input(0)) : -1;
    quant->type = DType::UINT8;
    if (x >= 0 && (*this)[x].type != DType::FLOAT32) quant->type = (*this)[x].type;
    for (const auto& a : node.attribute()) {
      if (a.name() == "output_dtype" && a.has_i() && a.i() != 0) {
        quant->type = StoredType(static_cast<int32_t>(a.i()));
      }
    }
    quant->zero_point = {0};
  }
  if (quant->type != DType::INT8 && quant->type != DType::UINT8 && quant->type != DType::INT16 &&
      quant->type != DType::INT32) {
    return Fail(OCTET_UNSUPPORTED, "quantises to %s", TypeName(quant->type));
  }
  quant->axis = 1;
  for (const auto& a : node.attribute()) {
    if (a.name() == "axis" && a.has_i()) {
      quant->axis = static_cast<int32_t>(std::clamp<int64_t>(a.i(), -100, 100));
    }
    if (a.name() == "block_size" && a.i() != 0) {
      return Fail(OCTET_UNSUPPORTED, "is quantised in blocks");
    }
  }
  if (n > 1 && dims) {
    const int32_t rank = static_cast<int32_t>(dims->size());
    if (quant->axis < 0) quant->axis += rank;
    if (quant->axis < 0 || quant->axis >= rank ||
        static_cast<size_t>((*dims)[static_cast<size_t>(quant->axis)]) != n) {
      return Fail(OCTET_INVALID_MODEL, "has %zu scales along axis %d of %s", n, quant->axis,
                  Text(*dims).c_str());
    }
  }
  return OCTET_OK;
}

}  // namespace octet::onnx
