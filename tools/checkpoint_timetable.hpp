#pragma once

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "engine/mpi.hpp"
#include "engine/time.hpp"
#include "tools/signals.hpp"

namespace ouro::tools {

/// When a run writes checkpoints: after some wall time, at a simulated time, and when a signal asks for it.
/// All ranks have the same times.
class CheckpointTimetable {
 public:
  /// @param minutes  of wall time between checkpoints; 0 for none
  /// @param at       simulated time of one more
  CheckpointTimetable(double minutes, std::optional<engine::Time> at, MPI_Comm comm)
      : comm_{comm}, every_{60 * minutes}, at_{at}, last_{MPI_Wtime()} {}

  /// A stop must not be after the simulated time of a checkpoint.
  engine::Time not_after_checkpoint(engine::Time stop) const { return at_ ? std::min(stop, *at_) : stop; }

  struct Agreed {
    Wish wish;
    double wall_seconds;
  };
  /// What any rank wants at a stop. Collective.
  /// @param next  the earliest event that is left anywhere
  /// @param wall_seconds  since the last stop, of which all ranks get the most
  Agreed agree(engine::Time stop, engine::Time next, double wall_seconds) {
    constexpr double kMicroseconds = 1e6;
    std::array<std::int64_t, 2> most{static_cast<std::int64_t>(wish_here(stop, next)),
                                     static_cast<std::int64_t>(kMicroseconds * wall_seconds)};
    MPI_Allreduce(MPI_IN_PLACE, most.data(), 2, MPI_INT64_T, MPI_MAX, comm_);
    return {static_cast<Wish>(most[0]), static_cast<double>(most[1]) / kMicroseconds};
  }

  void checkpoint_was_tried() { last_ = MPI_Wtime(); }

  /// Whether the simulated time of a checkpoint has not come, as far as agree() was told.
  bool waits_for_time() const { return at_.has_value(); }

 private:
  Wish wish_here(engine::Time stop, engine::Time next) {
    bool is_due = every_ > 0 && MPI_Wtime() - last_ >= every_;
    if (at_ && next != engine::kNever && (stop >= *at_ || next >= *at_)) {
      is_due = true;
      at_.reset();
    }
    return std::max(take_wish(), is_due ? Wish::checkpoint : Wish::go_on);
  }

  MPI_Comm comm_;
  double every_;
  std::optional<engine::Time> at_;
  double last_;
};

}  // namespace ouro::tools
