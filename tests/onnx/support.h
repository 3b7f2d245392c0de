// Models made in the tests themselves, run through the importer; and what is expected of them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "octet/compiler.h"
#include "src/import/onnx/importer.h"
#include "tests/support/onnx_maker.h"

namespace octet::onnx_test {

using test::Bytes;
using test::OnnxMaker;
using Shape = std::vector<int64_t>;
using Floats = std::vector<float>;

struct Tensor {
  Shape shape;
  Floats values;
  size_t index(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return static_cast<size_t>(((n * shape[1] + c) * shape[2] + y) * shape[3] + x);
  }
  float at(int64_t n, int64_t c, int64_t y, int64_t x) const { return values[index(n, c, y, x)]; }
};

inline size_t Count(const Shape& shape) {
  size_t n = 1;
  for (const int64_t d : shape) n *= static_cast<size_t>(d);
  return n;
}

inline Tensor Random(Shape shape, uint32_t seed, float range = 1) {
  Tensor t{shape, Floats(Count(shape))};
  for (float& v : t.values) {
    seed = seed * 1664525u + 1013904223u;
    v = (static_cast<float>(seed >> 8) / 8388608.f - 1) * range;
  }
  return t;
}

inline Bytes ToBytes(const Floats& values) {
  Bytes bytes(values.size() * 4);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline Floats ToFloats(const Bytes& bytes) {
  Floats values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

inline std::vector<Bytes> RunBytes(const OnnxMaker& maker, const std::vector<Bytes>& inputs,
                                   const compiler::ConvertOptions& options = {}) {
  const Bytes source = maker.File();
  Bytes file;
  const octet_status status =
      compiler::Convert(source.data(), source.size(), options, &file, nullptr);
  EXPECT_EQ(status, OCTET_OK) << octet_last_error();
  if (status != OCTET_OK) return {};
  const test::Model model(file);
  return model.get() ? test::RunOnce(model.get(), inputs, 1) : std::vector<Bytes>();
}

inline Floats RunModel(const OnnxMaker& maker, const std::vector<Tensor>& inputs,
                       const compiler::ConvertOptions& options = {}) {
  std::vector<Bytes> bytes;
  for (const Tensor& t : inputs) bytes.push_back(ToBytes(t.values));
  const std::vector<Bytes> out = RunBytes(maker, bytes, options);
  return out.empty() ? Floats() : ToFloats(out[0]);
}

inline void ExpectNear(const Floats& got, const Floats& wanted, float tolerance = 1e-4f) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], wanted[i], tolerance) << "at " << i;
}

inline std::string Refusal(const Bytes& source) {
  Graph graph;
  EXPECT_NE(ImportOnnx(source.data(), source.size(), {}, &graph), OCTET_OK);
  return octet_last_error();
}
inline std::string Refusal(const OnnxMaker& maker) { return Refusal(maker.File()); }

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

// What Conv means, in NCHW.
struct ConvShape {
  int64_t stride_y = 1, stride_x = 1, dilation = 1, group = 1;
  int64_t top = 0, left = 0, bottom = 0, right = 0;
};

inline Tensor Conv(const Tensor& x, const Tensor& w, const Floats& bias, const ConvShape& s) {
  const int64_t kh = (w.shape[2] - 1) * s.dilation + 1, kw = (w.shape[3] - 1) * s.dilation + 1;
  Tensor y{{x.shape[0], w.shape[0], (x.shape[2] + s.top + s.bottom - kh) / s.stride_y + 1,
            (x.shape[3] + s.left + s.right - kw) / s.stride_x + 1},
           {}};
  y.values.resize(Count(y.shape));
  const int64_t out_group = w.shape[0] / s.group;
  for (int64_t n = 0; n < y.shape[0]; ++n)
    for (int64_t o = 0; o < y.shape[1]; ++o)
      for (int64_t i = 0; i < y.shape[2]; ++i)
        for (int64_t j = 0; j < y.shape[3]; ++j) {
          double sum = bias.empty() ? 0 : static_cast<double>(bias[static_cast<size_t>(o)]);
          for (int64_t c = 0; c < w.shape[1]; ++c)
            for (int64_t a = 0; a < w.shape[2]; ++a)
              for (int64_t b = 0; b < w.shape[3]; ++b) {
                const int64_t yy = i * s.stride_y - s.top + a * s.dilation;
                const int64_t xx = j * s.stride_x - s.left + b * s.dilation;
                if (yy < 0 || xx < 0 || yy >= x.shape[2] || xx >= x.shape[3]) continue;
                sum += static_cast<double>(x.at(n, o / out_group * w.shape[1] + c, yy, xx)) *
                       static_cast<double>(w.at(o, c, a, b));
              }
          y.values[y.index(n, o, i, j)] = static_cast<float>(sum);
        }
  return y;
}

// A 1x1 convolution that changes nothing, after which a value has its channels last.
inline std::string Last(OnnxMaker* m, const std::string& x, int64_t channels) {
  Floats eye(static_cast<size_t>(channels * channels), 0.f);
  for (int64_t c = 0; c < channels; ++c) eye[static_cast<size_t>(c * channels + c)] = 1;
  m->Floats(x + "_eye", {channels, channels, 1, 1}, eye);
  return m->Node("Conv", {x, x + "_eye"}, x + "_last");
}

}  // namespace octet::onnx_test
