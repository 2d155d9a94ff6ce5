#pragma once

#include <span>

#include "llm/mapping_cost.hpp"

namespace ouro::llm {

struct ExactPlacement {
  Placement placement;
  Objective objective;
  double bound = 0;     ///< no placement costs less; in the units of Objective
  bool proven = false;  ///< the placement is optimal
};

/// The best placement of a small graph, by the mixed-integer solver Cbc on the linearised quadratic program.
///
/// Roles with the same flows (the KV cores of a block) are one role with several cores. For each flow and
/// pair of cores there is a continuous variable that is 1 where its ends are there; the sums over either
/// end's cores are the other end's binary variables (W. P. Adams and T. A. Johnson, "Improved linear
/// programming-based lower bounds for the quadratic assignment problem", DIMACS 16, 1994), for the pairs that
/// have a flow only. So there are flows x sites^2 of them: for up to about 15 sites.
///
/// @param start    the best placement known; its fixed roles stay where they are
/// @param seconds  of wall time, after which the best that was found is returned, unproven
ExactPlacement place_exactly(const FlowGraph& graph, const MappingCost& cost,
                             std::span<const wafer::CoreId> sites, const Placement& start, double seconds);

}  // namespace ouro::llm
