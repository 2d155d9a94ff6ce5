#pragma once

#include <iosfwd>

#include "tools/run_figures.hpp"

namespace ouro::tools {

/// Prints the main figures of a run in lines for people, with units.
void print_summary(std::ostream& out, const Figures& figures);

/// Prints all figures as one JSON object.
void print_json(std::ostream& out, const Figures& figures);

}  // namespace ouro::tools
