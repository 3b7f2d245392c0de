/* Octet: int8 neural networks on small devices. The whole C API of the runtime.
 *
 * A model is an immutable, verified .octet file; any number of sessions may share it, in any
 * threads. A session holds the memory of one inference and belongs to one thread at a time.
 *
 *     octet_model* model;
 *     octet_session* session;
 *     if (octet_model_load_file("model.octet", NULL, &model) != OCTET_OK) puts(octet_last_error());
 *     octet_session_create(model, NULL, &session);
 *     octet_session_set_input(session, 0, pixels, sizeof pixels);
 *     octet_session_run(session);
 *     octet_session_get_output(session, 0, scores, sizeof scores);
 *     octet_session_destroy(session);
 *     octet_model_destroy(model);
 *
 * Conventions
 *   - Tensors are dense, NHWC, little endian; a session never converts a value on the way in or
 * out.
 *   - A function that returns octet_status leaves its outputs untouched unless it returns OCTET_OK,
 *     and then octet_last_error() says, in a sentence, what was wrong.
 *   - No function throws, aborts or prints. After octet_session_create, running allocates nothing.
 *   - "Thread safety" of a call is "any thread" unless its comment says otherwise; two calls on the
 *     same session must not overlap.
 */
#ifndef OCTET_OCTET_H_
#define OCTET_OCTET_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define OCTET_API __declspec(dllexport)
#else
#define OCTET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define OCTET_VERSION_MAJOR 0
#define OCTET_VERSION_MINOR 1
#define OCTET_VERSION_PATCH 0

/* The library's version, "major.minor.patch". Static storage. */
OCTET_API const char* octet_version(void);

typedef enum octet_status {
  OCTET_OK = 0,
  OCTET_INVALID_ARGUMENT = 1, /* a null pointer, an index or a size that does not fit */
  OCTET_IO_ERROR = 2,         /* a file could not be opened, read, mapped or written */
  OCTET_INVALID_MODEL = 3,    /* the bytes are not a valid model */
  OCTET_UNSUPPORTED = 4,      /* a valid model that this build cannot run */
  OCTET_OUT_OF_MEMORY = 5,    /* the allocator returned null, or caller's memory is too small */
  OCTET_RAM_LIMIT = 6, /* more RAM is needed than the limit allows; the text has the number */
  OCTET_RUN_ERROR = 7  /* an input value made an operator fail, e.g. an index out of range */
} octet_status;

/* The name of an octet_status, e.g. "OCTET_RAM_LIMIT"; of any other number, "unknown status".
 * Static storage. */
OCTET_API const char* octet_status_name(int status);

/* What the last failing call in this thread had to say; "" before any failure. The text stays
 * valid until the next failing call in the same thread. */
OCTET_API const char* octet_last_error(void);

/* ---- Memory ------------------------------------------------------------------------------- */

/* Where memory comes from. `allocate` returns `size` bytes aligned to `alignment` (a power of two),
 * or null; `release` gets what `allocate` returned, with the same size. Both may be called from any
 * thread that loads a model or creates a session, never while a session runs. */
typedef struct octet_allocator {
  void* context;
  void* (*allocate)(void* context, size_t size, size_t alignment);
  void (*release)(void* context, void* memory, size_t size);
} octet_allocator;

/* Exact RAM, in bytes, of a session over a model. All of it comes from the model's and the
 * session's allocator, except the stacks of threads that a session starts. */
typedef struct octet_memory {
  size_t struct_size;   /* set by the caller: sizeof(octet_memory) */
  size_t model_bytes;   /* shared by all sessions: handle, parameters, weights packed or decoded at
                           load */
  size_t session_bytes; /* handle, bookkeeping and state kept between runs */
  size_t arena_bytes;   /* activations and kernel scratch; in a shared arena, the part used */
  size_t total_bytes;   /* the sum of the above */
  size_t mapped_bytes;  /* the model file, used in place: clean pages that the system can drop */
  size_t activation_bytes; /* the part of arena_bytes that the plan in the file states */
} octet_memory;

/* ---- Models ------------------------------------------------------------------------------- */

typedef struct octet_model octet_model;
typedef struct octet_model_options octet_model_options;

/* Options start with defaults; null wherever options are taken means the defaults.
 * The options may be destroyed as soon as the call that takes them returns. */
OCTET_API octet_status octet_model_options_create(octet_model_options** options);
OCTET_API void octet_model_options_destroy(octet_model_options* options);
/* Default: aligned_alloc and free. Must outlive the model. */
OCTET_API octet_status octet_model_options_set_allocator(octet_model_options* options,
                                                         const octet_allocator* allocator);
