// Histograms and the ranges found from them, against the values themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "src/quantize/histogram.h"
#include "src/quantize/ranges.h"

namespace octet {
namespace {

using Values = std::vector<float>;

Histogram HistogramOf(const Values& values) {
  Histogram h;
  h.Add(values.data(), values.size());
  return h;
}

TensorStatistics StatisticsOf(const Values& values) {
  TensorStatistics s;
  s.Add(values.data(), values.size(), 1);
  return s;
}

// Kinds of values that networks have: two-sided, behind a ReLU, with far outliers, skewed.
std::vector<Values> Samples() {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 1);
  std::vector<Values> samples(4);
  for (int i = 0; i < 20000; ++i) {
    const float x = normal(random);
    samples[0].push_back(x);
    samples[1].push_back(std::max(x, 0.f));
    samples[2].push_back(i % 2000 == 0 ? 40 * x : x);
    samples[3].push_back(std::exp(1.5f * x) - 0.2f);
  }
  return samples;
}

TEST(Histogram, DoesNotDependOnOrderOrGrouping) {
  Values values = Samples()[3];
  Histogram whole = HistogramOf(values), pieces, merged;
  std::sort(values.begin(), values.end());  // grows as often as possible
  for (size_t at = 0; at < values.size(); at += 37) {
    const size_t n = std::min<size_t>(37, values.size() - at);
    pieces.Add(&values[at], n);
    Histogram piece;
    piece.Add(&values[at], n);
    merged.Add(piece);
  }
  for (const Histogram* h : {&pieces, &merged}) {
    EXPECT_EQ(h->count(), whole.count());
    EXPECT_EQ(h->bin_width(), whole.bin_width());
    for (int k = -Histogram::kBinsOfSide; k < Histogram::kBinsOfSide; ++k) {
      ASSERT_EQ(h->bin(k), whole.bin(k)) << k;
    }
  }
}

TEST(Histogram, CountsEachValueInItsBin) {
  const Values values = {0, 0, 1, -1, 0.999f, 0.001f, -1e-9f, 3.5f, 4};
  const Histogram h = HistogramOf(values);
  EXPECT_EQ(h.zeros(), 2u);
  EXPECT_EQ(h.min(), -1);
  EXPECT_EQ(h.max(), 4);
  uint64_t counted = h.zeros();
  for (int k = -Histogram::kBinsOfSide; k < Histogram::kBinsOfSide; ++k) {
    const double low = k * h.bin_width(), high = (k + 1) * h.bin_width();
    uint64_t expected = 0;
    for (const float v : values) {
      expected += k >= 0 ? v > 0 && v >= low && v < high : v < 0 && v > low && v <= high;
    }
    ASSERT_EQ(h.bin(k), expected) << k;
    counted += expected;
  }
  EXPECT_EQ(counted, values.size());
  // At least half of a side is in use.
  EXPECT_GE(h.end_bin(), Histogram::kBinsOfSide / 2);
}

TEST(Ranges, ZeroIsExactInEveryRange) {
  for (const Range range : {Range{0, 6}, Range{-3, 0}, Range{-1.7, 4.2}, Range{0, 0},
                            Range{0, 1e-30}, Range{-1e30, 3}}) {
    const Affine a = Int8Affine(range);
    EXPECT_GT(a.scale, 0);
    EXPECT_TRUE(std::isfinite(a.scale));
    EXPECT_GE(a.zero_point, -128);
    EXPECT_LE(a.zero_point, 127);
    EXPECT_GT(Int16Affine(range).scale, 0);
    EXPECT_EQ(Int16Affine(range).zero_point, 0);
  }
  EXPECT_EQ(Int8Affine({0, 255}).zero_point, -128);
  EXPECT_EQ(Int8Affine({0, 255}).scale, 1.f);
  EXPECT_EQ(Int8Affine({-255, 0}).zero_point, 127);
}

TEST(Ranges, MinMaxAndAverage) {
  TensorStatistics s;
  double low = 0, high = 0;
  std::vector<std::pair<double, double>> ends;
  std::mt19937 random(3);
  for (int i = 0; i < 30; ++i) {
    Values v(50);
    for (float& x : v) x = static_cast<float>(random() % 2000) / 100 - 10;
    s.Add(v.data(), v.size(), 5);
    const auto [a, b] = std::minmax_element(v.begin(), v.end());
    ends.emplace_back(*a, *b);
    low = std::min<double>(low, *a);
    high = std::max<double>(high, *b);
  }
  EXPECT_EQ(MinMaxRange(s).low, low);
  EXPECT_EQ(MinMaxRange(s).high, high);
  // The weighted average written out.
  double weights = 0, sum_low = 0, sum_high = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    const double w = 0.01 * std::pow(0.99, static_cast<double>(ends.size() - 1 - i));
    weights += w;
    sum_low += w * ends[i].first;
    sum_high += w * ends[i].second;
  }
  EXPECT_NEAR(MovingAverageRange(s).low, sum_low / weights, 1e-9);
  EXPECT_NEAR(MovingAverageRange(s).high, sum_high / weights, 1e-9);
}

