#pragma once

#include "tools/configuration.hpp"

namespace ouro::tools {

struct PartitionArguments {
  ConfigurationArguments configuration;
  int ranks = 2;
  bool json = false;
};

/// Prints what each way to share dies out to ranks is expected to cost, which one a run would take, and which
/// rank gets which die.
///
/// @throws InputError  for what is wrong in the configuration, and more ranks than dies
void partition(const PartitionArguments& arguments);

}  // namespace ouro::tools
