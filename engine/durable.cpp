#include "engine/durable.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/error.hpp"

namespace ouro::engine {

std::filesystem::path directory_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

void sync_directory_of(const std::filesystem::path& file) {
  const int opened = ::open(directory_of(file).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool is_synced = opened >= 0 && ::fsync(opened) == 0;
  const int reason = errno;
  if (opened >= 0) ::close(opened);
  if (is_synced || reason == EINVAL) return;
  throw InputError{file.string(), fmt::format("cannot be put in place durably: {}", std::strerror(reason))};
}

}  // namespace ouro::engine
