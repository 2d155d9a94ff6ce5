#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/config.hpp"

namespace ouro::tools {

/// What the user says on the command line about an experiment.
struct ConfigurationArguments {
  std::filesystem::path file;
  std::vector<std::string> assignments;  ///< section.key=value
};

/// The defaults of all folders, the user's file, and the assignments.
engine::Config load_configuration(const ConfigurationArguments& arguments);

}  // namespace ouro::tools
