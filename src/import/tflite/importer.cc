#include "src/import/tflite/importer.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "src/graph/problems.h"
#include "src/import/tflite/op_import.h"

namespace octet {
namespace {

// Tables of a file (tensors, operators, buffers, options...): real models have thousands.
constexpr flatbuffers::uoffset_t kMaxTables = 1 << 18;

std::string KindName(const tflite::OperatorCode* code, tflite::BuiltinOperator builtin) {
  if (builtin == tflite::BuiltinOperator_CUSTOM) {
    return "CUSTOM \"" + ShortText(code ? code->custom_code() : nullptr) + "\"";
  }
  const char* name = tflite::EnumNameBuiltinOperator(builtin);
  return *name ? name : "builtin operator " + std::to_string(static_cast<int>(builtin));
}

class Importer {
 public:
  Importer(const tflite::Model& model, size_t file_bytes, Graph* graph)
      : model_(model), file_bytes_(file_bytes), graph_(*graph) {
    context_.graph = graph;
  }

  Status Run() {
    if (model_.version() != 3) {
      return Fail(OCTET_UNSUPPORTED, "schema version %u; 3 is supported", model_.version());
    }
    OCTET_RETURN_IF_ERROR(FindSubgraph());
    OCTET_RETURN_IF_ERROR(
        ImportTensors(model_, *subgraph_, file_bytes_, &graph_, &context_.sources));
    context_.raw_u8.assign(context_.sources.size(), -1);
    OCTET_RETURN_IF_ERROR(ImportInputs());
    OCTET_RETURN_IF_ERROR(ImportOperators());
    OCTET_RETURN_IF_ERROR(ImportOutputs());
    if (!problems_.empty()) {
      // What the operators' own checks find belongs in the same list.
      CheckOperators(graph_, &problems_);
      return problems_.Report();
    }
    DropUnusedFlips();
    graph_.metadata["source_format"] = "tflite";
    const std::string description = ShortText(model_.description());
    if (!description.empty()) graph_.metadata["description"] = description;
    return CheckGraph(graph_);
  }

 private:
  Status FindSubgraph() {
    const auto* subgraphs = model_.subgraphs();
    if (!subgraphs || subgraphs->size() == 0) {
      return Fail(OCTET_INVALID_MODEL, "the model has no subgraph");
    }
    if (subgraphs->size() > 1) {
      std::string names;
      for (flatbuffers::uoffset_t i = 0; i < subgraphs->size() && names.size() < 500; ++i) {
        names += (i ? ", \"" : "\"") + ShortText(subgraphs->Get(i)->name()) + "\"";
      }
      return Fail(OCTET_UNSUPPORTED,
                  "the model has %u subgraphs (%s); control flow and several signatures are not "
                  "supported",
                  subgraphs->size(), names.c_str());
    }
    subgraph_ = subgraphs->Get(0);
    return OCTET_OK;
  }

  // The tensor of an input or output of the whole model.
  Status CheckModelTensor(int32_t index, const char* role) {
    if (index < 0 || static_cast<size_t>(index) >= context_.sources.size()) {
      return Fail(OCTET_INVALID_MODEL, "the model's %s %d does not exist", role, index);
    }
    const SourceTensor& source = context_.sources[static_cast<size_t>(index)];
    if (source.status != OCTET_OK) {
      const GraphTensor& t = graph_.tensors[static_cast<size_t>(index)];
      return Fail(source.status, "the model's %s \"%s\" (%s) %s", role, t.name.c_str(),
                  DescribeTensor(t).c_str(), source.problem.c_str());
    }
    return OCTET_OK;
  }

