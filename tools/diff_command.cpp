#include "tools/diff_command.hpp"

#include <fmt/core.h>

#include "engine/results_diff.hpp"

namespace ouro::tools {

bool diff(const std::filesystem::path& a, const std::filesystem::path& b) {
  const engine::ResultsReader first{a};
  const engine::ResultsReader second{b};
  const engine::DiffOptions options{.ignored_groups = {"/engine", "/configuration"},
                                    .ignored_attributes = {"code_version"}};
  const auto differences = engine::compare_results(first, second, options);
  for (const auto& difference : differences) fmt::print("{}\n", difference);
  if (differences.empty()) fmt::print("every simulated quantity is equal\n");
  return differences.empty();
}

}  // namespace ouro::tools
