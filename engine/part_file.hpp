#pragma once

#include <filesystem>

namespace ouro::engine {

/// Whether a file that is there already may be replaced.
enum class Overwrite { refuse, allow };

/// A file that is written beside its final place, as PATH.part, and moved there once it is whole.
///
/// PATH.part is locked until then, so that a second run with the same path is refused, while the leftover
/// of a killed run is not in the way: the next run with its path replaces it.
class PartFile {
 public:
  /// @throws InputError  if `path` exists and is not to be replaced, its directory is missing or not
  ///                     writable, or another run holds it
  PartFile(const std::filesystem::path& path, Overwrite overwrite);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  /// Removes the part file, unless it was published or is to be kept.
  ~PartFile();

  const std::filesystem::path& part() const { return part_; }
  /// From now on a part file that is not published is left for the user.
  void keep() { keep_ = true; }
  /// Moves what was written to its final place, durably. Its writer must have closed it.
  /// @throws InputError  if that fails; the part file is then kept
  void publish();

 private:
  void check_final_place() const;
  void lock();

  std::filesystem::path path_;
  std::filesystem::path part_;
  Overwrite overwrite_;
  int descriptor_ = -1;
  bool keep_ = false;
};

}  // namespace ouro::engine
