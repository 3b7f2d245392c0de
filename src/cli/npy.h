// NumPy's .npy and .npz files, read in place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace octet::cli {

// What stands before the data. Dies with kExitUsage on anything that is no array of numbers.
struct NpyHeader {
  std::string type;  // "<f4", "|u1", ...; single bytes always with '|'
  std::vector<int64_t> shape;
  std::string shape_text;  // as in the file
  bool fortran_order = false;
  size_t data_offset = 0;

  int64_t elements() const;
  size_t element_bytes() const { return type.size() < 3 ? 0 : static_cast<size_t>(type[2] - '0'); }
};
// `bytes`: the beginning of the file, all of it or at least the header.
NpyHeader ParseNpyHeader(const std::string& path, const uint8_t* bytes, size_t size);

// An array of which single rows (indices of the first dimension) are read.
class NpyArray {
 public:
  // A .npy file, of which only what is asked for is read.
  static std::unique_ptr<NpyArray> Open(const std::string& path);
  // The arrays of an .npz file in its order, with their names; unpacked in memory.
  static std::vector<std::unique_ptr<NpyArray>> OpenZip(const std::string& path);
  ~NpyArray();

  const std::string& name() const { return name_; }  // in an .npz, without ".npy"
  const NpyHeader& header() const { return header_; }
  // Elements [first, first + count) as numbers.
  std::vector<double> Read(size_t first, size_t count) const;

 private:
  struct File;
  NpyArray();
  void Check() const;

  std::string path_, name_;
  NpyHeader header_;
  std::unique_ptr<File> file_;   // or else
  std::vector<uint8_t> memory_;  // the whole .npy
  size_t size_ = 0;
};

}  // namespace octet::cli
