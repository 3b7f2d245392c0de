// What calibration remembers of a tensor's values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace octet {

// Counts of values in bins of equal width on both sides of zero, over (-limit, limit). The limit is
// a power of two that doubles when a larger value comes, whereupon bins are joined in pairs. So the
// bins depend on the values alone, not on their order or grouping; and at least a half of one side
// is in use.
class Histogram {
 public:
  static constexpr int kBinsOfSide = 4096;

  // Finite values only.
  void Add(const float* values, size_t n);
  void Add(const Histogram& other);

  bool empty() const { return count_ == 0; }
  uint64_t count() const { return count_; }
  uint64_t zeros() const { return zeros_; }  // exact ones; in no bin
  float min() const { return min_; }
  float max() const { return max_; }
  double bin_width() const { return limit_ / kBinsOfSide; }
  // Bin k holds values of [k, k + 1) * bin_width() for k >= 0, of (k, k + 1] * bin_width() below.
  uint64_t bin(int k) const {
    return k >= 0 ? positive_[static_cast<size_t>(k)] : negative_[static_cast<size_t>(-1 - k)];
  }
  // The bins that hold values lie in [first_bin(), end_bin()).
  int first_bin() const;
  int end_bin() const;
  // Its middle; for the outermost bins that of the part within [min, max].
  double bin_value(int k) const;

 private:
  void Grow(float magnitude);

  using Side = std::vector<uint64_t>;
  Side positive_ = Side(kBinsOfSide), negative_ = Side(kBinsOfSide);
  double limit_ = 0;  // 0: no value other than zero yet
  uint64_t count_ = 0, zeros_ = 0;
  float min_ = 0, max_ = 0;
};

// A tensor's values over all samples.
struct TensorStatistics {
  Histogram histogram;
  // Averages of the samples' least and greatest values: of each new sample 1 %, as TensorFlow's
  // moving averages, corrected for the few samples that there are.
  double average_min = 0, average_max = 0;
  uint64_t samples = 0;
  // Masks of attention put values as low as this where a softmax is to see nothing. They are no
  // part of what the tensor holds.
  static constexpr float kMasked = -1e8f;
  bool masked = false;
  // Sums over all samples for each index of the last dimension (channel).
  std::vector<double> channel_sums;
  std::vector<float> channel_min, channel_max;

  // One sample's values, `channels` innermost.
  void Add(const float* values, size_t n, size_t channels);
};

}  // namespace octet
