#pragma once

#include <filesystem>

namespace ouro::tools {

/// Compares every simulated quantity of two result files and prints the first differences. What the
/// simulator says of itself (engine) and how it was told (configuration) may differ.
/// @return  whether they are equal
bool diff(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace ouro::tools
