#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/config.hpp"

namespace ouro::tools {

/// One run of a sweep.
struct SweepRun {
  std::string name;                   ///< of its files; says what is special about it
  std::vector<engine::Value> values;  ///< of SweepPlan::keys, in their order
  engine::Config config;
};

/// What a sweep's file stands for.
struct SweepPlan {
  int ranks = 1;                  ///< of each run
  std::vector<std::string> keys;  ///< that the sweep varies: those of the grid, then those of the list
  std::vector<SweepRun> runs;     ///< no two with the same configuration, nor with the same name
};

/// Reads a sweep, which is a TOML file:
///
///     [sweep]
///     experiment = "llama13b.toml"  # the base, beside this file
///     ranks = 2                     # of each run; 1 if not given
///     [set]                         # over the base, in all runs
///     workload.requests = 64
///     [grid]                        # all combinations, the last key varying fastest
///     serving.admission_threshold = [0.0, 0.1, 0.2, 0.3]
///     [list]                        # the n-th values of all keys go together
///     workload.seed = [1, 2]
///     wafer.faults.seed = [7, 8]
///
/// @throws InputError  for what is wrong in the sweep or in its base, for keys that no configuration has or
///                     that are given twice, for empty lists, and if two runs would be the same
SweepPlan read_sweep(const std::filesystem::path& file);

}  // namespace ouro::tools
