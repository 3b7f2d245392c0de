// float32 operators by XNNPACK: near Octet's own kernels on random shapes, in exactly the memory
// that is stated, allocating nothing in a run, and shared by sessions of several threads. Models
// without float operators, and builds without XNNPACK, have none.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "src/cpu/cpu.h"
#include "tests/api/count_allocations.h"
#include "tests/api/fixture.h"

namespace octet::test {
namespace {

std::mt19937& Random() {
  static std::mt19937 random(5);
  return random;
}
int32_t Draw(int32_t low, int32_t high) {
  return std::uniform_int_distribution<int32_t>(low, high)(Random());
}
std::vector<float> Values(size_t n) {
  std::vector<float> values(n);
  for (float& x : values) x = std::uniform_real_distribution<float>(-1, 1)(Random());
  return values;
}

using Dims = std::vector<int32_t>;
int32_t Constant(GraphMaker* m, const Dims& dims) {
  size_t n = 1;
  for (int32_t d : dims) n *= static_cast<size_t>(d);
  return m->graph.AddConstant("constant", DType::FLOAT32, dims, Values(n).data());
}

Bytes FloatInput(size_t bytes) {
  const std::vector<float> values = Values(bytes / sizeof(float));
  Bytes data(bytes);
  std::memcpy(data.data(), values.data(), bytes);
  return data;
}

std::vector<Bytes> FloatInputs(const octet_model* model) {
  std::vector<Bytes> inputs;
  for (size_t i = 0; i < octet_model_input_count(model); ++i) {
    octet_tensor_info info = EmptyInfo();
    EXPECT_EQ(octet_model_input_info(model, i, &info), OCTET_OK);
    inputs.push_back(FloatInput(info.bytes));
  }
  return inputs;
}

// How many steps are XNNPACK's.
size_t XnnSteps(const octet_model* model) {
  size_t n = 0;
  for (size_t i = 0; i < octet_model_step_count(model); ++i) {
    octet_step_info info = {};
    info.struct_size = sizeof info;
    EXPECT_EQ(octet_model_step_info(model, i, &info), OCTET_OK);
    n += std::strstr(info.kernel, "__xnnpack") != nullptr;
  }
  return n;
}

// Runs a graph by Octet's own kernels and with XNNPACK. `xnn_steps`: how many XNNPACK should take,
// or -1.
void Compare(const Graph& graph, int xnn_steps) {
  const Bytes file = WriteGraph(graph);
  const Model own(file, "scalar"), best(file);
  ASSERT_NE(own.get(), nullptr);
  ASSERT_NE(best.get(), nullptr);
  EXPECT_EQ(XnnSteps(own.get()), 0u);
  if (xnn_steps >= 0) {
    EXPECT_EQ(XnnSteps(best.get()), static_cast<size_t>(xnn_steps));
  }
  const std::vector<Bytes> inputs = FloatInputs(own.get());
  const std::vector<Bytes> wanted = RunOnce(own.get(), inputs, 1);
  for (size_t threads : {1, 2}) {
    const std::vector<Bytes> got = RunOnce(best.get(), inputs, threads);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) {
      for (size_t k = 0; k + 4 <= got[i].size(); k += 4) {
        float a, b;
        std::memcpy(&a, &got[i][k], 4);
        std::memcpy(&b, &wanted[i][k], 4);
        ASSERT_NEAR(a, b, 1e-4f * std::max(1.f, std::fabs(b))) << "element " << k / 4;
      }
    }
  }
}

class Xnnpack : public testing::Test {
 protected:
  void SetUp() override {
    if (!DetectIsa().xnnpack) GTEST_SKIP() << "this build is without XNNPACK";
    IsaSet used;
    ASSERT_EQ(ChooseIsa(nullptr, &used), OCTET_OK);
    if (!used.xnnpack) GTEST_SKIP() << "OCTET_ISA leaves XNNPACK out";
  }
};

int32_t OutSize(int32_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pads) {
  return (in + pads - ((kernel - 1) * dilation + 1)) / stride + 1;
}

TEST_F(Xnnpack, ConvolutionsOfRandomShapes) {
  for (int round = 0; round < 80; ++round) {
    const bool depthwise = Draw(0, 1) != 0;
    const int32_t groups = !depthwise && Draw(0, 3) == 0 ? Draw(2, 3) : 1;
    const int32_t in_c = groups * Draw(1, 20);
    fb::Conv2DOptionsT o;
    const int32_t kh = Draw(1, 4), kw = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.dilation_h = Draw(1, 2), o.dilation_w = Draw(1, 2);
    o.pad_top = Draw(0, 2), o.pad_left = Draw(0, 2);
    if (Draw(0, 1)) o.act_min_f = 0, o.act_max_f = 0.5f;
    const Dims in = {Draw(1, 2), Draw(8, 12), Draw(8, 15), in_c};
    const int32_t out_c = depthwise ? in_c * Draw(1, 2) : groups * Draw(1, 20);
    const Dims out = {in[0], OutSize(in[1], kh, o.stride_h, o.dilation_h, o.pad_top + Draw(0, 2)),
                      OutSize(in[2], kw, o.stride_w, o.dilation_w, o.pad_left + Draw(0, 2)), out_c};
    GraphMaker m;
    const int32_t x = m.Input(in, DType::FLOAT32), y = m.Activation(out, DType::FLOAT32);
    const int32_t w =
        Constant(&m, depthwise ? Dims{1, kh, kw, out_c} : Dims{out_c, kh, kw, in_c / groups});
    const int32_t b = Draw(0, 1) ? Constant(&m, {out_c}) : -1;
    m.Add(depthwise ? OpKind::DEPTHWISE_CONV_2D : OpKind::CONV_2D, {x, w, b}, {y}, o);
    m.graph.outputs = {y};
    SCOPED_TRACE(round);
    Compare(m.graph, 1);
    if (HasFailure()) return;
  }
}

TEST_F(Xnnpack, TransposeConvolutionsOfRandomShapes) {
  for (int round = 0; round < 40; ++round) {
    fb::Conv2DOptionsT o;
    const int32_t kh = Draw(1, 4), kw = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.pad_top = Draw(0, kh - 1), o.pad_left = Draw(0, kw - 1);
    const Dims in = {Draw(1, 2), Draw(3, 6), Draw(3, 6), Draw(1, 9)};
    const Dims out = {in[0], (in[1] - 1) * o.stride_h + kh - o.pad_top - Draw(0, 1) + Draw(0, 1),
                      (in[2] - 1) * o.stride_w + kw - o.pad_left, Draw(1, 19)};
    GraphMaker m;
    const int32_t x = m.Input(in, DType::FLOAT32), y = m.Activation(out, DType::FLOAT32);
    m.Add(OpKind::TRANSPOSE_CONV,
          {x, Constant(&m, {out[3], kh, kw, in[3]}), Constant(&m, {out[3]})}, {y}, o);
    m.graph.outputs = {y};
    SCOPED_TRACE(round);
    Compare(m.graph, -1);
    if (HasFailure()) return;
  }
}

TEST_F(Xnnpack, PoolsOfRandomShapes) {
  for (int round = 0; round < 60; ++round) {
    fb::PoolOptionsT o;
    o.filter_h = Draw(1, 4), o.filter_w = Draw(1, 4);
    o.stride_h = Draw(1, 3), o.stride_w = Draw(1, 3);
    o.pad_top = Draw(0, o.filter_h - 1), o.pad_left = Draw(0, o.filter_w - 1);
    const Dims in = {Draw(1, 2), Draw(5, 9), Draw(5, 9), Draw(1, 40)};
    const bool global = Draw(0, 3) == 0;
    if (global) o.filter_h = in[1], o.filter_w = in[2], o.pad_top = o.pad_left = 0;
    const Dims out = {in[0], OutSize(in[1], o.filter_h, o.stride_h, 1, o.pad_top),
                      OutSize(in[2], o.filter_w, o.stride_w, 1, o.pad_left), in[3]};
    GraphMaker m;
    const int32_t x = m.Input(in, DType::FLOAT32), y = m.Activation(out, DType::FLOAT32);
    m.Add(Draw(0, 1) ? OpKind::AVERAGE_POOL_2D : OpKind::MAX_POOL_2D, {x}, {y}, o);
    m.graph.outputs = {y};
    SCOPED_TRACE(round);
    Compare(m.graph, -1);
    if (HasFailure()) return;
  }
}

TEST_F(Xnnpack, SumsOfScalars) {
  for (const OpKind kind : {OpKind::ADD, OpKind::SUB, OpKind::MUL}) {
    GraphMaker m;
    const int32_t a = m.Input({}, DType::FLOAT32), b = m.Input({}, DType::FLOAT32);
    const int32_t y = m.Activation({}, DType::FLOAT32);
    m.Add(kind, {a, b}, {y}, fb::ElementwiseOptionsT{});
    m.graph.outputs = {y};
    Compare(m.graph, 1);
  }
}

// Everything else that XNNPACK takes, in one network.
Graph FloatNetwork() {
  GraphMaker m;
  const auto tensor = [&](const Dims& dims) { return m.Activation(dims, DType::FLOAT32); };
  const int32_t x = m.Input({1, 9, 9, 3}, DType::FLOAT32);
  const Dims image = {1, 9, 9, 16};
  fb::Conv2DOptionsT conv;
  conv.pad_top = conv.pad_left = 1;
  const int32_t a = tensor(image), b = tensor(image), c = tensor(image), d = tensor(image),
                e = tensor(image), f = tensor({1, 16}), g = tensor({1, 5}), y = tensor({1, 5}),
                s = tensor(image);
  m.Add(OpKind::CONV_2D, {x, Constant(&m, {16, 3, 3, 3}), Constant(&m, {16})}, {a}, conv);
  m.Append(OpKind::HARD_SWISH, {a}, {b});
  m.Append(OpKind::LOGISTIC, {b}, {c});
  m.Add(OpKind::MUL, {c, Constant(&m, {16})}, {d}, fb::ElementwiseOptionsT{});
  m.Add(OpKind::ADD, {d, b}, {e}, fb::ElementwiseOptionsT{});
  m.Add(OpKind::SUB, {e, Constant(&m, {1})}, {s}, fb::ElementwiseOptionsT{});
  fb::ReduceOptionsT mean;
  mean.axes = {1, 2};
  m.Add(OpKind::MEAN, {s}, {f}, mean);
  m.Add(OpKind::FULLY_CONNECTED, {f, Constant(&m, {5, 16}), Constant(&m, {5})}, {g},
        fb::FullyConnectedOptionsT{});
  m.Add(OpKind::SOFTMAX, {g}, {y}, fb::SoftmaxOptionsT{});
  m.graph.outputs = {y};
  return m.graph;
}

TEST_F(Xnnpack, TakesEveryOperatorOfANetwork) { Compare(FloatNetwork(), 9); }

TEST_F(Xnnpack, StatedBytesAreTheBytesTaken) {
  const Bytes file = WriteGraph(FloatNetwork());
  CountingAllocator for_model, for_session;
  octet_allocator a = for_model.get(), b = for_session.get();
  ModelOptions model_options;
  ASSERT_EQ(octet_model_options_set_allocator(model_options.get(), &a), OCTET_OK);
  size_t model_bytes = 0;
  {
    const LoadedModel model(file, model_options.get());
    ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
    ASSERT_EQ(XnnSteps(model.get()), 9u);
    SessionOptions options;
    ASSERT_EQ(octet_session_options_set_allocator(options.get(), &b), OCTET_OK);
    octet_memory memory = {};
    memory.struct_size = sizeof memory;
    ASSERT_EQ(octet_session_memory(model.get(), options.get(), &memory), OCTET_OK);
    model_bytes = memory.model_bytes;
    EXPECT_EQ(for_model.held, memory.model_bytes);
    Session session(model.get(), options.get());
    ASSERT_EQ(session.status(), OCTET_OK) << octet_last_error();
    EXPECT_EQ(for_session.held, memory.session_bytes + memory.arena_bytes);
    EXPECT_EQ(memory.total_bytes, for_model.held + for_session.held);
    const size_t calls = for_session.calls + for_model.calls;
    const uint64_t process_calls = AllocationCalls();
    const Bytes input = FloatInput(9 * 9 * 3 * 4);
    const uint64_t of_input = AllocationCalls() - process_calls;
    for (int run = 0; run < 3; ++run) {
      ASSERT_EQ(octet_session_set_input(session.get(), 0, input.data(), input.size()), OCTET_OK);
      ASSERT_EQ(octet_session_run(session.get()), OCTET_OK) << octet_last_error();
    }
    EXPECT_EQ(AllocationCalls() - process_calls, of_input) << "a run allocated";
    EXPECT_EQ(for_session.calls + for_model.calls, calls);
  }
  EXPECT_EQ(for_model.held, 0u);
  EXPECT_EQ(for_session.held, 0u);

  // A limit counts XNNPACK's bytes.
  ASSERT_EQ(octet_model_options_set_ram_limit(model_options.get(), model_bytes - 1), OCTET_OK);
  {
    const LoadedModel refused(file, model_options.get());
    EXPECT_EQ(refused.status(), OCTET_RAM_LIMIT);
    EXPECT_NE(std::strstr(octet_last_error(), std::to_string(model_bytes).c_str()), nullptr);
  }
  EXPECT_EQ(for_model.held, 0u);
  ASSERT_EQ(octet_model_options_set_ram_limit(model_options.get(), model_bytes), OCTET_OK);
  const LoadedModel fits(file, model_options.get());
  EXPECT_EQ(fits.status(), OCTET_OK) << octet_last_error();
}

// What a limit refuses is counted, not kept: no more than one operator at a time beyond the limit.
TEST_F(Xnnpack, LimitsHoldWhileLoading) {
  GraphMaker m;
  int32_t x = m.Input({1, 128}, DType::FLOAT32);
  constexpr size_t kLayers = 8, kLayerBytes = 128 * 128 * sizeof(float);
  for (size_t i = 0; i < kLayers; ++i) {
    const int32_t y = m.Activation({1, 128}, DType::FLOAT32);
    m.Add(OpKind::FULLY_CONNECTED, {x, Constant(&m, {128, 128}), Constant(&m, {128})}, {y},
          fb::FullyConnectedOptionsT{});
    x = y;
  }
  m.graph.outputs = {x};
  const Bytes file = WriteGraph(m.graph);
  CountingAllocator counting;
  octet_allocator allocator = counting.get();
  ModelOptions options;
  ASSERT_EQ(octet_model_options_set_allocator(options.get(), &allocator), OCTET_OK);
  size_t need = 0;
  {
    const LoadedModel model(file, options.get());
    ASSERT_EQ(model.status(), OCTET_OK) << octet_last_error();
    need = counting.held;
    ASSERT_GT(need, kLayers * kLayerBytes);
  }
  for (const size_t limit : {size_t{1}, 2 * kLayerBytes, need / 2, need - 1}) {
    counting.peak = 0;
    ASSERT_EQ(octet_model_options_set_ram_limit(options.get(), limit), OCTET_OK);
    const LoadedModel refused(file, options.get());
    EXPECT_EQ(refused.status(), OCTET_RAM_LIMIT);
    EXPECT_NE(std::strstr(octet_last_error(), std::to_string(need).c_str()), nullptr)
        << octet_last_error();
    EXPECT_LT(counting.peak, limit + 3 * kLayerBytes / 2);
    EXPECT_EQ(counting.held, 0u);
  }
}

// However many allocations succeed, loading and running end well and leave nothing behind.
TEST_F(Xnnpack, SurvivesWithoutMemory) {
  const Bytes file = WriteGraph(FloatNetwork());
  bool whole = false;
  for (size_t n = 0; n < 200 && !whole; ++n) {
    CountingAllocator allocator;
    allocator.fail_at = n;
    octet_allocator a = allocator.get();
    ModelOptions options;
    ASSERT_EQ(octet_model_options_set_allocator(options.get(), &a), OCTET_OK);
    {
      const LoadedModel model(file, options.get());
      if (model.status() == OCTET_OK) {
        const Session session(model.get());
        if (session.status() == OCTET_OK) {
          EXPECT_EQ(octet_session_run(session.get()), OCTET_OK);
          whole = allocator.calls <= n;
        }
      } else {
        EXPECT_EQ(model.status(), OCTET_OUT_OF_MEMORY);
      }
    }
    EXPECT_EQ(allocator.blocks(), 0u) << n;
  }
  EXPECT_TRUE(whole);
}

TEST_F(Xnnpack, SessionsOfTwoThreadsShareAModel) {
  const Bytes file = WriteGraph(FloatNetwork());
  const Model model(file);
  ASSERT_NE(model.get(), nullptr);
  const std::vector<Bytes> inputs[2] = {FloatInputs(model.get()), FloatInputs(model.get())};
  const std::vector<Bytes> wanted[2] = {RunOnce(model.get(), inputs[0], 1),
                                        RunOnce(model.get(), inputs[1], 1)};
  ASSERT_NE(wanted[0], wanted[1]);
  const auto work = [&](size_t which) {
    for (int run = 0; run < 50; ++run) {
      EXPECT_EQ(RunOnce(model.get(), inputs[which], 1), wanted[which]);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
}

TEST_F(Xnnpack, HasNothingToDoWithIntegerModels) {
  const Model model(WriteGraph(SampleGraph(8)));
  ASSERT_NE(model.get(), nullptr);
  EXPECT_EQ(XnnSteps(model.get()), 0u);
}

}  // namespace
}  // namespace octet::test
