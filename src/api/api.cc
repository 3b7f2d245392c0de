// The C API: argument checks and nothing else.
#include <cstring>
#include <new>

#include "src/runtime/session.h"

using octet::Fail;

namespace {

#define OCTET_NOT_NULL(pointer)                                                  \
  do {                                                                           \
    if ((pointer) == nullptr)                                                    \
      return Fail(OCTET_INVALID_ARGUMENT, "%s: %s is null", __func__, #pointer); \
  } while (0)

octet_status TakeAllocator(const octet_allocator* from, octet_allocator* to) {
  if (from == nullptr) {
    *to = octet::DefaultAllocator();
    return OCTET_OK;
  }
  if (from->allocate == nullptr || from->release == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT, "an allocator needs both allocate and release");
  }
  *to = *from;
  return OCTET_OK;
}

const octet::fb::Tensor* IoTensor(const octet_model* model, bool input, size_t index) {
  const auto& list = input ? *model->file->inputs() : *model->file->outputs();
  if (index >= list.size()) {
    Fail(OCTET_INVALID_ARGUMENT, "%s %zu does not exist: the model has %u",
         input ? "input" : "output", index, list.size());
    return nullptr;
  }
  return model->file->tensors()->Get(static_cast<uint32_t>(list.Get(static_cast<uint32_t>(index))));
}

octet_status IoInfo(const octet_model* model, bool input, size_t index, octet_tensor_info* info) {
  OCTET_NOT_NULL(model);
  OCTET_NOT_NULL(info);
  if (info->struct_size != sizeof(octet_tensor_info)) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_tensor_info.struct_size is %zu, not %zu",
                info->struct_size, sizeof(octet_tensor_info));
  }
  const octet::fb::Tensor* tensor = IoTensor(model, input, index);
  if (tensor == nullptr) return OCTET_INVALID_ARGUMENT;
  octet::FillTensorInfo(*model->file, *tensor, info);
  return OCTET_OK;
}

octet_status IoData(const octet_session* session, bool input, size_t index, uint8_t** data,
                    size_t* size, const char** name) {
  const octet::fb::Tensor* tensor = IoTensor(session->model, input, index);
  if (tensor == nullptr) return OCTET_INVALID_ARGUMENT;
  if (input && octet::IsFedByRows(*session->model->file, tensor)) {
    return Fail(OCTET_INVALID_ARGUMENT,
                "input %zu comes row by row: use octet_session_set_row_source", index);
  }
  *data = octet::TensorData(*session, *tensor);
  *size = octet::StoredBytes(*tensor);
  *name = tensor->name() != nullptr ? tensor->name()->c_str() : "";
  return OCTET_OK;
}

}  // namespace

