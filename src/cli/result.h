// Outputs for people: the best classes, or a summary.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/cli/tensor_io.h"

namespace octet::cli {

// One label a line, from the file if its name is not empty, else from the model's metadata.
std::vector<std::string> ReadLabels(const std::string& path, const Model& model);

// Whether an output reads as a list of class scores: one row of at least two values, of another
// shape than every input (an autoencoder's output is not a list of classes).
bool IsClassification(const Model& model, const TensorInfo& output);

struct OutputReport {
  nlohmann::ordered_json json;
  std::string text;
};
OutputReport ReportOutput(const Model& model, size_t index, const ByteVector& data,
                          const std::vector<std::string>& labels, size_t top);

nlohmann::ordered_json ToJson(const TensorInfo& info);

}  // namespace octet::cli
