#include "src/compiler/packs.h"

#include "kernels/common/table.h"
#include "src/compiler/aligned.h"

namespace octet {
namespace {

enum class Arch { kX86, kArm64, kArm32 };

struct Target {
  const char* name;
  Arch arch;
  const char* isa;  // as IsaSetByName takes it
};

constexpr Target kTargets[] = {
    {"x86-avx2", Arch::kX86, "avx2"},
    {"x86-avxvnni", Arch::kX86, "avxvnni"},
    {"x86-avx512vnni", Arch::kX86, "avx512vnni"},
    {"x86-amx", Arch::kX86, "amx"},
    {"aarch64-neon", Arch::kArm64, "neon"},
    {"aarch64-dotprod", Arch::kArm64, "neondot"},
    {"aarch64-i8mm", Arch::kArm64, "neoni8mm"},
    {"armv7-neon", Arch::kArm32, "neon"},
};

bool Here(Arch arch) {
#if defined(OCTET_ARCH_X86)
  return arch == Arch::kX86;
#elif defined(OCTET_ARCH_ARM64)
  return arch == Arch::kArm64;
#elif defined(OCTET_ARCH_ARM32)
  return arch == Arch::kArm32;
#else
  (void)arch;
  return false;
#endif
}

}  // namespace

Status TargetIsa(const std::string& name, IsaSet* isa) {
  if (name == "native") {
    *isa = DetectIsa();
    return OCTET_OK;
  }
  std::string known;
  for (const Target& t : kTargets) {
    if (name != t.name) {
      known += std::string(t.name) + ", ";
      continue;
    }
    if (!Here(t.arch)) {
      return Fail(OCTET_UNSUPPORTED,
                  "target \"%s\": this build has no kernels for that architecture; convert without "
                  "a target (weights are then packed at load) or on such a machine",
                  t.name);
    }
    if (!IsaSetByName(t.isa, isa)) return Fail(OCTET_UNSUPPORTED, "target \"%s\"", t.name);
    return OCTET_OK;
  }
  return Fail(OCTET_INVALID_ARGUMENT, "unknown target \"%s\"; known are %snative", name.c_str(),
              known.c_str());
}

const char* TargetIsaName(const std::string& target) {
  for (const Target& t : kTargets) {
    if (target == t.name) return t.isa;
  }
  return "";
}

Status PackForTarget(const Graph& graph, const std::string& target, std::vector<PackedOp>* packs) {
  packs->clear();
  if (target.empty()) return OCTET_OK;
  IsaSet isa;
  OCTET_RETURN_IF_ERROR(TargetIsa(target, &isa));
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    const GraphOp& op = graph.ops[i];
    const OpDef* def = FindOp(op.kind);
    if (!def || !def->pack) continue;
    const GraphOpView view(graph, op);
    Binding binding;
    def->bind(view.view(), isa, &binding);
    if (binding.pack_bytes == 0 || !binding.pack_layout) continue;
    AlignedBlock params(binding.params_bytes), pack(binding.pack_bytes);
    def->init(view.view(), binding, params.data());
    def->pack(view.view(), binding, params.data(), pack.data());
    PackedOp packed;
    packed.op = static_cast<int32_t>(i);
    packed.layout = binding.pack_layout;
    packed.data.assign(pack.data(), pack.data() + pack.size());
    packs->push_back(std::move(packed));
  }
  return OCTET_OK;
}

}  // namespace octet
