#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/region.hpp"
#include "engine/transport.hpp"

namespace ouro::engine {

/// What synchronization cost on this rank.
struct SynchronizationCost {
  std::uint64_t windows = 0;
  double events_seconds = 0;   ///< wall time in handlers
  double waiting_seconds = 0;  ///< wall time in which there was nothing to do but wait for other ranks
  double packing_seconds = 0;  ///< wall time spent on sending
};

/// Conservative synchronization in windows that all ranks agree on.
///
/// Let G be the earliest pending event of all ranks, messages under way included, and L the least lookahead
/// of a channel that crosses ranks. Nothing that is sent from now on can arrive at another rank before G + L,
/// so every rank may handle its events before that bound. G is found by a non-blocking all-reduce; while it
/// is under way a rank goes on to the previous bound + L, which is safe since no event is left before that
/// bound.
///
/// Source: R. M. Fujimoto, Parallel and Distributed Simulation Systems, Wiley, 2000, ch. 3 (synchronous
/// execution with a lower bound on time stamps).
class WindowSynchronizer {
 public:
  /// Called now and then between windows, for a progress line.
  using Heartbeat = std::function<void(Time reached)>;

  /// Collective over `comm`. Keeps references.
  WindowSynchronizer(MPI_Comm comm, Region& region, Heartbeat heartbeat = {});

  /// Handles every event before `stop` on all ranks. Collective.
  /// @return  earliest event that is left on any rank; kNever when the run is over
  Time run_until(Time stop);

  const SynchronizationCost& cost() const { return cost_; }
  const Transport& transport() const { return transport_; }

 private:
  Time run_alone(Time stop);
  Time earliest_here() const;
  void send_batches();
  void receive_batches();
  void work_before(Time bound);

  MPI_Comm comm_;
  Region& region_;
  Heartbeat heartbeat_;
  Transport transport_;
  std::vector<int> sources_;  // ranks that send here
  Duration lookahead_{};
  Time reached_{};  // every event before this is handled, on all ranks
  SynchronizationCost cost_;
};

}  // namespace ouro::engine
