#include "engine/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <sstream>

#include "engine/nearest.hpp"

namespace ouro::engine {
namespace {

/// "wafer.noc" of "wafer.noc.vcs"; empty for a key outside of tables.
std::string_view table_of(std::string_view key) {
  const auto dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view name_in_table(std::string_view key) {
  return key.substr(key.rfind('.') + 1);  // npos + 1 is 0
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string{text.substr(first, text.find_last_not_of(" \t") - first + 1)};
}

/// TOML allows no control characters in a comment, and a file's name may have some.
std::string in_comment(std::string text) {
  const auto is_control = [](unsigned char character) { return character < 0x20 || character == 0x7f; };
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

}  // namespace

Config::Config(const std::vector<ConfigText>& defaults, const std::optional<ConfigText>& user,
               const std::vector<std::string>& assignments) {
  for (const auto& text : defaults) add_defaults(text);
  if (user) overlay(*user);
  for (const auto& assignment : assignments) assign(assignment);
}

void Config::add_defaults(const ConfigText& text) {
  const auto parsed = parse_config(text);
  for (const auto& table : parsed.tables) {
    if (std::find(tables_.begin(), tables_.end(), table.name) == tables_.end()) tables_.push_back(table.name);
  }
  for (const auto& setting : parsed.settings) {
    if (!index_.emplace(setting.key, records_.size()).second) {
      throw ContractError{fmt::format("two defaults for '{}', one in {}", setting.key, text.name)};
    }
    records_.push_back({setting.key, setting.comment, setting.value, setting.value,
                        fmt::format("default: {}", setting.key), ""});
  }
}

void Config::overlay(const ConfigText& user) {
  const auto parsed = parse_config(user);
  for (const auto& table : parsed.tables)
    check_table(fmt::format("{}:{}", user.name, table.line), table.name);
  for (const auto& setting : parsed.settings) {
    set(fmt::format("{}:{}", user.name, setting.line), setting.key, setting.value);
  }
}

void Config::set(const std::string& place, const std::string& key, Value value) {
  replace(place, fmt::format("{}: {}", place, key), key, std::move(value), in_comment("set in " + place));
}

void Config::assign(const std::string& assignment) {
  const auto equals = assignment.find('=');
  const auto key = trim(std::string_view{assignment}.substr(0, equals));
  const auto text = equals == std::string::npos ? "" : trim(std::string_view{assignment}.substr(equals + 1));
  if (key.empty() || text.empty()) {
    throw InputError{fmt::format("--set {}", assignment), "is not an assignment",
                     "write --set section.key=value"};
  }
  const auto where = fmt::format("--set {}", key);
  replace(where, where, key, parse_value(text), "--set");
}

void Config::replace(const std::string& place, const std::string& where, const std::string& key, Value value,
                     const std::string& changed_by) {
  Record& record = find(place, key);
  if (!may_replace(record.default_value, value)) {
    throw InputError{where, fmt::format("{} is {}", to_toml(value), type_name(value)),
                     fmt::format("{} such as {} is needed", type_name(record.default_value),
                                 to_toml(record.default_value))};
  }
  record.value = std::move(value);
  record.where = where;
  record.changed_by = changed_by;
}

void Config::check_table(const std::string& place, const std::string& name) const {
  if (std::find(tables_.begin(), tables_.end(), name) != tables_.end()) return;
  if (index_.contains(name)) throw InputError{place, fmt::format("'{}' is a key, not a table", name)};
  const auto meant = nearest(name, tables_);
  throw InputError{place, fmt::format("unknown table '{}'", name),
                   meant ? fmt::format("did you mean '{}'?", *meant)
                         : fmt::format("known tables: {}", fmt::join(tables_, ", "))};
}

Config::Record& Config::find(const std::string& place, const std::string& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) throw unknown_key(place, key);
  return records_[found->second];
}

InputError Config::unknown_key(const std::string& place, const std::string& key) const {
  if (const auto inside = keys_of(key); !inside.empty()) {
    return InputError{place, fmt::format("'{}' is a table, not a key", key),
                      fmt::format("its keys: {}", fmt::join(inside, ", "))};
  }
  std::vector<std::string> all;
  for (const auto& record : records_) all.push_back(record.key);
  const auto what = fmt::format("unknown key '{}'", key);
  if (const auto meant = nearest(key, all)) return {place, what, fmt::format("did you mean '{}'?", *meant)};
  if (const auto siblings = keys_of(table_of(key)); !siblings.empty()) {
    return InputError{place, what, fmt::format("known there: {}", fmt::join(siblings, ", "))};
  }
  return {place, what, fmt::format("known tables: {}", fmt::join(tables_, ", "))};
}

std::vector<std::string> Config::keys_of(std::string_view table) const {
  std::vector<std::string> keys;
  for (const auto& record : records_) {
    if (table_of(record.key) == table) keys.emplace_back(name_in_table(record.key));
  }
  return keys;
}

Setting Config::at(std::string_view key) const {
  const auto found = index_.find(key);
  if (found == index_.end()) throw ContractError{fmt::format("the defaults have no key '{}'", key)};
  const Record& record = records_[found->second];
  return {record.where, record.value};
}

void Config::print(std::ostream& out, const std::function<std::string(const Record&)>& line_of) const {
  const auto lines_of = [&](std::string_view table) {
    std::string lines;
    for (const auto& record : records_) {
      if (table_of(record.key) != table) continue;
      if (const auto line = line_of(record); !line.empty()) lines += line + '\n';
    }
    return lines;
  };
  out << lines_of("");
  for (const auto& table : tables_) {
    if (const auto lines = lines_of(table); !lines.empty()) out << "\n[" << table << "]\n" << lines;
  }
}

std::string Config::line_of(const Record& record) {
  return fmt::format("{} = {}", name_in_table(record.key), to_toml(record.value));
}

std::string Config::commented_line_of(const Record& record) {
  const auto comment = record.changed_by.empty() ? record.tag
                                                 : fmt::format("{} (default: {})", record.changed_by,
                                                               to_toml(record.default_value));
  return fmt::format("{}  # {}", line_of(record), comment);
}

void Config::print(std::ostream& out) const {
  print(out, commented_line_of);
}

std::string Config::resolved_toml() const {
  std::ostringstream out;
  print(out);
  return out.str();
}

std::string Config::changes_toml() const {
  std::ostringstream out;
  print(out, [](const Record& record) {
    return record.changed_by.empty() ? std::string{} : commented_line_of(record);
  });
  return out.str();
}

std::string Config::values_toml() const {
  std::ostringstream out;
  print(out, line_of);
  return out.str();
}

}  // namespace ouro::engine
