#include "src/import/onnx/importer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <climits>
#include <exception>
#include <utility>

#include "src/graph/problems.h"
#include "src/import/onnx/node.h"

namespace octet {
namespace onnx {
namespace {

constexpr int kMaxNodes = 1 << 18;
constexpr int64_t kOldestOpset = 7, kNewestOpset = 21;
constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 40;

// Counts the messages in a file before any memory is spent on them: an empty one is two bytes in
// the file and hundreds in memory.
class WireCounter {
 public:
  static bool Count(const uint8_t* data, size_t size, int depth, uint64_t* messages) {
    size_t at = 0;
    while (at < size) {
      uint64_t tag = 0, value = 0;
      if (!Varint(data, size, &at, &tag)) return false;
      switch (tag & 7) {
        case 0:
          if (!Varint(data, size, &at, &value)) return false;
          break;
        case 1:
          if (size - at < 8) return false;
          at += 8;
          break;
        case 5:
          if (size - at < 4) return false;
          at += 4;
          break;
        case 2: {
          if (!Varint(data, size, &at, &value) || value > size - at) return false;
          ++*messages;
          // ModelProto.graph; its nodes, initializers and values: those have many parts.
          const uint64_t field = tag >> 3;
          const bool inside =
              depth == 0 ? field == 7
                         : depth == 1 && (field == 1 || field == 5 || (field >= 11 && field <= 13));
          if (inside && !Count(data + at, static_cast<size_t>(value), depth + 1, messages)) {
            return false;
          }
          at += static_cast<size_t>(value);
          break;
        }
        default:
          return false;  // groups: ONNX has none
      }
    }
    return true;
  }

 private:
  static bool Varint(const uint8_t* data, size_t size, size_t* at, uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && *at < size; shift += 7) {
      const uint8_t byte = data[(*at)++];
      *value |= static_cast<uint64_t>(byte & 127) << shift;
      if (byte < 128) return true;
    }
    return false;
  }
};

class Importer {
 public:
  Importer(const onnx_pb::ModelProto& model, size_t file_bytes, const OnnxOptions& options,
           Graph* graph)
      : model_(model), source_(model.graph()), options_(options), graph_(*graph), b_(graph) {
    b_.budget().left = (uint64_t{64} << 20) + 8 * uint64_t{file_bytes};
  }

  Status Run() {
    OCTET_RETURN_IF_ERROR(FindOpset());
    if (source_.node_size() > kMaxNodes) {
      return Fail(OCTET_INVALID_MODEL, "the model has %d nodes", source_.node_size());
    }
    OCTET_RETURN_IF_ERROR(IndexNames());
    OCTET_RETURN_IF_ERROR(ReadConstants());
    OCTET_RETURN_IF_ERROR(ReadInputs());
    for (const auto& info : source_.value_info()) hints_[info.name()] = &info;
    b_.import_as_float = [this](int32_t node) { return ImportNode(node, true); };
    for (size_t i = 0; i < b_.nodes.size(); ++i) {
      const int32_t index = static_cast<int32_t>(i);
      const Status status = ImportNode(index, false);
      if (b_.failure != OCTET_OK) return Fail(b_.failure, "%s", b_.failure_text.c_str());
      if (status != OCTET_OK) NoteProblem(index, status);
    }
    if (!problems_.empty()) {
      // What the operators' own checks find belongs in the same list.
      CheckOperators(graph_, &problems_);
      return problems_.Report();
    }
    OCTET_RETURN_IF_ERROR(WriteOutputs());
    if (b_.failure != OCTET_OK) return Fail(b_.failure, "%s", b_.failure_text.c_str());
    if (!problems_.empty()) return problems_.Report();
    graph_.metadata["source_format"] = "onnx";
    const std::string producer = ShortText(model_.producer_name());
    if (!producer.empty()) {
      graph_.metadata["source_producer"] = producer +
                                           (model_.producer_version().empty() ? "" : " ") +
                                           ShortText(model_.producer_version());
    }
    DropUnused();
    return CheckGraph(graph_);
  }

