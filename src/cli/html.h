// octet inspect --html: everything about a model on one page, without scripts or other files.
#pragma once

#include <string>

#include "src/cli/facts.h"

namespace octet::cli {

// HTML that is also well-formed XML.
std::string HtmlPage(const ModelFile& file, const Facts& facts);

}  // namespace octet::cli
