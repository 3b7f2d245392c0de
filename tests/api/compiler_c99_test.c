/* The compiler's C API in plain C99: a .tflite file in memory and on disk, and what goes wrong. */
#include "octet/compiler_c.h"

#include <stdio.h>
#include <string.h>

/* Returns 0, or the line of the first check that failed. `output` is a file that may be written. */
int octet_compiler_c99_test(const void* tflite, size_t size, const char* input, const char* output,
                            char* text, size_t text_size);

#define REQUIRE(condition)                                          \
  do {                                                              \
    if (!(condition)) {                                             \
      snprintf(text, text_size, "%s", octet_compiler_last_error()); \
      line = __LINE__;                                              \
      goto done;                                                    \
    }                                                               \
  } while (0)

int octet_compiler_c99_test(const void* tflite, size_t size, const char* input, const char* output,
                            char* text, size_t text_size) {
  octet_convert_options* options = NULL;
  octet_converted* converted = NULL;
  octet_converted* written = NULL;
  octet_converted* untouched = NULL;
  octet_convert_report report, of_file;
  octet_model* model = NULL;
  const void* data = NULL;
  size_t bytes = 0;
  const int32_t shape[] = {1, 8, 8, 1}; /* can be chosen for ONNX models alone */
  int line = 0;

  REQUIRE(octet_convert_options_create(&options) == OCTET_OK);
  REQUIRE(octet_convert_options_set_target(options, NULL) == OCTET_OK);
  REQUIRE(octet_convert_options_set_goal(options, OCTET_GOAL_SPEED) == OCTET_OK);
  REQUIRE(octet_convert_options_set_row_fed_input(options, 0) == OCTET_OK);
  REQUIRE(octet_convert_options_set_optimize(options, 1) == OCTET_OK);
  REQUIRE(octet_convert_options_set_channels_last(options, 0, 0) == OCTET_OK);
  REQUIRE(octet_convert_options_set_directory(options, NULL) == OCTET_OK);
  REQUIRE(octet_convert_options_add_metadata(options, "note", "from C") == OCTET_OK);
  REQUIRE(octet_convert(tflite, size, options, &converted) == OCTET_OK);
  REQUIRE(octet_converted_data(converted, &data, &bytes) == OCTET_OK);
  report.struct_size = sizeof report;
  REQUIRE(octet_converted_report(converted, &report) == OCTET_OK);
  REQUIRE(report.file_bytes == bytes && report.arena_bytes > 0 && report.weight_traffic == 1);
  REQUIRE(report.total_bytes > report.arena_bytes && report.arena_bytes >= report.bound_bytes);
  REQUIRE(octet_converted_log(converted, 0) != NULL);
  REQUIRE(octet_converted_log(converted, 1000000) == NULL);

  /* The bytes load where they are. */
  REQUIRE(octet_model_load_buffer(data, bytes, NULL, &model) == OCTET_OK);
  REQUIRE(strcmp(octet_model_metadata(model, "note"), "from C") == 0);

  /* A file says the same, and has no bytes to show. */
  REQUIRE(octet_convert_file(input, output, options, &written) == OCTET_OK);
  of_file.struct_size = sizeof of_file;
  REQUIRE(octet_converted_report(written, &of_file) == OCTET_OK);
  REQUIRE(of_file.file_bytes == bytes && of_file.total_bytes == report.total_bytes);
  REQUIRE(octet_converted_data(written, &data, &bytes) == OCTET_INVALID_ARGUMENT);
  REQUIRE(octet_convert_file(input, output, NULL, NULL) == OCTET_OK);

  /* Failures leave outputs alone and say why. */
  REQUIRE(octet_convert("no model at all", 15, NULL, &untouched) == OCTET_INVALID_MODEL);
  REQUIRE(untouched == NULL && strlen(octet_compiler_last_error()) > 0);
  REQUIRE(octet_convert(NULL, 0, NULL, &untouched) == OCTET_INVALID_ARGUMENT);
  REQUIRE(octet_convert_file("/nowhere.tflite", output, NULL, &untouched) == OCTET_IO_ERROR);
  REQUIRE(octet_convert_options_set_ram_limit(options, 100) == OCTET_OK);
  REQUIRE(octet_convert(tflite, size, options, &untouched) == OCTET_RAM_LIMIT);
  REQUIRE(octet_convert_options_set_ram_limit(options, 0) == OCTET_OK);
  REQUIRE(octet_convert_options_set_target(options, "abacus") == OCTET_OK);
  REQUIRE(octet_convert(tflite, size, options, &untouched) != OCTET_OK);
  REQUIRE(octet_convert_options_set_goal(options, 7) == OCTET_INVALID_ARGUMENT);
  REQUIRE(octet_convert_options_add_metadata(options, "", "x") == OCTET_INVALID_ARGUMENT);
  REQUIRE(octet_convert_options_set_target(options, "") == OCTET_OK);
  REQUIRE(octet_convert_options_add_input_shape(options, "x", shape, 4) == OCTET_OK);
  REQUIRE(octet_convert(tflite, size, options, &untouched) != OCTET_OK);
  REQUIRE(strstr(octet_compiler_last_error(), "ONNX") != NULL);
  REQUIRE(octet_convert_options_add_input_shape(options, "x", shape, 99) == OCTET_INVALID_ARGUMENT);
  REQUIRE(octet_convert_options_create(NULL) == OCTET_INVALID_ARGUMENT);
  report.struct_size = 1;
  REQUIRE(octet_converted_report(converted, &report) == OCTET_INVALID_ARGUMENT);
  REQUIRE(untouched == NULL);

done:
  octet_model_destroy(model);
  octet_converted_destroy(written);
  octet_converted_destroy(converted);
  octet_converted_destroy(NULL);
  octet_convert_options_destroy(options);
  octet_convert_options_destroy(NULL);
  return line;
}
