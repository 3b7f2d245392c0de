// Turning models of other formats into .octet files, in C++. Link with liboctet_compiler.
//
// Thread safety: functions only touch their arguments; call them from any thread.
// Errors: as in octet.h, a status and octet_last_error(). No exceptions come out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "octet/octet.h"

namespace octet::compiler {

// What the memory plan is made for.
enum class Goal {
  kSpeed,  // every operator runs whole, in the smallest arena that allows
  kRam     // chains of operators run a few rows at a time wherever that needs less RAM
};

// Weights stored in fewer bytes where that is lossless, which pays where many are 0.
enum class Compress {
  kAuto,  // those that kernels read through packs, which costs no RAM (unless the reference kernels
          // run), if it saves a fifth of them, 4 KiB at least; none with Goal::kRam or a
          // RAM limit
  kOff,
  kOn  // every constant and pack that gets smaller by a fifth; what runs read of them is decoded
       // into RAM (octet_memory.model_bytes) instead of being read from the mapped file
};

// How a model of another format is read. Only ONNX leaves anything to choose.
struct ImportOptions {
  // Shapes of inputs by name ("": of every input), for models that leave sizes open. Without one,
  // an open batch is 1 and other open sizes are an error.
  std::vector<std::pair<std::string, std::vector<int32_t>>> input_shapes;
  // Inputs and outputs of three and more dimensions have their channels last, as the model stores
  // them inside, instead of second, which costs a transposition in each run.
  bool channels_last_inputs = false;
  bool channels_last_outputs = false;
  // Folder of the model's file, for weights that lie beside it. ConvertFile knows it; "": there is
  // none, and such models are refused.
  std::string directory;
};

struct ConvertOptions {
  ImportOptions import;
  // Instruction set whose weight packs go into the file beside the portable weights:
  // "" for none, "native" for this machine's (of which OCTET_ISA may leave less), or "x86-avx2",
  // "x86-avxvnni", "x86-avx512vnni", ...
  std::string target;
  Goal goal = Goal::kSpeed;
  // Bytes that a session on one thread may take in all (octet_memory.total_bytes: arena, scratch,
  // weights packed at load, bookkeeping) on `target`, or else on this machine. 0: no limit.
  // Operators are streamed by rows only as far as the limit makes it necessary; where even that is
  // not enough, OCTET_RAM_LIMIT says what the least is.
  uint64_t ram_limit = 0;
  Compress compress = Compress::kAuto;
  // The caller hands the input image over row by row (octet_session_set_row_source), so that it
  // need not be in memory as a whole.
  bool row_fed_input = false;
  // Rewrite the graph (fold, fuse, drop). Off: the file has the source's operators one by one.
  bool optimize = true;
  // Free text for the file, e.g. {"labels", "cat\ndog"}; replaces what the importer found.
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct ConvertReport {
  std::vector<std::string> log;  // what each pass did, a line each
  uint64_t arena_bytes = 0;      // activations as planned
  uint64_t total_bytes = 0;      // of a session on one thread, as ConvertOptions::ram_limit counts
  uint64_t bound_bytes = 0;      // the largest sum of live bytes, layer by layer
  double weight_traffic = 1;     // weight bytes read, relative to running layer by layer
  uint64_t file_bytes = 0;
  uint64_t constant_bytes = 0;  // weights, other constants and packs
  uint64_t stored_bytes = 0;    // what they take in the file
};

// The formats that Convert reads, decided by content: .tflite, .onnx; an .octet file is passed
// through.
octet_status Convert(const void* data, size_t size, const ConvertOptions& options,
                     std::vector<uint8_t>* octet_file, ConvertReport* report);

// The same from and to files. The output appears whole or not at all.
octet_status ConvertFile(const std::string& input, const std::string& output,
                         const ConvertOptions& options, ConvertReport* report);

// ---- From float to int8 ------------------------------------------------------------------------

// How the range of an activation follows from its values over the calibration data.
enum class RangeMethod {
  kMinMax,         // all of them
  kMovingAverage,  // the average of the samples' ends, new samples weighing 1 %
  kPercentile,     // without the outermost (100 - percentile) %
  kSquaredError,   // the range whose 256 levels have the least squared error
  kEntropy,        // the range whose 256 levels lose the least information
  kCubedError      // as kSquaredError, but cubed: less is cut off
};

// What to do with operators that lose too much on 8 bits.
enum class Fallback { kNone, kInt16, kFloat };

// One sample: the bytes of each input of the float model, and its class if that is known.
struct Sample {
  std::string name;  // for messages: a file, "row 12 of x.npy"
  std::vector<std::vector<uint8_t>> inputs;
  int32_t label = -1;
};

// Calibration data, read one by one and more than once.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual size_t size() const = 0;
  virtual octet_status Read(size_t index, Sample* sample) = 0;
};

struct QuantizeOptions {
  ConvertOptions convert;
  RangeMethod range = RangeMethod::kCubedError;
  double percentile = 99.99;
  bool equalize = false;      // even out weight ranges across layers first
  bool correct_bias = true;   // undo the mean error that rounded weights cause
  bool float_inputs = false;  // the inputs stay float32, quantised inside
  bool float_outputs = false;
  Fallback fallback = Fallback::kNone;
  std::vector<std::string> keep;  // names of operators that take the fallback in any case
  // Goals; as few operators as reach them take the fallback. 0 and below: none.
  double min_sqnr_db = 0;         // of the worst output
  double max_accuracy_drop = -1;  // share of labelled samples, 0.01: one in a hundred
  size_t threads = 1;
  size_t measure_samples = 32;  // how many samples the report's figures come from
  bool histograms = true;       // in the report
  // Called now and then; `stage` is a word or two.
  std::function<void(const char* stage, size_t done, size_t total)> progress;
};

// An operator and its (first) output before and after.
struct QuantizedLayer {
  std::string kind, name, precision;  // precision: "int8", "int16", "float32"
  double sqnr_db = 0;                 // of the output against the float model's; infinite if equal
  double range_sqnr_db = 0;           // what its own 256 levels would allow
  double weight_sqnr_db = 0;          // 0: no weights
  double sparsity = 0;                // share of the weights that are 0
  uint64_t weights = 0;               // how many
  double saturation = 0;              // share of the values outside the range
  double min = 0, max = 0;            // as seen
  double low = 0, high = 0;           // as quantised
  double scale = 0;
  int32_t zero_point = 0;
  double sensitivity_db = 0;  // SQNR of the model's output if only this operator is quantised; 0:
                              // not measured
  std::vector<uint64_t> histogram;  // of [min, max] in equal parts
};

struct QuantizeReport {
  ConvertReport convert;
  bool already_quantized = false;  // taken as it was
  size_t samples = 0;
  std::vector<QuantizedLayer> layers;
  double output_sqnr_db = 0;  // the worst output's
  size_t labelled = 0;        // samples with a label; the accuracies are of those
  double float_accuracy = 0, accuracy = 0;
  double agreement = 0;  // share of samples whose best class is the same (one output of scores)
  uint64_t float_weight_bytes = 0, weight_bytes = 0;
  bool reached_goals = true;
};

// A float model to an .octet file of integers, by what its tensors hold on the samples. The bytes
// depend on the model, the samples in their order, and the options; not on threads. Models that are
// quantised already are converted as they are.
octet_status Quantize(const void* data, size_t size, SampleSource* samples,
                      const QuantizeOptions& options, std::vector<uint8_t>* octet_file,
                      QuantizeReport* report);

// The same from and to files. The output appears whole or not at all.
octet_status QuantizeFile(const std::string& input, const std::string& output,
                          SampleSource* samples, const QuantizeOptions& options,
                          QuantizeReport* report);

}  // namespace octet::compiler
