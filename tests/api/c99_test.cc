// Runs what c99_test.c holds.
#include "tests/api/fixture.h"

extern "C" int octet_c99_test(const void* file, size_t size, char* text, size_t text_size);

namespace octet::test {

TEST(ApiC99, WholeRun) {
  const AlignedBytes file(WriteGraph(SampleGraph(8)));
  char text[256] = "";
  EXPECT_EQ(octet_c99_test(file.data(), file.size(), text, sizeof text), 0)
      << "line of c99_test.c; " << text;
}

}  // namespace octet::test
