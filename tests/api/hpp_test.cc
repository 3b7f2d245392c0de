// The header-only C++ wrapper.
#include <gtest/gtest.h>

#include "octet/octet.hpp"
#include "tests/support/sample_model.h"

namespace {

TEST(ApiHpp, WholeRun) {
  const octet::test::Bytes file = octet::test::WriteGraph(octet::test::SampleGraph(8));
  octet::cpp::Model model = octet::cpp::Model::LoadCopy(file.data(), file.size(),
                                                        octet::cpp::ModelOptions().Isa("scalar"))
                                .value();
  EXPECT_EQ(model.input_count(), 1u);
  EXPECT_EQ(model.InputInfo(0).value().elements(), 256u);
  EXPECT_FALSE(model.InputInfo(1).ok());
  EXPECT_STREQ(model.Metadata("labels"), "zero\none\ntwo");
  octet::cpp::SessionOptions options;
  options.Threads(2).Profiling(true).RamLimit(model.SessionMemory(options).value().total_bytes);
  octet::cpp::Session session = octet::cpp::Session::Create(model, options).value();
  const std::vector<int8_t> image(256, 5);
  ASSERT_TRUE(session.SetInput(0, image).ok());
  ASSERT_TRUE(session.Run().ok());
  EXPECT_EQ(session.Output(0).value().As<int8_t>().count, 10u);
  EXPECT_TRUE(session.StepNanoseconds(0).ok());
  EXPECT_TRUE(session.ResetState().ok());

  // Moving hands over; the moved-from session runs into an error, not into a crash.
  octet::cpp::Session moved = std::move(session);
  EXPECT_TRUE(moved.Run().ok());
  EXPECT_FALSE(session.Run().ok());  // NOLINT: on purpose
}

TEST(ApiHpp, Failures) {
  const auto model = octet::cpp::Model::LoadFile("/no/such/file");
  EXPECT_FALSE(model.ok());
  EXPECT_EQ(model.status(), OCTET_IO_ERROR);
  EXPECT_STRNE(model.message(), "");
  EXPECT_THROW((void)octet::cpp::Model::LoadFile("/no/such/file").value(), octet::cpp::Error);
  EXPECT_FALSE(octet::cpp::Model::LoadCopy("x", 1, octet::cpp::ModelOptions().Isa("mmx")).ok());
}

}  // namespace
