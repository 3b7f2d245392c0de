// octet quantize and octet validate, as a user runs them.
#include <fcntl.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <random>

#include "tests/cli/cli_fixture.h"
#include "tests/support/xml_check.h"

namespace octet::test {
namespace {

// A .npy file of float32.
std::string Npy(const std::string& shape, const std::vector<float>& values) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string file = "\x93NUMPY";
  file += '\1';
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  file.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return file;
}

// An .npz file as numpy.savez writes it: members are stored.
std::string Npz(const std::vector<std::pair<std::string, std::string>>& arrays) {
  std::string zip, directory;
  const auto number = [](std::string* to, size_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) *to += static_cast<char>(value >> (8 * i) & 0xff);
  };
  for (const auto& [array, data] : arrays) {
    const std::string name = array + ".npy";
    const size_t at = zip.size();
    for (const bool central : {false, true}) {
      std::string* to = central ? &directory : &zip;
      *to += central ? std::string("PK\1\2\24\0", 6) : "PK\3\4";
      number(to, 20, 2), to->append(12, '\0');
      number(to, data.size(), 4), number(to, data.size(), 4), number(to, name.size(), 2);
      to->append(central ? 12 : 2, '\0');
      if (central) number(to, at, 4);
      *to += name;
    }
    zip += data;
  }
  const size_t at = zip.size();
  zip += directory + "PK\5\6";
  number(&zip, 0, 4), number(&zip, arrays.size(), 2), number(&zip, arrays.size(), 2);
  number(&zip, directory.size(), 4), number(&zip, at, 4), number(&zip, 0, 2);
  return zip;
}

std::string Pgm(int side, unsigned seed) {
  std::mt19937 random(seed);
  std::string file = "P5\n" + std::to_string(side) + " " + std::to_string(side) + "\n255\n";
  for (int i = 0; i < side * side; ++i) file += static_cast<char>(random() & 0xff);
  return file;
}

class Quantize : public Cli {
 protected:
  static std::string Float(const std::string& name) {
    return Data("models_float/" + name + "/model.tflite");
  }
  static bool HasFloat() { return fs::exists(Float("hello_world_float")); }

  // Samples for the sine network.
  std::string Sine(size_t bad = SIZE_MAX, float value = 0) const {
    std::vector<float> x;
    for (int i = 0; i < 64; ++i) x.push_back(static_cast<float>(i) * 0.0982f);
    if (bad < x.size()) x[bad] = value;
    Write(Path("sine.npy"), Npy("64, 1", x));
    return Path("sine.npy");
  }
  bool LeftNothing(const std::string& name) const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().filename().string().rfind(name, 0) == 0) return false;
    }
    return true;
  }
};

#define SKIP_WITHOUT_FLOAT() \
  if (!HasFloat()) GTEST_SKIP() << "no test data"

