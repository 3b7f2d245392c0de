#include "src/compiler/packs.h"

#include <cstring>

#include "kernels/common/table.h"
#include "src/compiler/aligned.h"

namespace octet {
namespace {

struct Target {
  const char* name;
  const char* isa;  // as IsaSetByName takes it
};

constexpr Target kTargets[] = {
    {"x86-avx2", "avx2"},         {"x86-avxvnni", "avxvnni"}, {"x86-avx512vnni", "avx512vnni"},
    {"x86-amx", "amx"},           {"aarch64-neon", "neon"},   {"aarch64-dotprod", "neondot"},
    {"aarch64-i8mm", "neoni8mm"}, {"armv7-neon", "neon"},
};

// Packing is portable, but packs for x86 are made on x86 alone. Those for ARM are made everywhere.
bool Here(const char* isa) {
#if OCTET_ARCH_X86
  (void)isa;
  return true;
#else
  return std::strncmp(isa, "neon", 4) == 0;
#endif
}

}  // namespace

Status TargetIsa(const std::string& name, IsaSet* isa) {
  if (name == "native") return ChooseIsa(nullptr, isa);  // as a session here would
  std::string known;
  for (const Target& t : kTargets) {
    if (name != t.name) {
      known += std::string(t.name) + ", ";
      continue;
    }
    if (!Here(t.isa)) {
      return Fail(OCTET_UNSUPPORTED,
                  "target \"%s\": this build does not pack for that architecture; convert without "
                  "a target (weights are then packed at load) or on such a machine",
                  t.name);
    }
    if (!IsaSetByName(t.isa, isa)) return Fail(OCTET_UNSUPPORTED, "target \"%s\"", t.name);
    return OCTET_OK;
  }
  return Fail(OCTET_INVALID_ARGUMENT, "unknown target \"%s\"; known are %snative", name.c_str(),
              known.c_str());
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