TEST(Ranges, PercentileAgreesWithSortedValues) {
  for (Values values : Samples()) {
    const Histogram h = HistogramOf(values);
    std::sort(values.begin(), values.end());
    for (const double percentile : {90.0, 99.0, 99.9}) {
      const Range range = PercentileRange(h, percentile);
      const bool two_sided = values.front() < 0 && values.back() > 0;
      const double drop =
          (1 - percentile / 100) * static_cast<double>(values.size()) / (two_sided ? 2 : 1);
      const size_t outside = static_cast<size_t>(drop);
      const double high = std::max<double>(values[values.size() - 1 - outside], 0);
      EXPECT_NEAR(range.high, high, 1.001 * h.bin_width()) << percentile;
      const double low = std::min<double>(values[outside], 0);
      EXPECT_NEAR(range.low, low, 1.001 * h.bin_width()) << percentile;
    }
    EXPECT_NEAR(PercentileRange(h, 100).high, std::max(values.back(), 0.f), 1e-9);
  }
}

double ErrorOf(const Values& values, const Range& range, double power = 2) {
  const Affine a = Int8Affine(range);
  const double scale = static_cast<double>(a.scale);
  double sum = 0;
  for (const float v : values) {
    const double q =
        std::clamp(std::nearbyint(static_cast<double>(v) / scale) + a.zero_point, -128.0, 127.0);
    const double error = static_cast<double>(v) - (q - a.zero_point) * scale;
    sum += std::pow(std::fabs(error), power);
  }
  return sum / static_cast<double>(values.size());
}

// The least cost over a fine grid of both ends.
double BestOnGrid(const Range& full, const std::function<double(const Range&)>& cost) {
  double best = cost(full);
  const int low_steps = full.low < 0 ? 40 : 1, high_steps = full.high > 0 ? 40 : 1;
  for (int i = 0; i < low_steps; ++i) {
    for (int k = 0; k < high_steps; ++k) {
      best = std::min(best, cost({full.low * (40 - i) / 40, full.high * (40 - k) / 40}));
    }
  }
  return best;
}

TEST(Ranges, SquaredErrorIsAsSmallAsASearchOverTheValuesFinds) {
  for (const Values& values : Samples()) {
    const Histogram h = HistogramOf(values);
    const Range range = SquaredErrorRange(h);
    const double error = ErrorOf(values, range);
    EXPECT_NEAR(SquaredError(h, range), error, 0.03 * error);
    const Range full = MinMaxRange(StatisticsOf(values));
    const double best = BestOnGrid(full, [&](const Range& r) { return ErrorOf(values, r); });
    EXPECT_LE(error, 1.05 * best);
    EXPECT_LE(error, ErrorOf(values, full));
  }
}

