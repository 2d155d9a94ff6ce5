#pragma once

#include <mpi.h>

#include <ostream>

#include "engine/region.hpp"
#include "engine/synchronizer.hpp"

namespace ouro::tools {

/// What only this run of the simulator has; the only part of a result that may differ between runs.
struct EngineReport {
  double wall_seconds = 0;
  engine::SynchronizationCost cost;
  std::uint64_t events = 0;
  engine::Region::ReplicationCost replication;
  engine::Time restarted_at{};    ///< 0 if the run began here
  std::int64_t tokens = 0;        ///< that left the pipeline since then
  std::int64_t checkpoints = 0;   ///< written
  double checkpoint_seconds = 0;  ///< of wall time for them
};

/// A line for each rank of where its wall time went, and a sentence on what limits the run. Rank 0 prints.
/// Collective.
void print_profile(std::ostream& out, MPI_Comm comm, const EngineReport& report);

}  // namespace ouro::tools