TEST_F(Quantize, SineFromAnArray) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("hello_world_float");
  const Outcome made = Octet({"quantize", model, "--data", Sine(), "-o", Path("sine.octet"),
                              "--report", Path("sine.html"), "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  const Json json = Json::parse(made.out);
  EXPECT_GT(json["output_sqnr_db"].get<double>(), 20);
  EXPECT_EQ(json["samples"], 64);
  for (const Json& layer : json["layers"]) EXPECT_EQ(layer["precision"], "int8");
  const std::string page = Read(Path("sine.html"));
  EXPECT_EQ(XmlError(page.substr(page.find("<html"))), "");
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find("http"), std::string::npos);  // nothing from a network

  // The same again is the same file.
  ASSERT_EQ(
      Octet({"quantize", model, "--data", Sine(), "-o", Path("again.octet"), "--threads", "2"})
          .code,
      0);
  EXPECT_EQ(Read(Path("sine.octet")), Read(Path("again.octet")));

  const Outcome text = Octet({"validate", model, Path("sine.octet"), "--data", Path("sine.npy"),
                              "--runs", "5", "--html", Path("v.html")});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("latency, p99"), std::string::npos);
  const std::string validated = Read(Path("v.html"));
  EXPECT_EQ(XmlError(validated.substr(validated.find("<html"))), "");

  const Outcome v = Octet({"validate", model, Path("sine.octet"), "--data", Path("sine.npy"),
                           "--json", "--runs", "5", "--min-sqnr", "20"});
  ASSERT_EQ(v.code, 0) << v.err;
  const Json facts = Json::parse(v.out);
  EXPECT_GT(facts["sqnr_db"].get<double>(), 20);
  EXPECT_GE(facts["layers"].size(), 3u);  // tensors keep their names
  EXPECT_GT(facts["quantized"]["median_us"].get<double>(), 0);
  EXPECT_LE(facts["quantized"]["median_us"], facts["quantized"]["p99_us"]);
  EXPECT_LT(facts["quantized"]["file_bytes"], facts["float"]["file_bytes"]);

  const Outcome fails = Octet({"validate", model, Path("sine.octet"), "--data", Path("sine.npy"),
                               "--runs", "5", "--min-sqnr", "99"});
  EXPECT_EQ(fails.code, 1);
  EXPECT_NE(fails.out.find("FAILED: SQNR"), std::string::npos) << fails.out;
  EXPECT_EQ(Octet({"validate", model, Path("sine.octet"), "--data", Path("sine.npy"), "--runs", "5",
                   "--max-latency-ms", "0"})
                .code,
            1);
}

// Values that are right, where there are no classes.
TEST_F(Quantize, MeanErrorBeforeAndAfter) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("hello_world_float");
  ASSERT_EQ(Octet({"quantize", model, "--data", Sine(), "-o", Path("sine.octet")}).code, 0);
  std::vector<float> y;
  for (int i = 0; i < 64; ++i) y.push_back(std::sin(static_cast<float>(i) * 0.0982f));
  Write(Path("y.npy"), Npy("64, 1", y));
  const auto validate = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {
        "validate", model, Path("sine.octet"), "--data", Path("sine.npy"), "--runs", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return Octet(all);
  };
  const Outcome made = validate({"--targets", Path("y.npy"), "--max-error-rise", "100%", "--json"});
  ASSERT_EQ(made.code, 0) << made.err << made.out;
  const Json json = Json::parse(made.out);
  const double before = json["float"]["mean_error"], after = json["quantized"]["mean_error"];
  EXPECT_GT(before, 0.01);
  EXPECT_LT(before, 0.1);
  EXPECT_NE(before, after);
  EXPECT_NEAR(before, after, json["mean_error"].get<double>());
  // The samples' own values are the targets of those that --samples leaves.
  y[0] = 1000;
  y[32] = 2000;
  Write(Path("far.npy"), Npy("64, 1", y));
  const Outcome two = validate({"--targets", Path("far.npy"), "--samples", "2", "--json"});
  ASSERT_EQ(two.code, 0) << two.err;
  EXPECT_NEAR(Json::parse(two.out)["float"]["mean_error"].get<double>(), 1500, 1);
  const auto rise = [&](const std::string& a, const std::string& b) {
    return Octet({"validate", a, b, "--data", Path("sine.npy"), "--runs", "1", "--targets",
                  Path("y.npy"), "--max-error-rise", "0%"});
  };
  EXPECT_EQ(rise(model, model).code, 0);
  const std::string other = Path("sine.octet");
  const Outcome worse = after > before ? rise(model, other) : rise(other, model);
  EXPECT_EQ(worse.code, 1) << worse.err;
  EXPECT_NE(worse.out.find("FAILED: mean error is"), std::string::npos) << worse.out;
  const Outcome text = validate({"--targets", Path("y.npy"), "--report", Path("v.html")});
  EXPECT_NE(text.out.find("\nmean error "), std::string::npos) << text.out;
  EXPECT_NE(Read(Path("v.html")).find("Mean error"), std::string::npos);
  ExpectError(validate({"--max-error-rise", "1%"}), 2, "needs --targets");
  y[5] = std::numeric_limits<float>::quiet_NaN();
  Write(Path("nan.npy"), Npy("64, 1", y));
  ExpectError(validate({"--targets", Path("nan.npy")}), 2, "value 0 of sample 5 is not finite");
  ExpectError(validate({"--targets", Path("absent.npy")}), 4, "absent.npy");
  Write(Path("few.npy"), Npy("63, 1", std::vector<float>(63, 1)));
  ExpectError(validate({"--targets", Path("few.npy")}), 2, "there are 64 samples");
}

