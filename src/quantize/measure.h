// How far a rewritten graph is from the float one, on samples.
#pragma once

#include <vector>

#include "octet/compiler.h"
#include "src/quantize/calibrate.h"
#include "src/quantize/rewrite.h"
#include "src/quantize/run_graph.h"

namespace octet {

struct Measurement {
  std::vector<double> sqnr_db;  // of each float tensor; NaN where there is none to compare
  double output_sqnr_db = 0;    // the worst output's
  size_t samples = 0, labelled = 0;
  double float_accuracy = 0, accuracy = 0, agreement = 0;
};

// `count` samples, spread evenly over all. With `layers` off, only outputs are compared.
Status Measure(Reference* reference, const RewrittenGraph& rewritten,
               compiler::SampleSource* samples, size_t count, size_t threads, bool layers,
               const Progress& progress, Measurement* result);

// Signal to noise in dB; infinite where there is no noise.
double Decibels(double signal, double noise);

// The index of the greatest value; the lower one of equals.
size_t ArgMax(const std::vector<float>& values);

// The bytes of an input for a graph whose input has another type: floats to integers of its scale.
std::vector<uint8_t> AsInput(const GraphTensor& from, const GraphTensor& to,
                             const std::vector<uint8_t>& bytes);

}  // namespace octet
