#include "engine/config_text.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <tuple>

#include "engine/error.hpp"

namespace ouro::engine {
namespace {

std::string place(const ConfigText& config, std::size_t line) {
  return fmt::format("{}:{}", config.name, line);
}

/// "Error while parsing string: unescaped ..." is "unescaped ..." beside a file and a line.
std::string reason(const toml::parse_error& error) {
  std::string text{error.description()};
  const auto colon = text.find(": ");
  if (text.starts_with("Error while") && colon != std::string::npos) text.erase(0, colon + 2);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

toml::table parse_toml(const ConfigText& config) {
  try {
    return toml::parse(std::string_view{config.text}, std::string_view{config.name});
  } catch (const toml::parse_error& error) {
    const auto what = reason(error);
    const bool lacks_quotes = what.starts_with("expected a comment or whitespace");
    throw InputError{place(config, error.source().begin.line), what,
                     lacks_quotes ? "text and values with units stand in double quotes" : ""};
  }
}

/// @param where  for messages
Value to_value(const std::string& where, const toml::node& node) {
  if (const auto* value = node.as_boolean()) return {value->get()};
  if (const auto* value = node.as_integer()) return {value->get()};
  if (const auto* value = node.as_floating_point()) return {value->get()};
  if (const auto* value = node.as_string()) return {value->get()};
  const auto* array = node.as_array();
  if (!array) {
    throw InputError{where, "a date, a time or a list of tables has no use here",
                     "write numbers, text, true, false, or lists of them"};
  }
  Value::List list;
  for (const auto& element : *array) list.push_back(to_value(where, element));
  return {std::move(list)};
}

void check_key(const std::string& where, std::string_view key) {
  constexpr auto kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (!key.empty() && key.find_first_not_of(kAllowed) == std::string_view::npos) return;
  throw InputError{where, fmt::format("'{}' is not the name of a key", key),
                   "names have letters, digits, '_' and '-', and no quotes"};
}

/// Splits a text into lines, and finds the comments that toml++ drops.
class Comments {
 public:
  explicit Comments(const std::string& text) {
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) lines_.push_back(line);
  }

  std::string of_line(std::size_t number) const {
    if (number == 0 || number > lines_.size()) return {};
    const std::string& line = lines_[number - 1];
    const auto hash = find_hash(line);
    const auto first = hash == std::string::npos ? hash : line.find_first_not_of(" \t\r", hash + 1);
    if (first == std::string::npos) return {};
    return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
  }

 private:
  /// The first '#' outside of quotes.
  static std::size_t find_hash(const std::string& line) {
    char quote = '\0';
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (quote == '"' && line[i] == '\\') {
        ++i;
      } else if (quote) {
        if (line[i] == quote) quote = '\0';
      } else if (line[i] == '"' || line[i] == '\'') {
        quote = line[i];
      } else if (line[i] == '#') {
        return i;
      }
    }
    return std::string::npos;
  }

  std::vector<std::string> lines_;
};

/// toml++ sorts keys by name; we keep the order of the text.
std::vector<std::pair<const toml::key*, const toml::node*>> in_text_order(const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> nodes;
  for (auto it = table.cbegin(); it != table.cend(); ++it) nodes.emplace_back(&it->first, &it->second);
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) {
    const auto start_a = a.first->source().begin;
    const auto start_b = b.first->source().begin;
    return std::tie(start_a.line, start_a.column) < std::tie(start_b.line, start_b.column);
  });
  return nodes;
}

void collect(const ConfigText& config, const Comments& comments, const toml::table& table,
             const std::string& prefix, ParsedConfig& parsed) {
  for (const auto& [key, node] : in_text_order(table)) {
    const std::size_t line = key->source().begin.line;
    check_key(place(config, line), key->str());
    const auto full = prefix + std::string{key->str()};
    if (const auto* inner = node->as_table()) {
      parsed.tables.push_back({full, line});
      collect(config, comments, *inner, full + '.', parsed);
    } else {
      const auto where = fmt::format("{}: {}", place(config, line), full);
      parsed.settings.push_back({full, line, to_value(where, *node), comments.of_line(line)});
    }
  }
}

}  // namespace

ConfigText read_config_text(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw InputError{path.string(), "there is no such file"};
  if (std::filesystem::is_directory(path, ignored)) {
    throw InputError{path.string(), "is a directory", "a TOML file is needed"};
  }
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw InputError{path.string(), fmt::format("cannot be read: {}", std::strerror(errno))};
  return {path.string(), text.str()};
}

ParsedConfig parse_config(const ConfigText& config) {
  ParsedConfig parsed;
  collect(config, Comments{config.text}, parse_toml(config), "", parsed);
  return parsed;
}

Value parse_value(std::string_view text) {
  Value as_text{std::string{text}};
  try {
    const auto parsed = parse_config({"", fmt::format("value = {}", text)});
    if (parsed.settings.size() != 1 || !parsed.tables.empty()) return as_text;
    return parsed.settings.front().value;
  } catch (const InputError&) {
    return as_text;
  }
}

}  // namespace ouro::engine