TEST_F(Quantize, TextGoesIntoTheFile) {
  SKIP_WITHOUT_FLOAT();
  Write(Path("names"), "up\ndown\n");
  ASSERT_EQ(Octet({"quantize", Float("hello_world_float"), "--data", Sine(), "-o", Path("m.octet"),
                   "--metadata", "licence=MIT", "--class-names", Path("names")})
                .code,
            0);
  const Json metadata = Json::parse(Octet({"inspect", Path("m.octet"), "--json"}).out)["metadata"];
  EXPECT_EQ(metadata["licence"], "MIT");
  EXPECT_EQ(metadata["labels"], "up\ndown");
  ExpectError(Octet({"quantize", Float("hello_world_float"), "--data", Sine(), "-o",
                     Path("n.octet"), "--metadata", "x"}),
              2, "KEY=VALUE");
}

// Tensors of streamed plans are never whole; layers are compared by another plan.
TEST_F(Quantize, LayersOfStreamedPlans) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("pretrainedResnet");
  std::vector<float> x(4 * 32 * 32 * 3);
  std::mt19937 random(1);
  for (float& value : x) value = static_cast<float>(random() % 256);
  Write(Path("x.npy"), Npy("4, 32, 32, 3", x));
  Json layers[2], sqnr[2];
  for (int streamed = 0; streamed < 2; ++streamed) {
    ASSERT_EQ(Octet({"quantize", model, "--data", Path("x.npy"), "-o", Path("m.octet"),
                     "--optimize", streamed ? "ram" : "speed"})
                  .code,
              0);
    EXPECT_EQ(Json::parse(Octet({"inspect", Path("m.octet"), "--json"}).out)["streamed"].empty(),
              streamed == 0);
    const Json v = Json::parse(Octet({"validate", model, Path("m.octet"), "--data", Path("x.npy"),
                                      "--runs", "4", "--json"})
                                   .out);
    layers[streamed] = v["layers"];
    sqnr[streamed] = v["sqnr_db"];
  }
  EXPECT_GE(layers[0].size(), 8u);
  EXPECT_EQ(layers[0], layers[1]);
  EXPECT_EQ(sqnr[0], sqnr[1]);
}