/* Refuse a model whose model_bytes exceed this. 0, the default: no limit. */
OCTET_API octet_status octet_model_options_set_ram_limit(octet_model_options* options,
                                                         size_t bytes);
/* The best instruction set to use, by the names of OCTET_ISA ("scalar", "avx2", "avxvnni",
 * "avx512vnni", "amx", "neon", "neondot", "neoni8mm"); null, the default: the environment variable
 * OCTET_ISA if set, else whatever this CPU has. Only ever lowers the choice. */
OCTET_API octet_status octet_model_options_set_isa(octet_model_options* options, const char* isa);

/* Maps a file and verifies it. The file must not change while the model lives. */
OCTET_API octet_status octet_model_load_file(const char* path, const octet_model_options* options,
                                             octet_model** model);
/* Verifies a model in memory and uses it in place: `data` must be 16-byte aligned (64-byte, for
 * weight packs in it to be used in place too), and neither change nor go away while the model
 * lives. Any bytes are safe to pass. */
OCTET_API octet_status octet_model_load_buffer(const void* data, size_t size,
                                               const octet_model_options* options,
                                               octet_model** model);
/* All sessions over the model must be gone. Null is allowed. */
OCTET_API void octet_model_destroy(octet_model* model);

/* Values are shared with the file format. */
typedef enum octet_type {
  OCTET_INT8 = 1,
  OCTET_UINT8 = 2,
  OCTET_INT16 = 3,
  OCTET_INT32 = 4,
  OCTET_INT64 = 5,
  OCTET_FLOAT32 = 6,
  OCTET_BOOL = 7
} octet_type;

#define OCTET_MAX_RANK 6

typedef struct octet_tensor_info {
  size_t struct_size; /* set by the caller: sizeof(octet_tensor_info) */
  const char* name;   /* lives as long as the model */
  octet_type type;
  int32_t rank; /* 0: a scalar */
  int32_t shape[OCTET_MAX_RANK];
  size_t bytes;
  float scale; /* real = scale * (value - zero_point); 0: not quantised */
  int32_t zero_point;
  int32_t by_rows; /* 1: an input that is handed over row by row, see octet_row_source */
} octet_tensor_info;

/* 0 for a null model. */
OCTET_API size_t octet_model_input_count(const octet_model* model);
OCTET_API size_t octet_model_output_count(const octet_model* model);
OCTET_API octet_status octet_model_input_info(const octet_model* model, size_t index,
                                              octet_tensor_info* info);
OCTET_API octet_status octet_model_output_info(const octet_model* model, size_t index,
                                               octet_tensor_info* info);

/* The value of a metadata key ("labels", "licence", "source_sha256"), or null. Lives as long as
 * the model. */
OCTET_API const char* octet_model_metadata(const octet_model* model, const char* key);

/* What the model's executor runs, one entry for each step in order. */
typedef struct octet_step_info {
  size_t struct_size; /* set by the caller: sizeof(octet_step_info) */
  const char* op;     /* "CONV_2D" */
  const char* name;   /* of the operator's output in the source model */
  const char* kernel; /* the kernel that this CPU runs, e.g. "qs8_conv_6x64__avx512vnni" */
  uint64_t macs;      /* multiply-accumulates of the step; 0 where the word makes no sense */
  int32_t op_index;   /* of the operator in the file; below 0: rows of an input come in ("INPUT") */
  int32_t row_begin;  /* output rows computed by the step; the whole operator: 0, -1 */
  int32_t row_end;
  size_t pack_bytes;    /* constants in the kernel's layout */
  int32_t pack_mapped;  /* 1: those come straight from the file; 0: packed or decoded at load, in
                           model_bytes */
  size_t scratch_bytes; /* for each thread */
} octet_step_info;

OCTET_API size_t octet_model_step_count(const octet_model* model);
OCTET_API octet_status octet_model_step_info(const octet_model* model, size_t step,
                                             octet_step_info* info);

/* ---- Sessions ----------------------------------------------------------------------------- */

typedef struct octet_session octet_session;
typedef struct octet_session_options octet_session_options;
struct pthreadpool; /* of <pthreadpool.h> */

OCTET_API octet_status octet_session_options_create(octet_session_options** options);
OCTET_API void octet_session_options_destroy(octet_session_options* options);
/* Default: the model's. Must outlive the session. */
OCTET_API octet_status octet_session_options_set_allocator(octet_session_options* options,
                                                           const octet_allocator* allocator);
/* An arena for several sessions, of any models, that never run at the same time: as large as the
 * largest of their arena_bytes instead of the sum. A session's inputs and outputs live in it, so
 * set inputs, run and fetch outputs of one session before turning to the next; a run whose inputs
 * another session has overwritten, or that meets another one, fails with OCTET_RUN_ERROR.
 * `allocator`: null for the default one. Destroy it after the sessions. */
