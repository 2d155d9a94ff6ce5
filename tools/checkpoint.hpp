#pragma once

#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/checkpoint_file.hpp"
#include "engine/config.hpp"
#include "engine/region.hpp"
#include "engine/results_file.hpp"
#include "engine/state_archive.hpp"

namespace ouro::tools {

/// A file that a configuration names, and a digest of what it held.
struct InputFile {
  std::string key;
  std::string path;
  std::uint64_t digest = 0;

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [of, name, content] = *this;
    engine::archive_fields(archive, of, name, content);
  }
};

/// Those that this configuration names. One that cannot be read counts as empty.
std::vector<InputFile> read_input_files(const engine::Config& config);

/// What a checkpoint says of its run.
struct CheckpointHead {
  std::string resolved_toml;  ///< the configuration
  std::vector<InputFile> inputs;
  engine::Time reached{};  ///< every event before this has been handled

  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    auto& [toml, files, time] = *this;
    engine::archive_fields(archive, toml, files, time);
  }
};

/// The two newest checkpoints of a run, named after its result: RESULT.checkpoint, and the one before it as
/// RESULT.checkpoint.old.
class CheckpointFiles {
 public:
  explicit CheckpointFiles(const std::filesystem::path& result);

  /// The result that a checkpoint is named after; empty if it is not named so.
  static std::filesystem::path result_of(const std::filesystem::path& checkpoint);

  const std::filesystem::path& newest() const { return newest_; }
  const std::filesystem::path& previous() const { return previous_; }
  bool any_exists() const;
  void remove() const;

 private:
  std::filesystem::path newest_;
  std::filesystem::path previous_;
};

/// An LP and its state, as engine::Region::save() gave it.
struct LpState {
  engine::LpId id;
  std::string bytes;
};

/// Writes the checkpoints of a run. The file is the same whatever the ranks.
class CheckpointKeeper {
 public:
  /// @param head  but for the time
  /// @param good  the checkpoint that the run goes on from; empty if it began
  CheckpointKeeper(const CheckpointFiles& files, MPI_Comm comm, CheckpointHead head,
                   const std::filesystem::path& good);

  /// Writes one of a run in which all regions have handled every event before `reached` and none after.
  /// Collective.
  ///
  /// @return  why it could not be written, on every rank; empty if it was. The earlier ones are as they were.
  /// @throws ContractError  if the copies of the controllers differ
  /// @throws InputError  if the result file cannot be written
  std::string write(engine::Time reached, const engine::Region& region, engine::ResultsFile& results);

  int written() const { return written_; }
  double seconds() const { return seconds_; }  ///< of wall time in write(), on this rank

 private:
  void write_file(const std::vector<LpState>& own, const engine::Placement& placement,
                  engine::ResultsFile& results);

  CheckpointFiles files_;
  MPI_Comm comm_;
  CheckpointHead head_;
  bool newest_is_good_;  // on rank 0: what has the name of the newest may become the one before
  int written_ = 0;
  double seconds_ = 0;
};

/// A checkpoint to go on from.
class Restart {
 public:
  /// Collective.
  /// @throws InputError  if it is not a whole checkpoint that this program wrote
  Restart(const std::filesystem::path& file, MPI_Comm comm);

  /// The run's own configuration.
  ///
  /// @param assignments  over it; of how the run is driven only
  /// @throws InputError  for an assignment to what is simulated
  engine::Config configuration(const std::vector<std::string>& assignments) const;

  /// @throws InputError  if a file that the configuration names is not what it was
  void check_inputs(const engine::Config& config) const;

  engine::Time reached() const { return head_.reached; }
  engine::SavedState states();
  /// Fills the lists of a new result, which exist and are empty, with what the run had written. Collective.
  void restore_lists(engine::ResultsFile& results);

 private:
  std::filesystem::path file_;
  engine::CheckpointReader reader_;
  CheckpointHead head_;
};

}  // namespace ouro::tools
