#include "src/graph/problems.h"

#include <algorithm>
#include <utility>

namespace octet {
namespace {

constexpr size_t kTextRoom = 1000;  // of the error text's 1 KB
constexpr size_t kMaxLines = 256;

std::string Quoted(const std::string& name) {
  constexpr size_t kLongest = 40;
  // The end of a long name says more than its beginning, which is a path of scopes.
  return "\"" + (name.size() <= kLongest ? name : "..." + name.substr(name.size() - kLongest)) +
         "\"";
}

std::string List(const Graph& graph, const std::vector<int32_t>& tensors) {
  constexpr size_t kMost = 3;
  std::string text;
  for (size_t i = 0; i < std::min(tensors.size(), kMost); ++i) {
    if (i) text += ", ";
    if (tensors[i] < 0 || static_cast<size_t>(tensors[i]) >= graph.tensors.size()) {
      text += "none";
    } else {
      const GraphTensor& t = graph.tensors[static_cast<size_t>(tensors[i])];
      text += DescribeTensor(t) + " " + Quoted(t.name);
    }
  }
  if (tensors.size() > kMost) text += ", ...";
  return text;
}

}  // namespace

std::string DescribeTensor(const GraphTensor& tensor) {
  std::string text = tensor.type == DType::NONE ? "?" : TypeName(tensor.type);
  text += "[";
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    if (i) text += ",";
    text += std::to_string(tensor.shape[i]);
  }
  return text + "]";
}

std::string DescribeOperator(const Graph& graph, size_t index, const std::string& name,
                             const std::vector<int32_t>& inputs,
                             const std::vector<int32_t>& outputs) {
  return "operator " + std::to_string(index) + " " + Quoted(name) + ": " + List(graph, inputs) +
         " -> " + List(graph, outputs);
}

void Problems::Add(Status status, std::string kind, std::string reason, std::string where) {
  for (Line& line : lines_) {
    if (line.kind == kind && line.reason == reason && line.status == status) {
      ++line.count;
      return;
    }
  }
  if (lines_.size() >= kMaxLines) {
    ++lines_.back().count;
    return;
  }
  lines_.push_back({status, std::move(kind), std::move(reason), std::move(where), 1});
}

Status Problems::Report() const {
  if (lines_.empty()) return OCTET_OK;
  Status status = OCTET_UNSUPPORTED;
  int operators = 0;
  for (const Line& line : lines_) {
    if (line.status != OCTET_UNSUPPORTED) status = line.status;
    operators += line.count;
  }
  const std::string head = std::to_string(operators) +
                           (operators == 1 ? " operator" : " operators") +
                           (status == OCTET_UNSUPPORTED ? " not supported:" : " wrong:");
  // From most to least detail, the first form that fits; the last is cut.
  std::string text;
  for (int detail = 2; detail >= 0; --detail) {
    text = head;
    for (size_t i = 0; i < lines_.size(); ++i) {
      const Line& line = lines_[i];
      std::string entry = detail ? "\n  " : i ? ", " : " ";
      entry += line.kind;
      if (line.count > 1) entry += " (" + std::to_string(line.count) + " times)";
      if (detail >= 1) entry += ": " + line.reason;
      if (detail >= 2) entry += "; " + line.where;
      if (detail == 0 && text.size() + entry.size() > kTextRoom) {
        text += " ... and " + std::to_string(lines_.size() - i) + " more";
        break;
      }
      text += entry;
    }
    if (text.size() <= kTextRoom) break;
  }
  return Fail(status, "%s", text.c_str());
}

}  // namespace octet
