#include "src/quantize/ranges.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace octet {
namespace {

// The coarser steps of a search look at so many shares of the full range.
constexpr int kCoarse = 64;

constexpr uint64_t kEntropyLeast = 16384;

Range WithZero(double low, double high) { return {std::min(low, 0.0), std::max(high, 0.0)}; }

// The least cost(range) among shares of [min, max]: first both ends by the same share, then each
// end by itself around what was best.
Range Search(const Range& full, const std::function<double(const Range&)>& cost) {
  Range best = full;
  double least = cost(full);
  const auto attempt = [&](double low, double high) {
    if (!(high > low)) return;
    const Range range{low, high};
    const double c = cost(range);
    if (c < least) {
      least = c;
      best = range;
    }
  };
  for (int i = 1; i < kCoarse; ++i) {
    const double share = static_cast<double>(i) / kCoarse;
    attempt(full.low * share, full.high * share);
  }
  double step = 1.0 / kCoarse;
  for (int round = 0; round < 6; ++round) {
    const Range before = best;
    for (int i = -4; i <= 4; ++i) {
      if (i == 0) continue;
      const double low = before.low + i * step * full.low;
      if (full.low < 0 && low <= 0 && low >= full.low) attempt(low, best.high);
    }
    for (int i = -4; i <= 4; ++i) {
      if (i == 0) continue;
      const double high = before.high + i * step * full.high;
      if (full.high > 0 && high >= 0 && high <= full.high) attempt(best.low, high);
    }
    if (round % 2 == 1) step /= 4;
  }
  return best;
}

// The mean of the error's magnitude to the power of 2 or 3.
double MeanError(const Histogram& h, const Range& range, int power) {
  if (h.empty()) return 0;
  const Affine affine = Int8Affine(range);
  const double scale = static_cast<double>(affine.scale), zero = affine.zero_point;
  double sum = 0;
  const int end = h.end_bin();
  // What values of one bin differ from its middle by on average.
  const double spread = h.bin_width() * h.bin_width() / 12;
  for (int k = h.first_bin(); k < end; ++k) {
    const uint64_t n = h.bin(k);
    if (n == 0) continue;
    const double x = h.bin_value(k);
    const double q = std::clamp(std::nearbyint(x / scale) + zero, -128.0, 127.0);
    const double error = x - (q - zero) * scale;
    const double square = error * error + spread;
    sum += static_cast<double>(n) * (power == 2 ? square : square * std::sqrt(square));
  }
  return sum / static_cast<double>(h.count());
}

Range LeastErrorRange(const Histogram& h, int power) {
  const Range full = WithZero(static_cast<double>(h.min()), static_cast<double>(h.max()));
  if (full.low == full.high) return full;
  return Search(full, [&](const Range& range) { return MeanError(h, range, power); });
}

}  // namespace

Affine Int8Affine(const Range& range) {
  Affine affine;
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  const double width = high - low;
  // A tensor that is always zero may have any scale; products of tiny ones must not vanish.
  affine.scale = width > 0 ? static_cast<float>(std::max(width / 255, 1e-12)) : 1.f;
  const double zero = std::round(-128 - low / static_cast<double>(affine.scale));
  affine.zero_point = static_cast<int32_t>(std::clamp(zero, -128.0, 127.0));
  return affine;
}

Affine Int16Affine(const Range& range) {
  Affine affine;
  const double most = std::max(-range.low, range.high);
  affine.scale = most > 0 ? static_cast<float>(std::max(most / 32767, 1e-12)) : 1.f;
  return affine;
}

Range MinMaxRange(const TensorStatistics& s) {
  return WithZero(static_cast<double>(s.histogram.min()), static_cast<double>(s.histogram.max()));
}

Range MovingAverageRange(const TensorStatistics& s) {
  if (s.samples == 0) return {};
  const double weight = 1 - std::pow(0.99, static_cast<double>(s.samples));
  return WithZero(s.average_min / weight, s.average_max / weight);
}

Range PercentileRange(const Histogram& h, double percentile) {
  if (h.empty()) return {};
  const bool two_sided = h.min() < 0 && h.max() > 0;
  const double drop = (1 - percentile / 100) * static_cast<double>(h.count()) / (two_sided ? 2 : 1);
  double low = static_cast<double>(h.min()), high = static_cast<double>(h.max());
  // Walks inwards from an end for as long as no more than `drop` values are left outside.
  if (low < 0) {
    double outside = 0;
    for (int k = h.first_bin(); k < 0; ++k) {
      outside += static_cast<double>(h.bin(k));
      if (outside > drop) {
        low = std::max(low, k * h.bin_width());
        break;
      }
      low = (k + 1) * h.bin_width();
    }
  }
  if (high > 0) {
    double outside = 0;
    for (int k = h.end_bin(); k-- > 0;) {
      outside += static_cast<double>(h.bin(k));
      if (outside > drop) {
        high = std::min(high, (k + 1) * h.bin_width());
        break;
      }
      high = k * h.bin_width();
    }
  }
  const Range range = WithZero(low, high);
  // All but the zeros was left out.
  if (range.low == 0 && range.high == 0) {
    return WithZero(static_cast<double>(h.min()), static_cast<double>(h.max()));
  }
  return range;
}

