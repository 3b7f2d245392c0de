#include "src/cli/dataset.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>

#include <CLI/CLI.hpp>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

#include "src/base/status.h"
#include "src/cli/format.h"
#include "src/cli/npy.h"
#include "src/cli/tensor_io.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;

std::string Extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool IsSampleFile(const fs::path& path) {
  const std::string extension = Extension(path);
  return IsImageExtension(extension) || extension == ".npy" || extension == ".bin";
}

std::vector<std::string> Lines(const std::string& path) {
  const ByteVector bytes = ReadFile(path);
  std::vector<std::string> lines(1);
  for (const uint8_t b : bytes) {
    if (b == '\n') {
      lines.emplace_back();
    } else if (b != '\r') {
      lines.back() += static_cast<char>(b);
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

int32_t ToLabel(double value, const std::string& path) {
  if (!(value >= 0 && value < 1e9) || value != std::floor(value)) {
    Die(kExitUsage, "%s: %g is no class", path.c_str(), value);
  }
  return static_cast<int32_t>(value);
}

// The NHWC form of an NCHW picture input; false where it is none.
bool AsNhwc(const TensorInfo& info, TensorInfo* nhwc) {
  const bool first = info.rank == 4 && (info.shape[1] == 1 || info.shape[1] == 3);
  if (!first || info.shape[3] == 1 || info.shape[3] == 3) return false;
  *nhwc = info;
  nhwc->shape[1] = info.shape[2];
  nhwc->shape[2] = info.shape[3];
  nhwc->shape[3] = info.shape[1];
  return true;
}

ByteVector ReadPicture(const std::string& path, const TensorInfo& info,
                       const ImageOptions& options) {
  TensorInfo nhwc = info;
  if (!AsNhwc(info, &nhwc)) return ReadImage(path, info, options);
  const ByteVector pixels = ReadImage(path, nhwc, options);
  const size_t element = TypeSize(info.type), channels = static_cast<size_t>(info.shape[1]);
  const size_t area = info.elements() / channels;
  ByteVector planes(pixels.size());
  for (size_t i = 0; i < area; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      std::memcpy(&planes[(c * area + i) * element], &pixels[(i * channels + c) * element],
                  element);
    }
  }
  return planes;
}

// Lines "FILE CLASS" (or "FILE,CLASS"), by file name; CLASS a number.
std::map<std::string, int32_t> ReadFileLabels(const std::string& path) {
  std::map<std::string, int32_t> labels;
  for (const std::string& line : Lines(path)) {
    const size_t at = line.find_last_of(", \t");
    if (at == std::string::npos || at + 1 == line.size()) {
      Die(kExitUsage, "%s: \"%s\" is not FILE CLASS", path.c_str(), Shorten(line, 60).c_str());
    }
    char* end = nullptr;
    const double value = std::strtod(line.c_str() + at + 1, &end);
    if (*end != '\0') {
      Die(kExitUsage, "%s: \"%s\" is not FILE CLASS", path.c_str(), Shorten(line, 60).c_str());
    }
    labels[line.substr(0, line.find_last_not_of(", \t", at) + 1)] = ToLabel(value, path);
  }
  return labels;
}

std::vector<int32_t> ReadNpyLabels(const NpyArray& array, const std::string& path) {
  const size_t n = static_cast<size_t>(array.header().elements());
  std::vector<int32_t> labels;
  for (const double v : array.Read(0, n)) labels.push_back(ToLabel(v, path));
  return labels;
}

// ---- Folders -----------------------------------------------------------------------------------

class Folder : public Dataset {
 public:
  explicit Folder(const fs::path& folder, const std::string& labels) {
    std::vector<fs::path> files, folders;
    List(folder, &files, &folders);
    for (const fs::path& f : folders) {
      std::error_code error;
      if (fs::exists(f / "in0.bin", error)) cases_.push_back(f);
    }
    if (!cases_.empty()) return;
    std::vector<int32_t> npy_labels;
    std::map<std::string, int32_t> by_file;
    std::vector<std::string> names;
    if (!labels.empty()) {
      if (Extension(labels) == ".npy") {
        npy_labels = ReadNpyLabels(*NpyArray::Open(labels), labels);
      } else if (folders.empty()) {
        by_file = ReadFileLabels(labels);
      } else {
        names = Lines(labels);
      }
    }
    if (files.empty() && !folders.empty()) {
      for (size_t i = 0; i < folders.size(); ++i) {
        std::vector<fs::path> inside, deeper;
        List(folders[i], &inside, &deeper);
        int32_t label = static_cast<int32_t>(i);
        if (!names.empty()) {
          const auto it = std::find(names.begin(), names.end(), folders[i].filename().string());
          if (it == names.end()) {
            Die(kExitUsage, "%s: no line for the folder \"%s\"", labels.c_str(),
                folders[i].filename().string().c_str());
          }
          label = static_cast<int32_t>(it - names.begin());
        }
        for (const fs::path& file : inside) Add(file, label);
      }
      labelled_ = true;
    } else {
      for (const fs::path& file : files) {
        int32_t label = -1;
        if (!by_file.empty()) {
          const auto it = by_file.find(file.filename().string());
          if (it == by_file.end()) {
            Die(kExitUsage, "%s: no line for %s", labels.c_str(), file.filename().string().c_str());
          }
          label = it->second;
        }
        Add(file, label);
      }
      if (!npy_labels.empty()) {
        if (npy_labels.size() != files_.size()) {
          Die(kExitUsage, "%s: %zu classes for %zu files", labels.c_str(), npy_labels.size(),
              files_.size());
        }
        for (size_t i = 0; i < files_.size(); ++i) files_[i].label = npy_labels[i];
      }
      labelled_ = !npy_labels.empty() || !by_file.empty();
    }
    if (files_.empty()) {
      Die(kExitUsage,
          "%s: no sample in this folder (pictures, .npy, .bin files, sub-folders of them, or "
          "folders with in0.bin)",
          folder.string().c_str());
    }
  }

 protected:
  size_t CountAll() const override { return cases_.empty() ? files_.size() : cases_.size(); }

  void ReadOne(size_t index, compiler::Sample* sample) override {
    if (!cases_.empty()) {
      sample->name = cases_[index].string();
      for (size_t i = 0; i < inputs_.size(); ++i) {
        const fs::path file = cases_[index] / ("in" + std::to_string(i) + ".bin");
        sample->inputs.push_back(ReadTensor(file.string(), inputs_[i], options_.image));
      }
      return;
    }
    if (inputs_.size() != 1) {
      Die(kExitUsage,
          "the model has %zu inputs: give an .npz file with an array for each, or folders with "
          "in0.bin, in1.bin, ...",
          inputs_.size());
    }
    const std::string path = files_[index].path.string();
    sample->name = path;
    sample->label = files_[index].label;
    sample->inputs.push_back(IsImageExtension(Extension(path))
                                 ? ReadPicture(path, inputs_[0], options_.image)
                                 : ReadTensor(path, inputs_[0], options_.image));
  }

 private:
  struct File {
    fs::path path;
    int32_t label;
  };

  void Add(const fs::path& path, int32_t label) { files_.push_back({path, label}); }

  static void List(const fs::path& folder, std::vector<fs::path>* files,
                   std::vector<fs::path>* folders) {
    std::error_code error, ignored;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (it->is_directory(ignored)) {
        folders->push_back(it->path());
      } else if (IsSampleFile(it->path())) {
        files->push_back(it->path());
      }
    }
    if (error) Die(kExitIo, "%s: %s", folder.string().c_str(), error.message().c_str());
    // The same order on every file system.
    std::sort(files->begin(), files->end());
    std::sort(folders->begin(), folders->end());
  }

  std::vector<fs::path> cases_;
  std::vector<File> files_;
};

// ---- Arrays ------------------------------------------------------------------------------------

class Arrays : public Dataset {
 public:
  Arrays(const std::string& path, const std::string& labels, const std::vector<TensorInfo>& inputs)
      : path_(path) {
    if (Extension(path) == ".npz") {
      all_ = NpyArray::OpenZip(path);
    } else {
      all_.push_back(NpyArray::Open(path));
    }
    if (!labels.empty()) {
      if (Extension(labels) != ".npy") {
        Die(kExitUsage, "%s: classes of arrays are an .npy file", labels.c_str());
      }
      labels_ = ReadNpyLabels(*NpyArray::Open(labels), labels);
    }
    Assign(inputs);
    for (size_t i = 0; i < inputs.size(); ++i) CheckShape(*arrays_[i], inputs[i]);
    if (count_ == 0) Die(kExitUsage, "%s: no sample", path.c_str());
    labelled_ = !labels_.empty();
    if (labelled_ && labels_.size() != count_) {
      Die(kExitUsage, "%s: %zu classes for %zu samples", path.c_str(), labels_.size(), count_);
    }
  }

 protected:
  size_t CountAll() const override { return count_; }

  void ReadOne(size_t index, compiler::Sample* sample) override {
    sample->name = Format("%s: sample %zu", path_.c_str(), index);
    if (labelled_) sample->label = labels_[index];
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const TensorInfo& info = inputs_[i];
      const size_t n = info.elements();
      const std::vector<double> values = arrays_[i]->Read(index * n, n);
      sample->inputs.push_back(Convert(values, *arrays_[i], info));
    }
  }

 private:
  // Which array is which input: by name, else in order.
  void Assign(const std::vector<TensorInfo>& inputs) {
    std::vector<const NpyArray*> rest;
    for (const auto& array : all_) {
      const std::string& name = array->name();
      if (all_.size() > 1 && (name == "labels" || name == "label" || name == "y")) {
        if (labels_.empty()) labels_ = ReadNpyLabels(*array, path_ + ":" + name);
      } else {
        rest.push_back(array.get());
      }
    }
    const auto named = [&](const char* name) -> const NpyArray* {
      for (const NpyArray* array : rest) {
        if (array->name() == name) return array;
      }
      return nullptr;
    };
    bool all_named = true;
    for (const TensorInfo& info : inputs) all_named = all_named && named(info.name);
    if (!all_named && rest.size() != inputs.size()) {
      std::string have, want;
      for (const NpyArray* array : rest)
        have += (have.empty() ? "\"" : ", \"") + array->name() + "\"";
      for (const TensorInfo& info : inputs) {
        want += (want.empty() ? "\"" : ", \"") + std::string(info.name) + "\"";
      }
      Die(kExitUsage, "%s: its arrays are %s, the model's inputs %s", path_.c_str(),
          have.empty() ? "none" : Shorten(have, 300).c_str(), Shorten(want, 300).c_str());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      arrays_.push_back(all_named ? named(inputs[i].name) : rest[i]);
    }
  }

  void CheckShape(const NpyArray& array, const TensorInfo& info) {
    const NpyHeader& header = array.header();
    // [samples, the input's shape without its batch of 1], or [samples, the input's shape].
    std::vector<int64_t> wanted(info.shape, info.shape + info.rank), rows = header.shape;
    size_t count = 1;
    if (rows.size() > wanted.size() || (!wanted.empty() && wanted[0] == 1)) {
      count = rows.empty() ? 1 : static_cast<size_t>(rows[0]);
      if (!rows.empty()) rows.erase(rows.begin());
    }
    const auto strip = [](std::vector<int64_t> dims) {
      while (!dims.empty() && dims.front() == 1) dims.erase(dims.begin());
      return dims;
    };
    if (strip(rows) != strip(wanted)) {
      Die(kExitUsage,
          "%s: the shape is %s, but the input \"%s\" is %s; the first dimension counts "
          "samples",
          path_.c_str(), header.shape_text.c_str(), info.name,
          ShapeText(info.shape, static_cast<size_t>(info.rank)).c_str());
    }
    if (count_ != SIZE_MAX && count != count_) {
      Die(kExitUsage, "%s: arrays of %zu and of %zu samples", path_.c_str(), count_, count);
    }
    count_ = count;
  }

  ByteVector Convert(std::vector<double> values, const NpyArray& array, const TensorInfo& info) {
    const ImageOptions& image = options_.image;
    const bool custom = !image.mean.empty() || !image.std.empty();
    if (info.type == OCTET_FLOAT32 && (custom || array.header().type == "|u1")) {
      const auto pick = [&](const std::vector<double>& list, size_t c, double otherwise) {
        return list.empty() ? otherwise : list[list.size() == 1 ? 0 : c % list.size()];
      };
      TensorInfo nhwc;
      const size_t area = AsNhwc(info, &nhwc) ? static_cast<size_t>(nhwc.shape[1]) *
                                                    static_cast<size_t>(nhwc.shape[2])
                                              : 1;
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = custom
                        ? (values[i] - pick(image.mean, i / area, 0)) / pick(image.std, i / area, 1)
                        : values[i] / 255;
      }
    }
    ByteVector bytes(info.bytes);
    for (size_t i = 0; i < values.size(); ++i) Store(values[i], info, i, &bytes);
    return bytes;
  }

  template <class T>
  static void Put(double value, size_t i, ByteVector* bytes) {
    const double low = static_cast<double>(std::numeric_limits<T>::min());
    const double high = static_cast<double>(std::numeric_limits<T>::max());
    const T v = value == value ? static_cast<T>(std::clamp(std::round(value), low, high)) : T{};
    std::memcpy(&(*bytes)[i * sizeof v], &v, sizeof v);
  }

  static void Store(double value, const TensorInfo& info, size_t i, ByteVector* bytes) {
    switch (info.type) {
      case OCTET_FLOAT32: {
        const float v = static_cast<float>(value);
        std::memcpy(&(*bytes)[i * sizeof v], &v, sizeof v);
        return;
      }
      case OCTET_INT8:
        return Put<int8_t>(value, i, bytes);
      case OCTET_INT16:
        return Put<int16_t>(value, i, bytes);
      case OCTET_INT32:
      case OCTET_INT64:
        // Values of interest are small; doubles hold 53 bits of them.
        if (info.type == OCTET_INT32) return Put<int32_t>(value, i, bytes);
        {
          const int64_t v =
              value == value ? static_cast<int64_t>(std::clamp(value, -9e15, 9e15)) : 0;
          std::memcpy(&(*bytes)[i * sizeof v], &v, sizeof v);
        }
        return;
      default:
        return Put<uint8_t>(value, i, bytes);
    }
  }

  std::string path_;
  std::vector<std::unique_ptr<NpyArray>> all_;
  std::vector<const NpyArray*> arrays_;
  std::vector<int32_t> labels_;
  size_t count_ = SIZE_MAX;
};

}  // namespace

