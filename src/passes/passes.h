// Rewrites of a graph that leave every output byte as it was.
//
// Each pass returns how many places it changed and adds a line to the log if there were any. The
// graph passes CheckGraph before and after each.
#pragma once

#include <string>
#include <vector>

#include "src/graph/graph.h"

namespace octet {

// Drops operators that nothing needs, and what only they need.
int DeadCodePass(Graph* graph, std::vector<std::string>* log);
// Computes operators whose inputs are all constant.
int FoldConstantsPass(Graph* graph, std::vector<std::string>* log);
// Drops operators that only copy their input; those that must stay become RESHAPEs where they can,
// which the planner makes views.
int IdentityPass(Graph* graph, std::vector<std::string>* log);
// Replaces each chain of element-wise operators from 8 bits to 8 bits, whose other operands are
// single constants, by one LUT.
int TablePass(Graph* graph, std::vector<std::string>* log);
// Moves a LUT that only clamps into the operator that computes its input.
int ClampPass(Graph* graph, std::vector<std::string>* log);
// Turns a PAD by the zero point into the padding of the convolution behind it.
int PadPass(Graph* graph, std::vector<std::string>* log);

// Makes depthwise convolutions of one channel dense ones.
int OneChannelPass(Graph* graph, std::vector<std::string>* log);
// Moves an ADD into the convolution that computes one of its inputs.
int SumPass(Graph* graph, std::vector<std::string>* log);

// Lets ARG_MAX and ARG_MIN over the channels of an image keep four dimensions, so that they can run
// by rows; a RESHAPE, which the planner makes a view, drops the last.
int ArgRowsPass(Graph* graph, std::vector<std::string>* log);

// Gives maps of rank 3 between element-wise operators a fourth dimension, so that these can run by
// rows.
int MapRowsPass(Graph* graph, std::vector<std::string>* log);
// Moves operators that only widen values (DEQUANTIZE) down to the first reader of their result.
int SinkPass(Graph* graph, std::vector<std::string>* log);

// Splits global averages of images into sums of a few rows each and the average of these, so that
// the image need not be whole in a plan that streams. Only for such plans.
int SplitPoolsPass(Graph* graph, std::vector<std::string>* log);

// All of them but the one for plans that stream, until nothing changes.
void RunPasses(Graph* graph, std::vector<std::string>* log);

// ---- Helpers of passes -----------------------------------------------------------------------

// For each tensor, the operator that writes it (-1: none) and those that read it, each once.
struct Uses {
  explicit Uses(const Graph& graph);
  std::vector<int32_t> producer;
  std::vector<std::vector<int32_t>> consumers;
  std::vector<bool> is_output;
  std::vector<bool> is_input;
};

// Whether the operator's own check accepts it; leaves no error behind that anyone should read.
bool Accepted(const Graph& graph, const GraphOp& op);
// Same type, scales, zero point and axis.
bool SameQuantisation(const GraphTensor& a, const GraphTensor& b);
// "3 tables", for the log.
std::string Count(int n, const char* one, const char* many);

}  // namespace octet
