// The parameters of a quantised sum, for operators that contain one.
#pragma once

#include "kernels/qs8_add/qs8_add.h"

namespace octet {

struct AddSide {
  float scale;
  int32_t zero_point;
};

// Fills all but the clamps, `subtract` and `fixed`; false where the reference could not either.
bool MakeQuantisedAdd(AddSide a, AddSide b, AddSide out, int32_t left, AddParams* params);

}  // namespace octet
