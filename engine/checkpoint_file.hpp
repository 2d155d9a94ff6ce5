#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace ouro::engine {

/// The format of a checkpoint file; another one is refused.
inline constexpr std::uint32_t kCheckpointVersion = 1;

/// A file of named parts with a checksum, of which no half is ever seen: it is written as PATH.part, which
/// takes its place when it is whole and on disk.
class CheckpointWriter {
 public:
  /// @throws InputError  if the file cannot be made
  explicit CheckpointWriter(const std::filesystem::path& path);
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  /// Removes what was not published.
  ~CheckpointWriter();

  /// @throws InputError  if it cannot be written
  void add(std::string_view name, std::string_view bytes);

  /// Puts the file in its place, durably.
  /// @param previous  the new name of the file that is there now, if not empty; one that has it is replaced
  /// @throws InputError  if that fails; what was there before is still there
  void publish(const std::filesystem::path& previous);

  std::uint64_t bytes() const { return bytes_; }

 private:
  void append(std::string_view bytes);
  void write_at(std::string_view bytes, std::uint64_t offset);
  void keep_as(const std::filesystem::path& previous);

  class Checksum;

  std::filesystem::path path_;
  std::filesystem::path part_;
  int descriptor_;
  std::uint64_t bytes_ = 0;  // of all parts
  std::unique_ptr<Checksum> checksum_;
  bool published_ = false;
};

/// Reads every byte of a checkpoint.
/// @throws InputError  if it is missing, of something else, of another version, cut off, or damaged
void check_checkpoint(const std::filesystem::path& path);

/// The parts of a checkpoint that check_checkpoint() accepted.
class CheckpointReader {
 public:
  /// @throws InputError  as check_checkpoint(), as far as lengths tell
  explicit CheckpointReader(const std::filesystem::path& path);

  /// @throws InputError  if there is none of that name
  std::string part(const std::string& name);

 private:
  struct Place {
    std::uint64_t offset;
    std::uint64_t bytes;
  };

  std::filesystem::path path_;
  std::ifstream file_;
  std::map<std::string, Place> places_;
};

}  // namespace ouro::engine
