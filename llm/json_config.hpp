#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ouro::llm {

/// The keys of one JSON object, such as a config.json, read with their checks. A null counts as absent.
/// Each function throws engine::InputError with the file and the key.
class JsonConfig {
 public:
  /// @param where  the file, for messages
  JsonConfig(std::string_view text, std::string where);

  const nlohmann::json* find(const char* key) const;

  /// A whole number from 1 to `largest`.
  std::optional<int> optional_size(const char* key, int largest) const;
  int size(const char* key, int largest) const;

  std::optional<bool> flag(const char* key) const;
  std::optional<std::string> text(const char* key) const;

  /// Keys that no call has asked for, in their order.
  std::vector<std::string> unread_keys() const;

  /// @param right  what would be, to follow "it must be"
  [[noreturn]] void refuse(const char* key, std::string_view value, const std::string& right) const;

  const std::string& where() const { return where_; }

 private:
  nlohmann::json values_;
  std::string where_;
  mutable std::set<std::string, std::less<>> read_;
};

}  // namespace ouro::llm
