// Inputs from files: pictures, .npy; numbers with suffixes.
#include "src/cli/tensor_io.h"
#include "src/cli/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/cli/format.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;

TensorInfo Info(octet_type type, std::initializer_list<int32_t> shape) {
  TensorInfo info;
  info.name = "x";
  info.type = type;
  for (int32_t dim : shape) info.shape[info.rank++] = dim;
  info.bytes = info.elements() * TypeSize(type);
  return info;
}

class TensorIo : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("octet_tensor_io_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }
  void Write(const char* name, const std::string& data) const {
    WriteFile(Path(name), data.data(), data.size());
  }
  // The message that reading a tensor dies with.
  std::string Complaint(const char* name, const TensorInfo& info) const {
    try {
      ReadTensor(Path(name), info, {});
    } catch (const CommandError& error) {
      EXPECT_EQ(error.code(), kExitUsage);
      return error.what();
    }
    return "none";
  }
  fs::path folder_;
};

TEST(ParseBytes, TakesSuffixes) {
  EXPECT_EQ(ParseBytes("4096", "-"), 4096u);
  EXPECT_EQ(ParseBytes("256K", "-"), 262144u);
  EXPECT_EQ(ParseBytes("256k", "-"), 262144u);
  EXPECT_EQ(ParseBytes("1M", "-"), 1048576u);
  EXPECT_EQ(ParseBytes("2GiB", "-"), 2147483648u);
  EXPECT_EQ(ParseBytes("12B", "-"), 12u);
  for (const char* bad : {"", "K", "-1", "1.5M", "1X", "1Ki", "99999999999G", "1 K"}) {
    EXPECT_THROW(ParseBytes(bad, "-"), CommandError) << bad;
  }
}

TEST_F(TensorIo, NpyRoundTrip) {
  const TensorInfo info = Info(OCTET_INT16, {1, 2, 3});
  const ByteVector data = RandomTensor(info, 7);
  WriteNpy(Path("a.npy"), info, data);
  EXPECT_EQ(ReadTensor(Path("a.npy"), info, {}), data);
  EXPECT_EQ(ReadTensor(Path("a.npy"), Info(OCTET_INT16, {2, 3}), {}), data);
  EXPECT_EQ((fs::file_size(Path("a.npy")) - data.size()) % 64, 0u);
  EXPECT_NE(Complaint("a.npy", Info(OCTET_INT16, {3, 2})).find("shape"), std::string::npos);
  EXPECT_NE(Complaint("a.npy", Info(OCTET_INT8, {1, 2, 3})).find("int8"), std::string::npos);
}

TEST_F(TensorIo, RefusesBrokenNpy) {
  const TensorInfo info = Info(OCTET_INT8, {4});
  const std::string header = "{'descr': '|i1', 'fortran_order': False, 'shape': (4,), }\n";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  Write("good.npy", file + header + "abcd");
  EXPECT_EQ(ReadTensor(Path("good.npy"), info, {}).size(), 4u);
  const std::string whole = file + header + "abcd";
  for (size_t n = 0; n < whole.size(); ++n) {
    Write("cut.npy", whole.substr(0, n));
    EXPECT_NE(Complaint("cut.npy", info), "none") << n;
  }
  Write("text.npy", "not an array at all");
  EXPECT_NE(Complaint("text.npy", info).find(".npy"), std::string::npos);
}

TEST_F(TensorIo, NpyOfHalves) {
  std::string file("\x93NUMPY\x01\x00", 8);
  const std::string header = "{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }\n";
  file += static_cast<char>(header.size());
  file += '\0';
  Write("half.npy", file + header + std::string("\x00\x3c\x00\xc1\x01\x00", 6));
  const std::unique_ptr<NpyArray> array = NpyArray::Open(Path("half.npy"));
  EXPECT_EQ(array->Read(0, 3), (std::vector<double>{1, -2.5, 0x1p-24}));
}

