// Runs a float graph over samples and gathers what its tensors hold.
#pragma once

#include <functional>
#include <vector>

#include "octet/compiler.h"
#include "src/graph/graph.h"
#include "src/quantize/histogram.h"

namespace octet {

using Progress = std::function<void(const char* stage, size_t done, size_t total)>;

// Reads a sample and checks it: as many inputs as the graph has, of their sizes, all floats finite.
// The source's own failures pass through.
Status ReadSample(compiler::SampleSource* samples, size_t index, const Graph& graph,
                  compiler::Sample* sample);

// Statistics of every float tensor that is computed or an input; one entry a tensor.
Status Calibrate(const Graph& graph, compiler::SampleSource* samples, size_t threads,
                 const Progress& progress, std::vector<TensorStatistics>* statistics);

}  // namespace octet
