#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>

namespace ouro::engine {

/// Simulated time, in whole picoseconds since the start of the run; 64 bits of them last 106 days.
/// It has no now(): an object learns the time from the event it is handling.
struct SimClock {
  using rep = std::int64_t;
  using period = std::pico;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<SimClock>;
  static constexpr bool is_steady = true;
};

using Time = SimClock::time_point;    // when;     Time + Duration is a Time
using Duration = SimClock::duration;  // how long; Time + Time does not compile

static_assert(!std::is_invocable_v<std::plus<>, Time, Time>);
static_assert(!std::is_convertible_v<double, Duration>);  // no rounding by accident

/// Later than every event: the clock of a run that has nothing left to do.
inline constexpr Time kNever{Duration{std::numeric_limits<std::int64_t>::max()}};

/// Longer than every run.
inline constexpr Duration kForever = Duration::max();

constexpr Time from_picoseconds(std::int64_t count) {
  return Time{Duration{count}};
}

constexpr std::int64_t picoseconds(Time time) {
  return time.time_since_epoch().count();
}

/// Sum that stays at kNever where it would not fit; `duration` is not negative.
constexpr Time later_by(Time time, Duration duration) {
  return time > kNever - duration ? kNever : time + duration;
}

/// Sum that stays at kForever where it would not fit; neither is negative.
constexpr Duration sum(Duration a, Duration b) {
  return a > kForever - b ? kForever : a + b;
}

constexpr double seconds(Duration duration) {
  return 1e-12 * static_cast<double>(duration.count());
}

}  // namespace ouro::engine
