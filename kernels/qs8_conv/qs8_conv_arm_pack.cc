// The packs of the ARM kernels of qs8_conv; portable, so that any machine can make them.
#include "kernels/qs8_conv/qs8_conv.h"
#include "kernels/qs8_conv/qs8_conv_arm.h"

namespace octet {
namespace {

constexpr size_t kAlign = 64;

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Where byte e of a segment of channel `lane` lies in the segment's part of a block.
size_t WeightAt(const ConvArmLayout& layout, int32_t depth, int32_t lane, int32_t e) {
  const int32_t whole = depth / layout.unit * layout.unit;
  const int32_t first = e < whole ? e / layout.unit * layout.unit : whole;
  const int32_t unit = e < whole ? layout.unit : depth - whole;
  return static_cast<size_t>(first) * kConvArmBlock +
         static_cast<size_t>(lane) * static_cast<size_t>(unit) + static_cast<size_t>(e - first);
}

}  // namespace

ConvArmShape::ConvArmShape(const QS8ConvShape& s, const ConvArmLayout& layout) {
  const bool whole_rows = s.groups == 1 && (s.dilation_w == 1 || s.kernel_w == 1);
  outer = s.kernel_h;
  inner = whole_rows ? 1 : s.kernel_w;
  segment = whole_rows ? s.kernel_w * s.in_c : s.group_in_c();
  depth = static_cast<int32_t>(
      RoundUp(static_cast<size_t>(segment), static_cast<size_t>(layout.multiple)));
  group_blocks = (s.group_out_c() + kConvArmBlock - 1) / kConvArmBlock;
  const size_t blocks = static_cast<size_t>(group_blocks) * static_cast<size_t>(s.groups);
  constants_at = RoundUp(blocks * sizeof(int32_t), kAlign);
  weights_at = constants_at + blocks * sizeof(ConvArmConstants);
  block_bytes = static_cast<size_t>(outer) * static_cast<size_t>(inner) *
                static_cast<size_t>(depth) * kConvArmBlock;
  bytes = weights_at + blocks * block_bytes;
}

size_t ConvArmPackBytes(const QS8ConvShape& s, const ConvArmLayout& layout) {
  return ConvArmShape(s, layout).bytes;
}

void ConvArmPack(const QS8ConvShape& s, const QS8ConvConstants& k, const ConvArmLayout& layout,
                 void* pack) {
  const ConvArmShape l(s, layout);
  uint8_t* bytes = static_cast<uint8_t*>(pack);
  int32_t* flags = reinterpret_cast<int32_t*>(bytes);
  ConvArmConstants* constants = reinterpret_cast<ConvArmConstants*>(bytes + l.constants_at);
  const int32_t cout = s.group_out_c();
  const int32_t segments = l.outer * l.inner;
  const size_t count = static_cast<size_t>(segments) * static_cast<size_t>(l.segment);
  for (int32_t block = 0; block < l.group_blocks * s.groups; ++block) {
    const int32_t first = block % l.group_blocks * kConvArmBlock;
    int8_t* const weights = reinterpret_cast<int8_t*>(bytes + l.weights_at) +
                            static_cast<size_t>(block) * l.block_bytes;
    ConvArmConstants& c = constants[block];
    flags[block] = 0;
    for (int32_t lane = 0; lane < kConvArmBlock && first + lane < cout; ++lane) {
      const int32_t n = block / l.group_blocks * cout + first + lane;
      const int8_t* w = k.weights + static_cast<size_t>(n) * count;
      // The packed weights are w where w - weight_zero_point is meant; ConvArmRun corrects that.
      uint32_t sum = 0;
      for (int32_t i = 0; i < segments; ++i) {
        int8_t* to =
            weights + static_cast<size_t>(i) * static_cast<size_t>(l.depth) * kConvArmBlock;
        for (int32_t e = 0; e < l.segment; ++e, ++w) {
          to[WeightAt(layout, l.depth, lane, e)] = *w;
          sum += static_cast<uint32_t>(int32_t{*w});
          if (*w == -128) flags[block] |= kConvArmLowest;
        }
      }
      const int32_t bias = k.bias != nullptr ? k.bias[n] : 0;
      if (c.Set(lane, bias, s.input_zero_point, sum, k.scales.multiplier(n))) {
        flags[block] |= kConvArmLeft;
      }
    }
  }
}

#define OCTET_CONV_ARM_PACK(prefix, layout)                                               \
  bool prefix##Supports(const QS8ConvShape&) { return true; }                             \
  size_t prefix##PackBytes(const QS8ConvShape& s) { return ConvArmPackBytes(s, layout); } \
  void prefix##Pack(const QS8ConvShape& s, const QS8ConvConstants& k, void* pack) {       \
    ConvArmPack(s, k, layout, pack);                                                      \
  }
OCTET_CONV_ARM_PACK(QS8ConvNeon, kConvArmNeon)
OCTET_CONV_ARM_PACK(QS8ConvNeonDot, kConvArmDot)
OCTET_CONV_ARM_PACK(QS8ConvNeonI8mm, kConvArmI8mm)
#undef OCTET_CONV_ARM_PACK

}  // namespace octet
