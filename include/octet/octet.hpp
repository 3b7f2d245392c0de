// Octet for C++17: RAII over the C API of octet.h, nothing but inline calls to it.
//
//     auto model = octet::Model::LoadFile("model.octet");
//     if (!model) return puts(model.message());
//     auto session = octet::Session::Create(*model, octet::SessionOptions().Threads(2));
//     if (!session) return puts(session.message());
//     octet::Result<void> ok = session->SetInput(0, pixels);       // any contiguous container
//     if (ok) ok = session->Run();
//     if (ok) scores = session->Output(0)->As<int8_t>();            // in place, no copy
//
// With exceptions, the same in fewer words: octet::Model::LoadFile("model.octet").value() throws
// octet::Error. Nothing else in this header throws except std::bad_alloc for an error's text; with
// -fno-exceptions value() aborts on an error instead, so test the result first.
//
// Shapes       Tensors are dense, NHWC, little endian; sizes are bytes unless a name says
// otherwise. Ownership    Model and Session own a handle; they move and do not copy. A session must
// not outlive
//              its model (moving a Model is fine: the handle stays). Options may go after the call.
// Errors       Result<T> holds a value, or a status and a sentence. It owns the sentence, unlike
//              octet_last_error(). A Result<void> without an error allocates nothing.
// Threads      A Model may be used from any thread at once; a Session by one thread at a time.
#ifndef OCTET_OCTET_HPP_
#define OCTET_OCTET_HPP_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

#include "octet/octet.h"

namespace octet {

// Inline, so that these names cannot collide at link time with the library's own.
inline namespace cpp {

#if defined(__cpp_exceptions)
// What value() throws.
class Error : public std::runtime_error {
 public:
  Error(octet_status status, const std::string& message)
      : std::runtime_error(message), status_(status) {}
  octet_status status() const { return status_; }

 private:
  octet_status status_;
};
#endif

namespace detail {

struct Failure {
  octet_status status = OCTET_OK;
  std::string message;

  static Failure Last(octet_status status) { return {status, octet_last_error()}; }
  [[noreturn]] void Raise() const {
#if defined(__cpp_exceptions)
    throw Error(status, message);
#else
    std::abort();
#endif
  }
};

}  // namespace detail

// A value or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                      // NOLINT: implicit
  Result(detail::Failure failure) : failure_(std::move(failure)) {}  // NOLINT: implicit
  bool ok() const { return failure_.status == OCTET_OK; }
  explicit operator bool() const { return ok(); }
  octet_status status() const { return failure_.status; }
  const char* message() const { return failure_.message.c_str(); }

  // The value; throws octet::Error (or aborts, without exceptions) when there is none.
  T& value() & {
    Check();
    return value_;
  }
  const T& value() const& {
    Check();
    return value_;
  }
  T value() && {
    Check();
    return std::move(value_);
  }
  // The value, not checked: an empty one after an error.
  T& operator*() { return value_; }
  const T& operator*() const { return value_; }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }

 private:
  void Check() const {
    if (!ok()) failure_.Raise();
  }
  T value_{};
  detail::Failure failure_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(detail::Failure failure) : failure_(std::move(failure)) {}  // NOLINT: implicit
  // Of a C call that has just returned.
  static Result From(octet_status status) {
    return status == OCTET_OK ? Result() : Result(detail::Failure::Last(status));
  }
  bool ok() const { return failure_.status == OCTET_OK; }
  explicit operator bool() const { return ok(); }
  octet_status status() const { return failure_.status; }
  const char* message() const { return failure_.message.c_str(); }
  void value() const {
    if (!ok()) failure_.Raise();
  }

 private:
  detail::Failure failure_;
};

// Bytes that belong to someone else.
template <class Byte>
struct BasicBytes {
  Byte* data = nullptr;
  size_t size = 0;  // bytes

  // The same memory as elements; `count` of them.
  template <class T>
  struct Elements {
    T* data;
    size_t count;
    T* begin() const { return data; }
    T* end() const { return data + count; }
    T& operator[](size_t i) const { return data[i]; }
  };
  // Tensors in the arena are aligned for every element type.
  template <class T>
  Elements<std::conditional_t<std::is_const<Byte>::value, const T, T>> As() const {
    using U = std::conditional_t<std::is_const<Byte>::value, const T, T>;
    return {reinterpret_cast<U*>(data), size / sizeof(T)};
  }
};
using Bytes = BasicBytes<uint8_t>;
using ConstBytes = BasicBytes<const uint8_t>;

// A tensor as the C API describes it. `name` lives as long as the model.
struct TensorInfo : octet_tensor_info {
  TensorInfo() : octet_tensor_info() { struct_size = sizeof(octet_tensor_info); }
  size_t elements() const {
    size_t n = 1;
    for (int32_t i = 0; i < rank; ++i) n *= static_cast<size_t>(shape[i]);
    return n;
  }
  bool quantized() const { return scale != 0; }
};

