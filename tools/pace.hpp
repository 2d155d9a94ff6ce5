#pragma once

#include <algorithm>

#include "engine/time.hpp"

namespace ouro::tools {

/// How far a run goes in simulated time between two stops, where all ranks stand at one time: so far that
/// stops cost nothing, and so near that a signal is heeded in a second or two.
class Pace {
 public:
  /// @param longest  between stops
  explicit Pace(engine::Duration longest)
      : longest_{longest}, stride_{std::max(longest / kFirstPart, engine::Duration{1})} {}

  /// The stop after `time`: a multiple of the stride.
  engine::Time stop_after(engine::Time time) const {
    return engine::Time{(time.time_since_epoch() / stride_ + 1) * stride_};
  }

  /// @param wall_seconds  that the slowest rank took for the last stride; the same on all ranks
  void adapt(double wall_seconds) {
    constexpr double kShort = 0.25, kLong = 1;
    if (wall_seconds > kLong) stride_ = std::max(stride_ / 2, engine::Duration{1});
    if (wall_seconds < kShort) stride_ = std::min(stride_ * 2, longest_);
  }

 private:
  static constexpr int kFirstPart = 1024;  // nothing is known of the wall time at first

  engine::Duration longest_;
  engine::Duration stride_;
};

}  // namespace ouro::tools
