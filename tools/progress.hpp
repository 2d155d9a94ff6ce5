#pragma once

#include <cstdint>
#include <string>

#include "engine/time.hpp"

namespace ouro::tools {

/// Such as "90 s", "5 min", "2.5 h".
std::string describe_time(double seconds);

/// Of a clock that only goes on, in seconds.
double wall_seconds();

/// Tells an operator how far a run is: one line that is written again and again on a terminal, else a plain
/// line now and then.
class Progress {
 public:
  struct State {
    engine::Time reached{};
    std::int64_t tokens_done = 0;
    std::int64_t requests_running = 0;
    std::uint64_t events_here = 0;
  };

  /// @param tokens_expected  of the whole workload, without recomputed ones
  /// @param tokens_at_start  done when this program began, in a run that goes on
  /// @param interval_seconds  wall time between lines
  Progress(std::int64_t tokens_expected, std::int64_t tokens_at_start, double interval_seconds);

  /// Whether a line is due.
  bool is_due();
  void show(const State& state);
  /// Ends the line on a terminal.
  void finish();

 private:
  std::string describe(const State& state, double elapsed) const;

  std::int64_t tokens_expected_;
  std::int64_t tokens_at_start_;
  double interval_;
  double begin_;
  double last_;
  bool terminal_;
  bool shown_ = false;
};

}  // namespace ouro::tools
