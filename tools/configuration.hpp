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

/// The defaults of all folders, the text of an experiment, and the assignments.
engine::Config make_configuration(const engine::ConfigText& experiment,
                                  const std::vector<std::string>& assignments);

/// The same for the user's file.
engine::Config load_configuration(const ConfigurationArguments& arguments);

}  // namespace ouro::tools
