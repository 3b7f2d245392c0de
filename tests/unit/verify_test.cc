// The verifier against hostile files, all with a right checksum unless a test says otherwise:
// whatever is changed, a file is refused with a sentence, or loads and runs safely. Meant to be run
// under sanitizers too.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>

#include "octet/compiler.h"
#include "octet_generated.h"
#include "tests/support/sample_model.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

constexpr size_t kRamLimit = size_t{16} << 20;
constexpr uint64_t kMaxMacs = 2000000;

// Loads and, if that works, runs; returns the status of loading.
octet_status TryModel(const uint8_t* data, size_t size, const char* isa = "scalar") {
  const AlignedBytes file(data, size);
  octet_model_options* options = nullptr;
  EXPECT_EQ(octet_model_options_create(&options), OCTET_OK);
  octet_model_options_set_ram_limit(options, kRamLimit);
  octet_model_options_set_isa(options, isa);
  octet_model* model = nullptr;
  const octet_status status = octet_model_load_buffer(file.data(), size, options, &model);
  octet_model_options_destroy(options);
  if (status != OCTET_OK) {
    EXPECT_STRNE(octet_last_error(), "");
    return status;
  }
  uint64_t macs = 0;
  for (size_t i = 0; i < octet_model_step_count(model); ++i) {
    octet_step_info step = {};
    step.struct_size = sizeof step;
    EXPECT_EQ(octet_model_step_info(model, i, &step), OCTET_OK);
    if (step.macs > kMaxMacs) macs = kMaxMacs;
    macs += step.macs;
  }
  octet_session_options* session_options = nullptr;
  EXPECT_EQ(octet_session_options_create(&session_options), OCTET_OK);
  octet_session_options_set_ram_limit(session_options, kRamLimit);
  octet_session* session = nullptr;
  if (macs < kMaxMacs && octet_session_create(model, session_options, &session) == OCTET_OK) {
    for (size_t i = 0; i < octet_model_input_count(model); ++i) {
      void* input = nullptr;
      size_t bytes = 0;
      EXPECT_EQ(octet_session_input_data(session, i, &input, &bytes), OCTET_OK);
      for (size_t j = 0; j < bytes; ++j) {
        static_cast<uint8_t*>(input)[j] = static_cast<uint8_t>(j * 37);
      }
    }
    const octet_status run = octet_session_run(session);
    EXPECT_TRUE(run == OCTET_OK || run == OCTET_RUN_ERROR) << octet_last_error();
  }
  octet_session_destroy(session);
  octet_session_options_destroy(session_options);
  octet_model_destroy(model);
  return status;
}

octet_status TryModel(const Bytes& file) { return TryModel(file.data(), file.size()); }

std::vector<Bytes> SmallFiles() {
  return {WriteGraph(SampleGraph(8)),
          WriteGraph(ShuffleGraph()),
          WriteGraph(ShuffleGraph(), false),
          WriteGraph(StatefulGraph()),
          WriteGraph(GatherGraph()),
          WriteGraph(Pruned(SampleGraph(8)), true, compiler::Compress::kOn)};
}

TEST(VerifyBytes, Truncations) {
  for (const Bytes& file : SmallFiles()) {
    ASSERT_EQ(TryModel(file), OCTET_OK) << octet_last_error();
    for (size_t n = 1; n < file.size(); ++n) {
      ASSERT_EQ(TryModel(file.data(), n), OCTET_INVALID_MODEL) << n;
      // The same with a trailer that fits.
      Bytes cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(n));
      cut.resize(n + 16);
      FixChecksum(&cut);
      TryModel(cut);
    }
  }
}

TEST(VerifyBytes, FlipsWithoutANewChecksumAreAllRefused) {
  for (Bytes file : SmallFiles()) {
    for (size_t i = 0; i < file.size(); ++i) {
      for (uint8_t mask : {0x01, 0x80, 0xFF}) {
        file[i] ^= mask;
        ASSERT_EQ(TryModel(file), OCTET_INVALID_MODEL) << "byte " << i;
        file[i] ^= mask;
      }
    }
  }
}

