#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ouro::engine {

/// A value of a configuration. TOML's dates, and tables within lists, have no use here.
struct Value {
  using List = std::vector<Value>;
  std::variant<bool, std::int64_t, double, std::string, List> held;

  friend bool operator==(const Value&, const Value&) = default;
};

/// Such as "an integer".
std::string_view type_name(const Value& value);

/// On one line, as TOML that reads back as the same value.
std::string to_toml(const Value& value);

/// True if `value` may stand where `default_value` does: the same type, or an integer for a number.
bool may_replace(const Value& default_value, const Value& value);

}  // namespace ouro::engine
