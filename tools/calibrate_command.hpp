#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct CalibrateArguments {
  ConfigurationArguments configuration;
  std::filesystem::path out;  ///< default: the experiment's name with .calibration.toml, here
  bool force = false;         ///< overwrite it
};

/// Runs an experiment at `packet`, finds what `stage` has to add to have the same ways between stations,
/// stores that for `wafer.noc.calibration`, and prints how well it fits. Collective over `comm`.
/// @return  exit code
int calibrate(const CalibrateArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
