// The ONNX importer: models made here, against plain loops in ONNX's own order; and broken ones.
#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/onnx/support.h"

namespace octet {
namespace {

using namespace onnx_test;

// ---- What the nodes mean, in NCHW ------------------------------------------------------------

TEST(Onnx, Convolutions) {
  struct Case {
    Shape x, w;
    ConvShape s;
  };
  const Case cases[] = {
      {{1, 3, 7, 9}, {5, 3, 3, 3}, {}},
      {{2, 4, 8, 7}, {6, 2, 3, 2}, {2, 1, 1, 2, 1, 0, 0, 2}},  // two groups, odd padding
      {{1, 4, 9, 9}, {8, 1, 3, 3}, {2, 2, 1, 4, 1, 1, 1, 1}},  // depthwise, two a channel
      {{1, 2, 9, 8}, {3, 2, 2, 3}, {1, 1, 2, 1, 0, 3, 1, 0}},  // dilated
  };
  for (const Case& c : cases) {
    const Tensor x = Random(c.x, 1), w = Random(c.w, 2);
    const Tensor b = Random({c.w[0]}, 3);
    OnnxMaker m;
    m.Input("x", c.x);
    m.Floats("w", c.w, w.values);
    m.Floats("b", {c.w[0]}, b.values);
    m.Node("Conv", {"x", "w", "b"}, "y");
    m.IntList("strides", {c.s.stride_y, c.s.stride_x});
    m.IntList("dilations", {c.s.dilation, c.s.dilation});
    m.IntList("pads", {c.s.top, c.s.left, c.s.bottom, c.s.right});
    m.Int("group", c.s.group);
    m.Output("y");
    ExpectNear(RunModel(m, {x}), Conv(x, w, b.values, c.s).values);
  }
}

TEST(Onnx, ConvolutionsAlongOneAxis) {
  const Tensor x = Random({1, 3, 1, 11}, 1), w = Random({4, 3, 1, 5}, 2);
  OnnxMaker m;
  m.Input("x", {1, 3, 11});
  m.Floats("w", {4, 3, 5}, w.values);
  m.Node("Conv", {"x", "w"}, "y");
  m.IntList("strides", {2});
  m.IntList("pads", {2, 1});
  m.Output("y");
  ConvShape s;
  s.stride_x = 2, s.left = 2, s.right = 1;
  ExpectNear(RunModel(m, {x}), Conv(x, w, {}, s).values);
}

TEST(Onnx, FoldsBatchNormalization) {
  const Tensor x = Random({1, 3, 5, 5}, 1), w = Random({4, 3, 3, 3}, 2);
  const Floats scale = {1, -2, 0.5f, 3}, bias = {0, 1, 2, 3}, mean = {0.1f, 0.2f, 0.3f, 0.4f},
               variance = {1, 2, 3, 0.5f};
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", w.shape, w.values);
  m.Node("Conv", {"x", "w"}, "c");
  m.Node("BatchNormalization",
         {"c", m.Floats("s", {4}, scale), m.Floats("b", {4}, bias), m.Floats("m", {4}, mean),
          m.Floats("v", {4}, variance)},
         "y");
  m.Output("y");
  Tensor y = Conv(x, w, {}, {});
  for (size_t i = 0; i < y.values.size(); ++i) {
    const size_t c = i / 9;
    y.values[i] = (y.values[i] - mean[c]) / std::sqrt(variance[c] + 1e-5f) * scale[c] + bias[c];
  }
  ExpectNear(RunModel(m, {x}), y.values);
  Graph graph;
  const Bytes file = m.File();
  ASSERT_EQ(ImportOnnx(file.data(), file.size(), {}, &graph), OCTET_OK);
  EXPECT_EQ(graph.ops.size(), 3u);  // two transposes and the convolution
}

TEST(Onnx, TransposedConvolution) {
  const Tensor x = Random({1, 3, 4, 5}, 1), w = Random({3, 2, 3, 2}, 2);
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", w.shape, w.values);
  m.Node("ConvTranspose", {"x", "w"}, "y");
  m.IntList("strides", {2, 3});
  m.IntList("pads", {1, 0, 0, 1});
  m.IntList("output_padding", {1, 0});
  m.Output("y");
  Tensor y{{1, 2, 2 * 3 + 3 + 1 - 1, 3 * 4 + 2 - 1}, {}};
  y.values.assign(Count(y.shape), 0);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t o = 0; o < 2; ++o)
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 5; ++j)
          for (int64_t a = 0; a < 3; ++a)
            for (int64_t b = 0; b < 2; ++b) {
              const int64_t yy = i * 2 + a - 1, xx = j * 3 + b;
              if (yy < 0 || xx < 0 || yy >= y.shape[2] || xx >= y.shape[3]) continue;
              y.values[y.index(0, o, yy, xx)] += x.at(0, c, i, j) * w.at(c, o, a, b);
            }
  ExpectNear(RunModel(m, {x}), y.values);
}

