/* The header and a whole run in plain C99: compiled with -std=c99 -pedantic -Wall -Wextra -Werror.
 */
#include "octet/octet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns 0, or the line of the first call that failed. */
int octet_c99_test(const void* file, size_t size, char* text, size_t text_size);

#define REQUIRE(condition)                                 \
  do {                                                     \
    if (!(condition)) {                                    \
      snprintf(text, text_size, "%s", octet_last_error()); \
      line = __LINE__;                                     \
      goto done;                                           \
    }                                                      \
  } while (0)

static int tensors_seen;

static void see_tensor(void* context, size_t step, size_t output, const octet_tensor_info* info,
                       const void* data) {
  (void)context;
  (void)step;
  (void)output;
  if (info->bytes > 0 && data != NULL) ++tensors_seen;
}

/* C99 has no aligned allocation: the block's address goes in front of what is handed out. */
static void* take(void* context, size_t size, size_t alignment) {
  unsigned char* aligned;
  void* block = malloc(size + 2 * alignment + sizeof block);
  if (block == NULL) return NULL;
  ++*(int*)context;
  aligned = (unsigned char*)block + sizeof block;
  aligned += alignment - (size_t)aligned % alignment;
  memcpy(aligned - sizeof block, &block, sizeof block);
  return aligned;
}

static void give_back(void* context, void* memory, size_t size) {
  void* block;
  (void)size;
  --*(int*)context;
  memcpy(&block, (unsigned char*)memory - sizeof block, sizeof block);
  free(block);
}

int octet_c99_test(const void* file, size_t size, char* text, size_t text_size) {
  octet_model_options* model_options = NULL;
  octet_session_options* session_options = NULL;
  octet_model* model = NULL;
  octet_session* session = NULL;
  octet_allocator allocator;
  octet_tensor_info info;
  octet_memory memory;
  octet_step_info step;
  void* input = NULL;
  void* output = NULL;
  size_t i;
  int line = 0, blocks = 0;

  memset(&allocator, 0, sizeof allocator);
  allocator.context = &blocks;
  allocator.allocate = take;
  allocator.release = give_back;
  REQUIRE(octet_model_options_create(&model_options) == OCTET_OK);
  REQUIRE(octet_model_options_set_allocator(model_options, &allocator) == OCTET_OK);
  REQUIRE(octet_model_options_set_isa(model_options, NULL) == OCTET_OK);
  REQUIRE(octet_model_load_buffer(file, size, model_options, &model) == OCTET_OK);

  info.struct_size = sizeof info;
  REQUIRE(octet_model_input_info(model, 0, &info) == OCTET_OK);
  REQUIRE(info.type == OCTET_INT8 && info.rank <= OCTET_MAX_RANK);
  input = calloc(1, info.bytes);
  REQUIRE(input != NULL);

  REQUIRE(octet_session_options_create(&session_options) == OCTET_OK);
  REQUIRE(octet_session_options_set_threads(session_options, 1) == OCTET_OK);
  memory.struct_size = sizeof memory;
  REQUIRE(octet_session_memory(model, session_options, &memory) == OCTET_OK);
  REQUIRE(octet_session_options_set_ram_limit(session_options, memory.total_bytes) == OCTET_OK);
  REQUIRE(octet_session_create(model, session_options, &session) == OCTET_OK);
  REQUIRE(octet_session_set_tensor_callback(session, see_tensor, NULL) == OCTET_OK);
  REQUIRE(octet_session_set_input(session, 0, input, info.bytes) == OCTET_OK);
  REQUIRE(octet_session_run(session) == OCTET_OK);
  REQUIRE(tensors_seen > 0);

  REQUIRE(octet_model_output_info(model, 0, &info) == OCTET_OK);
  output = malloc(info.bytes);
  REQUIRE(output != NULL);
  REQUIRE(octet_session_get_output(session, 0, output, info.bytes) == OCTET_OK);
  REQUIRE(octet_session_reset_state(session) == OCTET_OK);
  step.struct_size = sizeof step;
  for (i = 0; i < octet_model_step_count(model); ++i) {
    REQUIRE(octet_model_step_info(model, i, &step) == OCTET_OK);
    REQUIRE(strlen(step.kernel) > 0);
  }
  REQUIRE(octet_session_run(NULL) == OCTET_INVALID_ARGUMENT);
  REQUIRE(strlen(octet_last_error()) > 0);

done:
  free(output);
  free(input);
  octet_session_destroy(session);
  octet_session_options_destroy(session_options);
  octet_model_destroy(model);
  octet_model_options_destroy(model_options);
  if (line == 0 && blocks != 0) line = __LINE__;
  return line;
}
