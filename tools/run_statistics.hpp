#pragma once

#include <mpi.h>

#include <cstdint>
#include <vector>

#include "engine/synchronizer.hpp"
#include "engine/verification.hpp"
#include "llm/system.hpp"
#include "llm/traffic.hpp"

namespace ouro::tools {

/// A quantity in windows of simulated time, summed over all ranks; complete on every rank.
struct WindowedQuantity {
  int shift = 0;  ///< windows are 2^shift ps wide
  std::vector<std::int64_t> values;
};

/// What all ranks together counted; the same on every rank.
struct RunStatistics {
  engine::RunVerdict verdict;
  engine::Duration makespan{};  ///< from the first arrival to the last sampled token
  llm::Traffic traffic;
  /// By stage, phase and component.
  std::vector<std::int64_t> energy_counts;
  std::vector<std::int64_t> energy_femtojoules;
  /// By block (LM head last) and stage, core-ps.
  std::vector<std::int64_t> stage_busy;
  WindowedQuantity energy;  ///< fJ
  WindowedQuantity busy;    ///< core-ps, by window and stage
  // at `packet` fidelity
  WindowedQuantity kv_collisions;
  WindowedQuantity link_flits;        ///< by window and die
  std::int64_t most_query_bytes = 0;  ///< that a core of an encoder held for the rest of their sequences
  std::uint64_t events_handled = 0;   ///< a replicated LP's on every rank
  double peak_memory_mb = 0;          ///< of the largest rank
};

/// Collective.
/// @throws ContractError  if replicas differ, or what must be conserved is not
RunStatistics gather_statistics(MPI_Comm comm, const llm::Experiment& experiment, const llm::System& system);

/// Largest resident memory of this process so far, in MB (10^6 bytes).
double peak_memory_mb();

}  // namespace ouro::tools
