#include "src/runtime/session.h"

#include <cstring>
#include <ctime>
#include <new>

#if OCTET_WITH_PTHREADPOOL
#include <pthreadpool.h>
#endif

namespace octet {
namespace {

size_t ThreadCount(const octet_session_options& options) {
#if OCTET_WITH_PTHREADPOOL
  if (options.pool != nullptr) return pthreadpool_get_threads_count(options.pool);
#endif
  return options.threads > 0 ? options.threads : 1;
}

constexpr size_t kStackOperands = 32;

// Lays out the session's block; with a null base, to learn its size.
size_t Layout(const octet_model& model, const octet_session_options& options, uint8_t* base) {
  Carver carver(base);
  octet_session* session = carver.take<octet_session>(1);
  Buffer* buffers = nullptr;
  if (model.max_operands > kStackOperands) buffers = carver.take<Buffer>(model.max_operands);
  const size_t threads = ThreadCount(options);
  Crew* crew = nullptr;
  uint8_t* helpers = nullptr;
  if (threads > 1) {
    crew = carver.take<Crew>(1);
    helpers = carver.take<uint8_t>(Crew::ThreadBytes(threads), 64);
  }
  uint64_t* times = nullptr;
  if (options.profiling) times = carver.take<uint64_t>(model.file->steps()->size());
  const size_t state_bytes = static_cast<size_t>(model.file->state_bytes());
  uint8_t* state = nullptr;
  if (state_bytes > 0) state = carver.take<uint8_t>(state_bytes, kBlockAlignment);
  if (base != nullptr) {
    std::memset(base, 0, carver.size());
    session->block_bytes = carver.size();
    session->buffers = buffers;
    session->threads = threads;
    session->helpers = helpers;
    if (crew != nullptr) session->crew = new (crew) Crew();
    session->times = times;
    session->state = state;
  }
  return carver.size();
}

uint64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

// Where slots' offsets count from. Constants are not written to: operators know their inputs.
struct Bases {
  uint8_t* base[5];
  explicit Bases(const octet_session& s)
      : base{const_cast<uint8_t*>(s.model->data), s.arena, s.state, nullptr,
             reinterpret_cast<uint8_t*>(const_cast<octet_model*>(s.model))} {}
  Buffer operator()(Slot slot) const {
    if (slot.base() == Slot::kAbsent) return {nullptr, 0};
    return {base[slot.base()] + slot.offset(), slot.ring_rows()};
  }
};

void CallBack(const octet_session& session, size_t step, const fb::Step& s) {
  const fb::Model& file = *session.model->file;
  const fb::Operator& op = *file.operators()->Get(static_cast<uint32_t>(s.op()));
  for (uint32_t i = 0; i < op.outputs()->size(); ++i) {
    const fb::Tensor& t = *file.tensors()->Get(static_cast<uint32_t>(op.outputs()->Get(i)));
    if (t.ring_rows() > 0) continue;
    octet_tensor_info info;
    info.struct_size = sizeof info;
    FillTensorInfo(file, t, &info);
    session.callback(session.callback_context, step, i, &info, TensorData(session, t));
  }
}

// Rows of a model input come from the caller.
Status FeedRows(const octet_session& session, const fb::Step& step) {
  const size_t input = static_cast<size_t>(-1 - step.op());
  if (session.row_source == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT,
                "input %zu comes row by row: call octet_session_set_row_source first", input);
  }
  const fb::Model& file = *session.model->file;
  const fb::Tensor& tensor =
      *file.tensors()->Get(static_cast<uint32_t>(file.inputs()->Get(static_cast<uint32_t>(input))));
  const int32_t height = tensor.shape()->Get(1);
  const size_t row_bytes = TypeBytes(tensor.type()) * static_cast<size_t>(tensor.shape()->Get(2)) *
                           static_cast<size_t>(tensor.shape()->Get(3));
  const int32_t end = step.row_end() < 0 ? height : step.row_end();
  for (int32_t y = step.row_begin(); y < end; ++y) {
    const int32_t slot = tensor.ring_rows() > 0 ? y % tensor.ring_rows() : y;
    uint8_t* data = session.arena + tensor.offset() + static_cast<size_t>(slot) * row_bytes;
    const Status status = session.row_source(session.row_source_context, input, y, data, row_bytes);
    if (status != OCTET_OK) {
      return Fail(status, "the row source failed at row %d of input %zu", y, input);
    }
  }
  return OCTET_OK;
}

}  // namespace

Status SessionMemory(const octet_model& model, const octet_session_options& options,
                     octet_memory* memory) {
  const size_t threads = ThreadCount(options);
  if (threads > 1024) return Fail(OCTET_INVALID_ARGUMENT, "%zu threads are too many", threads);
  octet_memory m = {};
  m.struct_size = memory->struct_size;
  m.model_bytes = model.block_bytes + model.xnn_bytes;
  m.session_bytes = Layout(model, options, nullptr);
  m.arena_bytes = ArenaBytes(model, threads);
  m.total_bytes = m.model_bytes + m.session_bytes + m.arena_bytes;
  m.mapped_bytes = model.size;
  m.activation_bytes = static_cast<size_t>(model.file->arena_bytes());
  *memory = m;
  return OCTET_OK;
}

