// octet-digits: reads handwritten digits with the network of docs/examples/digits and says how well
// that went, how long it took and how much RAM it used. Uses nothing of Octet but octet.hpp.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "octet/octet.hpp"
#include "src/demo/pgm.h"

namespace {

namespace fs = std::filesystem;
using octet::demo::Picture;

constexpr int kDrawn = 3;  // pictures shown as text before the list begins

struct Sample {
  std::string name;
  int label = 0;
  Picture picture;
};

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "octet-digits: %s\n", message.c_str());
  std::exit(1);
}

// The pictures of a folder, named LABEL_INDEX.pgm, in the order of their indices: digits mixed.
std::vector<Sample> ReadSamples(const fs::path& folder) {
  std::vector<Sample> samples;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".pgm") continue;
    Sample sample;
    sample.name = entry.path().filename().string();
    sample.label = sample.name[0] - '0';
    if (sample.label < 0 || sample.label > 9)
      Die(sample.name + ": the name must begin with a digit");
    std::string why;
    if (!octet::demo::ReadPgm(entry.path().string(), &sample.picture, &why)) Die(why);
    samples.push_back(std::move(sample));
  }
  if (samples.empty()) Die("no .pgm pictures in " + folder.string());
  std::sort(samples.begin(), samples.end(),
            [](const Sample& a, const Sample& b) { return a.name.substr(1) < b.name.substr(1); });
  return samples;
}

void Draw(const Picture& picture) {
  constexpr char kShades[] = " .:-=+*#%@";
  for (int y = 0; y < picture.height; ++y) {
    std::printf("      ");
    for (int x = 0; x < picture.width; ++x) {
      const char shade =
          kShades[picture.pixels[static_cast<size_t>(y * picture.width + x)] * 9 / 255];
      std::printf("%c%c", shade, shade);
    }
    std::printf("\n");
  }
}

double Microseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr,
                 "Usage: octet-digits FOLDER [MODEL.octet]\n"
                 "FOLDER is docs/examples/digits, or any folder with images/LABEL_*.pgm, 8x8.\n");
    return 2;
  }
  const std::string path = argc == 3 ? argv[2] : OCTET_DIGITS_MODEL;
  const std::vector<Sample> samples = ReadSamples(fs::path(argv[1]) / "images");

  // Load once; a session is the memory of one inference.
  octet::Result<octet::Model> model = octet::Model::LoadFile(path);
  if (!model) Die(path + ": " + model.message());
  octet::Result<octet::Session> session = octet::Session::Create(*model);
  if (!session) Die(session.message());
  const octet::Result<octet::TensorInfo> input = model->InputInfo(0);
  const octet::Result<octet::TensorInfo> output = model->OutputInfo(0);
  if (!input || !output || input->type != OCTET_INT8 || output->type != OCTET_INT8) {
    Die(path + ": not the digits network");
  }

  int right = 0;
  std::vector<double> times;
  std::vector<int8_t> pixels(input->bytes);
  for (const Sample& sample : samples) {
    if (sample.picture.pixels.size() != pixels.size()) Die(sample.name + ": not 8x8 pixels");
    // The input's scale is 1/255 and its zero point -128: the byte of the picture, minus 128.
    std::transform(sample.picture.pixels.begin(), sample.picture.pixels.end(), pixels.begin(),
                   [](uint8_t byte) { return static_cast<int8_t>(byte - 128); });
    const auto start = std::chrono::steady_clock::now();
    octet::Result<void> ok = session->SetInput(0, pixels);
    if (ok) ok = session->Run();
    const octet::Result<octet::ConstBytes> scores = session->Output(0);
    times.push_back(Microseconds(std::chrono::steady_clock::now() - start));
    if (!ok) Die(ok.message());
    if (!scores) Die(scores.message());

    const auto values = scores->As<int8_t>();
    const int digit =
        static_cast<int>(std::max_element(values.begin(), values.end()) - values.begin());
    const double chance = static_cast<double>(output->scale) *
                          (values[static_cast<size_t>(digit)] - output->zero_point);
    right += digit == sample.label;
    if (static_cast<int>(times.size()) <= kDrawn) Draw(sample.picture);
    std::printf("%-12s is %d   read as %d (%3.0f %%)   %s\n", sample.name.c_str(), sample.label,
                digit, chance * 100, digit == sample.label ? "right" : "WRONG");
  }

  std::sort(times.begin(), times.end());
  const octet::Result<octet::Memory> memory = model->SessionMemory();
  if (!memory) Die(memory.message());
  const size_t count = samples.size();
  std::printf("\n%d of %zu right (%.1f %%)\n", right, count,
              100.0 * right / static_cast<double>(count));
  std::printf("latency   %.1f us a picture (median)\n", times[count / 2]);
  std::printf("RAM       %zu bytes: %zu activations and scratch, %zu session, %zu model\n",
              memory->total_bytes, memory->arena_bytes, memory->session_bytes, memory->model_bytes);
  std::printf("file      %zu bytes, used in place\n", memory->mapped_bytes);
  return 0;
}
