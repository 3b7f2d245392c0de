/* A whole program around Octet in plain C99: loads a model, fills its inputs with zeros, runs it
 * and prints the first values of each output.
 *
 *     cc -std=c99 main.c $(pkg-config --cflags --libs octet) -o example
 *     ./example model.octet
 */
#include <octet/octet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Prints why the call failed, and gives up. */
static void check(octet_status status) {
  if (status == OCTET_OK) return;
  fprintf(stderr, "%s: %s\n", octet_status_name(status), octet_last_error());
  exit(1);
}

static void print_tensor(const char* what, const octet_tensor_info* info) {
  int32_t i;
  printf("%s %s [", what, info->name);
  for (i = 0; i < info->rank; ++i) printf("%s%d", i ? ", " : "", (int)info->shape[i]);
  printf("], %lu bytes, scale %g, zero point %d\n", (unsigned long)info->bytes, (double)info->scale,
         (int)info->zero_point);
}

int main(int argc, char** argv) {
  octet_model* model = NULL;
  octet_session* session = NULL;
  octet_memory memory;
  size_t i;

  if (argc != 2) {
    fprintf(stderr, "Usage: %s MODEL.octet\n", argv[0]);
    return 2;
  }
  check(octet_model_load_file(argv[1], NULL, &model));

  /* What a session will take is known before there is one. */
  memory.struct_size = sizeof memory;
  check(octet_session_memory(model, NULL, &memory));
  printf("%lu bytes of RAM, %lu of them for activations\n", (unsigned long)memory.total_bytes,
         (unsigned long)memory.activation_bytes);

  check(octet_session_create(model, NULL, &session));
  for (i = 0; i < octet_model_input_count(model); ++i) {
    octet_tensor_info info;
    void* data;
    size_t size;
    info.struct_size = sizeof info;
    check(octet_model_input_info(model, i, &info));
    print_tensor("input", &info);
    check(octet_session_input_data(session, i, &data, &size));
    memset(data, 0, size); /* your data here */
  }

  check(octet_session_run(session));

  for (i = 0; i < octet_model_output_count(model); ++i) {
    octet_tensor_info info;
    const void* data;
    size_t size, k;
    info.struct_size = sizeof info;
    check(octet_model_output_info(model, i, &info));
    print_tensor("output", &info);
    check(octet_session_output_data(session, i, &data, &size));
    for (k = 0; k < size && k < 16 && info.type == OCTET_INT8; ++k) {
      printf(" %d", (int)((const int8_t*)data)[k]);
    }
    printf("\n");
  }

  octet_session_destroy(session);
  octet_model_destroy(model);
  return 0;
}
