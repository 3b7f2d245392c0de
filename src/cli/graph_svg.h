// The graph as a column of operators, narrow enough for a phone.
#pragma once

#include <string>

#include "src/cli/facts.h"

namespace octet::cli {

// An SVG document for a page that has the anchors #op0, #op1, ...
std::string GraphSvg(const Facts& facts);

// "3x3, stride 2" of a convolution or a pooling; "" of others.
std::string WindowText(const Facts& facts, const fb::Operator& op);

}  // namespace octet::cli
