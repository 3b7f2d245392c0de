// A session: the memory of one inference, and the executor over it.
#pragma once

#include <atomic>

#include "src/model/model.h"

struct octet_model_options {
  octet_allocator allocator;
  size_t ram_limit;
  char isa[16];  // "" : as the environment says
};

struct octet_arena {
  octet_allocator allocator;
  uint8_t* memory;
  size_t bytes;
  std::atomic<const octet_session*> running;
  std::atomic<const octet_session*> owner;  // whose inputs and outputs are in it
};

struct octet_session_options {
  octet_allocator allocator;  // allocate == null: the model's
  octet_arena* shared_arena;
  void* arena;
  size_t arena_size;
  size_t ram_limit;
  size_t threads;
  pthreadpool* pool;
  int profiling;
};

struct octet_session {
  const octet_model* model;
  octet_allocator allocator;
  size_t block_bytes;  // of the block that begins with this struct
  uint8_t* arena;
  size_t arena_bytes;  // as allocated; 0: the caller's
  octet_arena* shared_arena;
  uint8_t* state;
  size_t threads;          // how many may run, the caller's included
  octet::Crew* crew;       // null on one thread
  void* helpers;           // memory for the crew's threads
  bool pooled;             // the crew is of the caller's pool
  octet::Buffer* buffers;  // max_operands, where those are too many for the stack
  uint64_t* times;         // nanoseconds a step, or null
  octet_row_source row_source;
  void* row_source_context;
  octet_tensor_callback callback;
  void* callback_context;
};

namespace octet {

Status SessionMemory(const octet_model& model, const octet_session_options& options,
                     octet_memory* memory);
Status CreateSession(const octet_model& model, const octet_session_options& options,
                     octet_session** session);
void DestroySession(octet_session* session);
Status RunSession(octet_session* session);
// Says that a session's data is in its shared arena now; fails while another one runs there.
Status TakeArena(octet_session* session);
void ResetState(octet_session* session);

// Address of a tensor that lives in the arena, the state or the file.
uint8_t* TensorData(const octet_session& session, const fb::Tensor& tensor);

// Whether steps ask the caller for the rows of this model input.
bool IsFedByRows(const fb::Model& file, const fb::Tensor* tensor);

void FillTensorInfo(const fb::Model& file, const fb::Tensor& tensor, octet_tensor_info* info);

}  // namespace octet
