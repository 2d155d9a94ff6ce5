#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::engine {

struct DiffOptions {
  std::vector<std::string> ignored_groups{"/engine"};  // what a run may differ in
  std::vector<std::string> ignored_attributes = {};    // of the file
  std::size_t at_most = 20;                            // sentences
};

/// Where two results differ, a sentence for each attribute and then each dataset, sorted by name; empty if
/// they agree in every bit. Of a dataset whose values differ, the first index and both values are named.
std::vector<std::string> compare_results(const ResultsReader& a, const ResultsReader& b,
                                         const DiffOptions& options = {});

}  // namespace ouro::engine
