"""Caps the instruction sets that TFLite's XNNPACK uses, in this process.

XNNPACK has no switch for this. It asks the CPU once, into a structure of flags, and every choice of
a micro-kernel reads those; so we let it ask, then clear flags before the first choice. The structure
and the functions are not exported: their addresses come from the library's symbol table (.symtab,
which the wheel carries). Afterwards the name of the chosen convolution micro-kernel is looked up in
the same table, so that a report can state it.
"""
import ctypes
import os
import struct

# XNNPACK's xnn_arch_flags on x86. Bits 0 to 7: SSE2 up to AVX2 and FMA; 14: AVX-VNNI.
_MASKS = {"avx2": 0xff, "avxvnni": 0xff | 1 << 14, "full": None}
# What the name of a chosen micro-kernel must and must not contain.
_NEEDED = {"avx2": "avx2", "avxvnni": "avxvnni", "full": ""}
_FORBIDDEN = {"avx2": ("avxvnni", "avx512", "amx"), "avxvnni": ("avx512", "amx"), "full": ()}


class Symbols:
    """The symbol table of a loaded ELF64 library."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        (sections_at,) = struct.unpack_from("<Q", data, 0x28)
        size, count = struct.unpack_from("<HH", data, 0x3A)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, sections_at + i * size)
                    for i in range(count)]
        self.address = {}
        for s in sections:
            if s[1] != 2:  # SHT_SYMTAB
                continue
            names = sections[s[6]][4]
            for at in range(s[4], s[4] + s[5], 24):
                name, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", data, at)
                if section == 0 or value == 0:
                    continue
                end = data.index(b"\0", names + name)
                self.address.setdefault(data[names + name:end].decode(), value)
        self.name = {}
        for name, value in self.address.items():
            self.name.setdefault(value, name)
        self.base = _load_address(path)

    def function(self, name, result=ctypes.c_void_p, arguments=()):
        return ctypes.CFUNCTYPE(result, *arguments)(self.base + self.address[name])


def _load_address(path):
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split()
            if len(fields) > 5 and fields[5] == os.path.realpath(path) and fields[2] == "00000000":
                return int(fields[0].split("-")[0], 16)
    raise RuntimeError(f"{path} is not loaded")


def cap(symbols, name):
    """Caps XNNPACK to a class; returns the name of its int8 convolution micro-kernel."""
    config = symbols.function("xnn_init_hardware_config")()
    if not config:
        raise RuntimeError("xnn_init_hardware_config failed")
    flags = ctypes.c_uint64.from_address(config + 8)
    if _MASKS[name] is not None:
        flags.value &= _MASKS[name]
    gemm = symbols.function("xnn_init_qs8_qc8w_gemm_config")()
    kernels = set()
    for i in range(64):  # the configuration starts with arrays of function pointers
        pointer = ctypes.c_uint64.from_address(gemm + 8 * i).value
        kernel = symbols.name.get(pointer - symbols.base, "")
        if "_gemm_" in kernel and "ukernel" in kernel:
            kernels.add(kernel)
    for kernel in kernels:
        if _NEEDED[name] not in kernel or any(word in kernel for word in _FORBIDDEN[name]):
            raise RuntimeError(f"XNNPACK could not be capped to {name}: it uses {kernel}")
    if not kernels:
        raise RuntimeError("XNNPACK's choice of kernels could not be read")
    return max(kernels)