typedef struct octet_arena octet_arena;
OCTET_API octet_status octet_arena_create(size_t bytes, const octet_allocator* allocator,
                                          octet_arena** arena);
OCTET_API void octet_arena_destroy(octet_arena* arena);
OCTET_API octet_status octet_session_options_set_shared_arena(octet_session_options* options,
                                                              octet_arena* arena);
/* Memory of the caller for activations and scratch, 64-byte aligned, at least arena_bytes; it must
 * outlive the session. */
OCTET_API octet_status octet_session_options_set_arena(octet_session_options* options, void* memory,
                                                       size_t size);
/* Refuse to create a session whose total_bytes exceed this. 0, the default: no limit. */
OCTET_API octet_status octet_session_options_set_ram_limit(octet_session_options* options,
                                                           size_t bytes);
/* Threads that a run may use, the caller's included. Default 1: the caller's alone. The session
 * starts the others, which sleep between runs (50 microseconds after one they still look out for
 * the next) and keep off the caller's CPU; runs too short to share stay on the caller's. */
OCTET_API octet_status octet_session_options_set_threads(octet_session_options* options,
                                                         size_t threads);
/* Use the caller's pool instead; it must outlive the session. A run occupies it, unless it calls
 * back (rows, tensors): then it stays on one thread. OCTET_UNSUPPORTED in a build without
 * pthreadpool. */
OCTET_API octet_status octet_session_options_set_thread_pool(octet_session_options* options,
                                                             struct pthreadpool* pool);
/* Measure each step's time; costs two clock readings a step. Default 0. */
OCTET_API octet_status octet_session_options_set_profiling(octet_session_options* options,
                                                           int enabled);

/* The exact memory that octet_session_create would take with these options, known beforehand.
 * arena_bytes is also what a caller's arena must have. */
OCTET_API octet_status octet_session_memory(const octet_model* model,
                                            const octet_session_options* options,
                                            octet_memory* memory);

OCTET_API octet_status octet_session_create(const octet_model* model,
                                            const octet_session_options* options,
                                            octet_session** session);
/* Null is allowed. */
OCTET_API void octet_session_destroy(octet_session* session);

/* Copies an input in; `size` must be the tensor's exact size. Inputs share the arena with
 * everything else: set every input before each run. */
OCTET_API octet_status octet_session_set_input(octet_session* session, size_t index,
                                               const void* data, size_t size);
/* Where the input lives in the arena, to be filled in place. Valid as long as the session; the
 * contents are lost by a run. */
OCTET_API octet_status octet_session_input_data(octet_session* session, size_t index, void** data,
                                                size_t* size);

/* Hands over row `row` (0 is the top) of an input: `bytes` bytes to be written to `data`. Rows are
 * asked for in order, each once, while the model runs. Any other status than OCTET_OK ends the run
 * with that status. */
typedef octet_status (*octet_row_source)(void* context, size_t input, int32_t row, void* data,
                                         size_t bytes);

/* A model converted for row-fed input (octet_tensor_info.by_rows) never holds the whole image: it
 * gets its rows from here. Must be set before the first run of such a model; other models ignore
 * it. `context` belongs to the caller. */
OCTET_API octet_status octet_session_set_row_source(octet_session* session, octet_row_source source,
                                                    void* context);

/* Runs the model once. Allocates nothing. */
OCTET_API octet_status octet_session_run(octet_session* session);

/* Copies an output out; valid between a run and the next set_input or run. */
OCTET_API octet_status octet_session_get_output(const octet_session* session, size_t index,
                                                void* data, size_t size);
/* Where the output lives in the arena; its contents are valid as for get_output. */
OCTET_API octet_status octet_session_output_data(const octet_session* session, size_t index,
                                                 const void** data, size_t* size);

/* Sets the state of stateful operators (SVDF, LSTM) back to its first value. */
OCTET_API octet_status octet_session_reset_state(octet_session* session);

/* Nanoseconds that a step took in the last run; needs profiling. */
OCTET_API octet_status octet_session_step_time(const octet_session* session, size_t step,
                                               uint64_t* nanoseconds);

/* Called after each step of a run with each of its outputs (for debugging; not with streamed
 * plans, whose tensors are never whole). Null takes it off. */
typedef void (*octet_tensor_callback)(void* context, size_t step, size_t output,
                                      const octet_tensor_info* info, const void* data);
OCTET_API octet_status octet_session_set_tensor_callback(octet_session* session,
                                                         octet_tensor_callback callback,
                                                         void* context);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* OCTET_OCTET_H_ */
