// Tensors from and to files: raw bytes, .npy, pictures; and pseudo-random ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/command.h"
#include "src/cli/image.h"

namespace octet::cli {

using ByteVector = std::vector<uint8_t>;

// Dies with kExitIo.
ByteVector ReadFile(const std::string& path);
void WriteFile(const std::string& path, const void* data, size_t size);
void MakeDirectory(const std::string& path);

// The bytes of an input tensor from a file, by the file's ending: .npy, a picture, else raw bytes.
ByteVector ReadTensor(const std::string& path, const TensorInfo& info,
                      const ImageOptions& image_options);
void WriteNpy(const std::string& path, const TensorInfo& info, const ByteVector& data);

// Every input of a model; the number of files must be the number of inputs.
std::vector<ByteVector> ReadInputs(const std::vector<std::string>& paths, const Model& model,
                                   const ImageOptions& image_options);

// Deterministic values for an input: any bytes for quantised types, [-1, 1) for float32, 0 or 1
// for bool and for integers without a scale (they tend to be indices).
ByteVector RandomTensor(const TensorInfo& info, uint64_t seed);

// Sets every input; those that come row by row are read from `inputs` during the next runs, so it
// must stay where it is.
void SetInputs(const Model& model, Session* session, const std::vector<ByteVector>& inputs);

// Sets every input, runs, and copies every output.
std::vector<ByteVector> RunOnce(const Model& model, Session* session,
                                const std::vector<ByteVector>& inputs);

// "input 0 "image": uint8 [1, 224, 224, 3]".
std::string Describe(const char* role, size_t index, const TensorInfo& info);

// One element as stored, and as a real number (the stored one where there is no scale).
double RawValue(const TensorInfo& info, const ByteVector& data, size_t index);
double RealValue(const TensorInfo& info, const ByteVector& data, size_t index);

}  // namespace octet::cli
