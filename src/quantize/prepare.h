// Rewrites of a float graph before its ranges are measured. What the graph computes stays the same,
// to rounding.
#pragma once

#include <string>
#include <vector>

#include "src/graph/graph.h"

namespace octet {

// Gives every tensor a name of its own.
void MakeNamesUnique(Graph* graph);

// Moves a RELU (with any clamp) into the operator that computes its input.
int FuseFloatClamps(Graph* graph, std::vector<std::string>* log);

// Moves factors and summands of each channel (a batch normalisation) into the product before them.
int FoldAffines(Graph* graph, std::vector<std::string>* log);

// All of these, until nothing changes.
void PrepareFloatGraph(Graph* graph, std::vector<std::string>* log);

// Cross-layer equalisation (Nagel et al., "Data-Free Quantization Through Weight Equalization and
// Bias Correction", 2019): where a product reads another's output, channel by channel and with
// nothing but a RELU in between, each channel is scaled by s here and 1/s there, so that both
// layers' weights of it have the same range. Returns how many pairs.
int EqualizeLayers(Graph* graph, std::vector<std::string>* log);

}  // namespace octet
