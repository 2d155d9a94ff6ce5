#pragma once

#include <mpi.h>

#include <vector>

#include "engine/neighbours.hpp"
#include "engine/stall_watch.hpp"
#include "engine/synchronizer.hpp"
#include "engine/transport.hpp"

namespace ouro::engine {

/// Conservative synchronization in windows that all ranks agree on.
///
/// What arrives at a rank from another one follows from an event that is pending somewhere, so nothing
/// arrives before G, the least promise of all pending events of all ranks: every rank may handle its events
/// before G. G is found by a non-blocking all-reduce. While that is under way, a rank goes on to the end of
/// the last window plus L, the shortest way over a border: no event is left before the last window's end, and
/// from an event nothing arrives sooner than L.
///
/// Source: R. M. Fujimoto, Parallel and Distributed Simulation Systems, Wiley, 2000, ch. 3 (synchronous
/// execution with a lower bound on time stamps); here the bound comes from each event's promise.
class WindowSynchronizer final : public Synchronizer {
 public:
  /// Collective over `comm`, which cannot be used again if run_until() throws. Keeps references.
  WindowSynchronizer(MPI_Comm comm, Region& region, const SynchronizerOptions& options);

  Time run_until(Time stop) override;
  SynchronizationCost cost() const override;

 private:
  /// Two times of which all ranks need the least.
  struct Agreement {
    std::int64_t next_event;
    std::int64_t promise;
    std::int64_t minus_events;  ///< of this rank since the last agreement; the least is the busiest's
  };

  Agreement state_here();
  void send_batches();
  void receive_batches();
  void work_before(Time bound);
  void wait_for(const std::function<bool()>& done);
  void look_for_stall();
  std::string describe() const;

  MPI_Comm comm_;
  Region& region_;
  Heartbeat heartbeat_;
  Transport transport_;
  StallWatch watch_;
  std::vector<Neighbour> neighbours_;
  std::vector<Duration> onward_;  // by neighbour: from an event for it to the next border
  Duration shortest_{};           // way over a border, on any rank
  Time reached_{};                // every event before this is handled, on all ranks
  Agreement agreement_{};         // a member: MPI holds it while the all-reduce is under way
  Batch batch_;
  std::uint64_t events_agreed_ = 0;  // handled here before the last agreement
  SynchronizationCost cost_;
};

}  // namespace ouro::engine
