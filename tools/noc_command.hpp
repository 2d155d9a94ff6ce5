#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>
#include <vector>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct NocArguments {
  ConfigurationArguments configuration;
  std::filesystem::path out;  ///< empty: the experiment's name with .noc.h5, here
  bool force = false;
  std::vector<double> rates;  ///< instead of traffic.injection_rate: a study for each
};

/// Synthetic or given traffic on the network alone. Collective over `comm`.
/// @return  exit code
int noc(const NocArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