 private:
  Status FindOpset() {
    int64_t opset = -1;
    for (const auto& import : model_.opset_import()) {
      if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
    }
    if (opset < 0 && model_.opset_import_size() == 0) {
      return Fail(OCTET_INVALID_MODEL, "the model does not say which opset it uses");
    }
    if (opset < 0) opset = kNewestOpset;  // operators of other domains only
    if (opset < kOldestOpset || opset > kNewestOpset) {
      // Newer opsets mostly add; what changed an operator shows as a node that is not understood.
      if (opset < kOldestOpset || opset > 100) {
        return Fail(OCTET_UNSUPPORTED, "opset %lld; 7 to 21 are supported",
                    static_cast<long long>(opset));
      }
    }
    b_.opset = static_cast<int32_t>(opset);
    return OCTET_OK;
  }

  Status IndexNames() {
    size_t operands = 0;
    for (const auto& output : source_.output()) b_.outputs.insert(output.name());
    for (const onnx_pb::NodeProto& node : source_.node()) {
      const int32_t index = static_cast<int32_t>(b_.nodes.size());
      b_.nodes.push_back(&node);
      operands += static_cast<size_t>(node.input_size() + node.output_size());
      for (const std::string& name : node.input()) {
        if (name.empty()) continue;
        auto& readers = b_.consumers[name];
        if (readers.empty() || readers.back() != index) readers.push_back(index);
      }
      for (const std::string& name : node.output()) {
        if (!name.empty()) b_.producers[name] = index;
        if (!name.empty() && !written_.insert(name).second) {
          return Fail(OCTET_INVALID_MODEL, "\"%s\" is written by two nodes",
                      ShortText(name).c_str());
        }
      }
    }
    if (operands > size_t{1} << 22) {
      return Fail(OCTET_INVALID_MODEL, "the model's nodes have too many inputs and outputs");
    }
    return OCTET_OK;
  }

  Status ReadConstants() {
    for (const auto& tensor : source_.initializer()) {
      OCTET_RETURN_IF_ERROR(ReadConstant(tensor, tensor.name(), "initializer"));
    }
    // Nodes look ahead to scales, which some exporters write as nodes.
    for (const onnx_pb::NodeProto* node : b_.nodes) {
      if (node->op_type() != "Constant" || node->output_size() != 1) continue;
      for (const auto& a : node->attribute()) {
        if (a.name() == "value" && a.has_t()) {
          OCTET_RETURN_IF_ERROR(ReadConstant(a.t(), node->output(0), "constant"));
        }
      }
    }
    return OCTET_OK;
  }

  // One that cannot be read is a problem only where it is used.
  Status ReadConstant(const onnx_pb::TensorProto& tensor, const std::string& name,
                      const char* what) {
    Array array;
    const Status status = ReadTensor(tensor, options_.directory, &b_.budget(), &array);
    if (status == OCTET_INVALID_MODEL || status == OCTET_IO_ERROR) {
      PrefixError("%s \"%s\" ", what, ShortText(name).c_str());
      return status;
    }
    if (status != OCTET_OK) {
      unreadable_[name] = octet_last_error();
      return OCTET_OK;
    }
    b_.Bind(name, b_.NewConstant(name, std::move(array)));
    return OCTET_OK;
  }

  // The shape of an input or a hint; dynamic sizes are -1.
  static bool ReadShape(const onnx_pb::ValueInfoProto& info, Dims* dims) {
    const auto& type = info.type().tensor_type();
    if (!info.has_type() || !info.type().has_tensor_type() || !type.has_shape()) return false;
    for (const auto& d : type.shape().dim()) {
      const bool known = d.has_dim_value() && d.dim_value() > 0 && d.dim_value() <= INT32_MAX;
      dims->push_back(known ? static_cast<int32_t>(d.dim_value()) : -1);
    }
    return true;
  }

