#pragma once

#include <mpi.h>

#include <memory>
#include <string>
#include <vector>

#include "llm/experiment.hpp"
#include "llm/system.hpp"
#include "partitions/partition.hpp"
#include "tools/configuration.hpp"
#include "tools/run_settings.hpp"

namespace ouro::tools {

/// A run that leaves no file, before simulated time begins.
struct PreparedRun {
  std::unique_ptr<llm::Experiment> experiment;
  partitions::Partition
      partition;  ///< of rank 0 on all ranks, once `partitions::take_from_rank_0` was called
  RunSettings settings;

  /// To the end of the workload. Collective.
  std::unique_ptr<llm::System> run(MPI_Comm comm) const;
};

/// @param assignments  after those of `arguments`
PreparedRun prepare_run(ConfigurationArguments arguments, const std::vector<std::string>& assignments,
                        MPI_Comm comm);

}  // namespace ouro::tools
