#pragma once

#include <optional>
#include <string>
#include <vector>

#include "llm/experiment.hpp"
#include "llm/serving_controller.hpp"
#include "tools/run_statistics.hpp"

namespace ouro::tools {

/// A figure that a run reports of the simulated machine.
struct Quantity {
  std::string name;
  std::string unit;
  std::optional<double> value;  ///< none where nothing was measured; counts are exact up to 2^53
};

/// What every fidelity reports, in the same order. Takes the requests that ended from the controller, for
/// exact percentiles of TTFT and TPOT.
std::vector<Quantity> quantities_of(const llm::Experiment& experiment, llm::ServingController& controller,
                                    const RunStatistics& statistics);

}  // namespace ouro::tools
