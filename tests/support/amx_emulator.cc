// Source of encodings and semantics: Intel 64 and IA-32 Architectures Software Developer's Manual,
// volume 2 (LDTILECFG, STTILECFG, TDPBSSD and others, TILELOADD, TILERELEASE, TILESTORED,
// TILEZERO).
#include "tests/support/amx_emulator.h"

#include <atomic>
#include <cstring>

#include "kernels/common/table.h"

#if defined(OCTET_ARCH_X86) && defined(__linux__)
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>
#endif

namespace octet::test {
namespace {

std::atomic<uint64_t> emulated{0};

#if defined(OCTET_ARCH_X86) && defined(__linux__)

constexpr int kTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;

struct Config {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};
static_assert(sizeof(Config) == 64, "as LDTILECFG reads it");

// Of a thread, as on the CPU.
struct Tiles {
  Config config;
  uint8_t data[kTiles][kMaxRows][kMaxRowBytes];
};
thread_local Tiles tiles;

// Whether the instruction may execute; if not, the CPU would fault.
using Done = bool;

Done LoadConfig(const void* from) {
  Config c;
  std::memcpy(&c, from, sizeof c);
  if (c.palette > 1) return false;
  if (c.palette == 1) {
    for (uint8_t r : c.reserved) {
      if (r != 0) return false;
    }
    for (int i = 0; i < 16; ++i) {
      const bool none = c.rows[i] == 0 && c.row_bytes[i] == 0;
      if (i >= kTiles && !none) return false;
      if (!none && (c.rows[i] == 0 || c.rows[i] > kMaxRows || c.row_bytes[i] == 0 ||
                    c.row_bytes[i] > kMaxRowBytes)) {
        return false;
      }
    }
  } else {
    c = Config();
  }
  std::memset(&tiles, 0, sizeof tiles);
  tiles.config = c;
  return true;
}

bool Usable(int t) {
  return tiles.config.palette == 1 && tiles.config.rows[t] != 0 && tiles.config.start_row == 0;
}

Done Load(int t, const uint8_t* from, int64_t stride) {
  if (!Usable(t)) return false;
  std::memset(tiles.data[t], 0, sizeof tiles.data[t]);
  for (int r = 0; r < tiles.config.rows[t]; ++r) {
    std::memcpy(tiles.data[t][r], from + r * stride, tiles.config.row_bytes[t]);
  }
  return true;
}

Done Store(int t, uint8_t* to, int64_t stride) {
  if (!Usable(t)) return false;
  for (int r = 0; r < tiles.config.rows[t]; ++r) {
    std::memcpy(to + r * stride, tiles.data[t][r], tiles.config.row_bytes[t]);
  }
  return true;
}

// c += a * b on 4-byte groups; wraps.
template <class A, class B>
Done Multiply(int c, int a, int b) {
  const Config& k = tiles.config;
  if (c == a || c == b || a == b || !Usable(c) || !Usable(a) || !Usable(b)) return false;
  if (k.rows[a] != k.rows[c] || k.row_bytes[b] != k.row_bytes[c] ||
      k.row_bytes[a] != 4 * k.rows[b] || k.row_bytes[c] % 4 != 0) {
    return false;
  }
  const int columns = k.row_bytes[c] / 4;
  for (int m = 0; m < k.rows[c]; ++m) {
    uint32_t sums[kMaxRowBytes / 4];
    std::memcpy(sums, tiles.data[c][m], sizeof sums);
    for (int i = 0; i < k.rows[b]; ++i) {
      A x[4];
      B w[kMaxRowBytes];
      std::memcpy(x, tiles.data[a][m] + 4 * i, sizeof x);
      std::memcpy(w, tiles.data[b][i], sizeof w);
      for (int n = 0; n < columns; ++n) {
        for (int j = 0; j < 4; ++j) sums[n] += static_cast<uint32_t>(x[j] * w[4 * n + j]);
      }
    }
    std::memset(tiles.data[c][m], 0, kMaxRowBytes);
    std::memcpy(tiles.data[c][m], sums, k.row_bytes[c]);
  }
  for (int m = k.rows[c]; m < kMaxRows; ++m) std::memset(tiles.data[c][m], 0, kMaxRowBytes);
  return true;
}

// By the number that instructions have for it.
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

// One instruction at RIP; false if it is none of AMX's, or would fault.
bool Execute(greg_t* regs) {
  const uint8_t* ip = reinterpret_cast<const uint8_t*>(regs[REG_RIP]);
  // Three-byte VEX, map 0F38, W0, 128 bits.
  if (ip[0] != 0xC4 || (ip[1] & 31) != 2 || (ip[2] & 0x84) != 0) return false;
  const int ext_r = ip[1] & 0x80 ? 0 : 8, ext_x = ip[1] & 0x40 ? 0 : 8,
            ext_b = ip[1] & 0x20 ? 0 : 8;
  const int prefix = ip[2] & 3;  // none, 66, F3, F2
  const int third = ~(ip[2] >> 3) & 15;
  const uint8_t opcode = ip[3];
  const int mod = ip[4] >> 6, reg = (ip[4] >> 3 & 7) + ext_r, rm = ip[4] & 7;
  const uint8_t* next = ip + 5;
  enum { kNone, k66, kF3, kF2 };

  if (mod == 3) {
    bool done = false;
    if (opcode == 0x5E) {
      if (reg > 7 || third > 7 || ext_b != 0) return false;
      if (prefix == kF2) done = Multiply<int8_t, int8_t>(reg, rm, third);      // TDPBSSD
      if (prefix == kF3) done = Multiply<int8_t, uint8_t>(reg, rm, third);     // TDPBSUD
      if (prefix == k66) done = Multiply<uint8_t, int8_t>(reg, rm, third);     // TDPBUSD
      if (prefix == kNone) done = Multiply<uint8_t, uint8_t>(reg, rm, third);  // TDPBUUD
    } else if (opcode == 0x49 && prefix == kF2 && rm == 0) {                   // TILEZERO
      if (reg > 7 || !Usable(reg)) return false;
      std::memset(tiles.data[reg], 0, sizeof tiles.data[reg]);
      done = true;
    } else if (opcode == 0x49 && prefix == kNone && ip[4] == 0xC0) {  // TILERELEASE
      std::memset(&tiles, 0, sizeof tiles);
      done = true;
    }
    if (done) regs[REG_RIP] = reinterpret_cast<greg_t>(next);
    return done;
  }

  // A memory operand: base + index * scale + displacement.
  int64_t base = 0, index = 0;
  bool relative = false, wide = mod == 2;
  const bool sib = rm == 4;
  if (sib) {
    const uint8_t byte = *next++;
    const int i = (byte >> 3 & 7) + ext_x, b = (byte & 7) + ext_b;
    if (i != 4)
      index = static_cast<int64_t>(static_cast<uint64_t>(regs[kRegisters[i]]) << (byte >> 6));
    if ((byte & 7) == 5 && mod == 0) {
      wide = true;
    } else {
      base = regs[kRegisters[b]];
    }
  } else if (rm == 5 && mod == 0) {
    relative = wide = true;
  } else {
    base = regs[kRegisters[rm + ext_b]];
  }
  int64_t displacement = 0;
  if (wide) {
    int32_t d;
    std::memcpy(&d, next, 4);
    displacement = d;
    next += 4;
  } else if (mod == 1) {
    displacement = static_cast<int8_t>(*next++);
  }
  if (relative) base = reinterpret_cast<int64_t>(next);
  uint8_t* const start = reinterpret_cast<uint8_t*>(base + displacement);

  bool done = false;
  if (opcode == 0x49 && reg == 0 && prefix == kNone) {  // LDTILECFG
    done = LoadConfig(start + index);
  } else if (opcode == 0x49 && reg == 0 && prefix == k66) {  // STTILECFG
    std::memcpy(start + index, &tiles.config, sizeof tiles.config);
    done = true;
  } else if (opcode == 0x4B && sib && reg <= 7) {  // the index is the distance of rows
    if (prefix == kF2 || prefix == k66) done = Load(reg, start, index);  // TILELOADD, TILELOADDT1
    if (prefix == kF3) done = Store(reg, start, index);                  // TILESTORED
  }
  if (done) regs[REG_RIP] = reinterpret_cast<greg_t>(next);
  return done;
}

void OnIllegalInstruction(int, siginfo_t*, void* context) {
  if (Execute(static_cast<ucontext_t*>(context)->uc_mcontext.gregs)) {
    emulated.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  // Not for us, or wrong: it kills the process when it executes again.
  const char text[] = "amx_emulator: an illegal instruction, or one that would fault\n";
  const ssize_t written = write(2, text, sizeof text - 1);
  (void)written;
  signal(SIGILL, SIG_DFL);
}

IsaSet Prepare() {
  IsaSet set = DetectIsa();
  if (set.has(Isa::kAmx) || !set.has(Isa::kAvx512Vnni)) return set;
  struct sigaction action = {};
  action.sa_sigaction = OnIllegalInstruction;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGILL, &action, nullptr) == 0) set.bits |= static_cast<uint32_t>(Isa::kAmx);
  return set;
}

#else

IsaSet Prepare() { return DetectIsa(); }

#endif

}  // namespace

IsaSet TestIsa() {
  static const IsaSet set = Prepare();
  return set;
}

uint64_t EmulatedAmxInstructions() { return emulated.load(); }

}  // namespace octet::test
