#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config_value.hpp"

namespace ouro::engine {

/// A TOML text and the name that messages give it.
struct ConfigText {
  std::string name;
  std::string text;
};

/// @throws InputError  if there is no such file, or it cannot be read
ConfigText read_config_text(const std::filesystem::path& path);

struct ParsedTable {
  std::string name;  // full, such as wafer.noc
  std::size_t line = 0;
};

struct ParsedSetting {
  std::string key;  // full, such as wafer.noc.vcs
  std::size_t line = 0;
  Value value;
  std::string comment;  // what follows '#' on the line where the key starts
};

/// All of one text, in the order of the text.
struct ParsedConfig {
  std::vector<ParsedTable> tables;
  std::vector<ParsedSetting> settings;
};

/// @throws InputError  with name and line: for a syntax error, a key given twice, a value of a type that
///                     configurations do not use
ParsedConfig parse_config(const ConfigText& config);

/// The value that a text on the command line stands for: of its TOML type if it reads as TOML, else text,
/// so that `1 GHz` needs no second pair of quotes.
Value parse_value(std::string_view text);

}  // namespace ouro::engine