std::unique_ptr<Dataset> Dataset::Open(const DatasetOptions& options,
                                       const std::vector<TensorInfo>& inputs) {
  std::error_code error;
  std::unique_ptr<Dataset> set;
  if (!fs::exists(options.data, error)) {
    Die(kExitIo, "%s: no such file or folder", options.data.c_str());
  }
  const std::string extension = Extension(options.data);
  if (fs::is_directory(options.data, error)) {
    set = std::make_unique<Folder>(options.data, options.labels);
  } else if (extension == ".npy" || extension == ".npz") {
    set = std::make_unique<Arrays>(options.data, options.labels, inputs);
  } else {
    Die(kExitUsage, "%s: data is a folder, an .npy or an .npz file", options.data.c_str());
  }
  set->options_ = options;
  set->inputs_ = inputs;
  const size_t all = set->CountAll();
  const size_t count = options.limit == 0 ? all : std::min(options.limit, all);
  for (size_t i = 0; i < count; ++i) set->order_.push_back(i * all / count);
  return set;
}

octet_status Dataset::Read(size_t index, compiler::Sample* sample) {
  try {
    *sample = compiler::Sample();
    ReadOne(order_[index], sample);
    return OCTET_OK;
  } catch (const CommandError& error) {
    return Fail(error.code() == kExitIo ? OCTET_IO_ERROR : OCTET_INVALID_ARGUMENT, "%s",
                error.what());
  }
}