TEST(Onnx, Pools) {
  for (const bool average : {false, true}) {
    for (const bool count : {false, true}) {
      for (const bool ceil : {false, true}) {
        if (count && (!average || ceil)) continue;
        const Tensor x = Random({1, 2, 7, 8}, 5);
        OnnxMaker m;
        m.Input("x", x.shape);
        m.Node(average ? "AveragePool" : "MaxPool", {"x"}, "y");
        m.IntList("kernel_shape", {3, 2});
        m.IntList("strides", {2, 3});
        m.IntList("pads", {1, 0, 1, 1});
        if (average) m.Int("count_include_pad", count);
        m.Int("ceil_mode", ceil);
        m.Output("y");
        // Rounded up, the last column would begin behind the input: it is dropped.
        const int64_t h = (7 + 2 - 3 + (ceil ? 1 : 0)) / 2 + 1, w = (8 + 1 - 2) / 3 + 1;
        Floats wanted;
        for (int64_t c = 0; c < 2; ++c)
          for (int64_t i = 0; i < h; ++i)
            for (int64_t j = 0; j < w; ++j) {
              float sum = 0, most = -1e9f;
              int n = 0;
              for (int64_t a = 0; a < 3; ++a)
                for (int64_t b = 0; b < 2; ++b) {
                  const int64_t yy = i * 2 - 1 + a, xx = j * 3 + b;
                  if (yy < 0 || yy >= 7 || xx >= 8) continue;
                  sum += x.at(0, c, yy, xx);
                  most = std::max(most, x.at(0, c, yy, xx));
                  ++n;
                }
              wanted.push_back(average ? sum / static_cast<float>(count ? 6 : n) : most);
            }
        ExpectNear(RunModel(m, {x}), wanted);
      }
    }
  }
}

TEST(Onnx, FlattenGoesIntoTheWeights) {
  const Tensor x = Random({1, 3, 2, 4}, 1), w = Random({5, 24, 1, 1}, 2);
  OnnxMaker m;
  m.Input("x", x.shape);
  m.Floats("w", {5, 24}, w.values);
  m.Node("Flatten", {m.Node("Relu", {Last(&m, "x", 3)}, "r")}, "f");
  m.Node("Gemm", {"f", "w", m.Floats("b", {5}, {1, 2, 3, 4, 5})}, "y");
  m.Int("transB", 1);
  m.Output("y");
  Floats wanted;
  for (size_t o = 0; o < 5; ++o) {
    float sum = static_cast<float>(o) + 1;
    for (size_t k = 0; k < 24; ++k) sum += std::max(x.values[k], 0.f) * w.values[o * 24 + k];
    wanted.push_back(sum);
  }
  ExpectNear(RunModel(m, {x}), wanted);
  compiler::ConvertOptions options;
  options.import.channels_last_inputs = true;
  const Bytes file = m.File();
  Graph graph;
  OnnxOptions onnx;
  onnx.channels_last_inputs = true;
  ASSERT_EQ(ImportOnnx(file.data(), file.size(), onnx, &graph), OCTET_OK);
  EXPECT_EQ(graph.tensors[static_cast<size_t>(graph.inputs[0])].shape,
            (std::vector<int32_t>{1, 2, 4, 3}));
  for (const GraphOp& op : graph.ops) EXPECT_NE(op.kind, OpKind::TRANSPOSE);
}

