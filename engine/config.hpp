#pragma once

#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config_text.hpp"
#include "engine/setting.hpp"

namespace ouro::engine {

/// The configuration of a run: the shipped defaults, overlaid by a user's text, then by `--set` assignments
/// in their order (of two for one key, the later counts).
///
/// The defaults are the schema: a key that they do not have is refused, and so is a value of another type
/// than the default's. Only the part of the program that reads a value checks it further.
class Config {
 public:
  /// @param defaults     texts with no key in common; each line ends in a comment that says where the value
  ///                     is from
  /// @param assignments  such as wafer.clock=1 GHz
  /// @throws InputError  for what is wrong with the user's text or assignments
  /// @throws ContractError  if two defaults give the same key
  explicit Config(const std::vector<ConfigText>& defaults, const std::optional<ConfigText>& user = {},
                  const std::vector<std::string>& assignments = {});

  /// Puts one value over what counted until now.
  /// @param place  where the user wrote it, such as sweep.toml:7
  /// @throws InputError  if there is no such key, or the value is of another type than its default
  void set(const std::string& place, const std::string& key, Value value);

  /// @throws ContractError  if the defaults have no such key
  Setting at(std::string_view key) const;

  /// The complete configuration as TOML: a line for each key, with where its value is from. Read back as a
  /// user's text, it gives the same values.
  void print(std::ostream& out) const;
  std::string resolved_toml() const;
  /// Only what is not from the defaults, as TOML that gives the same configuration.
  std::string changes_toml() const;
  /// Each key with its value and nothing else, as TOML: two configurations are equal if these texts are.
  std::string values_toml() const;

 private:
  struct Record {
    std::string key;
    std::string tag;  // the default's comment
    Value default_value;
    Value value;
    std::string where;       // for messages
    std::string changed_by;  // empty for a default
  };

  static std::string line_of(const Record& record);
  static std::string commented_line_of(const Record& record);
  /// As TOML: the settings of `records_` that `line_of` has a line for; it gives an empty text for others.
  void print(std::ostream& out, const std::function<std::string(const Record&)>& line_of) const;

  void add_defaults(const ConfigText& text);
  void overlay(const ConfigText& user);
  void assign(const std::string& assignment);
  void replace(const std::string& place, const std::string& where, const std::string& key, Value value,
               const std::string& changed_by);

  void check_table(const std::string& place, const std::string& name) const;
  Record& find(const std::string& place, const std::string& key);
  InputError unknown_key(const std::string& place, const std::string& key) const;
  std::vector<std::string> keys_of(std::string_view table) const;

  std::vector<std::string> tables_;  // in the order of the defaults
  std::vector<Record> records_;
  std::map<std::string, std::size_t, std::less<>> index_;  // into records_
};

}  // namespace ouro::engine