void FlipEveryByte(Bytes file, const std::vector<uint8_t>& masks) {
  for (size_t i = 0; i + 16 < file.size(); ++i) {
    for (uint8_t mask : masks) {
      file[i] ^= mask;
      FixChecksum(&file);
      TryModel(file);
      file[i] ^= mask;
      if (testing::Test::HasFailure()) FAIL() << "byte " << i << ", mask " << int{mask};
    }
  }
}

TEST(VerifyBytes, FlipsWithANewChecksumAreSafe) {
  for (const Bytes& file : SmallFiles()) FlipEveryByte(file, {0x01, 0x80, 0xFF});
}

// The smallest file of each group of the zoo.
TEST(VerifyBytes, FlipsOfConvertedFilesAreSafe) {
  std::map<std::string, std::pair<uintmax_t, fs::path>> smallest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fs::path(OCTET_TEST_DATA) / "zoo", error)) {
    const fs::path path = entry.path() / "model.tflite";
    if (!fs::exists(path)) continue;
    std::string group = entry.path().filename().string();
    group.erase(group.find_last_not_of("0123456789_") + 1);
    const uintmax_t size = fs::file_size(path);
    auto [it, fresh] = smallest.insert({group, {size, path}});
    if (!fresh && size < it->second.first) it->second = {size, path};
  }
  if (smallest.empty()) GTEST_SKIP() << "no test data in " << OCTET_TEST_DATA;
  for (const auto& [group, found] : smallest) {
    SCOPED_TRACE(group);
    const Bytes source = ReadFile(found.second);
    Bytes file;
    ASSERT_EQ(compiler::Convert(source.data(), source.size(), {}, &file, nullptr), OCTET_OK);
    if (file.size() <= 2000) FlipEveryByte(file, {0xFF});
  }
}

// ---- Meaning ---------------------------------------------------------------------------------

using Edit = std::function<void(fb::ModelT&)>;

Bytes Edited(const Bytes& file, const Edit& edit) {
  std::unique_ptr<fb::ModelT> model(fb::GetModel(file.data())->UnPack());
  edit(*model);
  return PackModel(*model);
}

// `about`: a part of the sentence.
void ExpectRefused(const Bytes& file, const char* about, const Edit& edit,
                   int line = __builtin_LINE()) {
  const testing::ScopedTrace trace(__FILE__, line, "called");
  const octet_status status = TryModel(Edited(file, edit));
  EXPECT_TRUE(status == OCTET_INVALID_MODEL || status == OCTET_UNSUPPORTED) << about;
  EXPECT_NE(std::strstr(octet_last_error(), about), nullptr)
      << "\"" << about << "\" is not in \"" << octet_last_error() << "\"";
}

class VerifyMeaning : public testing::Test {
 protected:
  // Where things are in SampleGraph.
  fb::TensorT& Named(fb::ModelT& m, const char* name) {
    for (auto& t : m.tensors) {
      if (t->name == name) return *t;
    }
    ADD_FAILURE() << name;
    return *m.tensors[0];
  }
  fb::OperatorT& Op(fb::ModelT& m, OpKind kind) {
    for (auto& op : m.operators) {
      if (op->kind == kind) return *op;
    }
    ADD_FAILURE();
    return *m.operators[0];
  }
  fb::TensorT& In(fb::ModelT& m, OpKind kind, size_t i) {
    return *m.tensors[static_cast<size_t>(Op(m, kind).inputs[i])];
  }
  fb::TensorT& Out(fb::ModelT& m, OpKind kind, size_t i = 0) {
    return *m.tensors[static_cast<size_t>(Op(m, kind).outputs[i])];
  }
  Bytes sample_ = WriteGraph(SampleGraph(8));
  Bytes plain_ = WriteGraph(ShuffleGraph(), false);
  Bytes shuffle_ = WriteGraph(ShuffleGraph());
  Bytes stateful_ = WriteGraph(StatefulGraph());
};

TEST_F(VerifyMeaning, UneditedFilesPass) {
  for (const Bytes& file : {sample_, plain_, shuffle_, stateful_}) {
    EXPECT_EQ(TryModel(Edited(file, [](fb::ModelT&) {})), OCTET_OK) << octet_last_error();
  }
}

