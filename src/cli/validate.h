// octet validate: what quantising a model costs and gains.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace octet::cli {

struct ValidatedLayer {
  std::string name;
  std::string type;  // of the quantised model's tensor
  double sqnr_db = 0;
  double mean_error = 0;  // of the real values
};

struct ModelFacts {
  std::string path;
  uint64_t file_bytes = 0, ram_bytes = 0;
  std::vector<double> runs_us;  // sorted
  double top1 = 0, top5 = 0;    // of the labelled samples
  double mean_error = 0;        // of the outputs' values against those that are right
};

struct Validation {
  ModelFacts a, b;  // the float model and the quantised one
  size_t samples = 0, labelled = 0, compared_layers = 0;
  bool targets = false;                  // what is right is known by value
  bool classes = false;                  // the output is a list of scores
  double agreement = 0;                  // share of samples with the same best class
  double sqnr_db = 0;                    // of the worst output
  double mean_error = 0, max_error = 0;  // of all outputs' values
  std::vector<ValidatedLayer> layers;    // in order of execution
  std::string layers_note;               // why there are none
  struct Worst {
    std::string sample;
    double sqnr_db;
  };
  std::vector<Worst> worst;           // the samples whose outputs differ most
  std::vector<std::string> failures;  // thresholds that were missed
};

std::string ValidationText(const Validation& v);
std::string ValidationHtml(const Validation& v);
nlohmann::ordered_json ValidationJson(const Validation& v);

}  // namespace octet::cli
