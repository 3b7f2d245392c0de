// Constants stored in fewer bytes: what goes in comes out, sizes are as promised, and a model whose
// weights are coded computes what the plain one does.
#include "src/model/coding.h"

#include <gtest/gtest.h>

#include "src/compiler/encode.h"
#include "src/compiler/packs.h"
#include "src/memory/plan.h"
#include "src/model/model.h"
#include "tests/support/sample_model.h"

namespace octet {
namespace {

using compiler::Compress;
using test::AlignedBytes;
using test::Bytes;

Coded View(const Sparse& sparse, size_t size) {
  return {fb::Coding::SPARSE, sparse.fill, sparse.data.data(), sparse.data.size(), size};
}

TEST(Coding, BytesComeBack) {
  uint32_t seed = 1;
  const auto random = [&] { return seed = seed * 1664525u + 1013904223u, seed >> 16; };
  for (size_t size : {1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 1000, 4096, 4099}) {
    for (uint32_t percent : {0, 1, 20, 50, 90, 100}) {
      for (uint8_t fill : {0, 1, 128, 255}) {
        Bytes bytes(size, fill);
        for (uint8_t& b : bytes) {
          if (random() % 100 >= percent) continue;
          b = static_cast<uint8_t>(random());
        }
        Sparse sparse;
        ASSERT_TRUE(EncodeSparse(bytes, &sparse, -1));
        // A guard behind the end.
        Bytes out(size + 1, 0x5C);
        Decode(View(sparse, size), out.data());
        EXPECT_EQ(out.back(), 0x5C);
        out.pop_back();
        ASSERT_EQ(out, bytes) << size << " bytes, " << percent << " %";
        EXPECT_LE(sparse.data.size(), (size + 7) / 8 + size);
      }
    }
  }
}

TEST(Coding, OnlyWhatSavesAFifth) {
  // The bitmap takes an eighth: 32.5 % of the bytes have to be the same.
  Sparse sparse;
  for (size_t zeros : {0, 300, 324}) {
    Bytes bytes(1000, 0);
    for (size_t i = zeros; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(1 + i % 255);
    EXPECT_FALSE(EncodeSparse(bytes, &sparse)) << zeros;
  }
  Bytes bytes(1000, 0);
  for (size_t i = 325; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(1 + i % 255);
  ASSERT_TRUE(EncodeSparse(bytes, &sparse));
  EXPECT_EQ(sparse.data.size(), 800u);
  EXPECT_FALSE(EncodeSparse({}, &sparse));
}

uint32_t MinReader(const Bytes& file) { return fb::GetModel(file.data())->min_reader(); }

// A layer of 16 KiB of weights.
Graph Large() {
  test::GraphMaker g;
  const int32_t x = g.Input({1, 256}), y = g.Activation({1, 64});
  g.Add(OpKind::FULLY_CONNECTED, {x, g.Weights({64, 256}), -1}, {y}, fb::FullyConnectedOptionsT());
  g.graph.outputs = {y};
  return g.graph;
}

TEST(Coding, AutoIsForPrunedModelsOnly) {
  const Graph plain = Large(), pruned = test::Pruned(plain);
  const Bytes off = test::WriteGraph(pruned);
  EXPECT_EQ(MinReader(off), 1u);
  EXPECT_EQ(test::WriteGraph(plain, true, Compress::kAuto), test::WriteGraph(plain));
  EXPECT_EQ(MinReader(test::WriteGraph(plain, true, Compress::kAuto)), 1u);
  for (const Compress compress : {Compress::kAuto, Compress::kOn}) {
    const Bytes file = test::WriteGraph(pruned, true, compress);
    EXPECT_LT(file.size(), off.size());
    EXPECT_EQ(MinReader(file), 2u);
    EXPECT_EQ(test::WriteGraph(pruned, true, compress), file);
  }
  // Not for a few bytes.
  const Graph small = test::Pruned(test::SampleGraph(8));
  EXPECT_EQ(MinReader(test::WriteGraph(small, true, Compress::kAuto)), 1u);
  EXPECT_EQ(MinReader(test::WriteGraph(small, true, Compress::kOn)), 2u);
}

// With every instruction set but the reference; packs stay plain.
TEST(Coding, AutoCostsNoRam) {
  Graph graph = test::Pruned(Large());
  const Bytes plain = test::WriteGraph(graph),
              coded = test::WriteGraph(graph, true, Compress::kAuto);
  ASSERT_LT(coded.size(), plain.size());
  for (const char* isa : test::IsaNames()) {
    const test::Model a(plain, isa), b(coded, isa);
    ASSERT_NE(b.get(), nullptr);
    const size_t more = std::strcmp(isa, "scalar") == 0 ? 64 * 256 : 0;
    EXPECT_EQ(b.get()->block_bytes, a.get()->block_bytes + more) << isa;
  }
  for (const GraphOp& op : graph.ops) ASSERT_EQ(op.kind, OpKind::FULLY_CONNECTED);
  Plan plan;
  ASSERT_EQ(PlanMemory(&graph, PlanOptions(), &plan), OCTET_OK) << octet_last_error();
  PackedOp pack;
  pack.op = 0;
  pack.layout = "none";
  pack.data.resize(8192);
  for (const Compress compress : {Compress::kAuto, Compress::kOn}) {
    Bytes file;
    ASSERT_EQ(WriteModel(graph, plan, {pack}, &file, compress), OCTET_OK);
    EXPECT_EQ(fb::GetModel(file.data())->packs()->Get(0)->coding() == fb::Coding::SPARSE,
              compress == Compress::kOn);
  }
}

// What runs read where it lies stays as it is: the constant of an addition.
TEST(Coding, AutoLeavesWhatRunsRead) {
  test::GraphMaker g;
  const int32_t x = g.Input({1, 16384}), y = g.Activation({1, 16384});
  g.Add(OpKind::ADD, {x, g.Weights({1, 16384})}, {y}, fb::ElementwiseOptionsT());
  g.graph.outputs = {y};
  const Graph graph = test::Pruned(g.graph);
  EXPECT_EQ(MinReader(test::WriteGraph(graph, true, Compress::kAuto)), 1u);
  EXPECT_EQ(MinReader(test::WriteGraph(graph, true, Compress::kOn)), 2u);
}

TEST(Coding, ModelsComputeTheSame) {
  for (const bool prune : {false, true}) {
    Graph graph = test::SampleGraph(16);
    if (prune) graph = test::Pruned(std::move(graph));
    const Bytes plain = test::WriteGraph(graph);
    const Bytes coded = test::CodeConstants(plain);
    EXPECT_TRUE(!prune || coded.size() < plain.size());
    for (const char* isa : test::IsaNames()) {
      const test::Model a(plain, isa), b(coded, isa);
      ASSERT_NE(b.get(), nullptr);
      const std::vector<Bytes> inputs = test::SampleInputs(a.get(), 3);
      EXPECT_EQ(test::RunOnce(a.get(), inputs, 1), test::RunOnce(b.get(), inputs, 1)) << isa;
    }
  }
}

// For every target, of this machine or not: packs of a coded file are decoded, those of a file
// without are made of decoded weights, and are the same bytes. What the model takes says so.
TEST(Coding, PacksAreTheSame) {
  Graph graph = test::Pruned(test::SampleGraph(16));
  Plan plan;
  ASSERT_EQ(PlanMemory(&graph, PlanOptions(), &plan), OCTET_OK) << octet_last_error();
  for (const char* target : {"x86-avx2", "x86-avxvnni", "x86-avx512vnni", "x86-amx", "aarch64-neon",
                             "aarch64-dotprod", "aarch64-i8mm", "armv7-neon"}) {
    SCOPED_TRACE(target);
    IsaSet isa;
    if (TargetIsa(target, &isa) == OCTET_UNSUPPORTED) continue;
    std::vector<PackedOp> packs;
    ASSERT_EQ(PackForTarget(graph, target, &packs), OCTET_OK) << octet_last_error();
    std::vector<Bytes> contents[4];
    size_t block[4], pack_bytes = 0;
    for (const PackedOp& pack : packs) pack_bytes += pack.data.size();
    for (size_t way = 0; way < 4; ++way) {
      const bool with_packs = way % 2 == 0;
      Bytes file;
      ASSERT_EQ(WriteModel(graph, plan, with_packs ? packs : std::vector<PackedOp>(), &file),
                OCTET_OK);
      if (way >= 2) file = test::CodeConstants(file);
      const AlignedBytes copy(file);
      octet_model* model = nullptr;
      ASSERT_EQ(LoadModel(copy.data(), file.size(), false, DefaultAllocator(), isa, 0, &model),
                OCTET_OK)
          << octet_last_error();
      block[way] = model->block_bytes;
      for (const PackedOp& pack : packs) {
        const uint8_t* bytes = static_cast<const uint8_t*>(model->ops[pack.op].pack);
        contents[way].emplace_back(bytes, bytes + pack.data.size());
      }
      octet_model_destroy(model);
      EXPECT_EQ(contents[way], contents[0]) << way;
    }
    EXPECT_GE(block[1], block[0] + pack_bytes);
    // Weights that only packing reads take nothing; the tables that runs read do.
    EXPECT_EQ(block[2], block[3]);
    EXPECT_GE(block[2], block[1]);
    size_t weights = 0;
    for (const GraphTensor& t : graph.tensors) {
      if (t.is_constant() && t.type == DType::INT8 && t.shape.size() > 1) weights += t.bytes();
    }
    EXPECT_LT(block[2], block[1] + weights);
  }
}

}  // namespace
}  // namespace octet
