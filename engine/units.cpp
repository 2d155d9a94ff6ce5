#include "engine/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kDigits = "0123456789";

/// A quantity taken apart: "-1.50 us" is {true, "1", "5", "us"}.
struct Parts {
  bool negative = false;
  std::string whole;
  std::string fraction;  // no trailing zeros
  std::string unit;
};

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string take_digits(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of(kDigits), text.size());
  std::string digits{text.substr(0, end)};
  text.remove_prefix(end);
  return digits;
}

/// Nothing if the text does not start with a plain decimal number.
std::optional<Parts> take_apart(std::string_view text) {
  Parts parts;
  text = trim(text);
  if (text.starts_with('-') || text.starts_with('+')) {
    parts.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  parts.whole = take_digits(text);
  if (parts.whole.empty()) return std::nullopt;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    parts.fraction = take_digits(text);
    if (parts.fraction.empty()) return std::nullopt;
  }
  parts.fraction.erase(parts.fraction.find_last_not_of('0') + 1);
  parts.unit = trim(text);
  return parts;
}

const Unit* find_unit(std::string_view name, const UnitTable& table) {
  const auto found = std::find_if(table.units.begin(), table.units.end(),
                                  [&](const Unit& unit) { return unit.name == name; });
  return found == table.units.end() ? nullptr : &*found;
}

struct Checked {
  Parts parts;
  Unit unit;
};

Checked check(const std::string& where, std::string_view text, const UnitTable& table) {
  const auto needed = fmt::format("{} is needed", table.needed);
  const auto parts = take_apart(text);
  if (!parts) throw InputError{where, fmt::format("'{}' does not start with a decimal number", text), needed};
  if (parts->unit.empty()) throw InputError{where, fmt::format("'{}' has no unit", text), needed};
  const Unit* unit = find_unit(parts->unit, table);
  if (!unit) throw InputError{where, fmt::format("'{}' has unit '{}'", text, parts->unit), needed};
  if (parts->negative) throw InputError{where, fmt::format("'{}' is negative", text), needed};
  return {*parts, *unit};
}

std::optional<std::int64_t> to_integer(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::int64_t power_of_ten(std::size_t exponent) {
  std::int64_t power = 1;
  for (std::size_t i = 0; i < exponent; ++i) power *= 10;
  return power;
}

}  // namespace

std::int64_t parse_quantity(const std::string& where, std::string_view text, const UnitTable& table) {
  const auto [parts, unit] = check(where, text, table);
  const auto digits = to_integer(parts.whole + parts.fraction);
  if (!digits || parts.fraction.size() > 18) {
    throw InputError{where, fmt::format("'{}' has more digits than 64 bits can hold", text)};
  }
  // digits * unit / 10^places, without a rounding and with the least chance of an overflow
  const auto divisor = power_of_ten(parts.fraction.size());
  const auto common = std::gcd(divisor, unit.in_base_units);
  if (*digits % (divisor / common) != 0) {
    throw InputError{where, fmt::format("'{}' is not a whole number of {}", text, table.base)};
  }
  std::int64_t value = 0;
  if (__builtin_mul_overflow(*digits / (divisor / common), unit.in_base_units / common, &value)) {
    throw InputError{where, fmt::format("'{}' is beyond the 64 bits that count {}", text, table.base)};
  }
  return value;
}

double parse_real_quantity(const std::string& where, std::string_view text, const UnitTable& table) {
  const auto [parts, unit] = check(where, text, table);
  // units of real quantities are powers of ten: as an exponent, the scale costs no second rounding
  const auto zeros = std::to_string(unit.in_base_units).size() - 1;
  const auto number = fmt::format("{}.{}e{}", parts.whole, parts.fraction, zeros);
  double value = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc{}) {
    throw InputError{where, fmt::format("'{}' is beyond the range of a number", text)};
  }
  return value;
}

bool has_unit_of(std::string_view text, const UnitTable& table) {
  const auto parts = take_apart(text);
  return parts && find_unit(parts->unit, table);
}

UnitTable duration_units() {
  constexpr std::int64_t kSecond = 1'000'000'000'000;
  return {"a duration such as \"10 ms\"",
          "ps",
          {{"ps", 1},
           {"ns", 1'000},
           {"us", 1'000'000},
           {"ms", 1'000'000'000},
           {"s", kSecond},
           {"min", 60 * kSecond},
           {"h", 3600 * kSecond}}};
}

UnitTable frequency_units() {
  return {"a frequency such as \"1 GHz\"",
          "Hz",
          {{"Hz", 1}, {"kHz", 1'000}, {"MHz", 1'000'000}, {"GHz", 1'000'000'000}}};
}

UnitTable cycle_units() {
  return {"a number of cycles such as \"2 cycles\"", "cycles", {{"cycle", 1}, {"cycles", 1}}};
}

UnitTable byte_units() {
  constexpr std::int64_t kKilo = 1000;
  constexpr std::int64_t kKibi = 1024;
  return {"a size such as \"128 KiB\"",
          "bytes",
          {{"B", 1},
           {"KB", kKilo},
           {"MB", kKilo * kKilo},
           {"GB", kKilo * kKilo * kKilo},
           {"TB", kKilo * kKilo * kKilo * kKilo},
           {"KiB", kKibi},
           {"MiB", kKibi * kKibi},
           {"GiB", kKibi * kKibi * kKibi},
           {"TiB", kKibi * kKibi * kKibi * kKibi}}};
}

UnitTable bandwidth_units() {
  return {"a bandwidth such as \"12 GB/s\"",
          "bytes/s",
          {{"B/s", 1},
           {"KB/s", 1'000},
           {"MB/s", 1'000'000},
           {"GB/s", 1'000'000'000},
           {"TB/s", 1'000'000'000'000}}};
}

UnitTable bit_units() {
  return {"a number of bits such as \"256 bit\"", "bits", {{"bit", 1}, {"bits", 1}}};
}

UnitTable energy_units(std::string_view per) {
  return {fmt::format("an energy such as \"0.15 pJ{}\"", per),
          fmt::format("fJ{}", per),
          {{fmt::format("fJ{}", per), 1},
           {fmt::format("pJ{}", per), 1'000},
           {fmt::format("nJ{}", per), 1'000'000}}};
}

UnitTable power_units() {
  return {"a power such as \"3 kW\"", "W", {{"W", 1}, {"kW", 1'000}}};
}

UnitTable length_units() {
  return {"a length such as \"1.82 mm\"", "mm", {{"mm", 1}, {"cm", 10}}};
}

}  // namespace ouro::engine
