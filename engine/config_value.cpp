#include "engine/config_value.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace ouro::engine {
namespace {

std::string escaped(char character) {
  switch (character) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    default:
      break;
  }
  const auto code = static_cast<unsigned char>(character);
  const bool is_control = code < 0x20 || code == 0x7f;
  return is_control ? fmt::format("\\u{:04X}", code) : std::string{character};
}

struct TomlWriter {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }

  std::string operator()(double value) const {
    if (!std::isfinite(value)) return std::isnan(value) ? "nan" : (value > 0 ? "inf" : "-inf");
    const auto text = fmt::format("{}", value);  // the shortest that reads back as the same number
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }

  std::string operator()(const std::string& value) const {
    std::string text = "\"";
    for (const char character : value) text += escaped(character);
    return text + '"';
  }

  std::string operator()(const Value::List& values) const {
    std::string text = "[";
    for (const auto& value : values) text += (text.size() > 1 ? ", " : "") + to_toml(value);
    return text + ']';
  }
};

}  // namespace

std::string_view type_name(const Value& value) {
  constexpr std::array<std::string_view, 5> kNames{"true or false", "an integer", "a number", "text",
                                                   "a list"};
  return kNames[value.held.index()];
}

std::string to_toml(const Value& value) {
  return std::visit(TomlWriter{}, value.held);
}

bool may_replace(const Value& default_value, const Value& value) {
  if (default_value.held.index() == value.held.index()) return true;
  return std::holds_alternative<double>(default_value.held) &&
         std::holds_alternative<std::int64_t>(value.held);
}

}  // namespace ouro::engine
