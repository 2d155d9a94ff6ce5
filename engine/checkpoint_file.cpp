#include "engine/checkpoint_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/durable.hpp"
#include "engine/error.hpp"

namespace ouro::engine {
namespace {

constexpr std::array<char, 8> kMagic{'O', 'U', 'R', 'O', 'C', 'K', 'P', 'T'};

/// First in the file, little endian as all of it; then the parts, each as a PartHeader, its name, its bytes.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint64_t version = kCheckpointVersion;
  std::uint64_t bytes = 0;     // of all parts
  std::uint64_t checksum = 0;  // XXH3 of them
};
struct PartHeader {
  std::uint64_t name_bytes;
  std::uint64_t bytes;
};

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
bool read(std::istream& file, T& value) {
  return static_cast<bool>(file.read(reinterpret_cast<char*>(&value), sizeof value));
}

InputError failure(const std::filesystem::path& path, std::string_view what) {
  return InputError{path.string(), fmt::format("{}: {}", what, std::strerror(errno))};
}

InputError damaged(const std::filesystem::path& path) {
  return InputError{path.string(), "is damaged: its bytes do not have its checksum",
                    "restart from the checkpoint before it"};
}

Header read_header(const std::filesystem::path& path, std::ifstream& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw InputError{path.string(), "there is no such file"};
  file.open(path, std::ios::binary);
  Header header;
  if (!read(file, header) || header.magic != kMagic)
    throw InputError{path.string(), "is not a checkpoint", "`ouroboros run` writes them beside its result"};
  if (header.version != kCheckpointVersion) {
    throw InputError{path.string(), fmt::format("is a checkpoint of format {}", header.version),
                     fmt::format("this program reads format {}", kCheckpointVersion)};
  }
  const auto expected = sizeof header + header.bytes;
  const auto found = std::filesystem::file_size(path);
  if (found != expected) {
    throw InputError{path.string(), fmt::format("is cut off: it has {} of {} bytes", found, expected),
                     "restart from the checkpoint before it"};
  }
  return header;
}

}  // namespace

/// XXH3 of what is added.
class CheckpointWriter::Checksum {
 public:
  Checksum() { XXH3_64bits_reset(&state_); }
  void add(std::string_view bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  std::uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_;
};

CheckpointWriter::CheckpointWriter(const std::filesystem::path& path)
    : path_{path},
      part_{path.string() + ".part"},
      descriptor_{::open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)},
      checksum_{std::make_unique<Checksum>()} {
  if (descriptor_ < 0) throw failure(part_, "cannot be written");
}

CheckpointWriter::~CheckpointWriter() {
  ::close(descriptor_);
  if (!published_) ::unlink(part_.c_str());
}

void CheckpointWriter::add(std::string_view name, std::string_view bytes) {
  append(bytes_of(PartHeader{name.size(), bytes.size()}));
  append(name);
  append(bytes);
}

void CheckpointWriter::append(std::string_view bytes) {
  checksum_->add(bytes);
  write_at(bytes, sizeof(Header) + bytes_);
  bytes_ += bytes.size();
}

void CheckpointWriter::write_at(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const auto written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw failure(part_, "cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void CheckpointWriter::publish(const std::filesystem::path& previous) {
  write_at(bytes_of(Header{.bytes = bytes_, .checksum = checksum_->value()}), 0);
  if (::fsync(descriptor_) != 0) throw failure(part_, "cannot be written to disk");
  if (!previous.empty()) keep_as(previous);
  if (::rename(part_.c_str(), path_.c_str()) != 0) throw failure(path_, "cannot be put in place");
  published_ = true;
  sync_directory_of(path_);
}

/// By a second name, so that there is a file at path_ at any time.
void CheckpointWriter::keep_as(const std::filesystem::path& previous) {
  ::unlink(previous.c_str());
  if (::link(path_.c_str(), previous.c_str()) == 0 || errno == ENOENT) return;
  if (::rename(path_.c_str(), previous.c_str()) != 0)  // a file system without links
    throw failure(previous, "cannot be put in place");
}

void check_checkpoint(const std::filesystem::path& path) {
  constexpr std::size_t kBlock = std::size_t{1} << 20;
  std::ifstream file;
  const auto header = read_header(path, file);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  std::vector<char> block(kBlock);
  while (file.read(block.data(), kBlock), file.gcount() > 0)
    XXH3_64bits_update(&state, block.data(), static_cast<std::size_t>(file.gcount()));
  if (XXH3_64bits_digest(&state) != header.checksum) throw damaged(path);
}

CheckpointReader::CheckpointReader(const std::filesystem::path& path) : path_{path} {
  const auto header = read_header(path, file_);
  const auto end = sizeof header + header.bytes;
  for (std::uint64_t at = sizeof header; at < end;) {
    PartHeader part{};
    file_.seekg(static_cast<std::streamoff>(at));
    if (!read(file_, part) || part.name_bytes > end || part.bytes > end) throw damaged(path_);
    std::string name(part.name_bytes, '\0');
    if (!file_.read(name.data(), static_cast<std::streamsize>(name.size()))) throw damaged(path_);
    at += sizeof part + part.name_bytes;
    places_.emplace(std::move(name), Place{at, part.bytes});
    at += part.bytes;
  }
}

std::string CheckpointReader::part(const std::string& name) {
  const auto found = places_.find(name);
  if (found == places_.end())
    throw InputError{path_.string(), fmt::format("has no part '{}'", name), "it is of another program"};
  std::string bytes(found->second.bytes, '\0');
  file_.seekg(static_cast<std::streamoff>(found->second.offset));
  if (!file_.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) throw damaged(path_);
  return bytes;
}

}  // namespace ouro::engine