  Status ImportInputs() {
    if (!subgraph_->inputs()) return OCTET_OK;
    std::vector<bool> seen(context_.sources.size(), false);
    for (int32_t input : *subgraph_->inputs()) {
      OCTET_RETURN_IF_ERROR(CheckModelTensor(input, "input"));
      const size_t i = static_cast<size_t>(input);
      const GraphTensor& t = graph_.tensors[i];
      if (seen[i] || t.is_constant() || t.is_state) {
        return Fail(OCTET_INVALID_MODEL, "input \"%s\" is listed twice, a constant or a variable",
                    t.name.c_str());
      }
      seen[i] = true;
      // A dynamic batch is 1 unless resized. Other dynamic sizes are stored as 1 too, which is not
      // what the user means.
      const auto* signature =
          subgraph_->tensors()->Get(static_cast<flatbuffers::uoffset_t>(i))->shape_signature();
      for (flatbuffers::uoffset_t d = 1; signature && d < signature->size() && d < 8; ++d) {
        if (signature->Get(d) < 0) {
          return Fail(OCTET_UNSUPPORTED,
                      "input \"%s\" (%s) has a dynamic dimension %u: convert the model with a "
                      "fixed shape",
                      t.name.c_str(), DescribeTensor(t).c_str(), d);
        }
      }
      if (!context_.legacy_u8(input)) {
        graph_.inputs.push_back(input);
        continue;
      }
      const int32_t raw = context_.AddRaw(input);
      graph_.inputs.push_back(raw);
      context_.raw_u8[i] = raw;
      context_.EmitFlip(raw, input);
      ++input_flips_;
    }
    return OCTET_OK;
  }

  Status ImportOutputs() {
    if (!subgraph_->outputs() || subgraph_->outputs()->size() == 0) {
      return Fail(OCTET_INVALID_MODEL, "the model has no outputs");
    }
    if (subgraph_->outputs()->size() > context_.sources.size()) {
      return Fail(OCTET_INVALID_MODEL, "the model has more outputs than tensors");
    }
    std::vector<int32_t> raw_outputs(context_.sources.size(), -1);
    for (int32_t output : *subgraph_->outputs()) {
      OCTET_RETURN_IF_ERROR(CheckModelTensor(output, "output"));
      if (!context_.legacy_u8(output)) {
        graph_.outputs.push_back(output);
        continue;
      }
      int32_t& raw = raw_outputs[static_cast<size_t>(output)];
      if (raw < 0) {
        raw = context_.AddRaw(output);
        context_.EmitFlip(output, raw);
      }
      graph_.outputs.push_back(raw);
    }
    return OCTET_OK;
  }

  Status ImportOperators() {
    const auto* operators = subgraph_->operators();
    if (!operators || operators->size() == 0) {
      return Fail(OCTET_INVALID_MODEL, "the model has no operators");
    }
    for (flatbuffers::uoffset_t i = 0; i < operators->size(); ++i) {
      OCTET_RETURN_IF_ERROR(ImportOperator(i, *operators->Get(i)));
    }
    return OCTET_OK;
  }

  // Fails for what is broken beyond this operator; else notes problems and goes on.
  Status ImportOperator(size_t index, const tflite::Operator& source) {
    const auto* codes = model_.operator_codes();
    if (!codes || source.opcode_index() >= codes->size()) {
      return Fail(OCTET_INVALID_MODEL, "operator %zu has code %u of %u", index,
                  source.opcode_index(), codes ? codes->size() : 0);
    }
    const tflite::OperatorCode& code = *codes->Get(source.opcode_index());
    // Files of before and after the operators outgrew a byte have the other field at zero (or at
    // PLACEHOLDER_FOR_GREATER_OP_CODES).
    const int32_t number = std::max<int32_t>(code.deprecated_builtin_code(), code.builtin_code());
    const auto builtin = static_cast<tflite::BuiltinOperator>(number);
    const std::string kind = KindName(&code, builtin);

    // Before anything is copied: many operators may share one long list in a hostile file.
    const size_t inputs = source.inputs() ? source.inputs()->size() : 0;
    const size_t outputs = source.outputs() ? source.outputs()->size() : 0;
    const ImportRow* row = FindImportRow(builtin);
    operands_ += inputs + outputs;
    if (operands_ > kMaxTables * 16) {
      return Fail(OCTET_INVALID_MODEL, "the model's operators have too many inputs and outputs");
    }
    OpImport op(&context_, source, builtin);
    for (const auto* list : {&op.inputs(), &op.outputs()}) {
      for (int32_t t : *list) {
        const bool absent = t == -1 && list == &op.inputs();
        if (!absent && (t < 0 || static_cast<size_t>(t) >= context_.sources.size())) {
          return Fail(OCTET_INVALID_MODEL, "operator %zu (%s) refers to tensor %d of %zu", index,
                      kind.c_str(), t, context_.sources.size());
        }
      }
    }
    Status status = OCTET_OK;
    if (!row) {
      status = Fail(OCTET_UNSUPPORTED, "Octet has no such operator");
    } else if (inputs < row->required || inputs > row->max_inputs || outputs < row->min_outputs ||
               outputs > row->max_outputs) {
      status = Fail(OCTET_INVALID_MODEL, "has %zu inputs and %zu outputs", inputs, outputs);
    } else {
      status = CheckOperands(op, *row);
      if (status == OCTET_OK) status = row->import(op);
    }
    if (status != OCTET_OK) {
      const std::string reason = octet_last_error();
      const std::string name =
          outputs ? graph_.tensors[static_cast<size_t>(op.output())].name : std::string();
      problems_.Add(status, kind, reason,
                    DescribeOperator(graph_, index, name, op.inputs(), op.outputs()));
    }
    return OCTET_OK;
  }

