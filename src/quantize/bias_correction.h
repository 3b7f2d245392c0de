// Undoes the mean error that rounded weights cause.
#pragma once

#include "src/quantize/rewrite.h"

namespace octet {

// Of each product: minus the mean over the samples of (rounded weights - weights) * input, for each
// output channel. Source: Nagel et al. 2019 (see prepare.h), with the inputs' means as measured
// instead of assumed; borders count as if the image went on.
std::vector<std::vector<float>> BiasCorrections(const Graph& graph, const QuantPlan& plan,
                                                const RewrittenGraph& rewritten);

}  // namespace octet
