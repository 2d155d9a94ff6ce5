#include "engine/setting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/nearest.hpp"

namespace ouro::engine {
namespace {

/// "1 to 16", or one-sided where the other side is the limit of the type.
template <class T>
std::string range(T min, T max) {
  if (max == std::numeric_limits<T>::max()) return fmt::format("at least {} is needed", min);
  if (min == std::numeric_limits<T>::lowest()) return fmt::format("at most {} is needed", max);
  return fmt::format("{} to {} is needed", min, max);
}

}  // namespace

template <class T>
const T& Setting::get() const {
  if (const T* held = std::get_if<T>(&value_.held)) return *held;
  throw refusal(fmt::format("{} is {}", to_toml(value_), type_name(value_)),
                fmt::format("{} is needed", type_name(Value{T{}})));
}

std::int64_t Setting::as_int(std::int64_t min, std::int64_t max) const {
  const auto value = get<std::int64_t>();
  if (value < min || value > max) throw refusal(fmt::format("{} is out of range", value), range(min, max));
  return value;
}

double Setting::as_number(double min, double max) const {
  const auto* integer = std::get_if<std::int64_t>(&value_.held);
  const double value = integer ? static_cast<double>(*integer) : get<double>();
  if (!std::isfinite(value)) throw refusal(fmt::format("{} is not finite", value), range(min, max));
  if (value < min || value > max) throw refusal(fmt::format("{} is out of range", value), range(min, max));
  return value;
}

bool Setting::as_bool() const {
  return get<bool>();
}

const std::string& Setting::as_string() const {
  return get<std::string>();
}

const std::string& Setting::as_choice(std::initializer_list<std::string_view> known) const {
  const auto& word = as_string();
  if (std::find(known.begin(), known.end(), word) != known.end()) return word;
  const auto meant = nearest(word, {known.begin(), known.end()});
  throw refusal(fmt::format("there is no '{}'", word),
                fmt::format("{}known: {}", meant ? fmt::format("did you mean '{}'? ", *meant) : "",
                            fmt::join(known, ", ")));
}

std::vector<std::int64_t> Setting::as_int_list() const {
  std::vector<std::int64_t> integers;
  for (const auto& element : get<Value::List>()) integers.push_back(Setting{where_, element}.as_int());
  return integers;
}

std::int64_t Setting::quantity(const UnitTable& table) const {
  return parse_quantity(where_, as_string(), table);
}

Duration Setting::as_duration(Duration most) const {
  const Duration duration{Duration{quantity(duration_units())}};
  if (duration > most) {
    throw refusal(fmt::format("is more than the {} s that make sense here", seconds(most)), "a shorter time");
  }
  return duration;
}

Duration Setting::as_clock_period() const {
  const auto& text = as_string();
  const bool is_period = has_unit_of(text, duration_units());
  const auto value = quantity(is_period ? duration_units() : frequency_units());
  if (value == 0) throw refusal(fmt::format("'{}' is a clock that does not tick", text));
  if (is_period) return Duration{value};

  constexpr std::int64_t kPicosecondsPerSecond = 1'000'000'000'000;
  if (kPicosecondsPerSecond % value != 0) {
    const auto period = std::max<std::int64_t>(1, (kPicosecondsPerSecond + value / 2) / value);
    throw refusal(fmt::format("a cycle of '{}' is not a whole number of ps", text),
                  fmt::format("write the period, such as \"{} ps\"", period));
  }
  return Duration{kPicosecondsPerSecond / value};
}

std::int64_t Setting::as_cycles() const {
  constexpr std::int64_t kMost = 1'000'000;
  const auto cycles = quantity(cycle_units());
  if (cycles > kMost)
    throw refusal(fmt::format("{} cycles are too many", cycles), fmt::format("at most {}", kMost));
  return cycles;
}

std::int64_t Setting::as_bytes() const {
  return quantity(byte_units());
}

std::int64_t Setting::as_bits() const {
  return quantity(bit_units());
}

std::int64_t Setting::as_bytes_per_second() const {
  const auto bandwidth = quantity(bandwidth_units());
  constexpr std::int64_t kMost = 1'000'000'000'000'000;
  if (bandwidth < 1 || bandwidth > kMost)
    throw refusal("is not the bandwidth of a link", "more than 0, and at most \"1000 TB/s\"");
  return bandwidth;
}

std::int64_t Setting::as_femtojoules(std::string_view per) const {
  return quantity(energy_units(per));
}

double Setting::as_watts() const {
  return parse_real_quantity(where_, as_string(), power_units());
}

double Setting::as_millimetres() const {
  return parse_real_quantity(where_, as_string(), length_units());
}

}  // namespace ouro::engine
