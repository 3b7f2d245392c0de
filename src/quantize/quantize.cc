// From a float model to an .octet file of integers: the order of things.
#include <algorithm>
#include <cmath>

#include "src/compiler/convert.h"
#include "src/compiler/files.h"
#include "src/compiler/import.h"
#include "src/passes/passes.h"
#include "src/quantize/bias_correction.h"
#include "src/quantize/measure.h"
#include "src/quantize/prepare.h"
#include "src/quantize/quantize.h"
#include "src/quantize/sensitivity.h"
#include "src/quantize/weights.h"

namespace octet::compiler {
namespace {

constexpr size_t kHistogramBars = 120;
constexpr size_t kSensitivitySamples = 8;

bool IsQuantisedActivation(const GraphTensor& t) { return !t.is_constant() && !t.scale.empty(); }

std::vector<uint64_t> Bars(const Histogram& h) {
  std::vector<uint64_t> bars(kHistogramBars, 0);
  const double low = static_cast<double>(h.min()), high = static_cast<double>(h.max());
  if (!(high > low)) return {};
  const auto bar = [&](double x) {
    const double at = (x - low) / (high - low) * static_cast<double>(kHistogramBars);
    return std::min(static_cast<size_t>(std::max(at, 0.0)), kHistogramBars - 1);
  };
  const int end = h.end_bin();
  for (int k = h.first_bin(); k < end; ++k) {
    if (h.bin(k) > 0) bars[bar(h.bin_value(k))] += h.bin(k);
  }
  if (h.zeros() > 0) bars[bar(0)] += h.zeros();
  return bars;
}

double MeanSquare(const Histogram& h) {
  double sum = 0;
  const int end = h.end_bin();
  for (int k = h.first_bin(); k < end; ++k) {
    const double x = h.bin_value(k);
    sum += static_cast<double>(h.bin(k)) * x * x;
  }
  return h.empty() ? 0 : sum / static_cast<double>(h.count());
}

class Quantizer {
 public:
  Quantizer(const QuantizeOptions& options, SampleSource* samples, QuantizeReport* report)
      : options_(options), samples_(*samples), report_(report) {}

  Status Run(const void* data, size_t size, std::vector<uint8_t>* file) {
    if (IsOctetFile(data, size)) {
      return Fail(OCTET_UNSUPPORTED, "an .octet file cannot be quantised; quantise its source");
    }
    OCTET_RETURN_IF_ERROR(
        ImportModel(data, size, options_.convert.import, &graph_, &report_->convert.log));
    return Run(file);
  }

  Status Run(Graph graph, std::vector<uint8_t>* file) {
    graph_ = std::move(graph);
    return Run(file);
  }

 private:
  Status Run(std::vector<uint8_t>* file) {
    std::vector<std::string>* log = &report_->convert.log;
    if (std::any_of(graph_.tensors.begin(), graph_.tensors.end(), IsQuantisedActivation)) {
      report_->already_quantized = true;
      log->push_back("the model is quantised already: taken as it is, ranges untouched");
      return WriteOctet(&graph_, options_.convert, file, &report_->convert);
    }
    RunPasses(&graph_, log);
    PrepareFloatGraph(&graph_, log);
    if (options_.equalize) EqualizeLayers(&graph_, log);
    OCTET_RETURN_IF_ERROR(CheckGraph(graph_));
    OCTET_RETURN_IF_ERROR(StartPlan());
    report_->samples = samples_.size();
    if (samples_.size() == 0) return Fail(OCTET_INVALID_ARGUMENT, "no calibration samples");
    OCTET_RETURN_IF_ERROR(
        Calibrate(graph_, &samples_, options_.threads, options_.progress, &plan_.statistics));
    OCTET_RETURN_IF_ERROR(Rewrite(graph_, &plan_, &rewritten_, log));
    if (options_.correct_bias) {
      plan_.bias_correction = BiasCorrections(graph_, plan_, rewritten_);
      OCTET_RETURN_IF_ERROR(Rewrite(graph_, &plan_, &rewritten_, log));
    }
    OCTET_RETURN_IF_ERROR(Reference::Create(graph_, options_.threads, &reference_));
    if (options_.min_sqnr_db > 0 || options_.max_accuracy_drop >= 0) {
      if (options_.fallback != Fallback::kNone) {
        OCTET_RETURN_IF_ERROR(FindSensitivities(reference_.get(), plan_, &samples_,
                                                kSensitivitySamples, options_.threads,
                                                options_.progress, &sensitivities_));
      }
      OCTET_RETURN_IF_ERROR(ReachGoals(reference_.get(), options_, sensitivities_, &samples_,
                                       &plan_, &rewritten_, log, &report_->reached_goals));
    }
    OCTET_RETURN_IF_ERROR(Report());
    return WriteOctet(&rewritten_.graph, options_.convert, file, &report_->convert);
  }

  Status StartPlan() {
    plan_.method = options_.range;
    plan_.percentile = options_.percentile;
    plan_.float_inputs = options_.float_inputs;
    plan_.float_outputs = options_.float_outputs;
    size_t quantisable = 0;
    for (const GraphOp& op : graph_.ops) {
      const bool keeps = RuleOf(graph_, op) == QuantRule::kKeep;
      plan_.precision.push_back(keeps ? Precision::kFloat : Precision::kInt8);
      quantisable += !keeps;
    }
    if (quantisable == 0) {
      return Fail(OCTET_UNSUPPORTED, "the model has no operator on float32 that can be quantised");
    }
    for (const std::string& name : options_.keep) {
      bool found = false;
      for (size_t i = 0; i < graph_.ops.size(); ++i) {
        const GraphOp& op = graph_.ops[i];
        if (op.name != name && graph_.tensors[op.outputs[0]].name != name) continue;
        found = true;
        const bool int16 = options_.fallback == Fallback::kInt16 && HasInt16(graph_, op);
        plan_.precision[i] = int16 ? Precision::kInt16 : Precision::kFloat;
      }
      if (!found) {
        return Fail(OCTET_INVALID_ARGUMENT, "no operator is called \"%s\"", name.c_str());
      }
    }
    return OCTET_OK;
  }

