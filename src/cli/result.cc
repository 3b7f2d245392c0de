#include "src/cli/result.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "src/cli/format.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string LabelOf(const std::vector<std::string>& labels, size_t index) {
  return index < labels.size() ? labels[index] : std::string();
}

std::vector<size_t> TopIndices(const TensorInfo& info, const ByteVector& data, size_t top) {
  std::vector<size_t> order(info.elements());
  std::iota(order.begin(), order.end(), size_t{0});
  top = std::min(top, order.size());
  // Ties: the lower index first, so that the list does not depend on the library.
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                    [&](size_t a, size_t b) {
                      const double x = RawValue(info, data, a), y = RawValue(info, data, b);
                      return x != y ? x > y : a < b;
                    });
  order.resize(top);
  return order;
}

}  // namespace

std::vector<std::string> ReadLabels(const std::string& path, const Model& model) {
  std::string text;
  if (!path.empty()) {
    const ByteVector file = ReadFile(path);
    text.assign(file.begin(), file.end());
  } else if (const char* metadata = model.Metadata("labels")) {
    text = metadata;
  }
  std::vector<std::string> labels;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    labels.push_back(std::move(line));
    at = end + 1;
  }
  return labels;
}

bool IsClassification(const Model& model, const TensorInfo& output) {
  const size_t n = output.elements();
  if (output.rank < 1 || n < 2 || static_cast<size_t>(output.shape[output.rank - 1]) != n ||
      output.type == OCTET_INT64 || output.type == OCTET_BOOL) {
    return false;
  }
  for (size_t i = 0; i < model.input_count(); ++i) {
    const TensorInfo input = Unwrap(model.InputInfo(i));
    if (input.rank == output.rank &&
        std::equal(input.shape, input.shape + input.rank, output.shape)) {
      return false;
    }
  }
  return true;
}

Json ToJson(const TensorInfo& info) {
  Json json;
  json["name"] = info.name;
  json["type"] = TypeName(info.type);
  json["shape"] = std::vector<int32_t>(info.shape, info.shape + info.rank);
  json["bytes"] = info.bytes;
  if (info.quantized()) {
    json["scale"] = info.scale;
    json["zero_point"] = info.zero_point;
  }
  return json;
}

OutputReport ReportOutput(const Model& model, size_t index, const ByteVector& data,
                          const std::vector<std::string>& labels, size_t top) {
  const TensorInfo info = Unwrap(model.OutputInfo(index));
  const size_t n = info.elements();
  OutputReport report;
  report.json["index"] = index;
  report.json.update(ToJson(info));
  report.text = Describe("output", index, info) + "\n";
  if (n == 0) return report;

  double low = RealValue(info, data, 0), high = low, sum = 0;
  for (size_t i = 0; i < n; ++i) {
    const double value = RealValue(info, data, i);
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
  }
  const double mean = sum / static_cast<double>(n);
  Json first = Json::array();
  std::string first_text;
  for (size_t i = 0; i < std::min<size_t>(n, 8); ++i) {
    first.push_back(RealValue(info, data, i));
    first_text += Format(" %.6g", RealValue(info, data, i));
  }
  report.json["min"] = low;
  report.json["max"] = high;
  report.json["mean"] = mean;
  report.json["first"] = first;

  if (IsClassification(model, info)) {
    Json best = Json::array();
    for (size_t i : TopIndices(info, data, top)) {
      const double score = RealValue(info, data, i);
      const std::string label = LabelOf(labels, i);
      Json entry = {{"index", i}, {"score", score}, {"value", RawValue(info, data, i)}};
      if (!label.empty()) entry["label"] = label;
      best.push_back(std::move(entry));
      report.text += Format("  %10.6f  %5zu  %s\n", score, i, label.c_str());
    }
    report.json["top"] = std::move(best);
    return report;
  }
  report.text += Format("  min %.6g, max %.6g, mean %.6g; first%s%s\n", low, high, mean,
                        first_text.c_str(), n > 8 ? " ..." : "");
  // A map of class indices (segmentation): what is in it.
  if (!labels.empty() && !info.quantized() && info.type != OCTET_FLOAT32 &&
      info.type != OCTET_BOOL && low >= 0 && high < static_cast<double>(labels.size())) {
    std::map<size_t, size_t> counts;
    for (size_t i = 0; i < n; ++i) ++counts[static_cast<size_t>(RawValue(info, data, i))];
    Json classes = Json::array();
    for (const auto& [label, count] : counts) {
      const double share = static_cast<double>(count) / static_cast<double>(n);
      classes.push_back({{"index", label}, {"label", labels[label]}, {"share", share}});
      report.text += Format("  %9.2f%%  %5zu  %s\n", 100 * share, label, labels[label].c_str());
    }
    report.json["classes"] = std::move(classes);
  }
  return report;
}

}  // namespace octet::cli
