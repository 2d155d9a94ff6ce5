#include "llm/json_config.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/error.hpp"

namespace ouro::llm {
namespace {

using engine::InputError;
using nlohmann::json;

json parse(std::string_view text, const std::string& where) {
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const auto read = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
    const auto line = 1 + std::count(read.begin(), read.end(), '\n');
    throw InputError{fmt::format("{}:{}", where, line), "not JSON from here on"};
  }
}

}  // namespace

// Round brackets: with braces, a json becomes an array of one.
JsonConfig::JsonConfig(std::string_view text, std::string where)
    : values_(parse(text, where)), where_{std::move(where)} {
  if (!values_.is_object()) throw InputError{where_, "not a JSON object", "a config.json is one"};
}

const json* JsonConfig::find(const char* key) const {
  read_.emplace(key);
  const auto found = values_.find(key);
  return found == values_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<int> JsonConfig::optional_size(const char* key, int largest) const {
  const json* value = find(key);
  if (!value) return std::nullopt;
  const bool valid = value->is_number_unsigned() && *value >= 1 && *value <= largest;
  if (!valid) refuse(key, value->dump(), fmt::format("a whole number from 1 to {}", largest));
  return value->get<int>();
}

int JsonConfig::size(const char* key, int largest) const {
  if (const auto value = optional_size(key, largest)) return *value;
  throw InputError{where_, fmt::format("no key '{}'", key), "the model's shape needs it"};
}

std::optional<bool> JsonConfig::flag(const char* key) const {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, value->dump(), "true or false");
  return value->get<bool>();
}

std::optional<std::string> JsonConfig::text(const char* key) const {
  const json* value = find(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, value->dump(), "a string");
  return value->get<std::string>();
}

std::vector<std::string> JsonConfig::unread_keys() const {
  std::vector<std::string> keys;
  for (const auto& item : values_.items()) {
    if (!read_.contains(item.key())) keys.push_back(item.key());
  }
  return keys;
}

void JsonConfig::refuse(const char* key, std::string_view value, const std::string& right) const {
  constexpr std::size_t kShown = 60;  // a nested object would fill the screen
  throw InputError{
      fmt::format("{}: {}", where_, key),
      fmt::format("{}{} is not accepted", value.substr(0, kShown), value.size() > kShown ? "..." : ""),
      "it must be " + right};
}

}  // namespace ouro::llm