TEST_F(TensorIo, RawSizeMustFit) {
  Write("a.bin", "abc");
  EXPECT_NE(Complaint("a.bin", Info(OCTET_INT8, {4})).find("takes 4"), std::string::npos);
}

TEST_F(TensorIo, PictureRules) {
  // 4x2 grey; a 2x1 result takes columns floor(0.5 * 2) = 1 and floor(1.5 * 2) = 3 of row 1.
  Write("a.pgm", std::string("P5\n4 2\n255\n") + std::string("\0\1\2\3\x80\x81\x82\xff", 8));
  EXPECT_EQ(ReadTensor(Path("a.pgm"), Info(OCTET_UINT8, {1, 1, 2, 1}), {}),
            (ByteVector{0x81, 0xff}));
  // int8: byte - 128.
  EXPECT_EQ(ReadTensor(Path("a.pgm"), Info(OCTET_INT8, {1, 1, 2, 1}), {}), (ByteVector{1, 0x7f}));
  // Three channels from grey.
  EXPECT_EQ(ReadTensor(Path("a.pgm"), Info(OCTET_UINT8, {1, 1, 2, 3}), {}),
            (ByteVector{0x81, 0x81, 0x81, 0xff, 0xff, 0xff}));
  const ByteVector real = ReadTensor(Path("a.pgm"), Info(OCTET_FLOAT32, {1, 1, 2, 1}), {});
  float values[2];
  std::memcpy(values, real.data(), sizeof values);
  EXPECT_EQ(values[0], 129.0f / 255.0f);
  EXPECT_EQ(values[1], 1.0f);
  ImageOptions options;
  options.mean = {127.5};
  options.std = {127.5};
  TensorInfo info = Info(OCTET_INT8, {1, 1, 2, 1});
  info.scale = 1.0f / 128;
  EXPECT_EQ(ReadTensor(Path("a.pgm"), info, options), (ByteVector{2, 0x7f}));
  EXPECT_NE(Complaint("a.pgm", Info(OCTET_INT8, {1, 8})).find("shape"), std::string::npos);
  EXPECT_NE(Complaint("a.pgm", Info(OCTET_INT16, {1, 1, 2, 1})).find("int16"), std::string::npos);
  Write("b.png", "this is no picture");
  EXPECT_NE(Complaint("b.png", Info(OCTET_INT8, {1, 1, 2, 1})).find("decode"), std::string::npos);
}

// Cases of the real models named after a picture: the same bytes from the picture.
TEST(Pictures, ReproduceRecordedInputs) {
  const fs::path data = OCTET_TEST_DATA;
  if (!fs::exists(data / "models") || !fs::exists(data / "images")) GTEST_SKIP() << "no test data";
  size_t pictures = 0;
  for (const fs::directory_entry& model : fs::directory_iterator(data / "models")) {
    std::ifstream file(model.path() / "info.json");
    if (!file) continue;
    const nlohmann::json description = nlohmann::json::parse(file);
    for (const std::string name : description["cases"]) {
      fs::path image;
      for (const char* extension : {".bmp", ".jpg", ".png"}) {
        if (fs::exists(data / "images" / (name + extension))) {
          image = data / "images" / (name + extension);
        }
      }
      if (image.empty()) continue;
      const auto& input = description["inputs"][0];
      TensorInfo info;
      info.name = "input";
      info.type = input["type"] == "uint8" ? OCTET_UINT8 : OCTET_INT8;
      for (int32_t dim : input["shape"]) info.shape[info.rank++] = dim;
      info.bytes = info.elements();
      EXPECT_TRUE(ReadTensor(image.string(), info, {}) ==
                  ReadFile((model.path() / name / "in0.bin").string()))
          << model.path() << " " << name;
      ++pictures;
    }
  }
  EXPECT_GT(pictures, 0u);
}

}  // namespace
}  // namespace octet::cli