TEST_F(Quantize, WrongDataLeavesNoFile) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("hello_world_float");
  const auto quantize = [&](const std::string& data) {
    return Octet({"quantize", model, "--data", data, "-o", Path("out.octet")});
  };
  ExpectError(quantize(Path("absent")), 4, "absent");
  fs::create_directory(Path("empty"));
  ExpectError(quantize(Path("empty")), 2, "empty: no sample");
  ExpectError(quantize(Sine(17, std::numeric_limits<float>::quiet_NaN())), 2,
              "sine.npy: sample 17: value 0 of the input");
  ExpectError(quantize(Sine(3, std::numeric_limits<float>::infinity())), 2, "infinite");
  Write(Path("shape.npy"), Npy("2, 3", std::vector<float>(6, 1)));
  ExpectError(quantize(Path("shape.npy")), 2, "the shape is (2, 3)");
  Write(Path("none.npy"), Npy("0, 1", {}));
  ExpectError(quantize(Path("none.npy")), 2, "no sample");
  Write(Path("cut.npy"), Npy("9, 1", std::vector<float>(5, 1)));
  ExpectError(quantize(Path("cut.npy")), 2, "20 bytes of data");
  Write(Path("junk.npz"), "PK this is no archive at all, whatever it says");
  ExpectError(quantize(Path("junk.npz")), 2, "junk.npz");
  const std::string four = Npy("4, 1", std::vector<float>(4, 1));
  Write(Path("two.npz"), Npz({{"angle", four}, {"turns", four}}));
  ExpectError(quantize(Path("two.npz")), 2, "two.npz: its arrays are \"angle\", \"turns\"");
  Write(Path("cut.npz"), Npz({{"angle", four.substr(0, 100)}}));
  ExpectError(quantize(Path("cut.npz")), 2, "cut.npz");
  Write(Path("classes.npz"), Npz({{"x", four}, {"labels", Npy("3", {0, 1, 0})}}));
  ExpectError(quantize(Path("classes.npz")), 2, "3 classes for 4 samples");
  Write(Path("junk.npy"), "no array");
  ExpectError(quantize(Path("junk.npy")), 2, "not an .npy file");
  Write(Path("notes.txt"), "text");
  ExpectError(quantize(Path("notes.txt")), 2, "data is a folder");
  ExpectError(Octet({"quantize", Path("notes.txt"), "--data", Sine(), "-o", Path("out.octet")}), 3,
              "notes.txt");
  ExpectError(Octet({"quantize", Path("absent.tflite"), "--data", Sine(), "-o", Path("out.octet")}),
              4, "absent.tflite");
  ExpectError(Octet({"quantize", model, "--data", Sine(), "-o", Path("out.octet"), "--keep", "x"}),
              2, "no operator is called \"x\"");
  EXPECT_TRUE(LeftNothing("out.octet"));
  ExpectError(Octet({"quantize", model, "--data", Sine(), "-o", Path("no/such/folder.octet")}), 4,
              "folder.octet");
  EXPECT_NE(Octet({"quantize", model, "-o", Path("out.octet")}).code, 0);
}

// The disk is full, or the process is killed, in the middle of writing.
TEST_F(Quantize, NothingIsWrittenByHalves) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("pretrainedResnet");
  std::vector<float> x(32 * 32 * 3, 1);
  Write(Path("x.npy"), Npy("1, 32, 32, 3", x));
  const std::vector<std::string> quantize = {
      "quantize",        model,      "--data",        Path("x.npy"), "-o",
      Path("out.octet"), "--report", Path("out.html")};
  // Files of 16 blocks at most: more, and a signal comes that kills unless it is ignored.
  const Outcome full = Octet(quantize, "trap '' XFSZ; ulimit -f 16; ");
  ExpectError(full, 4, "cannot write " + Path("out.octet"));
  EXPECT_TRUE(LeftNothing("out"));
  const Outcome killed = Octet(quantize, "ulimit -c 0; ulimit -f 16; exec ");
  EXPECT_EQ(killed.code, -1) << killed.err;
#if defined(O_TMPFILE)
  const int nameless = open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600);
  if (nameless >= 0) {
    EXPECT_TRUE(LeftNothing("out"));
    close(nameless);
  }
#endif
  EXPECT_FALSE(fs::exists(Path("out.octet")));

  // Nor is a file of before harmed.
  Write(Path("out.octet"), "before");
  EXPECT_EQ(Octet(quantize, "trap '' XFSZ; ulimit -f 16; ").code, 4);
  EXPECT_EQ(Read(Path("out.octet")), "before");
  // A report that cannot be written is an error of its own; the model is there, and whole.
  if (!fs::exists("/dev/full")) return;
  ExpectError(Octet({"quantize", model, "--data", Path("x.npy"), "-o", Path("out.octet"),
                     "--report", "/dev/full"}),
              4, "/dev/full");
  ASSERT_EQ(Octet({"inspect", Path("out.octet")}).code, 0);
  const std::vector<std::string> validate = {
      "validate", model, Path("out.octet"), "--data", Path("x.npy"), "--runs", "1"};
  std::vector<std::string> reported = validate;
  reported.insert(reported.end(), {"--report", "/dev/full"});
  ExpectError(Octet(reported), 4, "/dev/full");
  EXPECT_EQ(Octet(validate, "", " >/dev/full").code, 4);
}

