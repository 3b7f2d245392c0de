// From a tensor's values to the range that its 8 (or 16) bits cover.
#pragma once

#include "octet/compiler.h"
#include "src/quantize/histogram.h"

namespace octet {

using compiler::RangeMethod;

// low <= 0 <= high, so that zero is exact.
struct Range {
  double low = 0, high = 0;
};

struct Affine {
  float scale = 1;
  int32_t zero_point = 0;
};

// int8 with zero exact: the scale of the range's 255 steps.
Affine Int8Affine(const Range& range);
// int16 of zero point 0.
Affine Int16Affine(const Range& range);

Range MinMaxRange(const TensorStatistics& statistics);
Range MovingAverageRange(const TensorStatistics& statistics);
// Leaves out (100 - percentile) % of the values, half of it at each end that has values.
Range PercentileRange(const Histogram& histogram, double percentile);
// The range whose 256 levels have the least squared error.
Range SquaredErrorRange(const Histogram& histogram);
// The same for the cube of the error's magnitude: what is cut off counts for more.
Range CubedErrorRange(const Histogram& histogram);
// The range whose 256 levels lose the least information (Kullback-Leibler divergence); that of all
// values where they are too few to speak of a distribution.
Range EntropyRange(const Histogram& histogram);

Range FindRange(const TensorStatistics& statistics, RangeMethod method, double percentile);

// Mean squared error of the histogram's values in 256 levels over a range.
double SquaredError(const Histogram& histogram, const Range& range);
// The share of values outside a range.
double OutsideShare(const Histogram& histogram, const Range& range);

}  // namespace octet