double SquaredError(const Histogram& h, const Range& range) { return MeanError(h, range, 2); }

Range SquaredErrorRange(const Histogram& h) { return LeastErrorRange(h, 2); }

Range CubedErrorRange(const Histogram& h) { return LeastErrorRange(h, 3); }

Range EntropyRange(const Histogram& h) {
  const Range full = WithZero(static_cast<double>(h.min()), static_cast<double>(h.max()));
  if (full.low == full.high) return full;
  // Where most values are alone in their bin, any range seems to keep all information.
  if (h.count() < kEntropyLeast) return full;
  const int first = h.first_bin(), end = h.end_bin();
  const double total = static_cast<double>(h.count());
  // P: the values with those outside moved to the ends. Q: each level's values of P, spread evenly
  // over its bins that are not empty. Outside the range Q has nothing, which is where clipping
  // costs: its values are compared as members of the outermost bin.
  const auto divergence = [&](const Range& range) {
    const Affine affine = Int8Affine(range);
    const double scale = static_cast<double>(affine.scale), zero = affine.zero_point;
    double mass[256] = {}, outside[2] = {};
    int bins[256] = {};
    const auto level = [&](double x) { return std::nearbyint(x / scale) + zero + 128; };
    for (int k = first; k < end; ++k) {
      const double n = static_cast<double>(h.bin(k));
      if (n == 0) continue;
      const double at = level(h.bin_value(k));
      if (at < 0) {
        outside[0] += n;
      } else if (at > 255) {
        outside[1] += n;
      } else {
        mass[static_cast<int>(at)] += n;
        ++bins[static_cast<int>(at)];
      }
    }
    const double zeros = static_cast<double>(h.zeros());
    double sum = 0, q_total = zeros;
    for (int i = 0; i < 256; ++i) q_total += mass[i];
    if (q_total == 0) return HUGE_VAL;
    // Exact zeros are a level's own bin and stay exact.
    const auto term = [&](double p, double q) { return p == 0 ? 0 : p * std::log(p / q); };
    double edge[2] = {outside[0], outside[1]};
    int last_bin = first;
    for (int k = first; k < end; ++k) {
      const double n = static_cast<double>(h.bin(k));
      if (n == 0) continue;
      const double at = level(h.bin_value(k));
      if (at < 0 || at > 255) continue;
      double p = n;
      if (edge[0] > 0) p += edge[0], edge[0] = 0;
      const int i = static_cast<int>(at);
      sum += term(p / total, mass[i] / bins[i] / q_total);
      last_bin = k;
    }
    if (edge[0] > 0 || edge[1] > 0) {
      // The upper end's values belong to the last bin inside.
      const double n = static_cast<double>(h.bin(last_bin));
      const double at = level(h.bin_value(last_bin));
      if (n > 0 && at >= 0 && at <= 255) {
        const int i = static_cast<int>(at);
        const double q = mass[i] / bins[i] / q_total;
        sum += term((n + edge[0] + edge[1]) / total, q) - term(n / total, q);
      } else {
        return HUGE_VAL;
      }
    }
    return sum + term(zeros / total, zeros / q_total);
  };
  return Search(full, divergence);
}

double OutsideShare(const Histogram& h, const Range& range) {
  if (h.empty()) return 0;
  uint64_t outside = 0;
  const int end = h.end_bin();
  for (int k = h.first_bin(); k < end; ++k) {
    const double x = h.bin_value(k);
    if (x < range.low || x > range.high) outside += h.bin(k);
  }
  return static_cast<double>(outside) / static_cast<double>(h.count());
}

Range FindRange(const TensorStatistics& statistics, RangeMethod method, double percentile) {
  switch (method) {
    case RangeMethod::kMinMax:
      return MinMaxRange(statistics);
    case RangeMethod::kMovingAverage:
      return MovingAverageRange(statistics);
    case RangeMethod::kPercentile:
      return PercentileRange(statistics.histogram, percentile);
    case RangeMethod::kSquaredError:
      return SquaredErrorRange(statistics.histogram);
    case RangeMethod::kEntropy:
      return EntropyRange(statistics.histogram);
    case RangeMethod::kCubedError:
      return CubedErrorRange(statistics.histogram);
  }
  return MinMaxRange(statistics);
}

}  // namespace octet
