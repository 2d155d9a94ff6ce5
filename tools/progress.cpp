#include "tools/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace ouro::tools {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string describe_time(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

Progress::Progress(std::int64_t tokens_expected, std::int64_t tokens_at_start, double interval_seconds)
    : tokens_expected_{tokens_expected},
      tokens_at_start_{tokens_at_start},
      interval_{interval_seconds},
      begin_{wall_seconds()},
      last_{begin_},
      terminal_{isatty(STDERR_FILENO) != 0} {}

bool Progress::is_due() {
  return wall_seconds() - last_ >= interval_;
}

void Progress::show(const State& state) {
  last_ = wall_seconds();
  const auto line = describe(state, last_ - begin_);
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r\x1b[K" : "", line, terminal_ ? "" : "\n");
  std::fflush(stderr);
  shown_ = true;
}

void Progress::finish() {
  if (shown_ && terminal_) fmt::print(stderr, "\n");
}

std::string Progress::describe(const State& state, double elapsed) const {
  const auto expected_here = tokens_expected_ - tokens_at_start_;
  const double share = expected_here > 0 ? static_cast<double>(state.tokens_done - tokens_at_start_) /
                                               static_cast<double>(expected_here)
                                         : 0;
  const auto left = share > 0 && share < 1 ? describe_time(elapsed / share * (1 - share)) : std::string{"?"};
  return fmt::format(
      "simulated {:.3f} ms | {} of {} tokens done | {} requests running | {:.2f} M events/s a rank | {} left",
      1e3 * engine::seconds(state.reached.time_since_epoch()), state.tokens_done, tokens_expected_,
      state.requests_running, static_cast<double>(state.events_here) / elapsed / 1e6, left);
}

}  // namespace ouro::tools