// f gets the index in NCHW of each element of the result.
void ExpectMoved(OnnxMaker* m, const Tensor& x, const std::string& type,
                 const std::vector<std::string>& more, const std::function<void()>& attributes,
                 const std::vector<size_t>& picked) {
  std::vector<std::string> inputs = {Last(m, "x", x.shape[1])};
  inputs.insert(inputs.end(), more.begin(), more.end());
  m->Node(type, inputs, "y");
  if (attributes) attributes();
  m->Output("y");
  Floats wanted;
  for (const size_t i : picked) wanted.push_back(x.values[i]);
  ExpectNear(RunModel(*m, {x}), wanted, 0);
}

TEST(Onnx, MovesValuesWhateverTheLayout) {
  const Tensor x = Random({1, 4, 3, 5}, 7);
  const auto start = [&] {
    OnnxMaker m;
    m.Input("x", x.shape);
    return m;
  };
  std::vector<size_t> all(60), picked;
  for (size_t i = 0; i < 60; ++i) all[i] = i;
  OnnxMaker m = start();
  ExpectMoved(&m, x, "Reshape", {m.Ints("shape", {2, -1, 5})}, nullptr, all);
  m = start();
  for (size_t k = 0; k < 3; ++k)  // [0,2,1,3]
    for (size_t c = 0; c < 4; ++c)
      for (size_t j = 0; j < 5; ++j) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(
      &m, x, "Transpose", {},
      [&] {
        m.IntList("perm", {0, 2, 1, 3});
      },
      picked);
  m = start();
  picked.clear();
  for (size_t k = 0; k < 3; ++k)  // to NHWC, which it is
    for (size_t j = 0; j < 5; ++j)
      for (size_t c = 0; c < 4; ++c) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(
      &m, x, "Transpose", {},
      [&] {
        m.IntList("perm", {0, 2, 3, 1});
      },
      picked);
  m = start();
  picked.clear();
  for (size_t c = 4; c-- > 1;)  // channels 3, 2, 1; columns 1, 3
    for (size_t k = 0; k < 3; ++k)
      for (size_t j = 1; j < 5; j += 2) picked.push_back((c * 3 + k) * 5 + j);
  ExpectMoved(&m, x, "Slice",
              {m.Ints("starts", {-1, 1}), m.Ints("ends", {0, 100}), m.Ints("axes", {1, -1}),
               m.Ints("steps", {-1, 2})},
              nullptr, picked);
  m = start();
  picked.clear();
  for (const size_t c : {2u, 0u, 2u})
    for (size_t i = 0; i < 15; ++i) picked.push_back(c * 15 + i);
  ExpectMoved(
      &m, x, "Gather", {m.Ints("which", {2, 0, -2})}, [&] { m.Int("axis", 1); }, picked);
  m = start();
  picked.clear();
  for (size_t c = 0; c < 4; ++c)  // one row, without its axis
    for (size_t j = 0; j < 5; ++j) picked.push_back((c * 3 + 1) * 5 + j);
  m.Constant<int64_t>("one", {}, {1}, test::kS64);
  ExpectMoved(
      &m, x, "Gather", {"one"}, [&] { m.Int("axis", 2); }, picked);
  for (const char* mode : {"DCR", "CRD"}) {
    m = start();
    picked.clear();
    const Tensor deep = Random({1, 8, 3, 5}, 7);
    OnnxMaker d;
    d.Input("x", deep.shape);
    for (size_t c = 0; c < 2; ++c)
      for (size_t y = 0; y < 6; ++y)
        for (size_t j = 0; j < 10; ++j) {
          const size_t block = y % 2 * 2 + j % 2;
          const size_t from = mode[0] == 'D' ? block * 2 + c : c * 4 + block;
          picked.push_back((from * 3 + y / 2) * 5 + j / 2);
        }
    ExpectMoved(
        &d, deep, "DepthToSpace", {},
        [&] {
          d.Int("blocksize", 2);
          d.String("mode", mode);
        },
        picked);
  }
}

