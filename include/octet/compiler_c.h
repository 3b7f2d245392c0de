/* Turning models of other formats into .octet files, from C and from whatever can call C. Link with
 * liboctet_compiler.so, or with liboctet_compiler.a and liboctet.a.
 *
 *     octet_convert_options* options;
 *     octet_converted* made;
 *     octet_convert_options_create(&options);
 *     octet_convert_options_set_ram_limit(options, 65536);
 *     if (octet_convert_file("model.tflite", "model.octet", options, &made) != OCTET_OK)
 *       puts(octet_compiler_last_error());
 *     octet_converted_destroy(made);
 *     octet_convert_options_destroy(options);
 *
 * The conventions are those of octet.h: outputs are untouched unless OCTET_OK comes back, nothing
 * throws or prints, null options mean the defaults, and everything may be called from any thread as
 * long as two calls do not change the same object.
 */
#ifndef OCTET_COMPILER_C_H_
#define OCTET_COMPILER_C_H_

#include "octet/octet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the last failing call of this header in this thread had to say. The shared compiler library
 * keeps it apart from octet_last_error() of the runtime's; in a static link they are the same. */
OCTET_API const char* octet_compiler_last_error(void);

typedef struct octet_convert_options octet_convert_options;

OCTET_API octet_status octet_convert_options_create(octet_convert_options** options);
/* Null is allowed. */
OCTET_API void octet_convert_options_destroy(octet_convert_options* options);
/* Instruction set whose weight packs go into the file beside the portable weights: "" (the default)
 * for none, "native" for this machine's (of which OCTET_ISA may leave less), or "x86-avx2",
 * "x86-avx512vnni", ... */
OCTET_API octet_status octet_convert_options_set_target(octet_convert_options* options,
                                                        const char* target);

typedef enum octet_goal {
  OCTET_GOAL_SPEED = 0, /* operators run whole, in the smallest arena that allows (the default) */
  OCTET_GOAL_RAM = 1    /* operators run a few rows at a time wherever that needs less RAM */
} octet_goal;

/* `goal` is an octet_goal. */
OCTET_API octet_status octet_convert_options_set_goal(octet_convert_options* options, int goal);
/* Bytes that a session on one thread may take in all; operators are streamed by rows as far as that
 * makes it necessary, or OCTET_RAM_LIMIT says what the least is. 0, the default: no limit. */
OCTET_API octet_status octet_convert_options_set_ram_limit(octet_convert_options* options,
                                                           uint64_t bytes);

typedef enum octet_compress {
  OCTET_COMPRESS_AUTO = 0, /* where that costs no RAM, if it saves a fifth; not if
                              a goal or limit asks for the least RAM (the default) */
  OCTET_COMPRESS_OFF = 1,
  OCTET_COMPRESS_ON = 2 /* whatever gets smaller by a fifth; what runs read is decoded into RAM */
} octet_compress;

/* Store weights that are mostly 0 in fewer bytes. `compress` is an octet_compress. */
OCTET_API octet_status octet_convert_options_set_compress(octet_convert_options* options,
                                                          int compress);
/* 1: the input image is handed over row by row (octet_row_source). Default 0. */
OCTET_API octet_status octet_convert_options_set_row_fed_input(octet_convert_options* options,
                                                               int enabled);
/* 0: keep the source's operators one by one. Default 1. */
OCTET_API octet_status octet_convert_options_set_optimize(octet_convert_options* options,
                                                          int enabled);
/* The shape of an ONNX model's input, where the model leaves sizes open. "": of every input. */
OCTET_API octet_status octet_convert_options_add_input_shape(octet_convert_options* options,
                                                             const char* name, const int32_t* shape,
                                                             size_t rank);
/* 1: an ONNX model's inputs, or its outputs, have their channels last, as the file stores them
 * inside, which saves a transposition in each run. Default 0: channels second, as in ONNX. */
OCTET_API octet_status octet_convert_options_set_channels_last(octet_convert_options* options,
                                                               int inputs, int outputs);
/* The folder in which an ONNX model in memory finds weights that lie outside of it. Default: there
 * is none. octet_convert_file knows it. */
OCTET_API octet_status octet_convert_options_set_directory(octet_convert_options* options,
                                                           const char* directory);
/* Free text for the file, e.g. "labels", "cat\ndog". */
OCTET_API octet_status octet_convert_options_add_metadata(octet_convert_options* options,
                                                          const char* key, const char* value);

/* What a conversion made: the file's bytes and what there is to say about them. Constant. */
typedef struct octet_converted octet_converted;

/* Any bytes are safe to pass; their format is told by their content. */
OCTET_API octet_status octet_convert(const void* data, size_t size,
                                     const octet_convert_options* options,
                                     octet_converted** converted);
/* From a file to a file, which appears whole or not at all. `converted` may be null; it gets no
 * bytes, only the report. */
OCTET_API octet_status octet_convert_file(const char* input, const char* output,
                                          const octet_convert_options* options,
                                          octet_converted** converted);
/* Null is allowed. */
OCTET_API void octet_converted_destroy(octet_converted* converted);

/* The .octet file, aligned as octet_model_load_buffer wants it; lives as long as `converted`. */
OCTET_API octet_status octet_converted_data(const octet_converted* converted, const void** data,
                                            size_t* size);

typedef struct octet_convert_report {
  size_t struct_size;    /* set by the caller: sizeof(octet_convert_report) */
  uint64_t file_bytes;   /* of the .octet file */
  uint64_t arena_bytes;  /* activations as planned */
  uint64_t bound_bytes;  /* the largest sum of live bytes, layer by layer */
  uint64_t total_bytes;  /* of a session on one thread, as the RAM limit counts */
  double weight_traffic; /* weight bytes read, relative to running layer by layer */
} octet_convert_report;

OCTET_API octet_status octet_converted_report(const octet_converted* converted,
                                              octet_convert_report* report);
/* What each pass did, a line each; null beyond the last. Lives as long as `converted`. */
OCTET_API const char* octet_converted_log(const octet_converted* converted, size_t line);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* OCTET_COMPILER_C_H_ */
