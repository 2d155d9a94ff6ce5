#pragma once

#include <filesystem>
#include <vector>

#include "engine/part_file.hpp"

namespace ouro::tools {

struct ReportArguments {
  std::vector<std::filesystem::path> runs;  ///< shown side by side
  std::filesystem::path out;                ///< empty: the first run's name with .html, here
  bool force = false;                       ///< overwrite `out`
};

/// Writes one page to look at the results of runs: it holds all that it shows and loads nothing.
///
/// @return where it is
/// @throws InputError  if a file is not of `ouroboros run`, or the page cannot be written
std::filesystem::path report(const ReportArguments& arguments);

}  // namespace ouro::tools
