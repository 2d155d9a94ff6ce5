#pragma once

#include "tools/configuration.hpp"

namespace ouro::tools {

/// Prints the resolved configuration with the source of each value, having read all of it as a run does.
void check(const ConfigurationArguments& arguments);

}  // namespace ouro::tools