TEST(Onnx, BroadcastsAsOnnxDoes) {
  const Tensor x = Random({1, 3, 2, 4}, 1);
  const Shape shapes[] = {{}, {4}, {3, 1, 1}, {2, 4}, {1, 3, 1, 1}, {1, 1, 2, 1}};
  for (const Shape& shape : shapes) {
    for (const char* type : {"Add", "Sub", "Mul", "Div", "Max"}) {
      const Tensor b = Random(shape, 9, 3);
      OnnxMaker m;
      m.Input("x", x.shape);
      m.Node(type, {Last(&m, "x", 3), m.Floats("b", shape, b.values)}, "y");
      m.Output("y");
      Shape full(4 - shape.size(), 1);
      full.insert(full.end(), shape.begin(), shape.end());
      const Tensor wide{full, b.values};
      Floats wanted;
      for (int64_t c = 0; c < 3; ++c)
        for (int64_t i = 0; i < 2; ++i)
          for (int64_t j = 0; j < 4; ++j) {
            const float v = x.at(0, c, i, j);
            const float w =
                wide.at(0, full[1] == 1 ? 0 : c, full[2] == 1 ? 0 : i, full[3] == 1 ? 0 : j);
            wanted.push_back(type[0] == 'A'   ? v + w
                             : type[0] == 'S' ? v - w
                             : type[1] == 'u' ? v * w
                             : type[0] == 'D' ? v / w
                                              : std::max(v, w));
          }
      ExpectNear(RunModel(m, {x}), wanted);
    }
  }
}

TEST(Onnx, ReducesAndNormalises) {
  const Tensor x = Random({1, 3, 2, 4}, 4);
  for (const bool keep : {false, true}) {
    OnnxMaker m;
    m.Input("x", x.shape);
    m.Node("ReduceMean", {Last(&m, "x", 3)}, "y");
    m.IntList("axes", {2, -1});
    m.Int("keepdims", keep);
    m.Output("y");
    Floats wanted;
    for (size_t c = 0; c < 3; ++c) {
      float sum = 0;
      for (size_t i = 0; i < 8; ++i) sum += x.values[c * 8 + i];
      wanted.push_back(sum / 8);
    }
    ExpectNear(RunModel(m, {x}), wanted);
  }
  for (const int64_t axis : {1, 2, 3}) {
    OnnxMaker m;
    m.Input("x", x.shape);
    m.Node("Softmax", {Last(&m, "x", 3)}, "y");
    m.Int("axis", axis);
    m.Output("y");
    const size_t stride = axis == 1 ? 8 : axis == 2 ? 4 : 1;
    const size_t size = static_cast<size_t>(x.shape[static_cast<size_t>(axis)]);
    Floats wanted(24);
    for (size_t i = 0; i < 24; ++i) {
      const size_t first = i - i / stride % size * stride;
      double sum = 0;
      for (size_t k = 0; k < size; ++k) sum += std::exp(double{x.values[first + k * stride]});
      wanted[i] = static_cast<float>(std::exp(double{x.values[i]}) / sum);
    }
    ExpectNear(RunModel(m, {x}), wanted, 1e-5f);
  }
}

TEST(Onnx, HardSwishInAllItsForms) {
  const Tensor x = Random({1, 2, 3, 4}, 3, 6);
  Floats wanted;
  for (const float v : x.values) wanted.push_back(v * std::min(std::max(v + 3, 0.f), 6.f) / 6);
  for (int form = 0; form < 4; ++form) {
    OnnxMaker m(form == 0 ? 14 : 13);
    m.Input("x", x.shape);
    m.Floats("3", {}, {3});
    m.Floats("0", {}, {0});
    m.Floats("6", {}, {6});
    m.Floats("1/6", {}, {1.f / 6});
    if (form == 0) m.Node("HardSwish", {"x"}, "y");
    if (form == 1) {
      m.Node("HardSigmoid", {"x"}, "g");
      m.Float("alpha", 1.f / 6);
      m.Node("Mul", {"x", "g"}, "y");
    }
    if (form >= 2) m.Node("Clip", {m.Node("Add", {"x", "3"}, "a"), "0", "6"}, "c");
    if (form == 2) m.Node("Div", {m.Node("Mul", {"x", "c"}, "p"), "6"}, "y");
    if (form == 3) m.Node("Mul", {m.Node("Mul", {"c", "1/6"}, "p"), "x"}, "y");
    m.Output("y");
    ExpectNear(RunModel(m, {x}), wanted, 1e-5f);
    const Bytes file = m.File();
    Graph graph;
    ASSERT_EQ(ImportOnnx(file.data(), file.size(), {}, &graph), OCTET_OK);
    EXPECT_EQ(graph.ops.back().kind, OpKind::HARD_SWISH) << form;
  }
}