  Status ReadInputs() {
    std::set<std::string> seen;
    size_t used_shapes = 0;
    for (const auto& info : source_.input()) {
      const std::string& name = info.name();
      const std::string shown = ShortText(name);
      if (!seen.insert(name).second || written_.count(name)) {
        return Fail(OCTET_INVALID_MODEL, "the input \"%s\" is listed or written twice",
                    shown.c_str());
      }
      if (b_.Find(name) >= 0) continue;  // an initializer with a default, as before IR version 4
      const int32_t onnx_type = info.type().tensor_type().elem_type();
      const DType type = StoredType(onnx_type);
      if (type == DType::NONE) {
        return Fail(
            OCTET_UNSUPPORTED, "the input \"%s\" is %s", shown.c_str(),
            info.type().has_tensor_type() ? OnnxTypeName(onnx_type).c_str() : "not a tensor");
      }
      Dims dims;
      const bool has_shape = ReadShape(info, &dims);
      auto given = options_.shapes.find(name);
      if (given == options_.shapes.end()) given = options_.shapes.find("");
      if (given != options_.shapes.end()) {
        ++used_shapes;
        bool fits = !has_shape || given->second.size() == dims.size();
        for (size_t i = 0; fits && has_shape && i < dims.size(); ++i) {
          fits = dims[i] < 0 || dims[i] == given->second[i];
        }
        if (!fits) {
          return Fail(OCTET_INVALID_ARGUMENT, "the input \"%s\" has the shape %s, not %s",
                      shown.c_str(), Text(dims).c_str(), Text(given->second).c_str());
        }
        dims = given->second;
      } else if (!has_shape) {
        return Fail(OCTET_UNSUPPORTED,
                    "the input \"%s\" has no shape: give one with --shape %s=...", shown.c_str(),
                    shown.c_str());
      }
      if (dims.size() > static_cast<size_t>(kMaxRank)) {
        return Fail(OCTET_UNSUPPORTED, "the input \"%s\" has %zu dimensions, more than %d",
                    shown.c_str(), dims.size(), kMaxRank);
      }
      if (!dims.empty() && dims[0] < 0) dims[0] = 1;  // a dynamic batch
      for (size_t i = 0; i < dims.size(); ++i) {
        if (dims[i] > 0) continue;
        return Fail(OCTET_UNSUPPORTED,
                    "the input \"%s\" %s has a dynamic dimension %zu: give its shape with --shape "
                    "%s=...",
                    shown.c_str(), Text(dims).c_str(), i, shown.c_str());
      }
      const int64_t elements = Elements(dims);
      if (elements < 0 || static_cast<uint64_t>(elements) * TypeBytes(type) >= kMaxTensorBytes) {
        return Fail(OCTET_INVALID_MODEL, "the input \"%s\" is too large", shown.c_str());
      }
      const int32_t id = b_.New(name, type, dims);
      const Layout layout = options_.channels_last_inputs && dims.size() >= 3 ? kLast : kPlain;
      graph_.inputs.push_back(b_.Output(id, layout));
      b_.Bind(name, id);
    }
    if (used_shapes < options_.shapes.size() && !options_.shapes.count("")) {
      for (const auto& [name, dims] : options_.shapes) {
        if (!seen.count(name)) {
          return Fail(OCTET_INVALID_ARGUMENT, "the model has no input \"%s\" to give a shape",
                      ShortText(name).c_str());
        }
      }
    }
    return OCTET_OK;
  }

  // ---- Nodes ----

