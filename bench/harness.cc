#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "bench/peak.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

// A turn is short enough to fall between disturbances.
constexpr double kTurnSeconds = 4e-5;

double Seconds(const std::function<void()>& body, int repeat) {
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < repeat; ++i) body();
  return std::chrono::duration<double>(Clock::now() - begin).count() / repeat;
}

int Repeats(const std::function<void()>& body) {
  double best = Seconds(body, 1);  // cold
  for (int i = 0; i < 3; ++i) best = std::min(best, Seconds(body, 1));
  return std::clamp(static_cast<int>(kTurnSeconds / best), 1, 100000);
}

}  // namespace

void Measure(benchmark::State& state, const Work& work, const std::function<void()>& ours,
             const std::function<void()>& theirs) {
  const int repeat = Repeats(ours), their_repeat = theirs ? Repeats(theirs) : 0;
  double best = 1e9, their_best = 1e9, peak = 0;
  std::vector<double> ratios;
  for (auto _ : state) {
    peak = std::max(peak, work.macs > 0 ? PeakMacs(work.isa) : PeakBytes(work.isa));
    for (int turn = 0; turn < 4; ++turn) {
      const double time = Seconds(ours, repeat);
      best = std::min(best, time);
      if (!theirs) continue;
      const double their_time = Seconds(theirs, their_repeat);
      their_best = std::min(their_best, their_time);
      ratios.push_back(their_time / time);
    }
  }
  const double rate = (work.macs > 0 ? work.macs : work.bytes) / best;
  state.counters["us"] = best * 1e6;
  state.counters[work.macs > 0 ? "GMAC/s" : "GB/s"] = rate * 1e-9;
  if (peak > 0) {
    state.counters["peak"] = peak * 1e-9;
    state.counters["of_peak"] = rate / peak;
  }
  if (theirs) {
    std::nth_element(ratios.begin(), ratios.begin() + ratios.size() / 2, ratios.end());
    state.counters["theirs_us"] = their_best * 1e6;
    state.counters["ratio"] = ratios[ratios.size() / 2];
  }
}

void Register(const std::string& name, const std::function<void(benchmark::State&)>& body) {
  benchmark::RegisterBenchmark(name.c_str(), body)->MinTime(0.1);
}

int RunBenchmarks(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace octet