extern "C" {

const char* octet_version(void) {
#define OCTET_TEXT2(x) #x
#define OCTET_TEXT(x) OCTET_TEXT2(x)
  return OCTET_TEXT(OCTET_VERSION_MAJOR) "." OCTET_TEXT(OCTET_VERSION_MINOR) "." OCTET_TEXT(
      OCTET_VERSION_PATCH);
}

const char* octet_status_name(int status) {
  switch (status) {
    case OCTET_OK:
      return "OCTET_OK";
    case OCTET_INVALID_ARGUMENT:
      return "OCTET_INVALID_ARGUMENT";
    case OCTET_IO_ERROR:
      return "OCTET_IO_ERROR";
    case OCTET_INVALID_MODEL:
      return "OCTET_INVALID_MODEL";
    case OCTET_UNSUPPORTED:
      return "OCTET_UNSUPPORTED";
    case OCTET_OUT_OF_MEMORY:
      return "OCTET_OUT_OF_MEMORY";
    case OCTET_RAM_LIMIT:
      return "OCTET_RAM_LIMIT";
    case OCTET_RUN_ERROR:
      return "OCTET_RUN_ERROR";
  }
  return "unknown status";
}

// ---- Options ---------------------------------------------------------------------------------
// Option objects are small, live briefly and belong to no allocator yet: they come from the
// default one.

octet_status octet_model_options_create(octet_model_options** options) {
  OCTET_NOT_NULL(options);
  const octet_allocator allocator = octet::DefaultAllocator();
  void* memory = allocator.allocate(allocator.context, sizeof(octet_model_options), 16);
  if (memory == nullptr) return Fail(OCTET_OUT_OF_MEMORY, "no memory for options");
  std::memset(memory, 0, sizeof(octet_model_options));
  *options = static_cast<octet_model_options*>(memory);
  (*options)->allocator = allocator;
  return OCTET_OK;
}

void octet_model_options_destroy(octet_model_options* options) {
  if (options == nullptr) return;
  const octet_allocator allocator = octet::DefaultAllocator();
  allocator.release(allocator.context, options, sizeof *options);
}

octet_status octet_model_options_set_allocator(octet_model_options* options,
                                               const octet_allocator* allocator) {
  OCTET_NOT_NULL(options);
  return TakeAllocator(allocator, &options->allocator);
}

octet_status octet_model_options_set_ram_limit(octet_model_options* options, size_t bytes) {
  OCTET_NOT_NULL(options);
  options->ram_limit = bytes;
  return OCTET_OK;
}

octet_status octet_model_options_set_isa(octet_model_options* options, const char* isa) {
  OCTET_NOT_NULL(options);
  if (isa == nullptr) isa = "";
  octet::IsaSet set;
  if (isa[0] != '\0') OCTET_RETURN_IF_ERROR(octet::ChooseIsa(isa, &set));
  if (std::strlen(isa) >= sizeof options->isa) return Fail(OCTET_INVALID_ARGUMENT, "isa too long");
  std::strcpy(options->isa, isa);
  return OCTET_OK;
}

octet_status octet_session_options_create(octet_session_options** options) {
  OCTET_NOT_NULL(options);
  const octet_allocator allocator = octet::DefaultAllocator();
  void* memory = allocator.allocate(allocator.context, sizeof(octet_session_options), 16);
  if (memory == nullptr) return Fail(OCTET_OUT_OF_MEMORY, "no memory for options");
  std::memset(memory, 0, sizeof(octet_session_options));
  *options = static_cast<octet_session_options*>(memory);
  (*options)->threads = 1;
  return OCTET_OK;
}

void octet_session_options_destroy(octet_session_options* options) {
  if (options == nullptr) return;
  const octet_allocator allocator = octet::DefaultAllocator();
  allocator.release(allocator.context, options, sizeof *options);
}

octet_status octet_session_options_set_allocator(octet_session_options* options,
                                                 const octet_allocator* allocator) {
  OCTET_NOT_NULL(options);
  return TakeAllocator(allocator, &options->allocator);
}

octet_status octet_session_options_set_arena(octet_session_options* options, void* memory,
                                             size_t size) {
  OCTET_NOT_NULL(options);
  options->arena = memory;
  options->arena_size = memory != nullptr ? size : 0;
  return OCTET_OK;
}

octet_status octet_arena_create(size_t bytes, const octet_allocator* allocator,
                                octet_arena** arena) {
  OCTET_NOT_NULL(arena);
  octet_allocator from;
  OCTET_RETURN_IF_ERROR(TakeAllocator(allocator, &from));
  // One block: the handle, then the arena on a boundary of its own.
  constexpr size_t kHandle = octet::AlignUp(sizeof(octet_arena), octet::kBlockAlignment);
  if (bytes == 0 || bytes > SIZE_MAX - kHandle) {
    return Fail(OCTET_INVALID_ARGUMENT, "an arena of %zu bytes", bytes);
  }
  void* block = from.allocate(from.context, kHandle + bytes, octet::kBlockAlignment);
  if (block == nullptr)
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for an arena of %zu bytes", bytes);
  std::memset(block, 0, kHandle + bytes);
  octet_arena* made = new (block) octet_arena();
  made->allocator = from;
  made->memory = static_cast<uint8_t*>(block) + kHandle;
  made->bytes = bytes;
  *arena = made;
  return OCTET_OK;
}

void octet_arena_destroy(octet_arena* arena) {
  if (arena == nullptr) return;
  constexpr size_t kHandle = octet::AlignUp(sizeof(octet_arena), octet::kBlockAlignment);
  const octet_allocator from = arena->allocator;
  const size_t bytes = arena->bytes;
  arena->~octet_arena();
  from.release(from.context, arena, kHandle + bytes);
}

octet_status octet_session_options_set_shared_arena(octet_session_options* options,
                                                    octet_arena* arena) {
  OCTET_NOT_NULL(options);
  options->shared_arena = arena;
  return OCTET_OK;
}

octet_status octet_session_options_set_ram_limit(octet_session_options* options, size_t bytes) {
  OCTET_NOT_NULL(options);
  options->ram_limit = bytes;
  return OCTET_OK;
}

octet_status octet_session_options_set_threads(octet_session_options* options, size_t threads) {
  OCTET_NOT_NULL(options);
  if (threads == 0 || threads > 1024) {
    return Fail(OCTET_INVALID_ARGUMENT, "%zu threads; 1 to 1024 are possible", threads);
  }
#if !OCTET_WITH_PTHREADPOOL
  threads = 1;  // a build without threads runs everything in the caller's
#endif
  options->threads = threads;
  return OCTET_OK;
}

octet_status octet_session_options_set_thread_pool(octet_session_options* options,
                                                   struct pthreadpool* pool) {
  OCTET_NOT_NULL(options);
#if OCTET_WITH_PTHREADPOOL
  options->pool = pool;
  return OCTET_OK;
#else
  (void)pool;
  return Fail(OCTET_UNSUPPORTED, "this build has no threads");
#endif
}

octet_status octet_session_options_set_profiling(octet_session_options* options, int enabled) {
  OCTET_NOT_NULL(options);
  options->profiling = enabled != 0;
  return OCTET_OK;
}

// ---- Models ----------------------------------------------------------------------------------

size_t octet_model_input_count(const octet_model* model) {
  return model != nullptr ? model->file->inputs()->size() : 0;
}

size_t octet_model_output_count(const octet_model* model) {
  return model != nullptr ? model->file->outputs()->size() : 0;
}

octet_status octet_model_input_info(const octet_model* model, size_t index,
                                    octet_tensor_info* info) {
  return IoInfo(model, true, index, info);
}

octet_status octet_model_output_info(const octet_model* model, size_t index,
                                     octet_tensor_info* info) {
  return IoInfo(model, false, index, info);
}

const char* octet_model_metadata(const octet_model* model, const char* key) {
  if (model == nullptr || key == nullptr || model->file->metadata() == nullptr) return nullptr;
  for (const octet::fb::Metadata* entry : *model->file->metadata()) {
    if (entry->key() != nullptr && std::strcmp(entry->key()->c_str(), key) == 0) {
      return entry->value() != nullptr ? entry->value()->c_str() : "";
    }
  }
  return nullptr;
}

size_t octet_model_step_count(const octet_model* model) {
  return model != nullptr ? model->file->steps()->size() : 0;
}

octet_status octet_model_step_info(const octet_model* model, size_t step, octet_step_info* info) {
  OCTET_NOT_NULL(model);
  OCTET_NOT_NULL(info);
  if (info->struct_size != sizeof(octet_step_info)) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_step_info.struct_size is %zu, not %zu",
                info->struct_size, sizeof(octet_step_info));
  }
  const octet::fb::Model& file = *model->file;
  if (step >= file.steps()->size()) {
    return Fail(OCTET_INVALID_ARGUMENT, "step %zu does not exist: the model has %u", step,
                file.steps()->size());
  }
  const octet::fb::Step& s = *file.steps()->Get(static_cast<uint32_t>(step));
  if (s.op() < 0) {
    octet_step_info fed = {};
    fed.struct_size = info->struct_size;
    fed.op = "INPUT";
    const int32_t input = file.inputs()->Get(static_cast<uint32_t>(-1 - s.op()));
    const auto* name = file.tensors()->Get(static_cast<uint32_t>(input))->name();
    fed.name = name != nullptr ? name->c_str() : "";
    fed.kernel = "row_source";
    fed.op_index = s.op();
    fed.row_begin = s.row_begin();
    fed.row_end = s.row_end();
    *info = fed;
    return OCTET_OK;
  }
  octet::Block block;
  octet::Carver sizes(nullptr);
  sizes.take<octet::TensorView>(model->max_operands);
  sizes.take<const octet::TensorView*>(model->max_operands);
  if (!block.allocate(model->allocator, sizes.size())) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for a step's description");
  }
  octet::Carver carver(block.data());
  octet::TensorView* tensors = carver.take<octet::TensorView>(model->max_operands);
  const octet::FileOpView op(file, s.op(), tensors,
                             carver.take<const octet::TensorView*>(model->max_operands));
  octet::Binding binding;
  octet::FindOp(op.view().kind)->bind(op.view(), model->isa, &binding);
  octet::XnnOp* const xnn = model->ops[s.op()].xnn();
  if (xnn != nullptr) {
    binding.kernel = octet::XnnKernelName(*xnn);
    binding.pack_layout = nullptr;
  }
  octet_step_info filled = {};
  filled.struct_size = info->struct_size;
  filled.op = octet::OpName(op.view().kind);
  filled.name = op.view().name;
  filled.kernel = binding.kernel;
  filled.macs = binding.macs;
  filled.op_index = s.op();
  filled.row_begin = s.row_begin();
  filled.row_end = s.row_end();
  if (s.row_end() >= 0 && model->ops[s.op()].rows > 0) {
    filled.macs = binding.macs / static_cast<uint64_t>(model->ops[s.op()].rows) *
                  static_cast<uint64_t>(s.row_end() - s.row_begin());
  }
  if (binding.pack_layout != nullptr) {
    filled.pack_bytes = binding.pack_bytes;
    const octet::fb::PackedData* pack =
        octet::FindPack(file, s.op(), binding.pack_layout, binding.pack_bytes);
    filled.pack_mapped = pack != nullptr && pack->coding() == octet::fb::Coding::PLAIN;
  }
  filled.scratch_bytes = model->ops[s.op()].scratch_bytes();
  *info = filled;
  return OCTET_OK;
}