TEST_F(VerifyMeaning, Tensors) {
  const auto refuse = [&](const char* about, const std::function<void(fb::TensorT&)>& edit) {
    ExpectRefused(sample_, about, [&](fb::ModelT& m) { edit(Named(m, "features")); });
  };
  refuse("dimension 1 is 0", [](auto& t) { t.shape[1] = 0; });
  refuse("dimension 3 is -1", [](auto& t) { t.shape[3] = -1; });
  refuse("too large", [](auto& t) { t.shape = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}; });
  refuse("too large", [](auto& t) { t.shape = {1 << 16, 1 << 16, 1 << 16, 1 << 16}; });
  refuse("2^31 - 1 elements", [](auto& t) { t.shape = {1, 1 << 16, 1 << 15, 1}; });
  refuse("7 dimensions", [](auto& t) { t.shape.assign(7, 1); });
  refuse("outside its memory", [](auto& t) { t.shape = {1, 1 << 10, 1 << 10, 1 << 10}; });
  refuse("unknown type", [](auto& t) { t.type = DType::NONE; });
  refuse("unknown type", [](auto& t) { t.type = static_cast<DType>(200); });
  refuse("unknown place", [](auto& t) { t.place = static_cast<fb::Place>(3); });
  refuse("outside its memory", [](auto& t) { t.offset = UINT64_MAX; });
  refuse("outside its memory", [](auto& t) { t.offset = uint64_t{1} << 63; });
  refuse("outside its memory", [](auto& t) { t.place = fb::Place::STATE; });
  refuse("scale", [](auto& t) { t.scale = {std::numeric_limits<float>::quiet_NaN()}; });
  refuse("scale", [](auto& t) { t.scale = {std::numeric_limits<float>::infinity()}; });
  refuse("scale", [](auto& t) { t.scale = {0.f}; });
  refuse("scale", [](auto& t) { t.scale = {-1.f}; });
  refuse("2 scales", [](auto& t) { t.scale = {1.f, 1.f}, t.axis = 3; });
  refuse("axis 4", [](auto& t) { t.scale = {1.f, 1.f}, t.axis = 4; });
  refuse("axis -1", [](auto& t) { t.scale = {1.f, 1.f}, t.axis = -1; });
  refuse("zero point 128", [](auto& t) { t.zero_point = 128; });
  refuse("zero point -129", [](auto& t) { t.zero_point = -129; });
  refuse("scales", [](auto& t) { t.scale.clear(); });
  refuse("ring of -1", [](auto& t) { t.ring_rows = -1; });
  refuse("ring of 5", [](auto& t) { t.ring_rows = 5; });
  refuse("not a whole tensor", [](auto& t) { t.ring_rows = 2; });
}

TEST_F(VerifyMeaning, Constants) {
  const auto refuse = [&](const char* about, const std::function<void(fb::ModelT&)>& edit) {
    ExpectRefused(sample_, about, edit);
  };
  refuse("does not exist", [&](auto& m) { In(m, OpKind::CONV_2D, 1).buffer = 99; });
  refuse("bytes, not", [&](auto& m) { In(m, OpKind::FULLY_CONNECTED, 1).shape[0] = 11; });
  refuse("bytes, not", [&](auto& m) { m.buffers[In(m, OpKind::LUT, 1).buffer]->data.pop_back(); });
  refuse("does not exist", [&](auto& m) { m.buffers.clear(); });
  refuse("int8", [&](auto& m) { In(m, OpKind::CONV_2D, 1).type = DType::UINT8; });
  refuse("must be a constant", [&](auto& m) {
    fb::TensorT& w = In(m, OpKind::CONV_2D, 1);
    w.place = fb::Place::ARENA;
    m.arena_bytes += 1 << 16;
  });
}

