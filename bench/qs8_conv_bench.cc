// Every qs8_conv kernel that this CPU can run, on the layers of real networks.
#include "bench/conv_cases.h"

int main(int argc, char** argv) {
  using namespace octet;
  for (const ConvLayer& layer : ConvLayers()) {
    ForEachVectorRow(QS8ConvTable(), [&](const QS8ConvKernel& kernel) {
      Register(std::string(kernel.name) + "/" + LayerName(layer), [&](benchmark::State& state) {
        ConvCase c(layer);
        if (!kernel.supports(c.shape)) return state.SkipWithError("not supported");
        PackedConv conv(kernel, &c);
        Measure(state, {kernel.isa, c.macs}, [&] { conv(); });
      });
    });
  }
  return RunBenchmarks(argc, argv);
}
