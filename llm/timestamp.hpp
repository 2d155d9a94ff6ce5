#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/time.hpp"

namespace ouro::llm {

/// A point in real time, exact: seconds since an epoch, which wall clocks put at 1970, and picoseconds.
struct Timestamp {
  std::int64_t seconds = 0;
  std::int64_t picoseconds = 0;

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// Reads "2023-11-16 18:15:46.6805900": UTC, with at most 12 digits after the point; "+00:00" may follow.
std::optional<Timestamp> parse_wall_clock(std::string_view text);

/// Reads "12.5", with at most 12 digits after the point.
std::optional<Timestamp> parse_seconds(std::string_view text);

/// How long from one to the other; none if that is negative or more than a run's clock holds.
std::optional<engine::Duration> elapsed(Timestamp from, Timestamp to);

}  // namespace ouro::llm
