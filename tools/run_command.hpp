#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct RunArguments {
  ConfigurationArguments configuration;
  std::filesystem::path out;     ///< empty: the experiment's name with .h5, in the working directory
  bool force = false;            ///< overwrite `out` and `record`
  bool profile = false;          ///< say where the wall time went
  std::filesystem::path record;  ///< file for `ouroboros project`; empty: none
  std::string record_from;       ///< simulated time; empty: the start
  std::string record_until;      ///< empty: the end

  std::filesystem::path restart;   ///< a checkpoint to go on from, instead of a configuration file
  double checkpoint_minutes = 10;  ///< of wall time between checkpoints; 0 for none
  std::string checkpoint_at;       ///< simulated time of one more; empty for none
};

/// Exit code of a run that stopped before its end, with a checkpoint.
inline constexpr int kStopped = 4;

/// Runs one experiment on all ranks of `comm` and writes its result. Collective.
///
/// @return the program's exit code: 0, kStopped, or 2 where the user's input is at fault (said on one rank)
/// @throws ContractError  on the ranks where a contract of ours does not hold
int run(const RunArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
