#pragma once

#include <mpi.h>

#include <functional>
#include <string>

namespace ouro::engine {

/// Notices that a run goes no further, and says where every rank stands.
///
/// Each rank tells its watch whether it gets on. One that has not for as long as the limit asks all others
/// for their state, and ends the run with what they say. A rank that is busy answers when it next looks.
class StallWatch {
 public:
  /// @param describe       the state of this rank in a line
  /// @param limit_seconds  wall time without progress after which a run counts as stalled
  StallWatch(MPI_Comm comm, std::function<std::string()> describe, double limit_seconds);

  /// Call this between stretches of work, and often while waiting.
  /// @param progress  changes when the rank gets on
  /// @throws ContractError  with the state of every rank, once nothing has changed for the limit
  void look(std::uint64_t progress) {
    if (++looks_ % kLooksBetweenClocks == 0) look_closely(progress);
  }

 private:
  static constexpr std::uint64_t kLooksBetweenClocks = 1024;

  void look_closely(std::uint64_t progress);
  void answer();
  [[noreturn]] void end_the_run();

  MPI_Comm comm_;
  std::function<std::string()> describe_;
  double limit_;
  std::uint64_t looks_ = 0;
  std::uint64_t progress_ = 0;
  double since_;
};

}  // namespace ouro::engine
