#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <string>
#include <vector>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct ValidateArguments {
  ConfigurationArguments configuration;
  std::vector<std::string> fidelities{"packet", "stage"};  ///< two: the second is compared with the first
  bool json = false;
};

/// Runs an experiment at two fidelities and prints the difference of every quantity that both report.
/// Collective over `comm`; writes no file.
/// @return  exit code
int validate(const ValidateArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