Status CreateSession(const octet_model& model, const octet_session_options& options,
                     octet_session** out) {
  octet_memory memory = {};
  OCTET_RETURN_IF_ERROR(SessionMemory(model, options, &memory));
  if (options.ram_limit != 0 && memory.total_bytes > options.ram_limit) {
    return Fail(OCTET_RAM_LIMIT,
                "the session needs %zu bytes (arena %zu, session %zu, model %zu), the limit is %zu",
                memory.total_bytes, memory.arena_bytes, memory.session_bytes, memory.model_bytes,
                options.ram_limit);
  }
  void* given = options.shared_arena != nullptr ? options.shared_arena->memory : options.arena;
  const size_t given_bytes =
      options.shared_arena != nullptr ? options.shared_arena->bytes : options.arena_size;
  if (given != nullptr) {
    if (reinterpret_cast<uintptr_t>(given) % kBlockAlignment != 0) {
      return Fail(OCTET_INVALID_ARGUMENT, "the caller's arena is not 64-byte aligned");
    }
    if (given_bytes < memory.arena_bytes) {
      return Fail(OCTET_OUT_OF_MEMORY, "the caller's arena has %zu bytes, %zu are needed",
                  given_bytes, memory.arena_bytes);
    }
  }
  const octet_allocator allocator =
      options.allocator.allocate != nullptr ? options.allocator : model.allocator;
  void* base = allocator.allocate(allocator.context, memory.session_bytes, kBlockAlignment);
  if (base == nullptr) {
    return Fail(OCTET_OUT_OF_MEMORY, "no memory for the session (%zu bytes)", memory.session_bytes);
  }
  Layout(model, options, static_cast<uint8_t*>(base));
  octet_session* session = static_cast<octet_session*>(base);
  session->model = &model;
  session->allocator = allocator;
  session->arena = static_cast<uint8_t*>(given);
  session->shared_arena = options.shared_arena;
  if (given == nullptr && memory.arena_bytes > 0) {
    session->arena = static_cast<uint8_t*>(
        allocator.allocate(allocator.context, memory.arena_bytes, kBlockAlignment));
    if (session->arena == nullptr) {
      DestroySession(session);
      return Fail(OCTET_OUT_OF_MEMORY, "no memory for the arena (%zu bytes)", memory.arena_bytes);
    }
    session->arena_bytes = memory.arena_bytes;
    // Defined contents, so that the result of a run without inputs is defined as well.
    std::memset(session->arena, 0, memory.arena_bytes);
  }
  if (session->crew != nullptr && options.pool != nullptr) {
    session->crew->Use(options.pool, session->threads);
    session->pooled = true;
  } else if (session->crew != nullptr &&
             !session->crew->Start(session->threads, session->helpers)) {
    const size_t threads = session->threads;
    DestroySession(session);
    return Fail(OCTET_OUT_OF_MEMORY, "%zu threads could not be made", threads);
  }
  ResetState(session);
  *out = session;
  return OCTET_OK;
}

void DestroySession(octet_session* session) {
  if (session == nullptr) return;
  if (session->crew != nullptr) session->crew->Stop();
  const octet_allocator allocator = session->allocator;
  if (session->arena_bytes > 0) {
    allocator.release(allocator.context, session->arena, session->arena_bytes);
  }
  allocator.release(allocator.context, session, session->block_bytes);
}

namespace {

// Keeps other sessions out of a shared arena during a run.
class ArenaGuard {
 public:
  explicit ArenaGuard(octet_session* session) : arena_(session->shared_arena) {
    const octet_session* nobody = nullptr;
    entered_ = arena_ == nullptr || arena_->running.compare_exchange_strong(nobody, session);
  }
  ~ArenaGuard() {
    if (arena_ != nullptr && entered_) arena_->running.store(nullptr);
  }
  ArenaGuard(const ArenaGuard&) = delete;
  ArenaGuard& operator=(const ArenaGuard&) = delete;
  bool entered() const { return entered_; }

 private:
  octet_arena* arena_;
  bool entered_ = false;
};

// Below this much work (octet_model::work) a run stays on one thread: helpers would not be awake
// before its end.
constexpr uint64_t kMinWorkToShare = 4000000;

Status RunSteps(octet_session* session, Threads threads);

}  // namespace

Status TakeArena(octet_session* session) {
  if (session->shared_arena == nullptr) return OCTET_OK;
  if (session->shared_arena->running.load() != nullptr) {
    return Fail(OCTET_RUN_ERROR, "another session is running in the shared arena");
  }
  session->shared_arena->owner.store(session);
  return OCTET_OK;
}

