// Packs made ahead, for CPUs that this machine need not be.
#include "src/compiler/packs.h"

#include <gtest/gtest.h>

#include <set>

#include "src/memory/plan.h"
#include "src/model/model.h"
#include "src/runtime/session.h"
#include "tests/support/sample_model.h"

namespace octet {
namespace {

using test::AlignedBytes;
using test::Bytes;

uint64_t Fnv(uint64_t hash, const std::vector<uint8_t>& data) {
  for (const uint8_t byte : data) hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

struct Expected {
  const char* target;
  std::set<std::string> layouts;
  uint64_t hash;
};

// The same on every machine: what a PC packs is what the device would.
const Expected kExpected[] = {
    {"aarch64-neon",
     {"qs8_conv/neon/1", "qs8_dwconv/neon/2", "s8_softmax/1"},
     9869590661772914428u},
    {"aarch64-dotprod",
     {"qs8_conv/neondot/1", "qs8_dwconv/neondot/2", "s8_softmax/1"},
     3650119384232509041u},
    {"aarch64-i8mm",
     {"qs8_conv/neoni8mm/1", "qs8_dwconv/neondot/2", "s8_softmax/1"},
     206456645054946125u},
    {"armv7-neon", {"qs8_conv/neon/1", "qs8_dwconv/neon/2", "s8_softmax/1"}, 9869590661772914428u},
};

TEST(Packs, ForArmAreTheSameEverywhere) {
  const Graph graph = test::SampleGraph(16);
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.target);
    std::vector<PackedOp> packs;
    ASSERT_EQ(PackForTarget(graph, e.target, &packs), OCTET_OK) << octet_last_error();
    std::set<std::string> layouts;
    uint64_t hash = 14695981039346656037u;
    for (const PackedOp& pack : packs) {
      layouts.insert(pack.layout);
      hash = Fnv(hash, pack.data);
    }
    EXPECT_EQ(layouts, e.layouts);
    EXPECT_EQ(hash, e.hash);
  }
}

// Loading a file with packs for a CPU needs no memory for them, bound for that CPU.
TEST(Packs, ForArmAreFoundByItsKernels) {
  Graph graph = test::SampleGraph(16);
  Plan plan;
  ASSERT_EQ(PlanMemory(&graph, PlanOptions(), &plan), OCTET_OK) << octet_last_error();
  for (const Expected& e : kExpected) {
    SCOPED_TRACE(e.target);
    IsaSet isa;
    ASSERT_EQ(TargetIsa(e.target, &isa), OCTET_OK);
    std::vector<PackedOp> packs;
    ASSERT_EQ(PackForTarget(graph, e.target, &packs), OCTET_OK) << octet_last_error();
    size_t pack_bytes = 0, model_bytes[2];
    for (const PackedOp& pack : packs) pack_bytes += pack.data.size();
    for (int with = 0; with < 2; ++with) {
      Bytes file;
      ASSERT_EQ(WriteModel(graph, plan, with ? packs : std::vector<PackedOp>(), &file), OCTET_OK);
      const AlignedBytes copy(file);
      octet_model* model = nullptr;
      ASSERT_EQ(LoadModel(copy.data(), file.size(), false, DefaultAllocator(), isa, 0, &model),
                OCTET_OK)
          << octet_last_error();
      model_bytes[with] = model->block_bytes;
      octet_model_destroy(model);
    }
    EXPECT_GE(model_bytes[0], model_bytes[1] + pack_bytes);
  }
}

}  // namespace
}  // namespace octet