TEST_F(Quantize, InterruptedLeavesNoFile) {
  SKIP_WITHOUT_FLOAT();
  // Minutes of calibration.
  Write(Path("x.npy"), Npy("2000, 32, 32, 3", std::vector<float>(2000 * 32 * 32 * 3, 1)));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    execl(OCTET_CLI, OCTET_CLI, "quantize", Float("pretrainedResnet").c_str(), "--data",
          Path("x.npy").c_str(), "-o", Path("out.octet").c_str(), nullptr);
    _exit(99);
  }
  usleep(300000);
  EXPECT_EQ(kill(child, SIGINT), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) << status;
  EXPECT_TRUE(LeftNothing("out"));
}

TEST_F(Quantize, FoldersOfPicturesWithClasses) {
  SKIP_WITHOUT_FLOAT();
  const std::string model = Float("pretrainedResnet");
  for (int label = 0; label < 10; ++label) {
    const std::string folder = Path("classes/" + std::to_string(label));
    fs::create_directories(folder);
    Write(folder + "/a.pgm", Pgm(40, static_cast<unsigned>(label)));
  }
  const Outcome made = Octet({"quantize", model, "--data", Path("classes"), "--mean", "0", "--std",
                              "1", "-o", Path("r.octet"), "--json"});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(Json::parse(made.out)["labelled"], 10);
  const Outcome v =
      Octet({"validate", model, Path("r.octet"), "--data", Path("classes"), "--mean", "0", "--std",
             "1", "--runs", "10", "--json", "--max-accuracy-drop", "100%"});
  ASSERT_EQ(v.code, 0) << v.err;
  const Json json = Json::parse(v.out);
  EXPECT_EQ(json["labelled"], 10);
  EXPECT_TRUE(json["float"].contains("top5"));

  // One of the pictures is none.
  Write(Path("classes/4/b.png"), "no picture");
  ExpectError(Octet({"quantize", model, "--data", Path("classes"), "-o", Path("out.octet")}), 2,
              "b.png");
  EXPECT_TRUE(LeftNothing("out.octet"));
  ExpectError(Octet({"validate", model, Path("r.octet"), "--data", Path("classes")}), 2, "b.png");
}

TEST_F(Quantize, QuantisedModelsAreTakenAsTheyAre) {
  fs::create_directories(Path("pictures"));
  Write(Path("pictures/a.pgm"), Pgm(8, 1));
  const Outcome made = Octet(
      {"quantize", OCTET_DIGITS_TFLITE, "--data", Path("pictures"), "-o", Path("digits.octet")});
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_NE(made.out.find("quantised already"), std::string::npos) << made.out;
  const Outcome same = Octet({"validate", OCTET_DIGITS_TFLITE, Path("digits.octet"), "--data",
                              Path("pictures"), "--runs", "5", "--json"});
  ASSERT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(Json::parse(same.out)["max_error"], 0);
  ExpectError(
      Octet({"quantize", Path("digits.octet"), "--data", Path("pictures"), "-o", Path("x.octet")}),
      3, "quantise its source");
}

TEST_F(Quantize, ValidateWantsModelsOfTheSameShape) {
  SKIP_WITHOUT_FLOAT();
  ExpectError(
      Octet({"validate", Float("hello_world_float"), OCTET_DIGITS_TFLITE, "--data", Sine()}), 2,
      "cannot be compared");
  ExpectError(Octet({"validate", Float("hello_world_float"), Float("hello_world_float"), "--data",
                     Sine(), "--max-accuracy-drop", "1%"}),
              2, "labelled");
  ExpectError(Octet({"validate", Float("hello_world_float"), Float("hello_world_float"), "--data",
                     Sine(), "--max-accuracy-drop", "lots"}),
              2, "lots");
}

}  // namespace
}  // namespace octet::test