TEST(Onnx, ComputesShapesWhileImporting) {
  const Tensor x = Random({2, 3, 4, 4}, 3);
  OnnxMaker m;
  m.Input("x", {0, 3, 0, 0});  // open sizes
  m.Node("Shape", {"x"}, "shape");
  m.Constant<int64_t>("zero", {}, {0}, test::kS64);
  m.Node("Gather", {"shape", "zero"}, "batch");
  m.Node("Unsqueeze", {"batch", m.Ints("axis0", {0})}, "batch1");
  m.Node("Concat", {"batch1", m.Ints("rest", {-1})}, "target");
  m.Int("axis", 0);
  m.Node("Reshape", {"x", "target"}, "y");
  m.Output("y");
  EXPECT_SAYS(Refusal(m), "give its shape with --shape x=");
  compiler::ConvertOptions options;
  options.import.input_shapes = {{"x", {2, 3, 4, 4}}};
  ExpectNear(RunModel(m, {x}, options), x.values, 0);
  options.import.input_shapes = {{"x", {2, 4, 4, 4}}};
  const Bytes source = m.File();
  Bytes file;
  EXPECT_EQ(compiler::Convert(source.data(), source.size(), options, &file, nullptr),
            OCTET_INVALID_ARGUMENT);
}

// ---- What is refused -------------------------------------------------------------------------

OnnxMaker Small() {
  OnnxMaker m;
  m.Input("x", {1, 3, 6, 6});
  m.Floats("w", {4, 3, 3, 3}, Floats(108, 0.1f));
  m.Node("Conv", {"x", "w"}, "c");
  m.IntList("pads", {1, 1, 1, 1});
  m.Node("Relu", {"c"}, "r");
  m.Node("MaxPool", {"r"}, "p");
  m.IntList("kernel_shape", {2, 2});
  m.Node("Reshape", {"p", m.Ints("shape", {1, -1})}, "y");
  m.Output("y");
  return m;
}

TEST(Onnx, NamesAllThatItCannotRunAtOnce) {
  OnnxMaker m;
  m.Input("x", {1, 3, 6, 6});
  m.Node("NonZero", {"x"}, "a");
  m.Node("Relu", {"a"}, "b");
  m.Node("Det", {"x"}, "c");
  m.Node("StringSplit", {"b", "c"}, "d");
  m.Output("d");
  const std::string error = Refusal(m);
  EXPECT_SAYS(error, "NonZero");
  EXPECT_SAYS(error, "Det");
  EXPECT_SAYS(error, "StringSplit");
  EXPECT_SAYS(error, "float32[1,3,6,6] \"x\"");
  EXPECT_EQ(error.find("Relu"), std::string::npos) << error;
}

