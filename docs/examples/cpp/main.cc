// The program of ../c/main.c with octet.hpp: no handle to free, no status to forget.
//
//     c++ -std=c++17 main.cc $(pkg-config --cflags --libs octet) -o example
//     ./example model.octet
#include <algorithm>
#include <cstdio>
#include <octet/octet.hpp>

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "Usage: %s MODEL.octet\n", argv[0]);
    return 2;
  }
  const octet::Model model = octet::Model::LoadFile(argv[1]).value();
  octet::Session session = octet::Session::Create(model).value();
  const octet::Memory memory = model.SessionMemory().value();
  std::printf("%zu bytes of RAM, %zu of them for activations\n", memory.total_bytes,
              memory.activation_bytes);

  for (size_t i = 0; i < model.input_count(); ++i) {
    const octet::Bytes input = session.Input(i).value();
    std::fill_n(input.data, input.size, uint8_t{0});  // your data here
  }
  session.Run().value();
  for (size_t i = 0; i < model.output_count(); ++i) {
    const octet::TensorInfo info = model.OutputInfo(i).value();
    std::printf("output %s, %zu bytes\n", info.name, info.bytes);
    if (info.type != OCTET_INT8) continue;
    for (const int8_t value : session.Output(i).value().As<int8_t>()) {
      std::printf(" %.3f", static_cast<double>(info.scale) * (value - info.zero_point));
    }
    std::printf("\n");
  }
} catch (const octet::Error& error) {
  std::fprintf(stderr, "%s: %s\n", octet_status_name(error.status()), error.what());
  return 1;
}
