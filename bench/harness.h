// What all benchmarks of kernels share: buffers, the layers of real networks, and how to measure.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>

#include "src/base/span.h"
#include "src/cpu/cpu.h"

namespace octet {

// At least 64 readable bytes follow the last element.
template <class T>
struct Aligned {
  explicit Aligned(size_t n) : size(n) {
    const size_t bytes = (n * sizeof(T) + 127) / 64 * 64;
    data = static_cast<T*>(std::aligned_alloc(64, bytes));
    std::memset(static_cast<void*>(data), 0, bytes);
  }
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  void Fill(uint32_t seed) {
    std::mt19937 random(seed);
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<T>(random());
  }
  T* data;
  size_t size;
};

// What one call of a benchmark's body does, for the rates: multiply-accumulates, or else bytes (of
// the larger side).
struct Work {
  Isa isa = Isa::kScalar;  // whose peak is the yardstick
  double macs = 0;
  double bytes = 0;
};

// Calls `ours` in turns with the peak's loop and, if given, with `theirs`, as long as the benchmark
// lasts. Reports
//   us, GMAC/s or GB/s    from the best turn: other load on the machine only ever slows down
//   of_peak               against the best peak of the same run (bench/peak.h)
//   theirs_us, ratio      theirs: the best turn; median of theirs / ours over neighbouring turns
void Measure(benchmark::State& state, const Work& work, const std::function<void()>& ours,
             const std::function<void()>& theirs = nullptr);

// Registers KERNEL/NETWORK/LAYER.
void Register(const std::string& name, const std::function<void(benchmark::State&)>& body);

// Initialises, runs, shuts down: the rest of main().
int RunBenchmarks(int argc, char** argv);

// f(row) for the rows that this CPU can run, but for the scalar reference.
template <class Row, class F>
void ForEachVectorRow(Span<const Row> table, const F& f) {
  const IsaSet isa = DetectIsa();
  for (const Row& row : table) {
    if (row.isa != Isa::kScalar && isa.has(row.isa)) f(row);
  }
}

}  // namespace octet
