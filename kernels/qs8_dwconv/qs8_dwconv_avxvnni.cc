#define OCTET_DW_VNNI 1
#include "kernels/qs8_dwconv/qs8_dwconv_ops256.h"
#include "kernels/qs8_dwconv/qs8_dwconv_x86_impl.h"

namespace octet {

void QS8DwConvAvxVnniRun(const QS8DwConvRun& run) { RunDwConv(run, kDwAvxVnni); }

}  // namespace octet
