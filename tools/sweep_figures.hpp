#pragma once

#include <string>
#include <vector>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// A number that sums up a run, as a column of the table of a sweep.
struct SweepFigure {
  std::string name;  ///< with its unit, such as ttft_p50_ms
  std::string unit;
  std::string meaning;
  double value = 0;  ///< NaN where the run has none, such as TPOT without a request of two outputs
};

/// Of the figures of a run, those in a sweep's table; always the same names in the same order.
/// @throws InputError  if the file is not a whole result of `ouroboros run`
std::vector<SweepFigure> sweep_figures(const engine::ResultsReader& result);

}  // namespace ouro::tools
