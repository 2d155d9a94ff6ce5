#include "llm/timestamp.hpp"

#include <charconv>
#include <chrono>

namespace ouro::llm {
namespace {

constexpr std::int64_t kPerSecond = engine::SimClock::period::den;
constexpr std::size_t kFractionDigits = 12;

/// The number that these digits, and nothing else, write.
std::optional<std::int64_t> parse_digits(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::int64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_fraction(std::string_view digits) {
  if (digits.size() > kFractionDigits) return std::nullopt;
  auto number = parse_digits(digits);
  if (!number) return std::nullopt;
  for (auto i = digits.size(); i < kFractionDigits; ++i) *number *= 10;
  return number;
}

/// The days since 1970 of "2023-11-16", in seconds.
std::optional<std::int64_t> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_digits(text.substr(0, 4));
  const auto month = parse_digits(text.substr(5, 2));
  const auto day = parse_digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::seconds{std::chrono::sys_days{date}.time_since_epoch()}.count();
}

/// The time since midnight of "18:15:46.68".
std::optional<Timestamp> parse_time_of_day(std::string_view text) {
  if (text.size() < 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  if (text.size() > 8 && text[8] != '.') return std::nullopt;
  const auto hours = parse_digits(text.substr(0, 2));
  const auto minutes = parse_digits(text.substr(3, 2));
  auto time = parse_seconds(text.substr(6));
  if (!hours || !minutes || !time || *hours > 23 || *minutes > 59 || time->seconds > 59) return std::nullopt;
  time->seconds += 3600 * *hours + 60 * *minutes;
  return time;
}

}  // namespace

std::optional<Timestamp> parse_wall_clock(std::string_view text) {
  constexpr std::string_view kUtc = "+00:00";
  if (text.ends_with(kUtc)) text.remove_suffix(kUtc.size());
  if (text.size() < 11 || text[10] != ' ') return std::nullopt;
  const auto date = parse_date(text.substr(0, 10));
  auto time = parse_time_of_day(text.substr(11));
  if (!date || !time) return std::nullopt;
  time->seconds += *date;
  return time;
}

std::optional<Timestamp> parse_seconds(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = parse_digits(text.substr(0, point));
  const auto fraction = point == std::string_view::npos ? 0 : parse_fraction(text.substr(point + 1));
  if (!whole || !fraction) return std::nullopt;
  return Timestamp{*whole, *fraction};
}

std::optional<engine::Duration> elapsed(Timestamp from, Timestamp to) {
  constexpr std::int64_t kLongest = engine::picoseconds(engine::kNever) / kPerSecond - 1;
  const std::int64_t whole = to.seconds - from.seconds;
  if (whole < 0 || whole > kLongest) return std::nullopt;
  const engine::Duration duration{whole * kPerSecond + to.picoseconds - from.picoseconds};
  return duration.count() < 0 ? std::nullopt : std::optional{duration};
}

}  // namespace ouro::llm
