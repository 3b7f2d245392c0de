// make_seeds OUT [ZOO]: seed corpora OUT/load_run and OUT/import. Small models made here, and the
// zoo's smaller ones where there is a zoo.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "octet/compiler.h"
#include "tests/support/sample_model.h"

namespace fs = std::filesystem;
using octet::test::Bytes;

namespace {

void Write(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const fs::path load_run = fs::path(argv[1]) / "load_run", import = fs::path(argv[1]) / "import";
  fs::create_directories(load_run);
  fs::create_directories(import);
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
