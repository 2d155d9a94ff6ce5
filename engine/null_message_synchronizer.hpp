#pragma once

#include <mpi.h>

#include "engine/null_message_protocol.hpp"
#include "engine/stall_watch.hpp"
#include "engine/synchronizer.hpp"
#include "engine/transport.hpp"

namespace ouro::engine {

/// Conservative synchronization between neighbours only, each rank as far ahead as their promises let it: the
/// NullMessageProtocol over MPI.
class NullMessageSynchronizer final : public Synchronizer {
 public:
  /// Collective over `comm`. Keeps references.
  NullMessageSynchronizer(MPI_Comm comm, Region& region, const SynchronizerOptions& options);

  Time run_until(Time stop) override;
  SynchronizationCost cost() const override;

 private:
  Time run_slice(Time stop);
  Time meet(Time stop);
  void wait_for_news();
  void look_for_stall();

  MPI_Comm comm_;
  Region& region_;
  Heartbeat heartbeat_;
  Transport transport_;
  NullMessageProtocol protocol_;
  StallWatch watch_;
  double waiting_seconds_ = 0;
};

}  // namespace ouro::engine
