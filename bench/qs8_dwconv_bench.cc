// Every qs8_dwconv kernel that this CPU can run, on the depthwise layers of real networks.
#include "bench/conv_cases.h"

int main(int argc, char** argv) {
  using namespace octet;
  for (const DwLayer& layer : DwLayers()) {
    ForEachVectorRow(QS8DwConvTable(), [&](const QS8DwConvKernel& kernel) {
      Register(std::string(kernel.name) + "/" + LayerName(layer), [&](benchmark::State& state) {
        DwCase c(layer);
        if (!kernel.supports(c.shape)) return state.SkipWithError("not supported");
        PackedDwConv conv(kernel, &c);
        Measure(state, {kernel.isa, c.macs}, [&] { conv(); });
      });
    });
  }
  return RunBenchmarks(argc, argv);
}