// ---- Sessions --------------------------------------------------------------------------------

octet_status octet_session_memory(const octet_model* model, const octet_session_options* options,
                                  octet_memory* memory) {
  OCTET_NOT_NULL(model);
  OCTET_NOT_NULL(memory);
  if (memory->struct_size != sizeof(octet_memory)) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_memory.struct_size is %zu, not %zu",
                memory->struct_size, sizeof(octet_memory));
  }
  octet_session_options defaults = {};
  return octet::SessionMemory(*model, options != nullptr ? *options : defaults, memory);
}

octet_status octet_session_create(const octet_model* model, const octet_session_options* options,
                                  octet_session** session) {
  OCTET_NOT_NULL(model);
  OCTET_NOT_NULL(session);
  octet_session_options defaults = {};
  return octet::CreateSession(*model, options != nullptr ? *options : defaults, session);
}

void octet_session_destroy(octet_session* session) { octet::DestroySession(session); }

octet_status octet_session_set_input(octet_session* session, size_t index, const void* data,
                                     size_t size) {
  OCTET_NOT_NULL(session);
  OCTET_NOT_NULL(data);
  uint8_t* to = nullptr;
  size_t bytes = 0;
  const char* name = "";
  OCTET_RETURN_IF_ERROR(IoData(session, true, index, &to, &bytes, &name));
  OCTET_RETURN_IF_ERROR(octet::TakeArena(session));
  if (size != bytes) {
    return Fail(OCTET_INVALID_ARGUMENT, "input %zu \"%s\" has %zu bytes, not %zu", index, name,
                bytes, size);
  }
  std::memcpy(to, data, size);
  return OCTET_OK;
}