  Status CheckOperands(const OpImport& op, const ImportRow& row) {
    for (size_t i = 0; i < row.required; ++i) {
      if (!op.has(i)) return Fail(OCTET_INVALID_MODEL, "input %zu is absent", i);
    }
    for (const auto* list : {&op.inputs(), &op.outputs()}) {
      for (int32_t t : *list) {
        if (t < 0) continue;
        const SourceTensor& source = context_.sources[static_cast<size_t>(t)];
        if (source.status != OCTET_OK) {
          return Fail(source.status, "tensor \"%s\" %s", op.tensor(t).name.c_str(),
                      source.problem.c_str());
        }
      }
    }
    return OCTET_OK;
  }

  // Flips of inputs that only CAST reads, which takes the uint8 form; and all unused tensors.
  void DropUnusedFlips() {
    std::vector<bool> read(graph_.tensors.size(), false), dead(graph_.ops.size(), false);
    for (const GraphOp& op : graph_.ops) {
      for (int32_t t : op.inputs) {
        if (t >= 0) read[static_cast<size_t>(t)] = true;
      }
    }
    for (size_t i = 0; i < input_flips_; ++i) {
      dead[i] = !read[static_cast<size_t>(graph_.ops[i].outputs[0])];
    }
    graph_.Remove(dead);
  }

  const tflite::Model& model_;
  const size_t file_bytes_;
  Graph& graph_;
  ImportContext context_;
  const tflite::SubGraph* subgraph_ = nullptr;
  Problems problems_;
  size_t input_flips_ = 0;  // the graph's first operators
  size_t operands_ = 0;
};

Status Import(const uint8_t* data, size_t size, Graph* graph) {
  if (!data || size < 8) return Fail(OCTET_INVALID_MODEL, "the file is too short for a .tflite");
  if (!flatbuffers::BufferHasIdentifier(data, tflite::ModelIdentifier())) {
    return Fail(OCTET_INVALID_MODEL, "not a .tflite file (it lacks the mark \"%s\")",
                tflite::ModelIdentifier());
  }
  if (size >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return Fail(OCTET_UNSUPPORTED, "files of 2 GB and more are not supported");
  }
  // FlatBuffers reads numbers in place.
  std::vector<uint8_t> aligned;
  if (reinterpret_cast<uintptr_t>(data) % 16 != 0) {
    aligned.assign(data, data + size);
    data = aligned.data();
  }
  flatbuffers::Verifier verifier(data, size, /*max_depth=*/32, kMaxTables);
  if (!tflite::VerifyModelBuffer(verifier)) {
    return Fail(OCTET_INVALID_MODEL, "the file is damaged or cut off (its tables do not add up)");
  }
  Graph imported;
  OCTET_RETURN_IF_ERROR(Importer(*tflite::GetModel(data), size, &imported).Run());
  *graph = std::move(imported);
  return OCTET_OK;
}

}  // namespace

Status ImportTflite(const uint8_t* data, size_t size, Graph* graph) {
  try {
    return Import(data, size, graph);
  } catch (const std::exception& e) {
    return Fail(OCTET_OUT_OF_MEMORY, "out of memory while reading the model (%s)", e.what());
  }
}

}  // namespace octet