Status RunSession(octet_session* session) {
  const ArenaGuard guard(session);
  if (!guard.entered()) {
    return Fail(OCTET_RUN_ERROR, "another session is running in the shared arena");
  }
  if (octet_arena* arena = session->shared_arena) {
    if (arena->owner.load() != session && session->row_source == nullptr) {
      return Fail(OCTET_RUN_ERROR,
                  "another session has used the shared arena since this one's inputs were set");
    }
    arena->owner.store(session);
  }
  Crew* const crew = session->crew;
  // Callbacks may use the pool themselves, which a run would occupy.
  const bool calls_back = session->callback != nullptr || session->row_source != nullptr;
  if (crew == nullptr || session->model->work < kMinWorkToShare ||
      (session->pooled && calls_back)) {
    return RunSteps(session, {});
  }
  struct Call {
    octet_session* session;
    Status status;
  } call{session, OCTET_OK};
  crew->Lead(
      [](void* context) {
        Call& c = *static_cast<Call*>(context);
        c.status = RunSteps(c.session, {c.session->crew, c.session->threads});
      },
      &call);
  return call.status;
}

namespace {

Status RunSteps(octet_session* session, Threads threads) {
  const octet_model& model = *session->model;
  const auto& steps = *model.file->steps();
  const uint32_t count = steps.size();
  const Bases resolve(*session);
  union Unset {  // each step sets what it reads
    Unset() {}
    Buffer buffers[kStackOperands];
  } on_stack;
  Buffer* const buffers = session->buffers != nullptr ? session->buffers : on_stack.buffers;
  RunContext context;
  context.threads = threads;
  context.inputs = buffers;
  for (uint32_t i = 0; i < count; ++i) {
    const fb::Step& step = *steps.Get(i);
    const uint64_t begin = session->times != nullptr ? Now() : 0;
    if (step.op() < 0) {
      OCTET_RETURN_IF_ERROR(FeedRows(*session, step));
      if (session->times != nullptr) session->times[i] = Now() - begin;
      continue;
    }
    const BoundOp& op = model.ops[step.op()];
    const uint32_t operands = uint32_t{op.input_count} + op.output_count;
    for (uint32_t j = 0; j < operands; ++j) {
      buffers[j] = resolve(op.slots[j]);
    }
    context.params = op.params();
    context.pack = op.pack;
    context.outputs = buffers + op.input_count;
    context.rows = {step.row_begin(), step.row_end() < 0 ? op.rows : step.row_end()};
    context.scratch = session->arena + op.scratch_at(session->threads);
    context.scratch_stride = op.scratch_bytes();
    if (Status s = op.run(context); s != OCTET_OK) {
      const fb::Operator& source = *model.file->operators()->Get(static_cast<uint32_t>(step.op()));
      PrefixError("operator %d (%s \"%s\"): ", step.op(), OpName(source.kind()),
                  source.name() != nullptr ? source.name()->c_str() : "");
      return s;
    }
    if (session->times != nullptr) session->times[i] = Now() - begin;
    if (session->callback != nullptr) CallBack(*session, i, step);
  }
  return OCTET_OK;
}

}  // namespace

void ResetState(octet_session* session) {
  if (session->state == nullptr) return;
  for (const fb::Tensor* t : *session->model->file->tensors()) {
    if (t->place() != fb::Place::STATE) continue;
    uint8_t* data = TensorData(*session, *t);
    const size_t bytes = StoredBytes(*t);
    if (t->type() == DType::INT16) {
      const int16_t value = static_cast<int16_t>(t->zero_point());
      for (size_t i = 0; i < bytes; i += sizeof value) std::memcpy(data + i, &value, sizeof value);
    } else {
      const bool bytewise = TypeBytes(t->type()) == 1;
      std::memset(data, bytewise ? t->zero_point() & 0xff : 0, bytes);
    }
  }
}

uint8_t* TensorData(const octet_session& session, const fb::Tensor& t) {
  switch (t.place()) {
    case fb::Place::ARENA:
      return session.arena + t.offset();
    case fb::Place::STATE:
      return session.state + t.offset();
    default:
      return const_cast<uint8_t*>(session.model->file->buffers()->Get(t.buffer())->data()->data());
  }
}

bool IsFedByRows(const fb::Model& file, const fb::Tensor* tensor) {
  for (const fb::Step* step : *file.steps()) {
    if (step->op() >= 0) continue;
    const int32_t input = file.inputs()->Get(static_cast<uint32_t>(-1 - step->op()));
    if (file.tensors()->Get(static_cast<uint32_t>(input)) == tensor) return true;
  }
  return false;
}

void FillTensorInfo(const fb::Model& file, const fb::Tensor& tensor, octet_tensor_info* info) {
  const TensorView view = ViewTensor(file, tensor);
  octet_tensor_info filled = {};
  filled.struct_size = info->struct_size;
  filled.name = view.name;
  filled.type = static_cast<octet_type>(view.type);
  filled.rank = view.rank;
  for (int32_t i = 0; i < view.rank; ++i) filled.shape[i] = view.dims[i];
  filled.bytes = view.bytes();
  filled.scale = view.scale();
  filled.zero_point = view.zero_point;
  filled.by_rows = IsFedByRows(file, &tensor);
  *info = filled;
}

}  // namespace octet
