#pragma once

#include <mpi.h>
#include <spdlog/logger.h>

#include <filesystem>

#include "tools/configuration.hpp"

namespace ouro::tools {

struct MapArguments {
  ConfigurationArguments configuration;
  std::filesystem::path out;  ///< empty: the mapping is not stored
  std::filesystem::path svg;  ///< empty: no picture
  bool force = false;
  bool picture = false;      ///< print one of letters
  double exact_seconds = 0;  ///< to look for the optimum; 0: not at all
};

/// Maps a model, prints what it costs by volume beside the snake, and stores and draws it as asked.
/// Collective over `comm`.
/// @return  exit code
int map(const MapArguments& arguments, MPI_Comm comm, spdlog::logger& logger);

}  // namespace ouro::tools
