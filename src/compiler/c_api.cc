// The compiler's C API: argument checks around octet/compiler.h.
#include <exception>
#include <memory>
#include <new>

#include "octet/compiler.h"
#include "octet/compiler_c.h"
#include "src/base/status.h"
#include "src/compiler/aligned.h"

using octet::Fail;

struct octet_convert_options {
  octet::compiler::ConvertOptions value;
};

struct octet_converted {
  std::unique_ptr<octet::AlignedCopy> file;  // null after octet_convert_file
  octet::compiler::ConvertReport report;
};

namespace {

#define OCTET_NOT_NULL(pointer)                                                  \
  do {                                                                           \
    if ((pointer) == nullptr)                                                    \
      return Fail(OCTET_INVALID_ARGUMENT, "%s: %s is null", __func__, #pointer); \
  } while (0)

// Runs f; no exception of the standard library gets out to C.
template <class F>
octet_status Guarded(F f) {
  try {
    return f();
  } catch (const std::exception&) {
    return Fail(OCTET_OUT_OF_MEMORY, "not enough memory");
  }
}

const octet::compiler::ConvertOptions& Value(const octet_convert_options* options) {
  static const octet::compiler::ConvertOptions defaults;
  return options != nullptr ? options->value : defaults;
}

}  // namespace

extern "C" {

const char* octet_compiler_last_error(void) { return octet_last_error(); }

octet_status octet_convert_options_create(octet_convert_options** options) {
  OCTET_NOT_NULL(options);
  octet_convert_options* made = new (std::nothrow) octet_convert_options();
  if (made == nullptr) return Fail(OCTET_OUT_OF_MEMORY, "no memory for options");
  *options = made;
  return OCTET_OK;
}

void octet_convert_options_destroy(octet_convert_options* options) { delete options; }

octet_status octet_convert_options_set_target(octet_convert_options* options, const char* target) {
  OCTET_NOT_NULL(options);
  return Guarded([&] {
    options->value.target = target != nullptr ? target : "";
    return OCTET_OK;
  });
}

octet_status octet_convert_options_set_goal(octet_convert_options* options, int goal) {
  OCTET_NOT_NULL(options);
  if (goal != OCTET_GOAL_SPEED && goal != OCTET_GOAL_RAM) {
    return Fail(OCTET_INVALID_ARGUMENT, "%d is not a goal", goal);
  }
  options->value.goal =
      goal == OCTET_GOAL_RAM ? octet::compiler::Goal::kRam : octet::compiler::Goal::kSpeed;
  return OCTET_OK;
}

octet_status octet_convert_options_set_ram_limit(octet_convert_options* options, uint64_t bytes) {
  OCTET_NOT_NULL(options);
  options->value.ram_limit = bytes;
  return OCTET_OK;
}

octet_status octet_convert_options_set_compress(octet_convert_options* options, int compress) {
  using octet::compiler::Compress;
  OCTET_NOT_NULL(options);
  switch (compress) {
    case OCTET_COMPRESS_AUTO:
      options->value.compress = Compress::kAuto;
      return OCTET_OK;
    case OCTET_COMPRESS_OFF:
      options->value.compress = Compress::kOff;
      return OCTET_OK;
    case OCTET_COMPRESS_ON:
      options->value.compress = Compress::kOn;
      return OCTET_OK;
  }
  return Fail(OCTET_INVALID_ARGUMENT, "%d is no way to compress", compress);
}

octet_status octet_convert_options_set_row_fed_input(octet_convert_options* options, int enabled) {
  OCTET_NOT_NULL(options);
  options->value.row_fed_input = enabled != 0;
  return OCTET_OK;
}

octet_status octet_convert_options_set_optimize(octet_convert_options* options, int enabled) {
  OCTET_NOT_NULL(options);
  options->value.optimize = enabled != 0;
  return OCTET_OK;
}

octet_status octet_convert_options_add_input_shape(octet_convert_options* options, const char* name,
                                                   const int32_t* shape, size_t rank) {
  OCTET_NOT_NULL(options);
  OCTET_NOT_NULL(name);
  OCTET_NOT_NULL(shape);
  if (rank > OCTET_MAX_RANK) {
    return Fail(OCTET_INVALID_ARGUMENT, "a shape of %zu dimensions; %d are possible", rank,
                OCTET_MAX_RANK);
  }
  return Guarded([&] {
    options->value.import.input_shapes.emplace_back(name,
                                                    std::vector<int32_t>(shape, shape + rank));
    return OCTET_OK;
  });
}

octet_status octet_convert_options_set_channels_last(octet_convert_options* options, int inputs,
                                                     int outputs) {
  OCTET_NOT_NULL(options);
  options->value.import.channels_last_inputs = inputs != 0;
  options->value.import.channels_last_outputs = outputs != 0;
  return OCTET_OK;
}

octet_status octet_convert_options_set_directory(octet_convert_options* options,
                                                 const char* directory) {
  OCTET_NOT_NULL(options);
  return Guarded([&] {
    options->value.import.directory = directory != nullptr ? directory : "";
    return OCTET_OK;
  });
}

octet_status octet_convert_options_add_metadata(octet_convert_options* options, const char* key,
                                                const char* value) {
  OCTET_NOT_NULL(options);
  OCTET_NOT_NULL(key);
  OCTET_NOT_NULL(value);
  if (key[0] == '\0') return Fail(OCTET_INVALID_ARGUMENT, "a metadata key is empty");
  return Guarded([&] {
    options->value.metadata.emplace_back(key, value);
    return OCTET_OK;
  });
}

octet_status octet_convert(const void* data, size_t size, const octet_convert_options* options,
                           octet_converted** converted) {
  OCTET_NOT_NULL(data);
  OCTET_NOT_NULL(converted);
  return Guarded([&]() -> octet_status {
    auto made = std::make_unique<octet_converted>();
    std::vector<uint8_t> file;
    OCTET_RETURN_IF_ERROR(
        octet::compiler::Convert(data, size, Value(options), &file, &made->report));
    made->file = std::make_unique<octet::AlignedCopy>(file.data(), file.size());
    *converted = made.release();
    return OCTET_OK;
  });
}

octet_status octet_convert_file(const char* input, const char* output,
                                const octet_convert_options* options, octet_converted** converted) {
  OCTET_NOT_NULL(input);
  OCTET_NOT_NULL(output);
  return Guarded([&]() -> octet_status {
    auto made = std::make_unique<octet_converted>();
    OCTET_RETURN_IF_ERROR(
        octet::compiler::ConvertFile(input, output, Value(options), &made->report));
    if (converted != nullptr) *converted = made.release();
    return OCTET_OK;
  });
}

void octet_converted_destroy(octet_converted* converted) { delete converted; }

octet_status octet_converted_data(const octet_converted* converted, const void** data,
                                  size_t* size) {
  OCTET_NOT_NULL(converted);
  OCTET_NOT_NULL(data);
  OCTET_NOT_NULL(size);
  if (converted->file == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT, "the model was written to a file: there are no bytes");
  }
  *data = converted->file->data();
  *size = converted->file->size();
  return OCTET_OK;
}

octet_status octet_converted_report(const octet_converted* converted,
                                    octet_convert_report* report) {
  OCTET_NOT_NULL(converted);
  OCTET_NOT_NULL(report);
  if (report->struct_size != sizeof(octet_convert_report)) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_convert_report.struct_size is %zu, not %zu",
                report->struct_size, sizeof(octet_convert_report));
  }
  const octet::compiler::ConvertReport& from = converted->report;
  report->file_bytes = from.file_bytes;
  report->arena_bytes = from.arena_bytes;
  report->bound_bytes = from.bound_bytes;
  report->total_bytes = from.total_bytes;
  report->weight_traffic = from.weight_traffic;
  return OCTET_OK;
}

const char* octet_converted_log(const octet_converted* converted, size_t line) {
  if (converted == nullptr || line >= converted->report.log.size()) return nullptr;
  return converted->report.log[line].c_str();
}

}  // extern "C"
