#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ouro::tools {

struct DiffArguments {
  std::filesystem::path a, b;
  std::optional<double> tolerance;      ///< for every figure of the summary; none: 0
  std::vector<std::string> tolerances;  ///< NAME=x for a figure, or a dataset by its path
  bool compares_models() const { return tolerance || !tolerances.empty(); }
};

/// Compares two result files and prints what differs. What the simulator says of itself (engine) and how it
/// was told (configuration) may differ.
///
/// Without tolerances: every bit of every simulated quantity. With tolerances: the figures of the summary and
/// the named datasets, by their difference relative to the first file's value.
///
/// @return  whether they are equal, or within the tolerances
/// @throws InputError  for files that cannot be compared and for unknown names
bool diff(const DiffArguments& arguments);

}  // namespace ouro::tools