  Status Report() {
    bool labelled = false;
    Sample first;
    OCTET_RETURN_IF_ERROR(ReadSample(&samples_, 0, graph_, &first));
    labelled = first.label >= 0;
    Measurement measured;
    OCTET_RETURN_IF_ERROR(Measure(reference_.get(), rewritten_, &samples_,
                                  labelled ? samples_.size() : options_.measure_samples,
                                  options_.threads, true, options_.progress, &measured));
    report_->output_sqnr_db = measured.output_sqnr_db;
    report_->labelled = measured.labelled;
    report_->float_accuracy = measured.float_accuracy;
    report_->accuracy = measured.accuracy;
    report_->agreement = measured.agreement;
    for (const int32_t t : graph_.inputs) {
      if (graph_.tensors[t].type == DType::FLOAT32) Layer("INPUT", t, -1, measured);
    }
    for (size_t i = 0; i < graph_.ops.size(); ++i) {
      const GraphOp& op = graph_.ops[i];
      if (graph_.tensors[op.outputs[0]].type != DType::FLOAT32) continue;
      Layer(OpName(op.kind), op.outputs[0], static_cast<int64_t>(i), measured);
    }
    return OCTET_OK;
  }

  // `op`: -1 for an input.
  void Layer(const char* kind, int32_t t, int64_t op, const Measurement& measured) {
    QuantizedLayer layer;
    layer.kind = kind;
    layer.name = graph_.tensors[t].name;
    const TensorStatistics& s = plan_.statistics[t];
    const QuantisedTensor& q = rewritten_.tensors[t];
    const GraphTensor& made = rewritten_.graph.tensors[rewritten_.tensor_of[t]];
    layer.precision = TypeName(made.type);
    layer.sqnr_db = measured.sqnr_db[t];
    layer.min = static_cast<double>(s.histogram.min());
    layer.max = static_cast<double>(s.histogram.max());
    if (made.type == DType::INT8) {
      layer.low = q.range.low;
      layer.high = q.range.high;
      layer.saturation = OutsideShare(s.histogram, q.range);
      layer.range_sqnr_db = Decibels(MeanSquare(s.histogram), SquaredError(s.histogram, q.range));
    }
    if (!made.scale.empty()) {
      layer.scale = static_cast<double>(made.scale[0]);
      layer.zero_point = made.zero_point;
    }
    if (options_.histograms) layer.histogram = Bars(s.histogram);
    if (op >= 0) {
      const size_t i = static_cast<size_t>(op);
      const GraphOp& source = graph_.ops[i];
      if (RuleOf(graph_, source) == QuantRule::kProduct) {
        const GraphTensor& w = graph_.tensors[source.inputs[1]];
        layer.weights = static_cast<uint64_t>(w.elements());
        layer.sparsity = Sparsity(w);
        layer.weight_sqnr_db = rewritten_.weight_sqnr_db[i];
        report_->float_weight_bytes += w.bytes();
        report_->weight_bytes +=
            plan_.precision[i] == Precision::kFloat ? w.bytes() : w.bytes() / sizeof(float);
      }
      for (const Sensitivity& each : sensitivities_) {
        if (each.op == i) layer.sensitivity_db = each.sqnr_db;
      }
    }
    report_->layers.push_back(std::move(layer));
  }

  const QuantizeOptions& options_;
  SampleSource& samples_;
  QuantizeReport* report_;
  Graph graph_;
  std::unique_ptr<Reference> reference_;
  QuantPlan plan_;
  RewrittenGraph rewritten_;
  std::vector<Sensitivity> sensitivities_;
};

}  // namespace

Status QuantizeGraph(Graph graph, SampleSource* samples, const QuantizeOptions& options,
                     std::vector<uint8_t>* octet_file, QuantizeReport* report) {
  return Quantizer(options, samples, report).Run(std::move(graph), octet_file);
}

octet_status Quantize(const void* data, size_t size, SampleSource* samples,
                      const QuantizeOptions& options, std::vector<uint8_t>* octet_file,
                      QuantizeReport* report) {
  return Guarded([&]() -> octet_status {
    if (!octet_file || !samples || (!data && size > 0)) {
      return Fail(OCTET_INVALID_ARGUMENT, "a null pointer");
    }
    std::vector<uint8_t> file;
    QuantizeReport made;
    OCTET_RETURN_IF_ERROR(Quantizer(options, samples, &made).Run(data, size, &file));
    *octet_file = std::move(file);
    if (report) *report = std::move(made);
    return OCTET_OK;
  });
}

octet_status QuantizeFile(const std::string& input, const std::string& output,
                          SampleSource* samples, const QuantizeOptions& options,
                          QuantizeReport* report) {
  return Guarded([&]() -> octet_status {
    std::vector<uint8_t> source, file;
    QuantizeReport made;
    OCTET_RETURN_IF_ERROR(ReadFile(input, &source));
    QuantizeOptions here = options;
    ImportOptions& import = here.convert.import;
    if (import.directory.empty()) import.directory = FolderOf(input);
    OCTET_RETURN_IF_ERROR(Quantize(source.data(), source.size(), samples, here, &file, &made));
    OCTET_RETURN_IF_ERROR(WriteFileAtomically(output, file.data(), file.size()));
    if (report) *report = std::move(made);
    return OCTET_OK;
  });
}

}  // namespace octet::compiler
