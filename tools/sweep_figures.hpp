#pragma once

#include <string>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// A number that sums up a run.
struct Figure {
  std::string name;  ///< with its unit, such as ttft_p50_ms
  std::string unit;
  std::string meaning;
  double value = 0;  ///< NaN where the run has none, such as TPOT without a request of two outputs
};

/// The main figures of a run, from its result; always the same names in the same order.
/// @throws InputError  if the file lacks what a result of `ouroboros run` has
std::vector<Figure> read_figures(const engine::ResultsReader& result);

}  // namespace ouro::tools
