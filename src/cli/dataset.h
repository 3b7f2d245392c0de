// Data to calibrate with and to validate on: folders and arrays, read one sample at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "octet/compiler.h"
#include "src/cli/image.h"

namespace CLI {
class App;
}

namespace octet::cli {

struct DatasetOptions {
  std::string data, labels;
  ImageOptions image;
  size_t limit = 0;  // at most so many samples, evenly spread; 0: all
};

// Adds --data, --labels, --mean, --std and --samples.
void AddDatasetOptions(CLI::App* command, DatasetOptions* options);

// What `data` may be:
//   a folder of pictures (or .npy, .bin files); with sub-folders, each of them is a class
//   a folder of cases: folders with in0.bin, in1.bin, ...
//   an .npy file whose first dimension counts samples
//   an .npz file with such an array for each input, by name or in order; an array "labels" (or
//     "label", "y") holds the classes
// `labels`: classes by name, one a line, for the names of sub-folders; or lines "FILE CLASS"; or an
// .npy file with a number for each sample.
// Whole numbers of 8 bits become floats as a picture's bytes do.
class Dataset : public compiler::SampleSource {
 public:
  // `inputs` of the model; what their names point to must live as long. Dies if there is no sample.
  static std::unique_ptr<Dataset> Open(const DatasetOptions& options,
                                       const std::vector<TensorInfo>& inputs);

  size_t size() const override { return order_.size(); }
  octet_status Read(size_t index, compiler::Sample* sample) override;
  bool labelled() const { return labelled_; }
  // Of all samples, of which --samples may have left some out: their number, and which one a
  // sample is.
  size_t all() const { return CountAll(); }
  size_t place(size_t index) const { return order_[index]; }

 protected:
  virtual size_t CountAll() const = 0;
  // Dies on anything wrong.
  virtual void ReadOne(size_t index, compiler::Sample* sample) = 0;

  DatasetOptions options_;
  std::vector<TensorInfo> inputs_;
  bool labelled_ = false;

 private:
  std::vector<size_t> order_;  // which of all samples
};

// A line on standard error that shows how far something is; nothing where that is no terminal.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  void operator()(const char* stage, size_t done, size_t total);
  void Clear();

 private:
  bool enabled_;
  bool shown_ = false;
  int last_ = -1;
  std::string stage_;
};

}  // namespace octet::cli
