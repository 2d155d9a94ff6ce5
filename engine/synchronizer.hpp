#pragma once

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "engine/region.hpp"

namespace ouro::engine {

/// What synchronization cost on this rank. Times are wall times.
struct SynchronizationCost {
  std::uint64_t windows = 0;        ///< stretches of work between synchronizations
  std::uint64_t busiest = 0;        ///< sum over windows: events of the rank that had most; 0 if not known
  double events_seconds = 0;        ///< in handlers and the queue
  double waiting_seconds = 0;       ///< nothing to do but wait for other ranks
  double packing_seconds = 0;       ///< sending and taking in messages
  double promising_seconds = 0;     ///< finding out what can be promised
  std::uint64_t messages_sent = 0;  ///< batches of events and promises
  std::uint64_t promises_sent = 0;  ///< of them, those without an event
  std::uint64_t bytes_sent = 0;

  // How much later than promised the next event of the promising rank was.
  std::uint64_t promises_tested = 0;  ///< batches with events that came after a promise
  double slack_ps = 0;                ///< sum over them: earliest event - promise
};

/// Drives the region of one rank in step with those of the other ranks: conservative, no event is handled
/// before all that could precede it at its LP are known.
class Synchronizer {
 public:
  /// Called now and then, for a progress line: every event before `reached` is handled here.
  using Heartbeat = std::function<void(Time reached)>;

  Synchronizer() = default;
  Synchronizer(const Synchronizer&) = delete;
  Synchronizer& operator=(const Synchronizer&) = delete;
  virtual ~Synchronizer() = default;

  /// Handles every event before `stop` on all ranks. Collective.
  /// @return  earliest event that is left on any rank; kNever when the run is over
  virtual Time run_until(Time stop) = 0;

  virtual SynchronizationCost cost() const = 0;
};

enum class SynchronizerKind {
  window,       ///< all ranks agree on how far each may go: WindowSynchronizer
  null_message  ///< each rank goes as far as its neighbours' promises: NullMessageSynchronizer
};

struct SynchronizerOptions {
  SynchronizerKind kind = SynchronizerKind::window;
  double stall_limit_seconds = 300;  ///< see StallWatch
  Synchronizer::Heartbeat heartbeat{};
};

/// Collective over `comm`; on one rank there is nothing to synchronize, whatever the kind. Keeps references.
std::unique_ptr<Synchronizer> make_synchronizer(MPI_Comm comm, Region& region,
                                                const SynchronizerOptions& options = {});

}  // namespace ouro::engine
