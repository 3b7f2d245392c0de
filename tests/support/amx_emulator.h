// AMX for CPUs that have none, so that its kernels are tested everywhere: the real instructions are
// executed, the CPU refuses them (SIGILL), and a signal handler does what they would have done.
// For tests alone.
#pragma once

#include "src/cpu/cpu.h"

namespace octet::test {

// DetectIsa(), and AMX under emulation where the CPU can do what AMX's kernels use besides it
// (AVX-512 VNNI, on x86-64 Linux). From then on this process emulates.
IsaSet TestIsa();

// How many instructions have been emulated.
uint64_t EmulatedAmxInstructions();

}  // namespace octet::test
