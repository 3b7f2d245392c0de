/* run_times MODEL.octet N: runs a model N times on pseudo-random inputs, the same each time; for
 * bench/instructions.sh, which counts instructions around it. */
#include <octet/octet.h>
#include <stdio.h>
#include <stdlib.h>

static void check(octet_status status) {
  if (status == OCTET_OK) return;
  fprintf(stderr, "%s: %s\n", octet_status_name(status), octet_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  octet_model* model = NULL;
  octet_session* session = NULL;
  long run, runs;
  size_t i, j;
  if (argc != 3) return 2;
  runs = atol(argv[2]);
  check(octet_model_load_file(argv[1], NULL, &model));
  check(octet_session_create(model, NULL, &session));
  for (run = 0; run < runs; ++run) {
    unsigned seed = 1;
    for (i = 0; i < octet_model_input_count(model); ++i) {
      void* data;
      size_t size;
      check(octet_session_input_data(session, i, &data, &size));
      for (j = 0; j < size; ++j) {
        seed = seed * 1664525u + 1013904223u;
        ((unsigned char*)data)[j] = (unsigned char)(seed >> 24);
      }
    }
    check(octet_session_run(session));
  }
  octet_session_destroy(session);
  octet_model_destroy(model);
  return 0;
}