// Coded constants, of a buffer and of a pack that the scalar kernels would not even use.
TEST_F(VerifyMeaning, CodedConstants) {
  const Bytes coded = CodeConstants(sample_);
  ASSERT_EQ(TryModel(coded), OCTET_OK) << octet_last_error();
  const auto weights = [&](fb::ModelT& m) -> fb::BufferT& {
    return *m.buffers[In(m, OpKind::FULLY_CONNECTED, 1).buffer];
  };
  const auto refuse = [&](const char* about, const std::function<void(fb::BufferT&)>& edit) {
    ExpectRefused(coded, about, [&](fb::ModelT& m) { edit(weights(m)); });
    ExpectRefused(coded, about, [&](fb::ModelT& m) {  // of a pack
      fb::BufferT b = weights(m);
      edit(b);
      auto pack = std::make_unique<fb::PackedDataT>();
      pack->data = b.data, pack->coding = b.coding, pack->size = b.size, pack->fill = b.fill;
      pack->layout = "none";
      m.packs.push_back(std::move(pack));
      if (std::strstr(about, "bytes, not") != nullptr) edit(weights(m));
    });
  };
  refuse("unknown coding 2", [](auto& b) { b.coding = static_cast<fb::Coding>(2); });
  refuse("bitmap asks for", [](auto& b) { b.data.pop_back(); });
  refuse("bitmap asks for", [](auto& b) { b.data.push_back(1); });
  refuse("bitmap asks for", [](auto& b) { b.data[0] ^= 1; });
  refuse("no place in a bitmap", [](auto& b) { b.size = uint64_t{1} << 40; });
  refuse("no place in a bitmap", [](auto& b) { b.size = UINT64_MAX; });
  refuse("no place in a bitmap", [](auto& b) { b.size = 8 * b.data.size() + 1; });
  refuse("no place in a bitmap", [](auto& b) { b.size = 0; });
  refuse("no place in a bitmap", [](auto& b) { b.data.clear(); });
  refuse("behind the last byte", [](auto& b) { b.size = 3, b.data = {0x11, 7, 8}; });
  // Right in themselves, but not what the tensor needs.
  ExpectRefused(coded, "bytes, not", [&](auto& m) {
    weights(m).size = 3, weights(m).data = {0x01, 7};
  });
  ExpectRefused(coded, "bytes, not", [&](auto& m) { weights(m).coding = fb::Coding::PLAIN; });
  // An output is handed out from the file.
  ExpectRefused(coded, "not stored plainly",
                [&](auto& m) { m.outputs[0] = Op(m, OpKind::FULLY_CONNECTED).inputs[1]; });
}