struct StepInfo : octet_step_info {
  StepInfo() : octet_step_info() { struct_size = sizeof(octet_step_info); }
};

struct Memory : octet_memory {
  Memory() : octet_memory() { struct_size = sizeof(octet_memory); }
};

// Setters return the options, to be chained; the first error of any of them is kept and comes out
// where the options are used.
class ModelOptions {
 public:
  ModelOptions() {
    octet_model_options* options = nullptr;
    Keep(octet_model_options_create(&options));
    handle_.reset(options);
  }
  // Refuse a model whose model_bytes exceed this; 0: no limit.
  ModelOptions& RamLimit(size_t bytes) {
    return Keep(octet_model_options_set_ram_limit(handle_.get(), bytes));
  }
  // Caps the instruction set, e.g. "avx2"; null: OCTET_ISA, else the CPU's best.
  ModelOptions& Isa(const char* name) {
    return Keep(octet_model_options_set_isa(handle_.get(), name));
  }
  // Must outlive the model.
  ModelOptions& Allocator(const octet_allocator& allocator) {
    return Keep(octet_model_options_set_allocator(handle_.get(), &allocator));
  }
  const octet_model_options* get() const { return handle_.get(); }
  const Result<void>& error() const { return error_; }

 private:
  ModelOptions& Keep(octet_status status) {
    if (error_ && status != OCTET_OK) error_ = Result<void>::From(status);
    return *this;
  }
  struct Delete {
    void operator()(octet_model_options* options) const { octet_model_options_destroy(options); }
  };
  std::unique_ptr<octet_model_options, Delete> handle_;
  Result<void> error_;
};

class SessionOptions {
 public:
  SessionOptions() {
    octet_session_options* options = nullptr;
    Keep(octet_session_options_create(&options));
    handle_.reset(options);
  }
  // Threads that a run may use, the caller's included.
  SessionOptions& Threads(size_t threads) {
    return Keep(octet_session_options_set_threads(handle_.get(), threads));
  }
  // Must outlive the session.
  SessionOptions& ThreadPool(struct pthreadpool* pool) {
    return Keep(octet_session_options_set_thread_pool(handle_.get(), pool));
  }
  // Refuse a session whose total_bytes exceed this; 0: no limit.
  SessionOptions& RamLimit(size_t bytes) {
    return Keep(octet_session_options_set_ram_limit(handle_.get(), bytes));
  }
  // 64-byte aligned, at least Memory::arena_bytes; must outlive the session.
  SessionOptions& Arena(void* memory, size_t size) {
    return Keep(octet_session_options_set_arena(handle_.get(), memory, size));
  }
  // Must outlive the session.
  SessionOptions& Allocator(const octet_allocator& allocator) {
    return Keep(octet_session_options_set_allocator(handle_.get(), &allocator));
  }
  // Measure each step, for Session::StepNanoseconds.
  SessionOptions& Profiling(bool enabled) {
    return Keep(octet_session_options_set_profiling(handle_.get(), enabled ? 1 : 0));
  }
  const octet_session_options* get() const { return handle_.get(); }
  const Result<void>& error() const { return error_; }

 private:
  SessionOptions& Keep(octet_status status) {
    if (error_ && status != OCTET_OK) error_ = Result<void>::From(status);
    return *this;
  }
  struct Delete {
    void operator()(octet_session_options* options) const {
      octet_session_options_destroy(options);
    }
  };
  std::unique_ptr<octet_session_options, Delete> handle_;
  Result<void> error_;
};

// An immutable, verified model. Default-constructed or moved from: empty.
class Model {
 public:
  Model() = default;

  // Maps the file, which must not change while the model lives.
  static Result<Model> LoadFile(const char* path, const ModelOptions& options = ModelOptions()) {
    if (!options.error()) return Failed(options.error());
    octet_model* handle = nullptr;
    octet_status status = octet_model_load_file(path, options.get(), &handle);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return Model(handle);
  }
  static Result<Model> LoadFile(const std::string& path,
                                const ModelOptions& options = ModelOptions()) {
    return LoadFile(path.c_str(), options);
  }

  // Uses `data` in place: 16-byte aligned, unchanged, and alive as long as the model.
  static Result<Model> LoadBuffer(const void* data, size_t size,
                                  const ModelOptions& options = ModelOptions()) {
    if (!options.error()) return Failed(options.error());
    octet_model* handle = nullptr;
    octet_status status = octet_model_load_buffer(data, size, options.get(), &handle);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return Model(handle);
  }

  // Copies `data`, of any alignment, and keeps the copy; it is not part of Memory::model_bytes.
  static Result<Model> LoadCopy(const void* data, size_t size,
                                const ModelOptions& options = ModelOptions()) {
    Storage copy(static_cast<uint8_t*>(
        ::operator new (size ? size : 1, std::align_val_t{kAlignment}, std::nothrow)));
    if (!copy) return detail::Failure{OCTET_OUT_OF_MEMORY, "no memory for a copy of the model"};
    if (size) std::memcpy(copy.get(), data, size);
    Result<Model> model = LoadBuffer(copy.get(), size, options);
    if (model) model->storage_ = std::move(copy);
    return model;
  }