TEST(Ranges, CubedErrorIsAsSmallAsASearchOverTheValuesFinds) {
  for (const Values& values : Samples()) {
    const Histogram h = HistogramOf(values);
    const Range range = CubedErrorRange(h), squared = SquaredErrorRange(h);
    const double error = ErrorOf(values, range, 3);
    const Range full = MinMaxRange(StatisticsOf(values));
    const double best = BestOnGrid(full, [&](const Range& r) { return ErrorOf(values, r, 3); });
    EXPECT_LE(error, 1.05 * best);
    EXPECT_LE(error, 1.01 * ErrorOf(values, squared, 3));
    EXPECT_LE(OutsideShare(h, range), OutsideShare(h, squared));
  }
}

// The divergence written out over the bins as a list: P with the outsiders at its ends, against the
// levels' mass spread evenly over the filled bins of a level.
double DivergenceOf(const Histogram& h, const Range& range) {
  const Affine a = Int8Affine(range);
  struct Bin {
    double n;
    int level;
  };
  std::vector<Bin> inside;
  double below = 0, above = 0, total = static_cast<double>(h.zeros());
  double inside_total = total;
  for (int k = -Histogram::kBinsOfSide; k < Histogram::kBinsOfSide; ++k) {
    const double n = static_cast<double>(h.bin(k));
    if (n == 0) continue;
    total += n;
    const double level =
        std::nearbyint(h.bin_value(k) / static_cast<double>(a.scale)) + a.zero_point + 128;
    if (level < 0) {
      below += n;
    } else if (level > 255) {
      above += n;
    } else {
      inside.push_back({n, static_cast<int>(level)});
      inside_total += n;
    }
  }
  if (inside.empty()) return HUGE_VAL;
  std::vector<double> q(inside.size());
  for (size_t i = 0; i < inside.size(); ++i) {
    double mass = 0, bins = 0;
    for (const Bin& b : inside) {
      if (b.level == inside[i].level) mass += b.n, ++bins;
    }
    q[i] = mass / bins / inside_total;
  }
  inside.front().n += below;
  inside.back().n += above;
  double sum = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    sum += inside[i].n / total * std::log(inside[i].n / total / q[i]);
  }
  const double zeros = static_cast<double>(h.zeros());
  if (zeros > 0) sum += zeros / total * std::log(zeros / total / (zeros / inside_total));
  return sum;
}

TEST(Ranges, EntropyIsAsSmallAsASearchOverTheBinsFinds) {
  for (const Values& values : Samples()) {
    const Histogram h = HistogramOf(values);
    const Range full = MinMaxRange(StatisticsOf(values));
    const Range range = EntropyRange(h);
    double best = DivergenceOf(h, full);
    for (int i = 1; i < 24; ++i) {
      best = std::min(best, DivergenceOf(h, {full.low * i / 24, full.high * i / 24}));
    }
    EXPECT_LE(DivergenceOf(h, range), best + 1e-4);
  }
}

TEST(Ranges, OutsideShareCountsWhatIsCut) {
  const Values values = Samples()[0];
  const Range range{-1, 2};
  size_t outside = 0;
  for (const float v : values) outside += v < -1 || v > 2;
  EXPECT_NEAR(OutsideShare(HistogramOf(values), range),
              static_cast<double>(outside) / static_cast<double>(values.size()), 2e-3);
}

TEST(Ranges, OneValueAndNoneAreFine) {
  for (const Values& values : {Values{}, Values{0, 0}, Values{5}, Values{-5, -5}}) {
    const TensorStatistics s = StatisticsOf(values);
    for (const RangeMethod method :
         {RangeMethod::kMinMax, RangeMethod::kMovingAverage, RangeMethod::kPercentile,
          RangeMethod::kSquaredError, RangeMethod::kEntropy, RangeMethod::kCubedError}) {
      const Range range = FindRange(s, method, 99.9);
      EXPECT_LE(range.low, 0);
      EXPECT_GE(range.high, 0);
      if (!values.empty() && values[0] != 0) {
        EXPECT_GT(range.high - range.low, 4.9) << static_cast<int>(method);
      }
    }
  }
}

}  // namespace
}  // namespace octet
