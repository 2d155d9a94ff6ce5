#pragma once

#include <string_view>
#include <vector>

namespace ouro::llm {

/// The text of a file that is compiled into the program: models/*.json and lengths/*.csv. Empty where
/// there is none of this name.
std::string_view embedded_file(std::string_view name);

/// The names of all such files.
std::vector<std::string_view> embedded_files();

}  // namespace ouro::llm