void AddDatasetOptions(CLI::App* command, DatasetOptions* options) {
  command
      ->add_option("--data", options->data,
                   "samples: a folder of pictures (sub-folders are classes), an .npy file whose "
                   "first dimension counts samples, or an .npz file with one for each input")
      ->required()
      ->type_name("PATH");
  command
      ->add_option("--labels", options->labels,
                   "the samples' classes: names of sub-folders in the model's order, lines \"FILE "
                   "CLASS\", or an .npy file of numbers")
      ->type_name("FILE");
  command->add_option("--samples", options->limit, "use at most N samples, evenly spread")
      ->type_name("N");
  command
      ->add_option("--mean", options->image.mean,
                   "pictures and arrays: real value = (value - mean) / std, one value or one a "
                   "channel (default: bytes / 255 for float32 inputs)")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--std", options->image.std, "see --mean")
      ->delimiter(',')
      ->allow_extra_args(false);
}

ProgressBar::ProgressBar() {
#if defined(__unix__) || defined(__APPLE__)
  enabled_ = isatty(STDERR_FILENO) != 0;
#else
  enabled_ = false;
#endif
}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Clear() {
  if (shown_) std::fprintf(stderr, "\r%*s\r", 70, "");
  shown_ = false;
}

void ProgressBar::operator()(const char* stage, size_t done, size_t total) {
  if (!enabled_) return;
  const int percent = total > 0 ? static_cast<int>(100 * done / total) : static_cast<int>(done);
  if (percent == last_ && stage_ == stage) return;
  last_ = percent;
  stage_ = stage;
  shown_ = true;
  if (total == 0) {
    std::fprintf(stderr, "\r%-28s step %zu%*s", stage, done, 30, "");
  } else {
    const int filled = percent * 24 / 100;
    std::fprintf(stderr, "\r%-28s [%.*s%*s] %zu of %zu    ", stage, filled,
                 "========================", 24 - filled, "", done, total);
  }
  std::fflush(stderr);
}

}  // namespace octet::cli
