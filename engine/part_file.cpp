#include "engine/part_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/durable.hpp"
#include "engine/error.hpp"
#include "engine/file_lock.hpp"

namespace ouro::engine {
namespace {

/// False if another run published or removed the file between our open and our lock.
bool is_still_at(const std::filesystem::path& path, int descriptor) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

InputError failure(const std::filesystem::path& path, std::string_view what) {
  return InputError{path.string(), fmt::format("{}: {}", what, std::strerror(errno))};
}

}  // namespace

PartFile::PartFile(const std::filesystem::path& path, Overwrite overwrite)
    : path_{path}, part_{path.string() + ".part"}, overwrite_{overwrite} {
  check_final_place();
  try {
    lock();
    check_final_place();  // the run that held the lock until now may have published
  } catch (...) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw;
  }
}

PartFile::~PartFile() {
  if (!keep_) ::unlink(part_.c_str());
  ::close(descriptor_);
}

void PartFile::check_final_place() const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory_of(path_), ignored)) {
    throw InputError{path_.string(), fmt::format("there is no directory '{}'", directory_of(path_).string())};
  }
  if (std::filesystem::is_directory(path_, ignored)) {
    throw InputError{path_.string(), "is a directory", "the name of a file is needed"};
  }
  if (overwrite_ == Overwrite::refuse && std::filesystem::exists(path_, ignored)) {
    throw InputError{path_.string(), "already exists", "--force overwrites it"};
  }
}

void PartFile::lock() {
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw failure(path_, "cannot be written");
  if (!try_lock(descriptor_) || !is_still_at(part_, descriptor_)) {
    throw InputError{path_.string(), "another run is writing it", "give each run its own output"};
  }
}

void PartFile::publish() {
  keep_ = true;
  if (::fsync(descriptor_) != 0) throw failure(part_, "cannot be written to disk");
  check_final_place();
  if (::rename(part_.c_str(), path_.c_str()) != 0) throw failure(path_, "cannot be put in place");
  sync_directory_of(path_);
}

}  // namespace ouro::engine