  Status ImportNode(int32_t index, bool as_float) {
    const onnx_pb::NodeProto& node = *b_.nodes[static_cast<size_t>(index)];
    if (node.op_type() == "Constant" && node.output_size() == 1 && b_.Find(node.output(0)) >= 0) {
      return OCTET_OK;  // read before
    }
    const ImportRow* row = FindImportRow(node.domain(), node.op_type());
    if (!row) {
      return Fail(OCTET_UNSUPPORTED, node.domain().empty() || node.domain() == "ai.onnx"
                                         ? "Octet has no such operator"
                                         : "Octet has no such operator of this domain");
    }
    Node n(&b_, index, as_float);
    bool unknown = false;
    for (int i = 0; i < n.inputs(); ++i) {
      if (!n.has(i) || n.in(i) >= 0) continue;
      const auto bad = unreadable_.find(node.input(i));
      if (bad != unreadable_.end()) {
        return Fail(OCTET_UNSUPPORTED, "\"%s\" %s", ShortText(node.input(i)).c_str(),
                    bad->second.c_str());
      }
      if (!poisoned_.count(node.input(i))) {
        // ONNX asks for nodes in an order of execution, so this is a loop or a missing tensor.
        return Fail(OCTET_INVALID_MODEL, "reads \"%s\", which nothing before it computes",
                    ShortText(node.input(i)).c_str());
      }
      unknown = true;
    }
    if (unknown) {  // said already, further up
      for (const std::string& name : node.output()) poisoned_.insert(name);
      return OCTET_OK;
    }
    if (n.inputs() > row->max_inputs || n.outputs() < 1 || n.outputs() > row->max_outputs ||
        (n.outputs() == 1 && !n.has_output(0))) {
      return Fail(OCTET_INVALID_MODEL, "has %d inputs and %d outputs", n.inputs(), n.outputs());
    }
    for (int i = 0; i < row->required; ++i) {
      if (!n.has(i)) return Fail(OCTET_INVALID_MODEL, "input %d is absent", i);
    }
    for (int i = 0; i < n.inputs(); ++i) {
      const bool sequence = n.has(i) && !n.value(i).sequence.empty();
      if (sequence != (i == 0 && TakesSequence(n.type()))) {
        return Fail(sequence ? OCTET_UNSUPPORTED : OCTET_INVALID_MODEL, "input %d is %s", i,
                    sequence ? "a sequence" : "not a sequence");
      }
    }
    if (const auto absorbed = b_.absorbed.find(index); absorbed != b_.absorbed.end()) {
      n.Alias(n.in(absorbed->second));
      return OCTET_OK;
    }
    bool folded = false;
    OCTET_RETURN_IF_ERROR(FoldNode(n, &folded));
    if (!folded) OCTET_RETURN_IF_ERROR(row->import(n));
    return CheckResults(n);
  }

  // Shapes that follow from a file may be anything.
  Status CheckResults(const Node& n) {
    for (int i = 0; i < n.outputs(); ++i) {
      if (!n.has_output(i)) continue;
      const int32_t id = b_.Find(n.out_name(i));
      if (id < 0) {
        if (n.Unused(i)) continue;
        return Fail(OCTET_UNSUPPORTED, "its output %d is not supported", i);
      }
      const Value& v = b_[id];
      if (v.constant || !v.sequence.empty()) continue;
      bool sound = v.dims.size() <= static_cast<size_t>(kMaxRank);
      for (const int32_t d : v.dims) sound = sound && d > 0;
      const int64_t elements = Elements(v.dims);
      if (!sound || elements < 0 ||
          static_cast<uint64_t>(elements) * TypeBytes(v.type) >= kMaxTensorBytes) {
        return Fail(OCTET_UNSUPPORTED, "its output would have the shape %s", Text(v.dims).c_str());
      }
    }
    return OCTET_OK;
  }

  std::string Describe(const std::string& name) {
    std::string text;
    const int32_t id = b_.Find(name);
    Dims dims;
    if (id >= 0) {
      text = TypeName(b_[id].type) + Text(b_[id].dims) + " ";
    } else if (const auto hint = hints_.find(name); hint != hints_.end()) {
      if (ReadShape(*hint->second, &dims)) {
        text = OnnxTypeName(hint->second->type().tensor_type().elem_type()) + Text(dims) + " ";
      }
    }
    return text + "\"" + ShortText(name).substr(0, 60) + "\"";
  }

  void NoteProblem(int32_t index, Status status) {
    const onnx_pb::NodeProto& node = *b_.nodes[static_cast<size_t>(index)];
    const std::string reason = octet_last_error();
    std::string where = "node " + std::to_string(index);
    if (!node.name().empty()) where += " \"" + ShortText(node.name()).substr(0, 60) + "\"";
    where += ":";
    constexpr int kShown = 6;
    for (int i = 0; i < node.input_size() && i < kShown; ++i) {
      where += (i ? ", " : " ") + (node.input(i).empty() ? "-" : Describe(node.input(i)));
    }
    if (node.input_size() > kShown) where += ", ...";
    where += " -> ";
    if (node.output_size() > 0) where += Describe(node.output(0));
    std::string kind = ShortText(node.op_type());
    if (!node.domain().empty()) kind = ShortText(node.domain()) + "." + kind;
    problems_.Add(status, kind, reason, where);
    for (const std::string& name : node.output()) {
      if (name.empty()) continue;
      b_.Unbind(name);  // what was begun, for one
      poisoned_.insert(name);
    }
  }