TEST(Onnx, RefusesNonsense) {
  OnnxMaker m = Small();
  m.graph().mutable_node(0)->set_input(1, "nowhere");
  EXPECT_SAYS(Refusal(m), "reads \"nowhere\", which nothing before it computes");

  m = Small();  // a loop
  m.graph().mutable_node(0)->set_input(0, "p");
  EXPECT_SAYS(Refusal(m), "reads \"p\", which nothing before it computes");

  m = Small();
  m.graph().mutable_node(1)->set_output(0, "c");
  EXPECT_SAYS(Refusal(m), "\"c\" is written by two nodes");

  m = Small();
  m.graph().mutable_node(0)->mutable_attribute(0)->set_type(1);
  EXPECT_SAYS(Refusal(m), "the attribute pads is not a list of integers");

  m = Small();
  m.graph().mutable_node(0)->mutable_attribute(0)->set_ints(0, -7);
  EXPECT_SAYS(Refusal(m), "the attribute pads has -7");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(0, 5);
  EXPECT_SAYS(Refusal(m), "initializer \"w\" has 432 values or bytes");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(0, -1);
  EXPECT_SAYS(Refusal(m), "has a dimension of -1");

  m = Small();
  m.graph().mutable_initializer(0)->set_dims(1, int64_t{1} << 60);
  EXPECT_SAYS(Refusal(m), "has a dimension of");

  m = Small();
  m.graph().mutable_output(0)->set_name("nothing");
  EXPECT_SAYS(Refusal(m), "nothing computes the output \"nothing\"");

  m = Small();
  m.model.mutable_opset_import(0)->set_version(3);
  EXPECT_SAYS(Refusal(m), "opset 3; 7 to 21 are supported");

  m = Small();
  m.model.clear_graph();
  EXPECT_SAYS(Refusal(m), "it has no graph");
}

TEST(Onnx, ReadsDataBesideTheModelOnly) {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / ("octet_onnx_test_" + std::to_string(getpid()));
  fs::create_directories(folder / "model");
  const Floats values(108, 0.25f);
  for (const fs::path& path : {folder / "outside.bin", folder / "model" / "weights.bin"}) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), 432);
  }
  std::error_code error;
  fs::create_symlink(folder / "outside.bin", folder / "model" / "link.bin", error);
  const auto import = [&](const std::string& location, const std::string& offset) {
    OnnxMaker m = Small();
    auto* t = m.graph().mutable_initializer(0);
    t->clear_raw_data();
    t->set_data_location(1);
    for (const auto& [key, value] :
         {std::pair<std::string, std::string>{"location", location}, {"offset", offset}}) {
      auto* entry = t->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    const Bytes file = m.File();
    OnnxOptions options;
    options.directory = (folder / "model").string();
    Graph graph;
    return ImportOnnx(file.data(), file.size(), options, &graph) == OCTET_OK ? std::string("read")
                                                                             : octet_last_error();
  };
  EXPECT_EQ(import("weights.bin", "0"), "read");
  EXPECT_SAYS(import("weights.bin", "4"), "beyond the end");
  EXPECT_SAYS(import("weights.bin", "-4"), "with offset \"-4\"");
  EXPECT_SAYS(import("../outside.bin", "0"), "not beside the model");
  EXPECT_SAYS(import((folder / "outside.bin").string(), "0"), "not beside the model");
  EXPECT_SAYS(import("missing.bin", "0"), "cannot be read");
  if (!error) {
    EXPECT_SAYS(import("link.bin", "0"), "not beside the model");
  }
  fs::remove_all(folder);
}

// Whatever comes out, it must come out: sanitizers see the rest.
void ImportAnything(const Bytes& file) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[file.size() + 1]);
  std::copy(file.begin(), file.end(), copy.get());
  Graph graph;
  if (ImportOnnx(copy.get(), file.size(), {}, &graph) == OCTET_OK) {
    EXPECT_EQ(CheckGraph(graph), OCTET_OK);
  } else {
    EXPECT_NE(std::string(octet_last_error()), "");
  }
}

TEST(Onnx, SurvivesTruncationAndDamage) {
  const Bytes file = Small().File();
  for (size_t size = 0; size < file.size(); ++size) {
    ImportAnything(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size)));
  }
  uint32_t random = 1;
  const auto next = [&random] { return (random = random * 1664525u + 1013904223u) >> 8; };
  for (int i = 0; i < 3000; ++i) {
    Bytes damaged = file;
    for (uint32_t flips = next() % 4 + 1; flips > 0; --flips) {
      damaged[next() % damaged.size()] ^= static_cast<uint8_t>(1u << next() % 8);
    }
    ImportAnything(damaged);
  }
}

}  // namespace
}  // namespace octet
