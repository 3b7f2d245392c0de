// The Observer shows every value of a graph, inputs and views included, under the tensor's index.
#include "src/compiler/observe.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

namespace octet {
namespace {

int32_t Add(Graph* g, const char* name, std::vector<int32_t> shape) {
  GraphTensor t;
  t.name = name;
  t.type = DType::FLOAT32;
  t.shape = std::move(shape);
  return g->AddTensor(std::move(t));
}

void Emit(Graph* g, OpKind kind, std::vector<int32_t> inputs, int32_t output) {
  GraphOp op;
  op.kind = kind;
  op.name = "op";
  op.inputs = std::move(inputs);
  op.outputs = {output};
  if (kind == OpKind::ADD) op.options.Set(fb::ElementwiseOptionsT{});
  g->ops.push_back(std::move(op));
}

// y = exp(reshape(x + 1)).
struct Example {
  Graph g;
  int32_t one, x, sum, flat, y;
  Example() {
    const float value = 1;
    one = g.AddConstant("one", DType::FLOAT32, {1}, &value);
    x = Add(&g, "x", {2, 2});
    sum = Add(&g, "sum", {2, 2});
    flat = Add(&g, "flat", {4});
    y = Add(&g, "y", {4});
    Emit(&g, OpKind::ADD, {x, one}, sum);
    Emit(&g, OpKind::RESHAPE, {sum}, flat);
    Emit(&g, OpKind::EXP, {flat}, y);
    g.inputs = {x};
    g.outputs = {y};
  }
};

TEST(Observer, ShowsEveryValueOfEveryRun) {
  const Example e;
  std::unique_ptr<Observer> observer;
  ASSERT_EQ(Observer::Create(e.g, {}, &observer), OCTET_OK) << octet_last_error();
  EXPECT_STREQ(observer->view(e.sum).name, "sum");
  for (float start : {0.f, -2.f}) {
    const float x[4] = {start, start + 1, start + 2, start + 3};
    std::map<int32_t, std::vector<float>> seen;
    std::vector<int32_t> order;
    ASSERT_EQ(observer->Run({{reinterpret_cast<const uint8_t*>(x), sizeof x}},
                            [&](int32_t tensor, const TensorView& view, const void* data) {
                              order.push_back(tensor);
                              seen[tensor].resize(4);
                              ASSERT_EQ(view.bytes(), sizeof x);
                              std::memcpy(seen[tensor].data(), data, view.bytes());
                            }),
              OCTET_OK)
        << octet_last_error();
    EXPECT_EQ(order, (std::vector<int32_t>{e.x, e.sum, e.flat, e.y}));
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(seen[e.x][i], x[i]);
      EXPECT_EQ(seen[e.sum][i], x[i] + 1);
      EXPECT_EQ(seen[e.flat][i], x[i] + 1);
      EXPECT_FLOAT_EQ(seen[e.y][i], std::exp(x[i] + 1));
    }
  }
}

TEST(Observer, RefusesInputsThatDoNotFit) {
  const Example e;
  std::unique_ptr<Observer> observer;
  ASSERT_EQ(Observer::Create(e.g, {}, &observer), OCTET_OK);
  const uint8_t bytes[15] = {};
  const auto ignore = [](int32_t, const TensorView&, const void*) {};
  EXPECT_NE(observer->Run({}, ignore), OCTET_OK);
  EXPECT_NE(observer->Run({{bytes, sizeof bytes}}, ignore), OCTET_OK);
  ObserverOptions options;
  options.isa = "no such thing";
  EXPECT_NE(Observer::Create(e.g, options, &observer), OCTET_OK);
}

}  // namespace
}  // namespace octet