  Status WriteOutputs() {
    if (source_.output_size() == 0) return Fail(OCTET_INVALID_MODEL, "the model has no outputs");
    for (const auto& output : source_.output()) {
      const int32_t id = b_.Find(output.name());
      const std::string shown = ShortText(output.name());
      if (id < 0) {
        return Fail(OCTET_INVALID_MODEL, "nothing computes the output \"%s\"", shown.c_str());
      }
      if (!b_[id].sequence.empty()) {
        return Fail(OCTET_UNSUPPORTED, "the output \"%s\" is a sequence", shown.c_str());
      }
      const Layout layout =
          options_.channels_last_outputs && b_[id].dims.size() >= 3 ? kLast : kPlain;
      int32_t t = b_.Raw(id, layout);
      GraphTensor& tensor = graph_.tensors[static_cast<size_t>(t)];
      const bool is_input =
          std::find(graph_.inputs.begin(), graph_.inputs.end(), t) != graph_.inputs.end();
      if (tensor.is_constant()) {
        return Fail(OCTET_UNSUPPORTED, "the output \"%s\" is a constant", shown.c_str());
      }
      // An output has its own tensor and name.
      if (is_input ||
          std::find(graph_.outputs.begin(), graph_.outputs.end(), t) != graph_.outputs.end()) {
        GraphTensor copy = tensor;
        const int32_t to = graph_.AddTensor(std::move(copy));
        b_.EmitReshape(t, to);
        t = to;
      }
      graph_.tensors[static_cast<size_t>(t)].name = shown;
      graph_.outputs.push_back(t);
    }
    return OCTET_OK;
  }

  void DropUnused() { graph_.Remove(std::vector<bool>(graph_.ops.size(), false)); }

  const onnx_pb::ModelProto& model_;
  const onnx_pb::GraphProto& source_;
  const OnnxOptions& options_;
  Graph& graph_;
  Builder b_;
  Problems problems_;
  std::set<std::string> written_, poisoned_;
  std::unordered_map<std::string, std::string> unreadable_;
  std::unordered_map<std::string, const onnx_pb::ValueInfoProto*> hints_;
};

Status Import(const uint8_t* data, size_t size, const OnnxOptions& options, Graph* graph) {
  if (size > INT_MAX) {
    return Fail(OCTET_UNSUPPORTED,
                "files of 2 GB and more are not supported: keep the weights in a file beside the "
                "model (external data)");
  }
  uint64_t messages = 0;
  if (!data || size == 0 || !WireCounter::Count(data, size, 0, &messages)) {
    return Fail(OCTET_INVALID_MODEL, "not an ONNX model, or damaged or cut off");
  }
  constexpr uint64_t kMaxMessages = uint64_t{1} << 22;
  if (messages > kMaxMessages) {
    return Fail(OCTET_INVALID_MODEL, "the model has too many parts (%llu)",
                static_cast<unsigned long long>(messages));
  }
  google::protobuf::io::ArrayInputStream bytes(data, static_cast<int>(size));
  google::protobuf::io::CodedInputStream stream(&bytes);
  stream.SetTotalBytesLimit(INT_MAX);
  stream.SetRecursionLimit(32);
  onnx_pb::ModelProto model;
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return Fail(OCTET_INVALID_MODEL, "not an ONNX model, or damaged or cut off");
  }
  if (!model.has_graph()) return Fail(OCTET_INVALID_MODEL, "not an ONNX model: it has no graph");
  Graph imported;
  OCTET_RETURN_IF_ERROR(Importer(model, size, options, &imported).Run());
  *graph = std::move(imported);
  return OCTET_OK;
}

}  // namespace
}  // namespace onnx

Status ImportOnnx(const uint8_t* data, size_t size, const OnnxOptions& options, Graph* graph) {
  try {
    return onnx::Import(data, size, options, graph);
  } catch (const std::exception& e) {
    return Fail(OCTET_OUT_OF_MEMORY, "out of memory while reading the model (%s)", e.what());
  }
}

}  // namespace octet
