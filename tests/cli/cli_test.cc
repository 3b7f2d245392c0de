// Runs the octet command as a user would: outputs, JSON fields, exit codes, messages.
#include "tests/cli/cli_fixture.h"
#include "tests/support/xml_check.h"

namespace octet::test {
namespace {

TEST_F(Cli, VersionAndHelp) {
  EXPECT_EQ(Octet({"--version"}).out.rfind("octet ", 0), 0u);
  for (const char* command : {"convert", "run", "inspect", "bench", "compare"}) {
    const Outcome help = Octet({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("Examples:\n  octet " + std::string(command)), std::string::npos);
  }
}

TEST_F(Cli, UsageErrors) {
  ExpectError(Octet({}), 2, "subcommand");
  ExpectError(Octet({"fly"}), 2, "fly");
  ExpectError(Octet({"convert", "x.tflite"}), 2, "--output");
  ExpectError(Octet({"run"}), 2, "MODEL");
  ExpectError(Octet({"bench", "x", "--threads", "0"}), 2, "--threads");
  ExpectError(Octet({"convert", "x", "-o", "y", "--ram-limit", "much"}), 2, "--ram-limit");
  ExpectError(Octet({"convert", "x", "-o", "y", "--metadata", "novalue"}), 2, "KEY=VALUE");
}

TEST_F(Cli, BadFiles) {
  Write(Path("garbage.tflite"), "this is not a model at all, by any measure");
  Write(Path("garbage.octet"), std::string("\x20\0\0\0OCT1", 8) + std::string(200, '\xff'));
  Write(Path("empty"), "");
  for (const char* command : {"run", "inspect", "bench"}) {
    ExpectError(Octet({command, Path("absent.octet")}), 4, "absent.octet");
    ExpectError(Octet({command, folder_.string()}), 4, folder_.string());
    ExpectError(Octet({command, Path("garbage.tflite")}), 3, "garbage.tflite");
    ExpectError(Octet({command, Path("garbage.octet")}), 3, "garbage.octet");
    ExpectError(Octet({command, Path("empty")}), 3, "empty");
  }
  ExpectError(Octet({"convert", Path("garbage.tflite"), "-o", Path("x.octet")}), 3, "garbage");
  ExpectError(Octet({"convert", Path("absent.tflite"), "-o", Path("x.octet")}), 4, "absent");
  EXPECT_FALSE(fs::exists(Path("x.octet")));
}

TEST_F(Cli, ConvertThenRunGivesRecordedBytes) {
  SKIP_WITHOUT_DATA();
  for (const std::string name : {"hello_world_int8", "vww_96_int8", "kws_ref_model"}) {
    const std::string model = Data("models/" + name);
    const Outcome convert = Octet({"convert", model + "/model.tflite", "-o", Path("m.octet")});
    ASSERT_EQ(convert.code, 0) << convert.err;
    EXPECT_EQ(std::count(convert.out.begin(), convert.out.end(), '\n'), 1) << convert.out;
    EXPECT_NE(convert.out.find("file " + std::to_string(fs::file_size(Path("m.octet")))),
              std::string::npos)
        << convert.out;
    EXPECT_NE(convert.out.find("arena "), std::string::npos);
    EXPECT_NE(convert.out.find("bound "), std::string::npos);
    for (const std::string& file : {Path("m.octet"), model + "/model.tflite"}) {
      const Outcome run = Octet({"run", file, "--inputs", model + "/random1/in0.bin", "--outputs",
                                 Path("new/folder"), "--threads", "2"});
      ASSERT_EQ(run.code, 0) << run.err;
      EXPECT_TRUE(Read(Path("new/folder/out0.bin")) == Read(model + "/random1/out0.bin")) << file;
      fs::remove_all(Path("new"));
    }
  }
}

TEST_F(Cli, RunTakesSeveralInputs) {
  SKIP_WITHOUT_DATA();
  const std::string model = Data("zoo/add_int8_000");
  const std::string a = model + "/in0.bin", b = model + "/in1.bin";
  const Outcome run = Octet({"run", "--inputs", a + "," + b, model + "/model.tflite", "--outputs",
                             Path("out"), "--outputs-npy"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_TRUE(Read(Path("out/out0.bin")) == Read(model + "/out0.bin"));
  EXPECT_EQ(Read(Path("out/out0.npy")).substr(1, 5), "NUMPY");
  ExpectError(Octet({"run", model + "/model.tflite", "--inputs", a}), 2, "the model has 2");
  ExpectError(Octet({"run", model + "/model.tflite"}), 2, "input 1");
  Write(Path("short.bin"), "abc");
  ExpectError(Octet({"run", model + "/model.tflite", "--inputs", a + "," + Path("short.bin")}), 2,
              "3 bytes");
  ExpectError(Octet({"run", model + "/model.tflite", "--inputs", a + "," + Path("none.bin")}), 4,
              "none.bin");
}

TEST_F(Cli, RunPictureWithLabels) {
  SKIP_WITHOUT_DATA();
  const std::string model = Data("models/mobilenet_v1_0.25_128_quant");
  const std::vector<std::string> run = {"run",       model + "/model.tflite",
                                        "--inputs",  Data("images/cat.bmp"),
                                        "--labels",  Data("images/imagenet_labels.txt"),
                                        "--outputs", Path("out"),
                                        "--top",     "3"};
  const Outcome text = Octet(run);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(Read(Path("out/out0.bin")) == Read(model + "/cat/out0.bin"));
  EXPECT_NE(text.out.find("cat"), std::string::npos) << text.out;
  std::vector<std::string> with_json = run;
  with_json.push_back("--json");
  const Json json = Json::parse(Octet(with_json).out);
  const Json& top = json["outputs"][0]["top"];
  ASSERT_EQ(top.size(), 3u);
  EXPECT_GE(top[0]["score"], top[1]["score"]);
  EXPECT_FALSE(top[0]["label"].get<std::string>().empty());
  // The labels may travel in the file instead.
  ASSERT_EQ(Octet({"convert", model + "/model.tflite", "-o", Path("m.octet"), "--labels",
                   Data("images/imagenet_labels.txt"), "--metadata", "licence=Apache-2.0"})
                .code,
            0);
  const Json again = Json::parse(
      Octet({"run", Path("m.octet"), "--inputs", Data("images/cat.bmp"), "--json"}).out);
  EXPECT_EQ(again["outputs"][0]["top"][0], top[0]);
  EXPECT_EQ(Json::parse(Octet({"inspect", Path("m.octet"), "--json"}).out)["metadata"]["licence"],
            "Apache-2.0");
}

TEST_F(Cli, InspectShowsEverything) {
  SKIP_WITHOUT_DATA();
  const std::string model = Data("models/vww_96_int8/model.tflite");
  const Outcome text = Octet({"inspect", model, "--svg", Path("plan.svg")});
  ASSERT_EQ(text.code, 0) << text.err;
  for (const char* word : {"RAM", "CONV_2D", "Memory plan", "peak", "kernel", "scale"}) {
    EXPECT_NE(text.out.find(word), std::string::npos) << word;
  }
  EXPECT_NE(Read(Path("plan.svg")).find("<svg"), std::string::npos);
  const Json json = Json::parse(Octet({"inspect", model, "--json"}).out);
  for (const char* field :
       {"file_bytes", "inputs", "outputs", "operators", "macs", "weight_bytes", "arena_bytes",
        "state_bytes", "session_bytes", "total_ram_bytes", "steps", "plan", "peak_live_bytes"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_GT(json["macs"], 7000000);
  EXPECT_FALSE(json["steps"].empty());
  uint64_t end = 0;
  for (const Json& tensor : json["plan"]) {
    const uint64_t stop = tensor["offset"].get<uint64_t>() + tensor["bytes"].get<uint64_t>();
    end = std::max(end, stop);
    EXPECT_LE(tensor["first_step"], tensor["last_step"]);
  }
  EXPECT_LE(end, json["activation_bytes"].get<uint64_t>());
  EXPECT_LE(json["peak_live_bytes"], json["activation_bytes"]);
}

TEST_F(Cli, InspectDrawsStreamedPlans) {
  SKIP_WITHOUT_DATA();
  const std::string source = Data("models/vww_96_int8/model.tflite");
  ASSERT_EQ(Octet({"convert", source, "-o", Path("ram.octet"), "--optimize", "ram"}).code, 0);
  const Outcome text =
      Octet({"inspect", Path("ram.octet"), "--svg", Path("plan.svg"), "--html", Path("page.html")});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("layer-by-layer bound: 55296 bytes"), std::string::npos) << text.out;
  const std::string svg = Read(Path("plan.svg")), page = Read(Path("page.html"));
  EXPECT_EQ(XmlError(svg), "");
  for (const char* part : {"row by row", "kernel scratch", "layer-by-layer bound", "url(#ring0)",
                           "a ring of", "each row held", "stroke-dasharray"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(XmlError(page), "");
  for (const char* part : {"name=\"viewport\"", "id=\"memory\"", "id=\"plan\"", "id=\"graph\"",
                           "id=\"operators\"", "id=\"tensors\"", "id=\"op0\"", "href=\"#op1\"",
                           "Layer-by-layer bound", "prefers-color-scheme", "by rows"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  // Nothing is fetched; the one address is the name space of SVG.
  for (const char* part : {"<script", "<link", "<img", "@import", "src=", "https:"}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
  const Json json = Json::parse(Octet({"inspect", Path("ram.octet"), "--json"}).out);
  EXPECT_EQ(json["bound_bytes"], 55296);
  EXPECT_LT(json["peak_live_bytes"], 40000);
  ASSERT_FALSE(json["streamed"].empty());
  EXPECT_LT(json["streamed"][0]["first_step"], json["streamed"][0]["last_step"]);
  EXPECT_FALSE(json["scratch"].empty());
  // A row an operator, unless all steps are asked for.
  const Outcome all = Octet({"inspect", Path("ram.octet"), "--steps"});
  EXPECT_GT(std::count(all.out.begin(), all.out.end(), '\n'),
            std::count(text.out.begin(), text.out.end(), '\n') + 20);
  const Json bench = Json::parse(
      Octet({"bench", Path("ram.octet"), "--runs", "1", "--warmup", "0", "--json"}).out);
  EXPECT_EQ(bench["steps"].size(), json["steps"].size());
  ExpectError(Octet({"inspect", Path("ram.octet"), "--html", Path("no/such/page.html")}), 4,
              "page.html");
}

// An input that comes row by row is a ring that no operator fills.
TEST_F(Cli, InspectShowsRowFedInput) {
  SKIP_WITHOUT_DATA();
  const std::string source = Data("models/vww_96_int8/model.tflite");
  ASSERT_EQ(
      Octet({"convert", source, "-o", Path("fed.octet"), "--optimize", "ram", "--row-input"}).code,
      0);
  const Outcome text =
      Octet({"inspect", Path("fed.octet"), "--svg", Path("fed.svg"), "--html", Path("fed.html")});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("row_source"), std::string::npos) << text.out;
  const std::string svg = Read(Path("fed.svg")), page = Read(Path("fed.html"));
  EXPECT_EQ(XmlError(svg), "");
  EXPECT_EQ(XmlError(page), "");
  EXPECT_NE(svg.find("<title>input_1_int8"), std::string::npos);
  EXPECT_NE(page.find("INPUT"), std::string::npos);
  const Json json = Json::parse(Octet({"inspect", Path("fed.octet"), "--json"}).out);
  EXPECT_LT(json["activation_bytes"], json["inputs"][0]["bytes"]);
  EXPECT_EQ(json["steps"][0]["op"], "INPUT");
  EXPECT_EQ(json["steps"][0]["op_index"], -1);
  const Outcome compared =
      Octet({"compare", Path("fed.octet"), Data("models/vww_96_int8/random1")});
  EXPECT_EQ(compared.code, 0) << compared.out << compared.err;
}

TEST_F(Cli, InspectDrawsEveryModel) {
  SKIP_WITHOUT_DATA();
  for (const auto& entry : fs::directory_iterator(Data("models"))) {
    const fs::path model = entry.path() / "model.tflite";
    if (!fs::exists(model) || fs::file_size(model) > 1000000) continue;
    const Outcome text =
        Octet({"inspect", model.string(), "--svg", Path("plan.svg"), "--html", Path("page.html")});
    ASSERT_EQ(text.code, 0) << text.err;
    EXPECT_EQ(XmlError(Read(Path("plan.svg"))), "") << model;
    EXPECT_EQ(XmlError(Read(Path("page.html"))), "") << model;
  }
}

TEST(XmlError, FindsWhatIsWrong) {
  EXPECT_EQ(XmlError("<!DOCTYPE html>\n<a b=\"c\"><d/>x &amp; y</a>"), "");
  for (const char* text :
       {"<a>", "</a>", "<a></b>", "<a b=c/>", "<a b=\"<\"/>", "<a>&</a>", "<a>&nbsp;</a>", "<a", "",
        "<a/><b/>", "<a>\x01</a>", "<a>\xff</a>", "x<a/>", "<a b=\"1\" b=\"2\"/>"}) {
    EXPECT_NE(XmlError(text), "") << text;
  }
}

TEST_F(Cli, BenchJson) {
  SKIP_WITHOUT_DATA();
  const std::string model = Data("models/kws_ref_model/model.tflite");
  const Outcome bench =
      Octet({"bench", model, "--threads", "1", "--runs", "5", "--warmup", "1", "--json"});
  ASSERT_EQ(bench.code, 0) << bench.err;
  const Json json = Json::parse(bench.out);
  for (const char* field :
       {"median_us", "p90_us", "load_us", "arena_bytes", "total_ram_bytes", "steps", "min_us",
        "mean_us", "p99_us", "runs", "threads", "isa", "macs", "gmacs_per_s", "model_bytes",
        "session_bytes", "mapped_bytes", "file_bytes"}) {
    EXPECT_TRUE(json.contains(field)) << field;
  }
  EXPECT_EQ(json["runs"], 5);
  EXPECT_GT(json["median_us"], 0.0);
  EXPECT_LE(json["median_us"], json["p90_us"]);
  EXPECT_EQ(json["total_ram_bytes"], json["arena_bytes"].get<uint64_t>() +
                                         json["model_bytes"].get<uint64_t>() +
                                         json["session_bytes"].get<uint64_t>());
  for (const Json& step : json["steps"]) {
    for (const char* field : {"op", "kernel", "us", "macs"}) EXPECT_TRUE(step.contains(field));
  }
  const Outcome text = Octet({"bench", model, "--runs", "3", "--per-op"});
  EXPECT_NE(text.out.find("median"), std::string::npos);
  EXPECT_NE(text.out.find("CONV_2D"), std::string::npos);
  EXPECT_EQ(
      Json::parse(Octet({"bench", model, "--runs", "1", "--json", "--isa", "scalar"}).out)["isa"],
      "scalar");
  ExpectError(Octet({"bench", model, "--isa", "abacus"}), 2, "abacus");
}

TEST_F(Cli, CompareFindsDifferences) {
  SKIP_WITHOUT_DATA();
  const std::string folder = Data("models/vww_96_int8"), model = folder + "/model.tflite";
  EXPECT_EQ(Octet({"compare", model, folder}).code, 0);
  EXPECT_EQ(Octet({"compare", model, folder + "/random1/"}).code, 0);
  EXPECT_EQ(Octet({"compare", model, model, "--seeds", "2"}).code, 0);
  EXPECT_EQ(
      Octet({"compare", model, folder + "/person", "--inputs", Data("images/person.bmp")}).code, 0);
  ASSERT_EQ(Octet({"convert", model, "-o", Path("plain.octet"), "--no-optimize"}).code, 0);
  EXPECT_EQ(Octet({"compare", Path("plain.octet"), model}).code, 0);

  fs::create_directories(Path("case"));
  fs::copy_file(folder + "/random1/in0.bin", Path("case/in0.bin"));
  std::string expected = Read(folder + "/random1/out0.bin");
  expected[0] = static_cast<char>(expected[0] ^ 1);
  Write(Path("case/out0.bin"), expected);
  const Outcome different = Octet({"compare", model, Path("case"), "--json"});
  EXPECT_EQ(different.code, 1) << different.err;
  const Json json = Json::parse(different.out);
  EXPECT_EQ(json["equal"], false);
  EXPECT_EQ(json["cases"][0]["outputs"][0]["differing"], 1);
  EXPECT_EQ(json["cases"][0]["outputs"][0]["max_diff"], 1.0);
  EXPECT_EQ(Octet({"compare", model, Path("case")}).code, 1);
  EXPECT_EQ(Octet({"compare", model, Path("case"), "--max-diff", "1"}).code, 0);

  ExpectError(Octet({"compare", model, Data("models/kws_ref_model/model.tflite")}), 2, "compared");
  ExpectError(Octet({"compare", model, Path("absent")}), 4, "absent");
  fs::create_directories(Path("nothing"));
  ExpectError(Octet({"compare", model, Path("nothing")}), 4, "out0.bin");
}

TEST_F(Cli, CompressedWeights) {
  SKIP_WITHOUT_DATA();
  // A table of 256 bytes, many of which are the same.
  const std::string source = Data("zoo/relu_relu_n1_to_1_int8_002/model.tflite");
  for (const char* compress : {"auto", "off", "on"}) {
    ASSERT_EQ(Octet({"convert", source, "-o", Path(compress), "--compress-weights", compress}).code,
              0);
  }
  EXPECT_EQ(Read(Path("auto")), Read(Path("off")));                  // it saves too little
  EXPECT_LE(fs::file_size(Path("on")), fs::file_size(Path("off")));  // to a multiple of 64
  const Json plain = Json::parse(Octet({"inspect", Path("off"), "--json"}).out);
  const Json coded = Json::parse(Octet({"inspect", Path("on"), "--json"}).out);
  EXPECT_EQ(plain["coded_bytes"], 0);
  EXPECT_EQ(coded["coded_bytes"], 256);
  EXPECT_LT(coded["coded_stored_bytes"], 205);
  EXPECT_EQ(coded["weight_bytes"], plain["weight_bytes"]);
  EXPECT_GE(coded["model_bytes"], plain["model_bytes"].get<int>() + 256);
  EXPECT_NE(Octet({"inspect", Path("on")}).out.find("compressed 256"), std::string::npos);
  EXPECT_EQ(Octet({"compare", Path("on"), Path("off"), "--seeds", "3"}).code, 0);
  EXPECT_EQ(Octet({"convert", source, "-o", Path("x"), "--compress-weights", "zip"}).code, 2);
  ExpectError(Octet({"convert", Path("on"), "-o", Path("x"), "--compress-weights", "on"}), 3,
              "passed through");
}

TEST_F(Cli, DevicesAreNotReplaced) {
  SKIP_WITHOUT_DATA();
  const std::string source = Data("zoo/relu_relu_n1_to_1_int8_002/model.tflite");
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  ExpectError(Octet({"convert", source, "-o", Path("pipe")}), 4, "no regular file");
  EXPECT_TRUE(fs::is_fifo(Path("pipe")));
}

TEST_F(Cli, RamLimits) {
  SKIP_WITHOUT_DATA();
  const std::string folder = Data("models/vww_96_int8"), model = folder + "/model.tflite";
  ExpectError(Octet({"convert", model, "-o", Path("m.octet"), "--ram-limit", "1K"}), 5, "");
  EXPECT_FALSE(fs::exists(Path("m.octet")));
  EXPECT_EQ(Octet({"convert", model, "-o", Path("m.octet"), "--ram-limit", "1M"}).code, 0);
  ExpectError(
      Octet({"run", Path("m.octet"), "--inputs", folder + "/random1/in0.bin", "--ram-limit", "1K"}),
      5, "");
}

}  // namespace
}  // namespace octet::test
