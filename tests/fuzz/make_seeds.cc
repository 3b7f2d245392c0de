// make_seeds OUT [ZOO]: seed corpora OUT/load_run, OUT/import and OUT/onnx. Small models made here,
// and the zoo's smaller ones where there is a zoo.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "octet/compiler.h"
#if OCTET_ONNX
#include "tests/support/onnx_maker.h"
#endif
#include "tests/support/sample_model.h"

namespace fs = std::filesystem;
using octet::test::Bytes;

namespace {

void Write(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

#if OCTET_ONNX
// One small model of many kinds of nodes, in float32 and quantised.
Bytes OnnxSeed(bool quantised) {
  using namespace octet::test;
  OnnxMaker m;
  m.Input("x", {1, 2, 6, 6});
  m.Scale("s", 0.02f);
  m.U8("z", 120);
  m.Constant<int8_t>("wq", {4, 2, 3, 3}, std::vector<int8_t>(72, 3), kS8);
  m.Floats("w", {4, 2, 3, 3}, std::vector<float>(72, 0.1f));
  m.Floats("sw", {4}, {0.1f, 0.2f, 0.3f, 0.4f});
  m.Constant<int8_t>("zw", {4}, {0, 0, 0, 0}, kS8);
  std::string x = "x", w = "w";
  const auto pair = [&](const std::string& value) {
    if (!quantised) return value;
    m.Node("QuantizeLinear", {value, "s", "z"}, value + "_q");
    return m.Node("DequantizeLinear", {value + "_q", "s", "z"}, value + "_d");
  };
  if (quantised) {
    x = pair("x");
    w = m.Node("DequantizeLinear", {"wq", "sw", "zw"}, "wd");
    m.Int("axis", 0);
  }
  m.Node("Conv", {x, w}, "c");
  m.IntList("pads", {1, 1, 1, 1});
  m.Node("Relu", {"c"}, "r");
  x = pair("r");
  m.Node("MaxPool", {x}, "p");
  m.IntList("kernel_shape", {2, 2});
  m.Node("Concat", {pair("p"), pair("p")}, "cat");
  m.Int("axis", 1);
  m.Node("Slice", {"cat", m.Ints("b", {1}), m.Ints("e", {7}), m.Ints("a", {1})}, "cut");
  m.Node("Mul", {"cut", m.Node("Sigmoid", {"cut"}, "sig")}, "silu");
  m.Node("Flatten", {pair("silu")}, "f");
  m.Node("MatMul", {"f", m.Floats("m", {150, 3}, std::vector<float>(450, 0.01f))}, "y");
  m.Output("y");
  return m.File();
}
#endif

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const fs::path load_run = fs::path(argv[1]) / "load_run", import = fs::path(argv[1]) / "import";
  fs::create_directories(load_run);
  fs::create_directories(import);
  fs::create_directories(fs::path(argv[1]) / "onnx");
#if OCTET_ONNX
  Write(fs::path(argv[1]) / "onnx/float.onnx", OnnxSeed(false));
  Write(fs::path(argv[1]) / "onnx/quantised.onnx", OnnxSeed(true));
#endif
  using namespace octet::test;
  Write(load_run / "sample.octet", WriteGraph(SampleGraph(8)));
  Write(load_run / "shuffle.octet", WriteGraph(ShuffleGraph()));
  Write(load_run / "shuffle_plain.octet", WriteGraph(ShuffleGraph(), false));
  Write(load_run / "stateful.octet", WriteGraph(StatefulGraph()));
  Write(load_run / "gather.octet", WriteGraph(GatherGraph()));
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(argc > 2 ? argv[2] : "", error)) {
    const fs::path source = entry.path() / "model.tflite";
    if (!fs::exists(source) || fs::file_size(source) > 6000) continue;
    const std::string name = entry.path().filename().string();
    const Bytes bytes = ReadFile(source);
    Write(import / (name + ".tflite"), bytes);
    for (const char* target : {"", "native"}) {  // without and with packs
      octet::compiler::ConvertOptions options;
      options.target = target;
      Bytes file;
      if (octet::compiler::Convert(bytes.data(), bytes.size(), options, &file, nullptr) ==
              OCTET_OK &&
          file.size() <= 8000) {
        Write(load_run / (name + "_" + target + ".octet"), file);
      }
    }
  }
  return 0;
}