// A small file may name the same bytes often, and ask for the time and memory of many.
TEST_F(VerifyMeaning, CodedConstantsDoNotOverlap) {
  const size_t kSize = size_t{1} << 20;
  flatbuffers::FlatBufferBuilder b;
  const std::vector<uint8_t> bitmap(kSize / 8, 0);
  const auto data = b.CreateVector(bitmap);
  std::vector<flatbuffers::Offset<fb::Buffer>> buffers;
  for (int i = 0; i < 100; ++i) {
    buffers.push_back(fb::CreateBuffer(b, data, fb::Coding::SPARSE, kSize));
  }
  const auto list = b.CreateVector(buffers);
  const auto none = b.CreateVector(std::vector<flatbuffers::Offset<fb::Tensor>>());
  const auto no_ops = b.CreateVector(std::vector<flatbuffers::Offset<fb::Operator>>());
  const auto numbers = b.CreateVector(std::vector<int32_t>());
  const auto steps = b.CreateVectorOfStructs(std::vector<fb::Step>());
  fb::ModelBuilder model(b);
  model.add_tensors(none);
  model.add_operators(no_ops);
  model.add_inputs(numbers);
  model.add_outputs(numbers);
  model.add_steps(steps);
  model.add_buffers(list);
  fb::FinishModelBuffer(b, model.Finish());
  Bytes file(b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
  file.resize((file.size() + 63) / 64 * 64 + 16);
  FixChecksum(&file);
  EXPECT_EQ(TryModel(file), OCTET_INVALID_MODEL);
  EXPECT_NE(std::strstr(octet_last_error(), "more coded bytes than the file has"), nullptr)
      << octet_last_error();
}

TEST_F(VerifyMeaning, Operators) {
  const auto refuse = [&](const char* about, const std::function<void(fb::ModelT&)>& edit) {
    ExpectRefused(sample_, about, edit);
  };
  refuse("unknown to this version", [&](auto& m) { m.operators[0]->kind = OpKind::NONE; });
  refuse("unknown to this version",
         [&](auto& m) { m.operators[0]->kind = static_cast<OpKind>(60000); });
  refuse("options", [&](auto& m) { m.operators[0]->options.Reset(); });
  refuse("options", [&](auto& m) { m.operators[0]->options.Set(fb::PoolOptionsT()); });
  refuse("options", [&](auto& m) { Op(m, OpKind::ADD).kind = OpKind::AVERAGE_POOL_2D; });
  refuse("does not exist", [&](auto& m) { m.operators[0]->inputs[0] = 9999; });
  refuse("does not exist", [&](auto& m) { m.operators[0]->inputs[0] = -2; });
  refuse("missing", [&](auto& m) { m.operators[0]->inputs[0] = -1; });
  refuse("missing", [&](auto& m) { m.operators[0]->inputs[1] = -1; });
  refuse("does not exist", [&](auto& m) { m.operators[0]->outputs[0] = -1; });
  refuse("does not exist", [&](auto& m) { m.operators[0]->outputs[0] = INT32_MAX; });
  refuse("not in the arena",
         [&](auto& m) { m.operators[0]->outputs[0] = m.operators[0]->inputs[1]; });
  refuse("no outputs", [&](auto& m) { m.operators[0]->outputs.clear(); });
  refuse("inputs", [&](auto& m) { m.operators[0]->inputs.resize(1); });
  refuse("more than 65535", [&](auto& m) { m.operators[0]->inputs.assign(70000, -1); });
  refuse("outputs",
         [&](auto& m) { m.operators[0]->outputs.push_back(Op(m, OpKind::SOFTMAX).outputs[0]); });
}

TEST_F(VerifyMeaning, OptionValues) {
  const auto conv = [&](const char* about, const std::function<void(fb::Conv2DOptionsT&)>& edit) {
    for (OpKind kind : {OpKind::CONV_2D, OpKind::DEPTHWISE_CONV_2D}) {
      ExpectRefused(sample_, about,
                    [&](fb::ModelT& m) { edit(*Op(m, kind).options.AsConv2DOptions()); });
    }
  };
  for (int32_t bad : {0, -1, INT32_MIN, INT32_MAX, 1 << 20}) {
    conv("stride", [&](auto& o) { o.stride_h = bad; });
    conv("stride", [&](auto& o) { o.stride_w = bad; });
    conv("dilation", [&](auto& o) { o.dilation_h = bad; });
    conv("dilation", [&](auto& o) { o.dilation_w = bad; });
  }
  for (int32_t bad : {-1, INT32_MIN, INT32_MAX, 1 << 20}) {
    conv("padding", [&](auto& o) { o.pad_top = bad; });
    conv("padding", [&](auto& o) { o.pad_left = bad; });
  }
  conv("clamp", [](auto& o) { o.act_min = 10, o.act_max = 9; });
  conv("clamp", [](auto& o) { o.act_min = 1000; });
  conv("clamp", [](auto& o) { o.act_max = INT32_MIN; });
  for (float bad : {0.f, -1.f, std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity()}) {
    ExpectRefused(sample_, "beta",
                  [&](auto& m) { Op(m, OpKind::SOFTMAX).options.AsSoftmaxOptions()->beta = bad; });
  }
  for (int32_t bad : {0, -1, INT32_MIN, INT32_MAX}) {
    SCOPED_TRACE(bad);
    ExpectRefused(sample_, "", [&](auto& m) {
      Op(m, OpKind::AVERAGE_POOL_2D).options.AsPoolOptions()->filter_h = bad;
    });
    ExpectRefused(sample_, "", [&](auto& m) {
      Op(m, OpKind::AVERAGE_POOL_2D).options.AsPoolOptions()->stride_w = bad;
    });
    ExpectRefused(plain_, "", [&](auto& m) {
      Op(m, OpKind::CONCATENATION).options.AsAxisOptions()->axis = bad == 0 ? 4 : bad;
    });
    ExpectRefused(plain_, "", [&](auto& m) {
      Op(m, OpKind::TRANSPOSE).options.AsTransposeOptions()->perm[3] = bad;
    });
    ExpectRefused(plain_, "", [&](auto& m) {
      Op(m, OpKind::STRIDED_SLICE).options.AsSliceOptions()->begin[1] = bad == 0 ? 3 : bad;
    });
    ExpectRefused(plain_, "", [&](auto& m) {
      Op(m, OpKind::STRIDED_SLICE).options.AsSliceOptions()->strides[1] = bad == -1 ? 9 : bad;
    });
    ExpectRefused(plain_, "",
                  [&](auto& m) { Op(m, OpKind::PAD).options.AsPadOptions()->before[1] = bad; });
    ExpectRefused(plain_, "", [&](auto& m) {
      Op(m, OpKind::MEAN).options.AsReduceOptions()->axes[0] = bad == 0 ? 4 : bad == -1 ? -5 : bad;
    });
    ExpectRefused(stateful_, "",
                  [&](auto& m) { Op(m, OpKind::SVDF).options.AsSvdfOptions()->rank = bad; });
  }
  ExpectRefused(plain_, "",
                [&](auto& m) { Op(m, OpKind::PAD).options.AsPadOptions()->before.clear(); });
  ExpectRefused(plain_, "",
                [&](auto& m) { Op(m, OpKind::TRANSPOSE).options.AsTransposeOptions()->perm = {}; });
}

TEST_F(VerifyMeaning, InputsAndOutputs) {
  ExpectRefused(sample_, "does not exist", [&](auto& m) { m.inputs[0] = -1; });
  ExpectRefused(sample_, "does not exist", [&](auto& m) { m.outputs[0] = 10000; });
  ExpectRefused(sample_, "not in the arena",
                [&](auto& m) { m.inputs[0] = m.operators[0]->inputs[1]; });
  ExpectRefused(stateful_, "not a whole tensor",
                [&](auto& m) { m.outputs[0] = Op(m, OpKind::SVDF).inputs[4]; });
  ExpectRefused(plain_, "inputs overlap", [&](auto& m) {
    m.tensors[static_cast<size_t>(m.inputs[1])]->offset =
        m.tensors[static_cast<size_t>(m.inputs[0])]->offset;
  });
  ExpectRefused(sample_, "lacks", [&](auto& m) { m.inputs.clear(); });
  ExpectRefused(shuffle_, "not there", [&](auto& m) { m.inputs.pop_back(); });
}

TEST_F(VerifyMeaning, Steps) {
  // -1 - i hands over rows of input i.
  ExpectRefused(sample_, "does not exist", [](auto& m) { m.steps[0] = fb::Step(-1000, 0, -1); });
  ExpectRefused(sample_, "not there", [](auto& m) { m.steps[0] = fb::Step(-1, 0, -1); });
  ExpectRefused(sample_, "come in after",
                [](auto& m) { m.steps.insert(m.steps.begin(), 2, fb::Step(-1, 0, -1)); });
  ExpectRefused(sample_, "does not exist", [](auto& m) { m.steps[0] = fb::Step(1000, 0, -1); });
  ExpectRefused(sample_, "having computed", [](auto& m) { m.steps.push_back(m.steps[0]); });
  ExpectRefused(sample_, "not there", [](auto& m) { m.steps.erase(m.steps.begin()); });
  ExpectRefused(sample_, "not there", [](auto& m) { m.steps.pop_back(); });
  ExpectRefused(sample_, "not there", [](auto& m) { m.steps.resize(1); });
  ExpectRefused(sample_, "not there",
                [](auto& m) { std::reverse(m.steps.begin(), m.steps.end()); });
  ExpectRefused(sample_, "rows", [](auto& m) { m.steps[0] = fb::Step(m.steps[0].op(), 0, 0); });
  ExpectRefused(sample_, "rows", [](auto& m) { m.steps[0] = fb::Step(m.steps[0].op(), 0, -2); });
  ExpectRefused(sample_, "rows",
                [](auto& m) { m.steps[0] = fb::Step(m.steps[0].op(), 0, INT32_MAX); });
  ExpectRefused(sample_, "rows", [](auto& m) { m.steps[0] = fb::Step(m.steps[0].op(), 1, -1); });
  ExpectRefused(sample_, "rows",
                [](auto& m) { m.steps[0] = fb::Step(m.steps[0].op(), INT32_MIN, -1); });
  ExpectRefused(plain_, "by rows", [&](auto& m) {
    for (auto& s : m.steps) {
      if (m.operators[static_cast<size_t>(s.op())]->kind == OpKind::TRANSPOSE)
        s = fb::Step(s.op(), 0, 1);
    }
  });
}

// Rows of operators that can run by rows, in any split, give the same bytes.
TEST_F(VerifyMeaning, WholeOperatorsMayBeSplitIntoRows) {
  const Bytes split = Edited(sample_, [&](auto& m) {
    std::vector<fb::Step> steps;
    for (const fb::Step& s : m.steps) {
      if (m.operators[static_cast<size_t>(s.op())]->kind != OpKind::CONV_2D) {
        steps.push_back(s);
        continue;
      }
      steps.emplace_back(s.op(), 0, 1);
      steps.emplace_back(s.op(), 1, 4);
    }
    m.steps = steps;
  });
  const Model a(sample_), b(split);
  ASSERT_NE(b.get(), nullptr);
  const std::vector<Bytes> inputs = SampleInputs(a.get(), 4);
  EXPECT_EQ(RunOnce(a.get(), inputs, 1), RunOnce(b.get(), inputs, 1));
}

TEST_F(VerifyMeaning, OverlappingTensors) {
  // The residual's first operand is overwritten by the second.
  ExpectRefused(sample_, "", [&](auto& m) {
    Out(m, OpKind::DEPTHWISE_CONV_2D).offset = Out(m, OpKind::CONV_2D).offset;
  });
  ExpectRefused(sample_, "overwrites its input", [&](auto& m) {
    Named(m, "image").offset = 0;
    Out(m, OpKind::CONV_2D).offset = 1;
  });
  // SOFTMAX's output over the features, which are an output too.
  ExpectRefused(sample_, "not there after the last step",
                [&](auto& m) { Named(m, "scores").offset = Named(m, "features").offset + 5; });
  // Outputs of one operator over each other, in part and in whole.
  for (uint64_t shift : {0, 1, 16, 48}) {
    ExpectRefused(plain_, "overlap", [&](auto& m) {
      Out(m, OpKind::SPLIT, 0).offset = m.arena_bytes;
      Out(m, OpKind::SPLIT, 1).offset = m.arena_bytes + shift;
      m.arena_bytes += 200;
    });
  }
  ExpectRefused(plain_, "twice", [&](auto& m) {
    fb::OperatorT& split = Op(m, OpKind::SPLIT);
    split.outputs[1] = split.outputs[0];
  });
}

TEST_F(VerifyMeaning, Views) {
  ExpectRefused(shuffle_, "view", [&](auto& m) { Out(m, OpKind::MEAN).view_of = 10000; });
  ExpectRefused(shuffle_, "view",
                [&](auto& m) { Out(m, OpKind::MEAN).view_of = Op(m, OpKind::MEAN).outputs[0]; });
  ExpectRefused(shuffle_, "view", [&](auto& m) {
    Out(m, OpKind::MEAN).view_of = Op(m, OpKind::STRIDED_SLICE).outputs[0];
    Out(m, OpKind::STRIDED_SLICE).view_of = Op(m, OpKind::MEAN).outputs[0];
  });
  ExpectRefused(shuffle_, "view", [&](auto& m) {  // larger than its root
    Out(m, OpKind::MUL).view_of = Op(m, OpKind::MEAN).outputs[0];
  });
  ExpectRefused(sample_, "view", [&](auto& m) {  // of a constant
    Named(m, "scores").view_of = Op(m, OpKind::LUT).inputs[1];
  });
  // Two parts of one root in the same place: the second overwrites the first.
  ExpectRefused(plain_, "", [&](auto& m) {
    const int32_t root = static_cast<int32_t>(m.tensors.size());
    auto t = std::make_unique<fb::TensorT>();
    t->name = "root";
    t->type = DType::INT8;
    t->shape = {1, 1, 1, 64};
    t->place = fb::Place::ARENA;
    t->offset = m.arena_bytes;
    m.arena_bytes += 64;
    for (size_t i : {0u, 1u}) {
      Out(m, OpKind::SPLIT, i).offset = t->offset;
      Out(m, OpKind::SPLIT, i).view_of = root;
    }
    m.tensors.push_back(std::move(t));
  });
}

TEST_F(VerifyMeaning, States) {
  ExpectRefused(stateful_, "not kept", [&](auto& m) {
    fb::TensorT& state = In(m, OpKind::SVDF, 4);
    state.place = fb::Place::ARENA;
    state.offset = (m.arena_bytes + 1) / 2 * 2;
    m.arena_bytes += 1000;
    m.inputs.push_back(Op(m, OpKind::SVDF).inputs[4]);
  });
  ExpectRefused(stateful_, "overlap", [&](auto& m) {
    auto twin = std::make_unique<fb::TensorT>(In(m, OpKind::SVDF, 4));
    twin->offset += 2;
    twin->shape[1] -= 1;
    m.tensors.push_back(std::move(twin));
  });
  ExpectRefused(stateful_, "aligned", [&](auto& m) {
    In(m, OpKind::SVDF, 4).offset = 1;
    m.state_bytes += 2;
  });
  ExpectRefused(stateful_, "outside", [&](auto& m) { m.state_bytes -= 1; });
}

TEST_F(VerifyMeaning, ModelSizes) {
  ExpectRefused(sample_, "arena is too large", [](auto& m) { m.arena_bytes = UINT64_MAX; });
  ExpectRefused(sample_, "arena is too large", [](auto& m) { m.arena_bytes = uint64_t{1} << 41; });
  ExpectRefused(sample_, "arena is too large", [](auto& m) { m.state_bytes = UINT64_MAX; });
  ExpectRefused(sample_, "outside its memory", [](auto& m) { m.arena_bytes = 0; });
  ExpectRefused(sample_, "version 3", [](auto& m) { m.min_reader = 3; });
  ExpectRefused(sample_, "too many", [](auto& m) { m.steps.resize(70000u * 64); });
  EXPECT_EQ(TryModel(Edited(sample_, [](auto& m) { m.version = 9; })), OCTET_OK)
      << "a newer writer's file that this reader can read: " << octet_last_error();
}

// Small files that would take hours to check if their size alone bounded the work: the same vector
// or table listed again and again.
TEST_F(VerifyMeaning, WorkIsBounded) {
  const auto refuse = [](const char* about, size_t tensors, size_t operands, size_t ops,
                         size_t packs, size_t scales) {
    flatbuffers::FlatBufferBuilder b;
    std::vector<int32_t> all(operands);
    for (size_t i = 0; i < operands; ++i) all[i] = static_cast<int32_t>(i % tensors);
    const std::vector<int32_t> shape = {1, static_cast<int32_t>(scales > 1 ? scales : 1)};
    const auto tensor =
        fb::CreateTensor(b, 0, DType::INT8, b.CreateVector(shape),
                         b.CreateVector(std::vector<float>(scales, 1.f)), 0, 1, fb::Place::ARENA);
    const auto list = b.CreateVector(all);
    const auto one = b.CreateVector(std::vector<int32_t>{0});
    const auto op =
        fb::CreateOperator(b, OpKind::CONCATENATION, 0, list, one, fb::Options::AxisOptions,
                           fb::CreateAxisOptions(b, 1).Union());
    const auto pack = fb::CreatePackedData(b, 0);
    const auto tensor_list =
        b.CreateVector(std::vector<flatbuffers::Offset<fb::Tensor>>(tensors, tensor));
    const auto op_list = b.CreateVector(std::vector<flatbuffers::Offset<fb::Operator>>(ops, op));
    const auto packs_list =
        b.CreateVector(std::vector<flatbuffers::Offset<fb::PackedData>>(packs, pack));
    std::vector<fb::Step> steps(ops, fb::Step(0, 0, -1));
    const auto step_list = b.CreateVectorOfStructs(steps);
    fb::FinishModelBuffer(b, fb::CreateModel(b, 1, 1, 0, tensor_list, op_list, one, one, step_list,
                                             uint64_t{1} << 20, 0, 0, packs_list));
    Bytes bytes(b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
    bytes.resize((bytes.size() + 63) / 64 * 64 + 16);
    FixChecksum(&bytes);
    EXPECT_EQ(TryModel(bytes), OCTET_INVALID_MODEL);
    EXPECT_NE(std::strstr(octet_last_error(), about), nullptr) << octet_last_error();
  };
  refuse("too many operands", 100, 65000, 65000, 0, 1);
  refuse("too many packs", 10, 1, 65000, 2000000, 1);
  refuse("too many scales", 65000, 1, 1, 0, 100000);
  refuse("too many scales", 10, 10, 65000, 0, 100000);
}

}  // namespace
}  // namespace octet::test
