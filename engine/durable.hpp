#pragma once

#include <filesystem>

namespace ouro::engine {

/// Of a file; the working directory where it names none.
std::filesystem::path directory_of(const std::filesystem::path& file);

/// The names in the directory of `file` are on disk, where the file system can do that.
/// @throws InputError
void sync_directory_of(const std::filesystem::path& file);

}  // namespace ouro::engine
