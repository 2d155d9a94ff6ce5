#pragma once

#include <string_view>
#include <vector>

namespace ouro::tools {

/// Text of a file of this folder that is compiled into the program; empty if there is no such file.
std::string_view embedded_file(std::string_view name);
std::vector<std::string_view> embedded_files();

}  // namespace ouro::tools
