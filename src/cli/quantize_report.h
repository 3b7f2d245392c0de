// What octet quantize tells: a table for the terminal, a page with histograms.
#pragma once

#include <cstdint>
#include <string>

#include "octet/compiler.h"

namespace octet::cli {

std::string QuantizeText(const compiler::QuantizeReport& report);
std::string QuantizeHtml(const std::string& input, const std::string& output,
                         const compiler::QuantizeReport& report);

// "41.3 dB", "exact", or "" for what was not measured.
std::string DecibelText(double db);
// "14.0 MB", "960 B".
std::string SizeText(uint64_t bytes);
// "1.25 %".
std::string ShareText(double share);
// "1%", "0.01"; dies with kExitUsage on anything else.
double ParseShare(const std::string& text);

}  // namespace octet::cli
