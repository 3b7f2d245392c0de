// Whole files in and out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/status.h"

namespace octet {

Status ReadFile(const std::string& path, std::vector<uint8_t>* bytes);

// The file appears whole under its name or not at all, also if the process is killed: it is written
// beside and renamed. Refuses what exists and is no regular file.
Status WriteFileAtomically(const std::string& path, const void* data, size_t size);

// The folder that a file is in: "." for a bare name.
std::string FolderOf(const std::string& path);

}  // namespace octet
