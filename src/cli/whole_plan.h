// A plan for looking at tensors, instead of one for little RAM.
#pragma once

#include <cstdint>
#include <vector>

namespace octet::cli {

// Does the plan of an .octet file, which has been loaded, run operators by rows?
bool IsStreamed(const std::vector<uint8_t>& file);

// The same model with each tensor whole, in bytes of its own (views stay views) and each operator
// run as one step. Inputs that came row by row do no longer.
std::vector<uint8_t> WithWholeTensors(const std::vector<uint8_t>& file);

}  // namespace octet::cli
