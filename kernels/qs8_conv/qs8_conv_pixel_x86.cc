#include "kernels/qs8_conv/qs8_conv_pixel_x86.h"

#include <cstring>

namespace octet {

bool ConvPixelSupports(const QS8ConvShape& s) {
  return s.pointwise() && s.groups == 1 && s.weight_zero_point == 0 && s.batch == 1 &&
         s.out_h == 1 && s.out_w == 1;
}

size_t ConvPixelPackBytes(const QS8ConvShape& s, const ConvPixelIsa& isa) {
  return ConvPixelLayout(s, isa.column_blocks).bytes();
}

void ConvPixelPack(const QS8ConvShape& s, const QS8ConvConstants& k, const ConvPixelIsa& isa,
                   void* pack) {
  constexpr int32_t kUnit = kConvPixelUnit;
  // Kernels multiply x + 128 with int8.
  const ConvX86Isa lanes = {kUnit, 1, isa.lanes, nullptr, nullptr, nullptr};
  const ConvPixelLayout l(s, isa.column_blocks);
  int32_t* const forms = static_cast<int32_t*>(pack);
  ConvX86Rest* const rest = reinterpret_cast<ConvX86Rest*>(static_cast<uint8_t*>(pack) + l.rest_at);
  uint8_t* column = static_cast<uint8_t*>(pack) + l.columns_at;
  for (int32_t first = 0; first < l.blocks; first += isa.column_blocks) {
    const int32_t blocks =
        l.blocks - first < isa.column_blocks ? l.blocks - first : isa.column_blocks;
    const size_t step_bytes = static_cast<size_t>(blocks) * kConvX86Block * kUnit;
    ConvX86Constants* const constants =
        reinterpret_cast<ConvX86Constants*>(column + l.weight_bytes * static_cast<size_t>(blocks));
    int32_t form = kConvX86Relu;
    for (int32_t b = 0; b < blocks; ++b) {
      const ConvX86BlockConstants of = {&constants[b], &rest[first + b]};
      int32_t of_block = ConvX86BeginBlock(s, isa.lanes, of);
      for (int32_t i = 0; i < kConvX86Block; ++i) {
        const int32_t n = (first + b) * kConvX86Block + i;
        if (n >= s.out_c) break;
        const int32_t lane = ConvX86Lane(isa.lanes, i);
        const int32_t f = ConvX86PackChannel(s, k, lanes, n, lane, of);
        if (f < of_block) of_block = f;
        const int8_t* from = k.weights + static_cast<size_t>(n) * static_cast<size_t>(s.in_c);
        uint8_t* to = column + static_cast<size_t>((b * kConvX86Block + lane) * kUnit);
        for (int32_t e = 0; e < s.in_c; e += kUnit, to += step_bytes) {
          const int32_t count = s.in_c - e < kUnit ? s.in_c - e : kUnit;
          std::memcpy(to, from + e, static_cast<size_t>(count));
        }
      }
      if (of_block < form) form = of_block;
    }
    forms[first / isa.column_blocks] = form;
    column += l.block_bytes * static_cast<size_t>(blocks);
  }
}

}  // namespace octet
