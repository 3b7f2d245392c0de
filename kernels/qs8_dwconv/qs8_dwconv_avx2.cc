#define OCTET_DW_VNNI 0
#include "kernels/qs8_dwconv/qs8_dwconv_ops256.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86_impl.h"

namespace octet {

void QS8DwConvAvx2Run(const QS8DwConvRun& run) { RunDwConv(run, kDwAvx2); }

}  // namespace octet
