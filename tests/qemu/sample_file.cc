// sample_file OUT: writes a small model for the tests with emulated CPUs.
#include <fstream>

#include "tests/support/sample_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const octet::test::Bytes file = octet::test::WriteGraph(octet::test::SampleGraph(32));
  std::ofstream out(argv[1], std::ios::binary);
  out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return !file.empty() && out.good() ? 0 : 1;
}
