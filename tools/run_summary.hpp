#pragma once

#include <iosfwd>
#include <string>

#include "llm/system.hpp"
#include "tools/run_statistics.hpp"

namespace ouro::tools {

/// Prints the main figures of a run, with units.
void print_summary(std::ostream& out, const llm::Experiment& experiment,
                   const llm::ServingController& controller, const RunStatistics& statistics,
                   double wall_seconds, int ranks);

}  // namespace ouro::tools
