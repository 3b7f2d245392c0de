// Models from files and from memory.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/runtime/session.h"

using octet::Fail;

namespace {

octet_status Load(const uint8_t* data, size_t size, bool mapped, const octet_model_options* options,
                  octet_model** model) {
  octet::IsaSet isa;
  const char* cap = options != nullptr && options->isa[0] != '\0' ? options->isa : nullptr;
  OCTET_RETURN_IF_ERROR(octet::ChooseIsa(cap, &isa));
  const octet_allocator allocator =
      options != nullptr ? options->allocator : octet::DefaultAllocator();
  return octet::LoadModel(data, size, mapped, allocator, isa,
                          options != nullptr ? options->ram_limit : 0, model);
}

}  // namespace

extern "C" {

octet_status octet_model_load_buffer(const void* data, size_t size,
                                     const octet_model_options* options, octet_model** model) {
  if (data == nullptr || model == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_model_load_buffer: a null argument");
  }
  return Load(static_cast<const uint8_t*>(data), size, false, options, model);
}

octet_status octet_model_load_file(const char* path, const octet_model_options* options,
                                   octet_model** model) {
  if (path == nullptr || model == nullptr) {
    return Fail(OCTET_INVALID_ARGUMENT, "octet_model_load_file: a null argument");
  }
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return Fail(OCTET_IO_ERROR, "%s: %s", path, std::strerror(errno));
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    return Fail(OCTET_IO_ERROR, "%s: not a regular file", path);
  }
  if (status.st_size < 1) {
    close(file);
    return Fail(OCTET_INVALID_MODEL, "%s: the file is empty", path);
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  close(file);
  if (data == MAP_FAILED) {
    return Fail(OCTET_IO_ERROR, "%s: cannot be mapped: %s", path, std::strerror(error));
  }
  const octet_status s = Load(static_cast<const uint8_t*>(data), size, true, options, model);
  if (s != OCTET_OK) {
    munmap(data, size);
    octet::PrefixError("%s: ", path);
  }
  return s;
}

void octet_model_destroy(octet_model* model) {
  if (model == nullptr) return;
  const uint32_t ops = model->file->operators()->size();
  if (model->mapped) munmap(const_cast<uint8_t*>(model->data), model->size);
  const octet_allocator allocator = model->allocator;
  for (uint32_t i = 0; i < ops; ++i) octet::CloseXnn(model->ops[i].xnn());
  allocator.release(allocator.context, model, model->block_bytes);
}

}  // extern "C"
