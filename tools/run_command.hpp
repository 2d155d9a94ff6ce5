#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct RunArguments {
  ConfigurationArguments configuration;
  std::filesystem::path out;  ///< empty: the experiment's name with .h5, in the working directory
  bool force = false;         ///< overwrite `out`
  bool profile = false;       ///< say where the wall time went
};

/// Runs one experiment on all ranks of `comm` and writes its result. Collective.
///
/// @return the program's exit code: 0, or 2 where the user's input is at fault (said on one rank)
/// @throws ContractError  on the ranks where a contract of ours does not hold
int run(const RunArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
