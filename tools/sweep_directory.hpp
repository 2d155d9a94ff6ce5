#pragma once

#include <filesystem>

#include "tools/sweep_plan.hpp"

namespace ouro::tools {

/// What there is of a run. A run that failed or was ended has no result, as one that never began.
enum class RunState {
  missing,
  done,      ///< its result is whole and of its configuration
  outdated,  ///< a result of another configuration has its name
};

/// Where a sweep keeps its files: runs/NAME.toml, runs/NAME.h5 and runs/NAME.log of each run, table.h5 and
/// table.csv. Only one program at a time works there.
class SweepDirectory {
 public:
  /// Makes the directory if there is none.
  /// @throws InputError  if that fails, or another sweep works there
  explicit SweepDirectory(const std::filesystem::path& path);
  SweepDirectory(const SweepDirectory&) = delete;
  SweepDirectory& operator=(const SweepDirectory&) = delete;
  ~SweepDirectory();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path experiment_of(const SweepRun& run) const { return file_of(run, ".toml"); }
  std::filesystem::path result_of(const SweepRun& run) const { return file_of(run, ".h5"); }
  std::filesystem::path log_of(const SweepRun& run) const { return file_of(run, ".log"); }

  RunState state_of(const SweepRun& run) const;

  /// What the run has besides the defaults, as an experiment of its own.
  /// @throws InputError  if it cannot be written
  void write_experiment(const SweepRun& run) const;

 private:
  std::filesystem::path file_of(const SweepRun& run, const char* suffix) const;

  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace ouro::tools
