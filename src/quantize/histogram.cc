#include "src/quantize/histogram.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace octet {
namespace {

void JoinPairs(std::vector<uint64_t>* side) {
  const size_t half = side->size() / 2;
  for (size_t i = 0; i < half; ++i) (*side)[i] = (*side)[2 * i] + (*side)[2 * i + 1];
  std::fill(side->begin() + static_cast<std::ptrdiff_t>(half), side->end(), 0);
}

}  // namespace

void Histogram::Grow(float magnitude) {
  // The least power of two above the magnitude, but no smaller than what keeps widths normal.
  int exponent = 0;
  std::frexp(static_cast<double>(magnitude), &exponent);
  const double wanted = std::ldexp(1.0, std::max(exponent, -100));
  if (limit_ == 0) limit_ = wanted;
  for (; limit_ < wanted; limit_ *= 2) {
    JoinPairs(&positive_);
    JoinPairs(&negative_);
  }
}

void Histogram::Add(const float* values, size_t n) {
  if (n == 0) return;
  float low = values[0], high = values[0];
  for (size_t i = 1; i < n; ++i) {
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  min_ = count_ == 0 ? low : std::min(min_, low);
  max_ = count_ == 0 ? high : std::max(max_, high);
  count_ += n;
  const float magnitude = std::max(-low, high);
  if (magnitude == 0) {
    zeros_ += n;
    return;
  }
  if (static_cast<double>(magnitude) >= limit_) Grow(magnitude);
  // Multiplying by a power of two is exact.
  const double per_bin = kBinsOfSide / limit_;
  for (size_t i = 0; i < n; ++i) {
    const double scaled = static_cast<double>(values[i]) * per_bin;
    if (scaled > 0) {
      ++positive_[static_cast<size_t>(scaled)];
    } else if (scaled < 0) {
      ++negative_[static_cast<size_t>(-scaled)];
    } else {
      ++zeros_;
    }
  }
}

void Histogram::Add(const Histogram& other) {
  if (other.empty()) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
  if (other.limit_ == 0) return;
  Histogram same = other;
  const double limit = std::max(limit_, other.limit_);
  if (limit_ == 0) limit_ = limit;
  for (; limit_ < limit; limit_ *= 2) {
    JoinPairs(&positive_);
    JoinPairs(&negative_);
  }
  for (; same.limit_ < limit; same.limit_ *= 2) {
    JoinPairs(&same.positive_);
    JoinPairs(&same.negative_);
  }
  for (size_t i = 0; i < positive_.size(); ++i) {
    positive_[i] += same.positive_[i];
    negative_[i] += same.negative_[i];
  }
}

int Histogram::first_bin() const {
  for (int k = -kBinsOfSide; k < kBinsOfSide; ++k) {
    if (bin(k) > 0) return k;
  }
  return 0;
}

int Histogram::end_bin() const {
  for (int k = kBinsOfSide; k-- > -kBinsOfSide;) {
    if (bin(k) > 0) return k + 1;
  }
  return 0;
}

double Histogram::bin_value(int k) const {
  const double low = std::max(k * bin_width(), static_cast<double>(min_));
  const double high = std::min((k + 1) * bin_width(), static_cast<double>(max_));
  return (low + high) / 2;
}

void TensorStatistics::Add(const float* values, size_t n, size_t channels) {
  if (n == 0) return;
  const auto is_masked = [](float v) { return v <= kMasked; };
  if (std::any_of(values, values + n, is_masked)) {
    std::vector<float> kept;
    std::remove_copy_if(values, values + n, std::back_inserter(kept), is_masked);
    Add(kept.data(), kept.size(), 0);
    masked = true;
    return;
  }
  histogram.Add(values, n);
  const auto [low, high] = std::minmax_element(values, values + n);
  ++samples;
  constexpr double kNew = 0.01;
  average_min += kNew * (static_cast<double>(*low) - average_min);
  average_max += kNew * (static_cast<double>(*high) - average_max);
  if (channels == 0 || n % channels != 0) return;
  if (channel_sums.empty()) {
    channel_sums.assign(channels, 0);
    channel_min.assign(values, values + channels);
    channel_max = channel_min;
  }
  for (size_t at = 0; at < n; at += channels) {
    for (size_t c = 0; c < channels; ++c) {
      const float v = values[at + c];
      channel_sums[c] += static_cast<double>(v);
      channel_min[c] = std::min(channel_min[c], v);
      channel_max[c] = std::max(channel_max[c], v);
    }
  }
}

}  // namespace octet
