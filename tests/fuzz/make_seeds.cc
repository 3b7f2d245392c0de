// make_seeds OUT [ZOO]: seed corpora OUT/load_run, OUT/import, OUT/onnx and OUT/npy. Small models
// and arrays made here, and the zoo's smaller models where there is a zoo.
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

void Append(Bytes* to, const std::string& text) { to->insert(to->end(), text.begin(), text.end()); }

// Little-endian numbers of 2 or 4 bytes.
void AppendNumbers(Bytes* to, std::initializer_list<std::pair<uint32_t, int>> numbers) {
  for (const auto& [value, bytes] : numbers) {
    for (int i = 0; i < bytes; ++i) to->push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
}

Bytes NpySeed(const std::string& type, const std::string& shape, size_t bytes) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  Bytes file = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  AppendNumbers(&file, {{static_cast<uint32_t>(header.size()), 2}});
  Append(&file, header);
  file.resize(file.size() + bytes, 7);
  return file;
}

// As numpy.savez and, of stored blocks, numpy.savez_compressed write it.
Bytes NpzSeed(bool deflated) {
  Bytes zip, directory;
  for (const char* name : {"x.npy", "y.npy"}) {
    const Bytes array = NpySeed("<f4", "(2, 3)", 24);
    const uint32_t size = static_cast<uint32_t>(array.size());
    Bytes data;
    if (deflated) AppendNumbers(&data, {{1, 1}, {size, 2}, {~size, 2}});  // one block, stored
    data.insert(data.end(), array.begin(), array.end());
    const uint32_t packed = static_cast<uint32_t>(data.size());
    const uint32_t at = static_cast<uint32_t>(zip.size()), method = deflated ? 8 : 0;
    Append(&zip, "PK\3\4");
    AppendNumbers(&zip, {{20, 2}, {0, 2}, {method, 2}, {0, 4}, {0, 4}, {packed, 4}, {size, 4}});
    AppendNumbers(&zip, {{5, 2}, {0, 2}});
    Append(&zip, name);
    zip.insert(zip.end(), data.begin(), data.end());
    Append(&directory, "PK\1\2");
    AppendNumbers(&directory, {{20, 2}, {20, 2}, {0, 2}, {method, 2}, {0, 4}, {0, 4}, {packed, 4}});
    AppendNumbers(&directory, {{size, 4}, {5, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 2}, {0, 4}, {at, 4}});
    Append(&directory, name);
  }
  const uint32_t at = static_cast<uint32_t>(zip.size());
  zip.insert(zip.end(), directory.begin(), directory.end());
  Append(&zip, "PK\5\6");
  AppendNumbers(&zip, {{0, 2}, {0, 2}, {2, 2}, {2, 2}});
  AppendNumbers(&zip, {{static_cast<uint32_t>(directory.size()), 4}, {at, 4}, {0, 2}});
  return zip;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const fs::path load_run = fs::path(argv[1]) / "load_run", import = fs::path(argv[1]) / "import";
  fs::create_directories(load_run);
  fs::create_directories(import);
  fs::create_directories(fs::path(argv[1]) / "onnx");
  const fs::path npy = fs::path(argv[1]) / "npy";
  fs::create_directories(npy);
  Write(npy / "float.npy", NpySeed("<f4", "(2, 3)", 24));
  Write(npy / "bytes.npy", NpySeed("|u1", "(5,)", 5));
  Write(npy / "scalar.npy", NpySeed("<i8", "()", 8));
  Write(npy / "stored.npz", NpzSeed(false));
  Write(npy / "deflated.npz", NpzSeed(true));
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
  Write(load_run / "pruned.octet",
        WriteGraph(Pruned(SampleGraph(8)), true, octet::compiler::Compress::kOn));
  Write(load_run / "coded.octet", CodeConstants(WriteGraph(ShuffleGraph())));
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
        Write(load_run / (name + "_" + target + "_coded.octet"), CodeConstants(file));
      }
    }
  }
  return 0;
}
