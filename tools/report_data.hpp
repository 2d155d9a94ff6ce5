#pragma once

#include <nlohmann/json.hpp>

#include "engine/results_reader.hpp"

namespace ouro::tools {

/// What the page of `ouroboros report` needs of a run: its figures, its configuration, the attributes, every
/// table that does not grow with the workload, and percentiles of those that do. Of a killed run, what there
/// is.
///
/// @throws InputError  if the file is neither of `ouroboros run` nor of `ouroboros noc`
nlohmann::ordered_json report_data(const engine::ResultsReader& run);

}  // namespace ouro::tools
