#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/busiest_ranks.hpp"
#include "engine/synchronized_region.hpp"
#include "engine/synchronizer.hpp"
#include "engine/virtual_rank.hpp"

namespace ouro::engine {

/// What a run would take on a cluster.
struct VirtualRun {
  double wall_seconds = 0;
  std::vector<SynchronizationCost> costs;  ///< by rank, in wall times of that cluster
  std::optional<BusiestRanks> busiest;     ///< in windows, where there are any
};

/// Runs `regions`, one for each rank of an imagined cluster, in this process, and follows the wall clock that
/// each rank would have there. The events, and what the ranks say to each other when, are those of the
/// algorithm itself, NullMessageProtocol or that of WindowSynchronizer; only the clocks are made up:
///
///     an event, a look at the promises, a message    take what `costs` says
///     a message sent at t                            arrives at t + latency + bytes / bandwidth
///     a collective operation of N ranks              ends ceil(log2 N) latencies after the last rank came
///
/// Left out: links that messages share, ranks that share a node, events that take longer than others, and
/// what a rank does outside of the above, such as looking for messages in vain or writing results.
///
/// @throws ContractError  if the ranks wait for each other
VirtualRun run_virtual_cluster(std::span<SynchronizedRegion* const> regions, SynchronizerKind kind,
                               const VirtualCosts& costs, Time stop = kNever);

}  // namespace ouro::engine
