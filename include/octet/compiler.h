// Turning models of other formats into .octet files, in C++. Link with liboctet_compiler.
//
// Thread safety: functions only touch their arguments; call them from any thread.
// Errors: as in octet.h, a status and octet_last_error(). No exceptions come out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "octet/octet.h"

namespace octet::compiler {

// What the memory plan is made for.
enum class Goal {
  kSpeed,  // every operator runs whole, in the smallest arena that allows
  kRam     // chains of operators run a few rows at a time wherever that needs less RAM
};

// How a model of another format is read. Only ONNX leaves anything to choose.
struct ImportOptions {
  // Shapes of inputs by name ("": of every input), for models that leave sizes open. Without one,
  // an open batch is 1 and other open sizes are an error.
  std::vector<std::pair<std::string, std::vector<int32_t>>> input_shapes;
  // Inputs and outputs of three and more dimensions have their channels last, as the model stores
  // them inside, instead of second, which costs a transposition in each run.
  bool channels_last_inputs = false;
  bool channels_last_outputs = false;
  // Folder of the model's file, for weights that lie beside it. ConvertFile knows it; "": there is
  // none, and such models are refused.
  std::string directory;
};

struct ConvertOptions {
  ImportOptions import;
  // Instruction set whose weight packs go into the file beside the portable weights:
  // "" for none, "native" for this machine's, or "x86-avx2", "x86-avxvnni", "x86-avx512vnni", ...
  std::string target;
  Goal goal = Goal::kSpeed;
  // Bytes that a session on one thread may take in all (octet_memory.total_bytes: arena, scratch,
  // weights packed at load, bookkeeping) on `target`, or else on this machine. 0: no limit.
  // Operators are streamed by rows only as far as the limit makes it necessary; where even that is
  // not enough, OCTET_RAM_LIMIT says what the least is.
  uint64_t ram_limit = 0;
  // The caller hands the input image over row by row (octet_session_set_row_source), so that it
  // need not be in memory as a whole.
  bool row_fed_input = false;
  // Rewrite the graph (fold, fuse, drop). Off: the file has the source's operators one by one.
  bool optimize = true;
  // Free text for the file, e.g. {"labels", "cat\ndog"}; replaces what the importer found.
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct ConvertReport {
  std::vector<std::string> log;  // what each pass did, a line each
  uint64_t arena_bytes = 0;      // activations as planned
  uint64_t total_bytes = 0;      // of a session on one thread, as ConvertOptions::ram_limit counts
  uint64_t bound_bytes = 0;      // the largest sum of live bytes, layer by layer
  double weight_traffic = 1;     // weight bytes read, relative to running layer by layer
  uint64_t file_bytes = 0;
};

// The formats that Convert reads, decided by content: .tflite, .onnx; an .octet file is passed
// through.
octet_status Convert(const void* data, size_t size, const ConvertOptions& options,
                     std::vector<uint8_t>* octet_file, ConvertReport* report);

// The same from and to files. The output appears whole or not at all.
octet_status ConvertFile(const std::string& input, const std::string& output,
                         const ConvertOptions& options, ConvertReport* report);

}  // namespace octet::compiler