octet_status octet_session_input_data(octet_session* session, size_t index, void** data,
                                      size_t* size) {
  OCTET_NOT_NULL(session);
  OCTET_NOT_NULL(data);
  uint8_t* found = nullptr;
  size_t bytes = 0;
  const char* name = "";
  OCTET_RETURN_IF_ERROR(IoData(session, true, index, &found, &bytes, &name));
  OCTET_RETURN_IF_ERROR(octet::TakeArena(session));
  *data = found;
  if (size != nullptr) *size = bytes;
  return OCTET_OK;
}

octet_status octet_session_set_row_source(octet_session* session, octet_row_source source,
                                          void* context) {
  OCTET_NOT_NULL(session);
  session->row_source = source;
  session->row_source_context = context;
  return OCTET_OK;
}

octet_status octet_session_run(octet_session* session) {
  OCTET_NOT_NULL(session);
  return octet::RunSession(session);
}

octet_status octet_session_get_output(const octet_session* session, size_t index, void* data,
                                      size_t size) {
  OCTET_NOT_NULL(session);
  OCTET_NOT_NULL(data);
  uint8_t* from = nullptr;
  size_t bytes = 0;
  const char* name = "";
  OCTET_RETURN_IF_ERROR(IoData(session, false, index, &from, &bytes, &name));
  if (size != bytes) {
    return Fail(OCTET_INVALID_ARGUMENT, "output %zu \"%s\" has %zu bytes, not %zu", index, name,
                bytes, size);
  }
  std::memcpy(data, from, size);
  return OCTET_OK;
}

octet_status octet_session_output_data(const octet_session* session, size_t index,
                                       const void** data, size_t* size) {
  OCTET_NOT_NULL(session);
  OCTET_NOT_NULL(data);
  uint8_t* found = nullptr;
  size_t bytes = 0;
  const char* name = "";
  OCTET_RETURN_IF_ERROR(IoData(session, false, index, &found, &bytes, &name));
  *data = found;
  if (size != nullptr) *size = bytes;
  return OCTET_OK;
}

octet_status octet_session_reset_state(octet_session* session) {
  OCTET_NOT_NULL(session);
  octet::ResetState(session);
  return OCTET_OK;
}

octet_status octet_session_step_time(const octet_session* session, size_t step,
                                     uint64_t* nanoseconds) {
  OCTET_NOT_NULL(session);
  OCTET_NOT_NULL(nanoseconds);
  if (session->times == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT, "the session was created without profiling");
  }
  if (step >= session->model->file->steps()->size()) {
    return Fail(OCTET_INVALID_ARGUMENT, "step %zu does not exist", step);
  }
  *nanoseconds = session->times[step];
  return OCTET_OK;
}

octet_status octet_session_set_tensor_callback(octet_session* session,
                                               octet_tensor_callback callback, void* context) {
  OCTET_NOT_NULL(session);
  session->callback = callback;
  session->callback_context = context;
  return OCTET_OK;
}

}  // extern "C"
