#pragma once

#include <spdlog/logger.h>

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "tools/child_process.hpp"
#include "tools/sweep_directory.hpp"
#include "tools/sweep_plan.hpp"

namespace ouro::tools {

/// Runs of a sweep on this machine, some of them side by side, each a process of its own (mpirun's, on
/// several ranks). Says what has ended, and how far the sweep is.
class SweepRunner {
 public:
  /// Keeps references.
  /// @param jobs  most runs at a time
  /// @throws InputError  if mpirun is needed and not in PATH
  SweepRunner(const SweepPlan& plan, const SweepDirectory& directory, int jobs, spdlog::logger& logger);

  /// Runs these. A run that fails is no reason to stop; SIGINT, SIGTERM and SIGHUP end those that run.
  /// @return  the signal that stopped it, if one did
  std::optional<int> run(const std::vector<const SweepRun*>& runs);

  int failed() const { return failed_; }

 private:
  struct Running {
    const SweepRun* run;
    double begin;
    ChildProcess process;
  };

  void start(const SweepRun& run);
  void collect_ended(std::size_t waiting);
  void report(const Running& ended, int code, std::size_t waiting);
  void end_all(const HeldSignals& signals);

  std::vector<std::string> command_for(const SweepRun& run) const;
  std::string describe_progress(std::size_t waiting) const;
  std::string time_left(std::size_t waiting) const;
  void show_status(std::size_t waiting);
  void clear_status();

  const SweepDirectory& directory_;
  std::size_t jobs_;
  spdlog::logger& logger_;
  bool terminal_;
  std::vector<std::string> launcher_;  // empty for one rank
  std::list<Running> running_;
  int done_ = 0;
  int failed_ = 0;
  double seconds_of_ended_ = 0;  // wall time, summed over runs
};

}  // namespace ouro::tools