  explicit operator bool() const { return handle_ != nullptr; }
  const octet_model* get() const { return handle_.get(); }

  size_t input_count() const { return octet_model_input_count(get()); }
  size_t output_count() const { return octet_model_output_count(get()); }
  size_t step_count() const { return octet_model_step_count(get()); }

  Result<TensorInfo> InputInfo(size_t index) const {
    TensorInfo info;
    octet_status status = octet_model_input_info(get(), index, &info);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return info;
  }
  Result<TensorInfo> OutputInfo(size_t index) const {
    TensorInfo info;
    octet_status status = octet_model_output_info(get(), index, &info);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return info;
  }
  Result<StepInfo> Step(size_t index) const {
    StepInfo info;
    octet_status status = octet_model_step_info(get(), index, &info);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return info;
  }
  // Null where the file has no such key. Lives as long as the model.
  const char* Metadata(const char* key) const { return octet_model_metadata(get(), key); }

  // The exact memory that a session with these options would take.
  Result<octet::cpp::Memory> SessionMemory(const SessionOptions& options = SessionOptions()) const {
    if (!options.error()) return Failed(options.error());
    octet::cpp::Memory memory;
    octet_status status = octet_session_memory(get(), options.get(), &memory);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return memory;
  }

 private:
  static constexpr size_t kAlignment = 64;
  struct Delete {
    void operator()(octet_model* model) const { octet_model_destroy(model); }
  };
  struct DeleteStorage {
    void operator()(uint8_t* data) const { ::operator delete (data, std::align_val_t{kAlignment}); }
  };
  using Storage = std::unique_ptr<uint8_t, DeleteStorage>;

  explicit Model(octet_model* handle) : handle_(handle) {}
  static detail::Failure Failed(const Result<void>& error) {
    return {error.status(), error.message()};
  }

  Storage storage_;  // destroyed after the handle that uses it
  std::unique_ptr<octet_model, Delete> handle_;
};

// The memory of one inference. Default-constructed or moved from: empty.
class Session {
 public:
  Session() = default;

  // The model must outlive the session.
  static Result<Session> Create(const Model& model,
                                const SessionOptions& options = SessionOptions()) {
    if (!options.error()) {
      return detail::Failure{options.error().status(), options.error().message()};
    }
    octet_session* handle = nullptr;
    octet_status status = octet_session_create(model.get(), options.get(), &handle);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return Session(handle);
  }

  explicit operator bool() const { return handle_ != nullptr; }
  octet_session* get() const { return handle_.get(); }

  // Copies an input in; set every input before each run.
  Result<void> SetInput(size_t index, const void* data, size_t bytes) {
    return Result<void>::From(octet_session_set_input(get(), index, data, bytes));
  }
  // For models converted with row-fed input: where the rows of inputs come from during Run.
  Result<void> SetRowSource(octet_row_source source, void* context) {
    return Result<void>::From(octet_session_set_row_source(get(), source, context));
  }
  // The same as SetInput above, from std::vector, std::array, std::span, ...
  template <class Container>
  Result<void> SetInput(size_t index, const Container& values) {
    static_assert(std::is_trivially_copyable<std::decay_t<decltype(*values.data())>>::value,
                  "elements are copied as bytes");
    return SetInput(index, values.data(), values.size() * sizeof(*values.data()));
  }
  // Where the input lives, to be filled in place; a run loses the contents.
  Result<Bytes> Input(size_t index) {
    void* data = nullptr;
    size_t size = 0;
    octet_status status = octet_session_input_data(get(), index, &data, &size);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return Bytes{static_cast<uint8_t*>(data), size};
  }

  Result<void> Run() { return Result<void>::From(octet_session_run(get())); }

  // Valid between a run and the next SetInput or Run.
  Result<ConstBytes> Output(size_t index) const {
    const void* data = nullptr;
    size_t size = 0;
    octet_status status = octet_session_output_data(get(), index, &data, &size);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return ConstBytes{static_cast<const uint8_t*>(data), size};
  }
  Result<void> GetOutput(size_t index, void* data, size_t bytes) const {
    return Result<void>::From(octet_session_get_output(get(), index, data, bytes));
  }

  Result<void> ResetState() { return Result<void>::From(octet_session_reset_state(get())); }

  // Of the last run; needs SessionOptions::Profiling.
  Result<uint64_t> StepNanoseconds(size_t step) const {
    uint64_t time = 0;
    octet_status status = octet_session_step_time(get(), step, &time);
    if (status != OCTET_OK) return detail::Failure::Last(status);
    return time;
  }

 private:
  struct Delete {
    void operator()(octet_session* session) const { octet_session_destroy(session); }
  };
  explicit Session(octet_session* handle) : handle_(handle) {}
  std::unique_ptr<octet_session, Delete> handle_;
};

}  // namespace cpp
}  // namespace octet

#endif  // OCTET_OCTET_HPP_
